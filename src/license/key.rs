//! The key that a licence authority knows.

use crate::hex::to_hex;
use sha2::Digest;
use sha2::Sha256;
use std::fmt;

/// A licence key. It has no `Display`, and its `Debug` tells nothing.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct LicenseKey(pub(crate) String);

impl LicenseKey {
    /// What a token names it by: its SHA-256, in hexadecimal.
    pub(crate) fn subject(&self) -> String {
        to_hex(&Sha256::digest(&self.0))
    }
}

impl fmt::Debug for LicenseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LicenseKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::LicenseKey;

    #[test]
    fn a_licence_key_is_not_in_debug_output() {
        assert!(!format!("{:?}", LicenseKey("secret".to_owned())).contains("secret"));
    }
}
