//! A credential's text, and the hash that stands for it where state is kept. `[pure]`

use crate::hex::from_hex;
use crate::hex::to_hex;
use sha2::Digest;
use sha2::Sha256;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// A credential. It has no `Display`, its `Debug` tells nothing, and its bytes are overwritten when the last holder lets
/// go.
///
/// Invariant: one line of visible ASCII, so that it fits into a header.
#[derive(Clone)]
pub(crate) struct SecretValue(Arc<Zeroizing<String>>);

/// The SHA-256 of a credential: what breakers and meters know it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SecretDigest([u8; 32]);

impl SecretValue {
    /// Takes a text without the blanks and line ends around it; `None` where the rest is empty or no header can carry it.
    pub(crate) fn parse(text: &str) -> Option<SecretValue> {
        let text = text.trim();
        let fits = !text.is_empty() && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        fits.then(|| SecretValue(Arc::new(Zeroizing::new(text.to_owned()))))
    }

    /// The text, for the header it goes out in and for nothing else.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    pub(crate) fn digest(&self) -> SecretDigest {
        SecretDigest(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl SecretDigest {
    /// A digest of something that is no secret, for a host that asks for no credential.
    pub(crate) fn of_nothing() -> SecretDigest {
        SecretDigest([0; 32])
    }

    /// All of it, for other relays.
    pub(crate) fn to_hex(self) -> String {
        to_hex(&self.0)
    }

    /// `None` where it is not 64 hex digits.
    pub(crate) fn of_hex(text: &str) -> Option<SecretDigest> {
        from_hex(text).map(SecretDigest)
    }

    /// The first 8 hex digits, for listings: enough to see that two rows share one value, and no more.
    pub(crate) fn short(&self) -> String {
        to_hex(&self.0[..4])
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_line_that_a_header_can_carry() {
        let value = SecretValue::parse(" sk-1 \r\n").expect("this is a credential");
        assert_eq!(value.reveal(), "sk-1");
        for wrong in ["", " \n", "a\nb", "a\tb", "schlüssel", "a\0"] {
            assert!(SecretValue::parse(wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn a_value_tells_nothing_of_itself_and_equal_ones_have_one_digest() {
        let one = SecretValue::parse("sk-very-secret").expect("this is a credential");
        let same = SecretValue::parse("sk-very-secret\n").expect("this is a credential");
        let other = SecretValue::parse("sk-other").expect("this is a credential");
        assert!(!format!("{one:?}").contains("very"));
        assert_eq!(one.digest(), same.digest());
        assert_ne!(one.digest(), other.digest());
        assert_eq!(one.digest().short().len(), 8);
    }
}
