//! A licence authority on loopback that answers as it is told, with real signatures and with all that can be wrong.
//! Its keys, `keys/*.pk8`, were made for these tests and open nothing.

use super::hex::to_hex;
use super::played::Played;
use super::wait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::rsa::PublicKeyComponents;
use ring::signature::RSA_PKCS1_SHA256;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::UNIX_EPOCH;
use wiremock::Match;
use wiremock::Mock;
use wiremock::Request;
use wiremock::ResponseTemplate;
use wiremock::matchers::method;
use wiremock::matchers::path;

/// What the next answers are.
#[derive(Debug, Clone)]
pub(crate) struct Mood {
    pub(crate) license: Value,
    /// Which key signs, and under which name.
    pub(crate) signer: Signer,
    pub(crate) kid: &'static str,
    pub(crate) alg: &'static str,
    /// Whose licence the answer is about; empty: the asker's.
    pub(crate) subject: &'static str,
    /// Seconds by which the authority's clock differs from this machine's.
    pub(crate) clock: i64,
    /// Seconds that an answer holds.
    pub(crate) holds: i64,
    /// The connection is closed without an answer.
    pub(crate) is_silent: bool,
    /// The first answer that was ever given is given again.
    pub(crate) replays: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Signer {
    One,
    Two,
}

/// An authority; its questions so far can be looked at.
pub(crate) struct Authority {
    server: Played,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    mood: Mood,
    first: Option<String>,
}

impl Authority {
    pub(crate) fn start() -> Authority {
        let mood = Mood::good();
        let shared = Arc::new(Mutex::new(Shared { mood, first: None }));
        let server = Played::start();
        let (silent, ears) = (Silent(Arc::clone(&shared)), Arc::clone(&shared));
        let asked = || Mock::given(method("POST")).and(path(PLACE));
        server.mount(asked().and(silent).respond_with_err(broken_off));
        server.mount(asked().respond_with(move |question: &Request| answer(question, &ears)));
        Authority { server, shared }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url(PLACE)
    }

    pub(crate) fn set(&self, mood: Mood) {
        lock(&self.shared).mood = mood;
    }

    pub(crate) fn asked(&self) -> Vec<Value> {
        let requests = self.server.requests();
        requests.iter().map(question).collect()
    }
}

impl Mood {
    pub(crate) fn good() -> Mood {
        Mood {
            license: json!({
                "valid": true, "tier": "solo", "features": ["streaming"], "usageThisMonth": 42, "usageCap": 5000,
                "capExceeded": false, "lastCapChange": 0, "topUpGrants": 0,
            }),
            signer: Signer::One,
            kid: "one",
            alg: "RS256",
            subject: "",
            clock: 0,
            holds: 600,
            is_silent: false,
            replays: false,
        }
    }
}

/// The public keys of these signers as a key set.
pub(crate) fn key_set(names: &[(&str, Signer)]) -> String {
    let key = |(kid, signer): &(&str, Signer)| {
        let public: PublicKeyComponents<Vec<u8>> = pair(*signer).public().into();
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"kid": kid, "kty": "RSA", "alg": "RS256", "n": text(&public.n), "e": text(&public.e)})
    };
    json!({ "keys": names.iter().map(key).collect::<Vec<_>>() }).to_string()
}

fn pair(signer: Signer) -> KeyPair {
    let bytes: &[u8] = match signer {
        Signer::One => include_bytes!("keys/one.pk8"),
        Signer::Two => include_bytes!("keys/two.pk8"),
    };
    KeyPair::from_pkcs8(bytes).expect("the key is good")
}

/// Whether the authority is silent now.
struct Silent(Arc<Mutex<Shared>>);

impl Match for Silent {
    fn matches(&self, _: &Request) -> bool {
        lock(&self.0).mood.is_silent
    }
}

/// The connection is closed without an answer.
fn broken_off(_: &Request) -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

fn answer(request: &Request, shared: &Mutex<Shared>) -> ResponseTemplate {
    let mut shared = lock(shared);
    let fresh = token(&shared.mood, &question(request));
    let first = shared.first.get_or_insert_with(|| fresh.clone()).clone();
    let token = if shared.mood.replays { first } else { fresh };
    ResponseTemplate::new(200).set_body_string(token)
}

fn question(request: &Request) -> Value {
    request.body_json().expect("the question is JSON")
}

fn token(mood: &Mood, question: &Value) -> String {
    let key = question["licenseKey"].as_str().unwrap_or_default();
    let subject = if mood.subject.is_empty() {
        key
    } else {
        mood.subject
    };
    let subject = to_hex(&Sha256::digest(subject));
    let now = wall_seconds() + mood.clock;
    let claims = json!({
        "iat": now, "exp": now + mood.holds, "sub": subject, "nonce": question["nonce"],
        "license": mood.license, "topUpUrl": "https://pay.example/top-up",
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({"alg": mood.alg, "kid": mood.kid, "typ": "JWT"});
    let signed = format!("{}.{}", part(&header), part(&claims));
    let pair = pair(mood.signer);
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .expect("it is signed");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn wall_seconds() -> i64 {
    let since = wait::wall()
        .duration_since(UNIX_EPOCH)
        .expect("it is after 1970");
    i64::try_from(since.as_secs()).expect("it is before the end of time")
}

fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where it is asked.
const PLACE: &str = "/v1/license";
