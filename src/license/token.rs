//! The authority's answer: a JWS in its compact form, verified.
//!
//! The signature is ring's; the form around it is three base64 texts with dots, read strictly here. A library for all
//! of JOSE was looked at and lost: most of it is the choice of algorithms, and the choice is what must not exist.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rsa::PublicKeyComponents;
use ring::signature::RSA_PKCS1_2048_8192_SHA256;
use serde::Deserialize;
use serde::Serialize;
use thiserror::Error;

/// How far the authority's clock and this machine's may be apart, in seconds. Machines that set their clocks by the
/// network are within one.
pub(super) const SKEW_MAX: u64 = 300;
/// Characters of a token; a real one has about a thousand.
const TOKEN_MAX: usize = 32 << 10;
/// The one algorithm.
const ALGORITHM: &str = "RS256";

/// The authority's public keys, by their ids.
#[derive(Debug, Clone)]
pub(crate) struct Trust {
    keys: Vec<PublicKey>,
}

#[derive(Debug, Clone, Deserialize)]
struct PublicKey {
    kid: String,
    kty: String,
    n: String,
    e: String,
}

/// What a verified token says.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Grant {
    /// When it was signed, in seconds.
    pub(crate) iat: u64,
    /// Until when it holds without asking again.
    pub(crate) exp: u64,
    /// Whose licence it is about: [`LicenseKey::subject`](super::LicenseKey::subject).
    sub: String,
    /// The question that it answers.
    #[serde(default)]
    nonce: String,
    pub(crate) license: Terms,
    #[serde(rename = "topUpUrl", default)]
    pub(crate) top_up_url: Option<String>,
}

/// The licence as clients have always seen it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Terms {
    pub(crate) valid: bool,
    #[serde(default)]
    pub(crate) tier: String,
    #[serde(default)]
    pub(crate) features: Vec<String>,
    #[serde(default)]
    pub(crate) usage_this_month: u64,
    /// `None`: there is no cap.
    #[serde(default)]
    pub(crate) usage_cap: Option<u64>,
    #[serde(default)]
    pub(crate) cap_exceeded: bool,
    #[serde(default)]
    pub(crate) last_cap_change: u64,
    #[serde(default)]
    pub(crate) top_up_grants: u64,
}

/// Why an answer does not count.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Refused {
    #[error("it is no signed token")]
    Malformed,
    #[error("it is signed with {0:?}, and only RS256 counts")]
    Algorithm(String),
    #[error("it is signed with the key {0:?}, which is not among the configured ones")]
    UnknownKey(String),
    #[error("its signature does not verify")]
    Signature,
    #[error("it is about another licence key")]
    OtherSubject,
    #[error("it answers another question: somebody plays an old answer back")]
    Replayed,
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: String,
    /// Extensions that must be understood: there is none that we do.
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct KeySet {
    keys: Vec<PublicKey>,
}

impl Trust {
    /// Reads a JSON Web Key Set.
    pub(crate) fn read(text: &str) -> Result<Trust, String> {
        let set: KeySet = serde_json::from_str(text).map_err(|error| error.to_string())?;
        for key in &set.keys {
            let is_base64 = |text: &str| URL_SAFE_NO_PAD.decode(text).is_ok();
            if key.kty != "RSA" || !is_base64(&key.n) || !is_base64(&key.e) {
                return Err(format!("the key {:?} is no RSA key", key.kid));
            }
        }
        match set.keys.is_empty() {
            true => Err("it has no keys".to_owned()),
            false => Ok(Trust { keys: set.keys }),
        }
    }
}

/// What a token says, if it is signed by a key of ours and is about this licence.
pub(crate) fn verify(token: &str, trust: &Trust, subject: &str) -> Result<Grant, Refused> {
    let token = token.trim();
    let (signed, signature) = token.rsplit_once('.').ok_or(Refused::Malformed)?;
    let (head, claims) = signed.split_once('.').ok_or(Refused::Malformed)?;
    if token.len() > TOKEN_MAX || claims.contains('.') {
        return Err(Refused::Malformed);
    }
    let header: Header = part(head)?;
    if header.alg != ALGORITHM {
        return Err(Refused::Algorithm(header.alg));
    }
    if header.crit.is_some() {
        return Err(Refused::Malformed);
    }
    let key = trust.keys.iter().find(|key| key.kid == header.kid);
    let key = key.ok_or(Refused::UnknownKey(header.kid))?;
    key.verify(signed, &bytes(signature)?)?;
    let grant: Grant = part(claims)?;
    match grant.sub == subject {
        true => Ok(grant),
        false => Err(Refused::OtherSubject),
    }
}

/// Whether a verified token answers this question, now. How many seconds this machine's clock is off is its error.
pub(crate) fn check_answer(
    grant: &Grant,
    nonce: &str,
    now: u64,
) -> Result<Result<(), i64>, Refused> {
    if grant.nonce != nonce {
        return Err(Refused::Replayed);
    }
    if now.abs_diff(grant.iat) > SKEW_MAX {
        let signed = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
        return Ok(Err(signed(now) - signed(grant.iat)));
    }
    Ok(Ok(()))
}

impl PublicKey {
    fn verify(&self, signed: &str, signature: &[u8]) -> Result<(), Refused> {
        let components = PublicKeyComponents {
            n: bytes(&self.n)?,
            e: bytes(&self.e)?,
        };
        components
            .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), signature)
            .map_err(|_| Refused::Signature)
    }
}

fn part<T: for<'a> Deserialize<'a>>(text: &str) -> Result<T, Refused> {
    serde_json::from_slice(&bytes(text)?).map_err(|_| Refused::Malformed)
}

fn bytes(text: &str) -> Result<Vec<u8>, Refused> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Refused::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust() -> Trust {
        Trust::read(r#"{"keys":[{"kid":"k","kty":"RSA","n":"AQAB","e":"AQAB"}]}"#)
            .expect("a key set")
    }

    fn token(header: &str) -> String {
        format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode(header))
    }

    #[test]
    fn the_algorithm_is_not_the_tokens_choice() {
        for alg in ["none", "HS256", "RS512", "rs256"] {
            let token = token(&format!(r#"{{"alg":"{alg}","kid":"k"}}"#));
            assert_eq!(
                verify(&token, &trust(), "s").err(),
                Some(Refused::Algorithm(alg.to_owned()))
            );
        }
    }

    #[test]
    fn unknown_keys_bad_signatures_and_nonsense_are_told_apart() {
        let refused = |token: &str| verify(token, &trust(), "s").err();
        assert_eq!(
            refused(&token(r#"{"alg":"RS256","kid":"old"}"#)),
            Some(Refused::UnknownKey("old".into()))
        );
        assert_eq!(
            refused(&token(r#"{"alg":"RS256","kid":"k"}"#)),
            Some(Refused::Signature)
        );
        let crit = token(r#"{"alg":"RS256","kid":"k","crit":["b64"]}"#);
        for token in ["", "a", "a.b", "a.b.c.d", "....", "{}", &crit] {
            assert_eq!(refused(token), Some(Refused::Malformed), "{token}");
        }
    }

    #[test]
    fn a_key_set_must_hold_rsa_keys() {
        for text in [
            "",
            "{}",
            r#"{"keys":[]}"#,
            r#"{"keys":[{"kid":"k","kty":"EC","n":"AQAB","e":"AQAB"}]}"#,
            r#"{"keys":[{"kid":"k","kty":"RSA","n":"*","e":"AQAB"}]}"#,
        ] {
            assert!(Trust::read(text).is_err(), "{text}");
        }
    }
}
