//! Passwords: hashed with argon2id, compared at the same cost whether there is such a user or not.

use argon2::Argon2;
use argon2::PasswordVerifier;
use argon2::password_hash::PasswordHash;
use argon2::password_hash::PasswordHasher;
use argon2::password_hash::SaltString;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::io;
use std::sync::LazyLock;

/// The hash that stands in a user's row.
///
/// # Errors
/// Where the machine gives no randomness.
pub(crate) fn hashed(password: &str) -> io::Result<String> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(io::Error::other)?;
    let salt =
        SaltString::encode_b64(&salt).map_err(|error| io::Error::other(error.to_string()))?;
    let hash = Argon2::default()
        .hash_password(password.as_bytes(), &salt)
        .map_err(|error| io::Error::other(error.to_string()))?;
    Ok(hash.to_string())
}

/// Whether a password is the one of a hash; `None`, or a hash that is none: it is not, after the same work. It blocks for
/// as long as that takes.
pub(super) fn is(password: &str, hash: Option<&str>) -> bool {
    let parsed = hash.and_then(|hash| PasswordHash::new(hash).ok());
    match (parsed, &*NOBODY) {
        (Some(parsed), _) => Argon2::default()
            .verify_password(password.as_bytes(), &parsed)
            .is_ok(),
        (None, Some(nobody)) => {
            let nobody = PasswordHash::new(nobody);
            let spend = |hash| Argon2::default().verify_password(password.as_bytes(), &hash);
            let _ = nobody.map(spend); // The work is what counts.
            false
        }
        (None, None) => false,
    }
}

/// Random text of this many bytes, in the alphabet of addresses.
///
/// # Errors
/// Where the machine gives no randomness.
pub(super) fn random(bytes: usize) -> io::Result<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

/// A hash that no password has that anybody could know.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| hashed(&random(32).ok()?).ok());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash_and_nobodys_is_never_right() {
        let hash = hashed("correct horse").expect("there is randomness");
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(is("correct horse", Some(&hash)));
        assert!(!is("correct hors", Some(&hash)));
        assert!(!is("", None) && !is("x", Some("$argon2id$broken")));
    }
}
