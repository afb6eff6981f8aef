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
    let (compared, is_somebodys) = compared(hash);
    // One way for both, so that neither takes less than the other.
    let is_equal = compared.is_some_and(|hash| {
        let verified = Argon2::default().verify_password(password.as_bytes(), &hash);
        verified.is_ok()
    });
    is_equal && is_somebodys
}

/// The hash that a password is compared with, and whether it is the one that was asked for: where that is none, a hash of
/// nobody's that takes as much work.
fn compared(hash: Option<&str>) -> (Option<PasswordHash<'_>>, bool) {
    // One that has no hash in it would be refused at once.
    let parsed = hash.and_then(|hash| PasswordHash::new(hash).ok());
    match parsed.filter(|parsed| parsed.salt.is_some() && parsed.hash.is_some()) {
        Some(known) => (Some(known), true),
        None => {
            let nobody = NOBODY.as_deref();
            (nobody.and_then(|hash| PasswordHash::new(hash).ok()), false)
        }
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

/// Characters of a password that somebody chooses: shorter ones are guessed.
pub(crate) const CHARACTERS_MIN: usize = 10;

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

    #[test]
    fn an_unknown_user_takes_the_work_of_a_known_one() {
        let hash = hashed("correct horse").expect("there is randomness");
        let (known, is_somebodys) = compared(Some(&hash));
        let known = known.expect("it is a hash");
        assert!(is_somebodys);
        for unknown in [None, Some(""), Some("$argon2id$broken")] {
            let (nobody, is_somebodys) = compared(unknown);
            let nobody = nobody.expect("there is one to compare with");
            assert!(!is_somebodys);
            assert_eq!(
                (nobody.algorithm, nobody.version),
                (known.algorithm, known.version)
            );
            assert_eq!(nobody.params, known.params, "memory, rounds and lanes");
        }
    }
}
