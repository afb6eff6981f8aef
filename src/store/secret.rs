//! A key's text, and the hash that is kept of it.
//!
//! The text is 256 random bits. Nobody guesses it, however fast the hash is, so one SHA-256 is enough. A slow hash
//! (argon2, bcrypt) makes up for the few bits of a password that a person chose; here it would protect nothing, and
//! every call, also every bad one, would cost the tens of milliseconds that such a hash takes on purpose.

use crate::hex::from_hex;
use crate::hex::to_hex;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::Sha256;
use std::fmt;
use std::io;
use subtle::ConstantTimeEq;

/// What every key begins with, so that people and scanners know one when they see one.
const PREFIX: &str = "irk_";
/// Random bytes of a key.
const LENGTH: usize = 32;

/// A key's text. It has no `Display`, and its `Debug` tells nothing.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

/// The hash of a key's text. Knowing it opens nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Digest([u8; 32]);

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// Where the machine gives no randomness.
    pub(crate) fn mint() -> io::Result<Secret> {
        let mut bytes = [0; LENGTH];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Secret(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// Takes a text that has a key's form.
    pub(crate) fn parse(text: &str) -> Option<Secret> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        (bytes.len() == LENGTH).then(|| Secret(text.to_owned()))
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest(
            sha2::Digest::finalize(sha2::Digest::chain_update(Sha256::default(), &self.0)).into(),
        )
    }

    /// The text, for the one place that shows it and the one that sends it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl Digest {
    /// Whether both are one, in a time that does not depend on where they differ.
    pub(crate) fn is(&self, other: &Digest) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    pub(crate) fn to_hex(self) -> String {
        to_hex(&self.0)
    }

    pub(crate) fn from_hex(text: &str) -> Option<Digest> {
        from_hex(text).map(Digest)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_has_the_form_of_one_and_no_two_are_alike() {
        let (one, other) = (
            Secret::mint().expect("there is randomness"),
            Secret::mint().expect("there is randomness"),
        );
        assert_eq!(one.reveal().len(), 47);
        assert_eq!(Secret::parse(one.reveal()), Some(one.clone()));
        assert_ne!(one, other);
        assert!(one.digest().is(&one.digest()) && !one.digest().is(&other.digest()));
        assert!(!format!("{one:?}").contains(&one.reveal()[4..]));
    }

    #[test]
    fn what_is_cut_off_or_of_another_service_has_not_the_form() {
        let text = Secret::mint().expect("there is randomness").0;
        for wrong in ["", "irk_", "unused", "sk-ant-x", &text[4..], &text[..46]] {
            assert_eq!(Secret::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Secret::parse(&format!("{text}x")), None);
        assert_eq!(Secret::parse(&format!(" {text}")), None);
    }

    #[test]
    fn a_hash_is_the_sha_256_of_the_text_and_survives_its_hex() {
        let digest = Secret("irk_x".into()).digest();
        let hex = digest.to_hex();
        assert_eq!(
            hex,
            "4c354b1125247ef2d71ca72fd76cb3d603c0802cf03fa8bbf01dd1eca923fe6c"
        );
        assert!(Digest::from_hex(&hex).is_some_and(|again| again.is(&digest)));
        for wrong in ["", "00", &hex[1..], &"g".repeat(64), &"é".repeat(32)] {
            assert!(Digest::from_hex(wrong).is_none(), "{wrong}");
        }
    }
}
