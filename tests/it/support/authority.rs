//! A licence authority on loopback that answers as it is told, with real signatures and with all that can be wrong.
//! Its keys, `keys/*.pk8`, were made for these tests and open nothing.

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
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::UNIX_EPOCH;

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
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    mood: Mood,
    asked: Vec<Value>,
    first: Option<String>,
}

impl Authority {
    pub(crate) fn start() -> Authority {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port must be found");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Mutex::new(Shared {
            mood: Mood::good(),
            asked: Vec::new(),
            first: None,
        }));
        let ears = Arc::clone(&shared);
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                answer(socket, &ears);
            }
        });
        Authority { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1/license", self.address)
    }

    pub(crate) fn set(&self, mood: Mood) {
        lock(&self.shared).mood = mood;
    }

    pub(crate) fn asked(&self) -> Vec<Value> {
        lock(&self.shared).asked.clone()
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

fn answer(socket: TcpStream, shared: &Mutex<Shared>) {
    let mut reader = BufReader::new(socket);
    let (mut length, mut line) = (0, String::new());
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length is a number");
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader
        .read_exact(&mut body)
        .expect("the question comes whole");
    let question: Value = serde_json::from_slice(&body).expect("the question is JSON");
    let token = {
        let mut shared = lock(shared);
        shared.asked.push(question.clone());
        if shared.mood.is_silent {
            return;
        }
        let fresh = token(&shared.mood, &question);
        let first = shared.first.get_or_insert_with(|| fresh.clone()).clone();
        if shared.mood.replays { first } else { fresh }
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        token.len()
    );
    let _ = reader
        .get_mut()
        .write_all(format!("{head}{token}").as_bytes()); // The asker may be gone.
}

fn token(mood: &Mood, question: &Value) -> String {
    let key = question["licenseKey"].as_str().unwrap_or_default();
    let subject = if mood.subject.is_empty() {
        key
    } else {
        mood.subject
    };
    let subject: String = Sha256::digest(subject)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
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
