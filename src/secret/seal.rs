//! Sealing under the master key: AES-256-GCM with the secret's name as associated data. `[pure]`
//!
//! A sealed text is `1.KEY_ID.BASE64`: the form's version, the id of the master key, and nonce, ciphertext and tag. The id
//! is a hash of the key with a purpose of its own, so it opens nothing; it tells "another key" from "changed bytes".

use super::value::SecretValue;
use crate::hex::to_hex;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::AES_256_GCM;
use ring::aead::Aad;
use ring::aead::LessSafeKey;
use ring::aead::NONCE_LEN;
use ring::aead::Nonce;
use ring::aead::UnboundKey;
use sha2::Digest;
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// Bytes of a master key.
pub(super) const KEY_LENGTH: usize = 32;
/// The version of the form.
const FORM: &str = "1";

/// What seals and opens. It cannot be shown.
pub(crate) struct MasterKey {
    key: LessSafeKey,
    id: String,
}

/// Why a sealed text does not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OpenFault {
    /// Sealed by the master key of this id.
    OtherKey(String),
    Damaged,
}

impl MasterKey {
    /// Takes the base64 of 32 bytes.
    pub(super) fn parse(text: &str) -> Option<MasterKey> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).ok()?);
        let bytes: &[u8; KEY_LENGTH] = bytes.as_slice().try_into().ok()?;
        Some(MasterKey::of(bytes))
    }

    pub(super) fn of(bytes: &[u8; KEY_LENGTH]) -> MasterKey {
        let unbound = UnboundKey::new(&AES_256_GCM, bytes);
        let hash = Sha256::new().chain_update(ID_PURPOSE).chain_update(bytes);
        MasterKey {
            key: LessSafeKey::new(
                unbound.expect("a key of AES-256 must have 32 bytes, as this has"),
            ),
            id: to_hex(&hash.finalize()[..4]),
        }
    }

    /// Tells which key it is, and nothing of it.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Seals a value for a name. The nonce must be random: one that is used twice under a key opens both.
    pub(super) fn seal(&self, name: &str, value: &SecretValue, nonce: [u8; NONCE_LEN]) -> String {
        let mut sealed = value.reveal().as_bytes().to_vec();
        let bound = Nonce::assume_unique_for_key(nonce);
        self.key
            .seal_in_place_append_tag(bound, Aad::from(row(name)), &mut sealed)
            .expect("a value far below 64 GiB must fit under one nonce");
        let bytes = [&nonce[..], &sealed].concat();
        format!("{FORM}.{}.{}", self.id, STANDARD.encode(bytes))
    }

    /// Opens what was sealed for a name.
    pub(super) fn open(&self, name: &str, sealed: &str) -> Result<SecretValue, OpenFault> {
        let mut parts = sealed.splitn(3, '.');
        let (form, id, body) = (parts.next(), parts.next(), parts.next());
        let (Some(FORM), Some(id), Some(body)) = (form, id, body) else {
            return Err(OpenFault::Damaged);
        };
        if id != self.id {
            return Err(OpenFault::OtherKey(id.to_owned()));
        }
        let bytes = STANDARD.decode(body).map_err(|_| OpenFault::Damaged)?;
        self.unseal(name, bytes).ok_or(OpenFault::Damaged)
    }

    fn unseal(&self, name: &str, mut bytes: Vec<u8>) -> Option<SecretValue> {
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let open = self.key.open_in_place(nonce, Aad::from(row(name)), sealed);
        let value = SecretValue::parse(std::str::from_utf8(open.ok()?).ok()?);
        let _ = Zeroizing::new(bytes);
        value
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

/// The row's id as associated data.
fn row(name: &str) -> String {
    format!("secret/{name}")
}

/// Keeps the id of a key apart from every other hash of it.
const ID_PURPOSE: &[u8] = b"inference-relay master key id\0";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONCE: [u8; NONCE_LEN] = [7; NONCE_LEN];

    fn value(text: &str) -> SecretValue {
        SecretValue::parse(text).expect("this is a credential")
    }

    #[test]
    fn what_is_sealed_opens_for_its_name_and_for_no_other() {
        let key = MasterKey::of(&[1; 32]);
        let sealed = key.seal("openai", &value("sk-1"), NONCE);
        assert!(!sealed.contains("sk-1"));
        let open = key.open("openai", &sealed).expect("it opens");
        assert_eq!(open.reveal(), "sk-1");
        let swapped = key.open("anthropic", &sealed);
        assert_eq!(swapped.err(), Some(OpenFault::Damaged));
    }

    #[test]
    fn another_master_key_is_told_apart_from_changed_bytes() {
        let (key, other) = (MasterKey::of(&[1; 32]), MasterKey::of(&[2; 32]));
        let sealed = key.seal("a", &value("sk-1"), NONCE);
        let expected = Some(OpenFault::OtherKey(key.id().to_owned()));
        assert_eq!(other.open("a", &sealed).err(), expected);
        for wrong in ["", "1", "1.x", "2.aa.bb", &sealed[..sealed.len() - 4]] {
            assert!(key.open("a", wrong).is_err(), "{wrong}");
        }
        let flipped = sealed.replace(
            &sealed[20..21],
            if &sealed[20..21] == "A" { "B" } else { "A" },
        );
        assert!(key.open("a", &flipped).is_err());
    }

    #[test]
    fn a_master_key_is_the_base64_of_32_bytes() {
        let text = STANDARD.encode([9; 32]);
        let key = MasterKey::parse(&format!(" {text}\n")).expect("this is a key");
        assert_eq!(key.id(), MasterKey::of(&[9; 32]).id());
        assert!(!format!("{key:?}").contains(&text));
        for wrong in [
            "",
            "short",
            &STANDARD.encode([9; 31]),
            &STANDARD.encode([9; 33]),
        ] {
            assert!(MasterKey::parse(wrong).is_none(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_that_was_not_sealed_opens(text in ".{0,80}", name in "[a-z]{1,8}") {
            let key = MasterKey::of(&[1; 32]);
            let sealed = format!("1.{}.{text}", key.id());
            prop_assert!(key.open(&name, &sealed).is_err());
        }
    }
}
