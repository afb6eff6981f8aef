//! What stands before every call: the key check, and the licence's gate.

use super::Measure;
use crate::auth::Admission;
use crate::auth::AdmissionRequest;
use crate::auth::AuthConfig;
use crate::auth::BlockRule;
use crate::auth::Budget;
use crate::auth::Credential;
use crate::auth::Peer;
use crate::auth::Required;
use crate::auth::RouteAccess;
use crate::license::LicenseKey;
use crate::license::Standing;
use crate::license::Trust;
use crate::license::verify;
use crate::store::Keys;
use crate::store::Secret;
use crate::store::new_id;
use std::hint::black_box;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::time::Duration;

pub(super) fn measures() -> Vec<Measure> {
    vec![key(), verification(), gate()]
}

/// The last made of as many keys as there may be.
fn key() -> Measure {
    let secret = Secret::mint().expect("there must be randomness");
    let mut keys = Keys::default();
    for number in 1..KEYS {
        let other = Secret::mint().expect("there must be randomness");
        let made = keys.create(new_id(), &format!("k{number}"), &other, None, 0);
        assert!(made.is_ok(), "there is room for keys");
    }
    let made = keys.create(new_id(), "last", &secret, None, 0);
    assert!(made.is_ok(), "there is room for keys");
    let admission = Admission::new(config(), Some(keys), None);
    Measure {
        name: "auth/key",
        bytes: 0,
        round: Box::new(move || {
            let parsed = Secret::parse(black_box(secret.reveal())).expect("it is a key");
            let pass = admission.admit(AdmissionRequest {
                peer: Peer::Network(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                forwarded: Vec::new(),
                credential: Credential::Secret(parsed),
                route: RouteAccess::Guarded,
            });
            assert!(black_box(pass).is_ok(), "the key is good");
        }),
    }
}

/// The authority's answer, as often as it comes: every few minutes.
fn verification() -> Measure {
    let (trust, subject) = trust();
    Measure {
        name: "license/verify",
        bytes: TOKEN.len() as u64,
        round: Box::new(move || {
            let grant = verify(black_box(TOKEN), &trust, &subject);
            assert!(black_box(grant).is_ok(), "the token is signed");
        }),
    }
}

/// What is asked for every call: the answer that is known.
fn gate() -> Measure {
    let (trust, subject) = trust();
    let standing = Standing {
        grant: verify(TOKEN, &trust, &subject).ok(),
        problem: None,
        calls_since: 0,
    };
    Measure {
        name: "license/gate",
        bytes: 0,
        round: Box::new(move || drop(black_box(standing.judge(0, black_box(NOW))))),
    }
}

fn trust() -> (Trust, String) {
    let trust = Trust::read(include_str!("license.json")).expect("it must be a set of keys");
    (trust, LicenseKey("bench".to_owned()).subject())
}

fn config() -> AuthConfig {
    let budget = Budget {
        per_minute: NonZeroU32::new(u32::MAX),
        burst: NonZeroU32::MAX,
        concurrent_max: usize::MAX,
    };
    AuthConfig {
        required: Required::Always,
        address: budget,
        key: budget,
        block: BlockRule {
            tries_max: 10,
            window: Duration::from_secs(60),
            span: Duration::from_secs(300),
        },
        proxies: Vec::new(),
        default_policy: None,
    }
}

/// Signed once by a key that was thrown away; it holds until 2100.
const TOKEN: &str = include_str!("license.jws");
/// Within the token's time.
const NOW: u64 = 2_000_000_000;
const KEYS: usize = 1000;
