//! Whether bytes are genuine. `[pure]`

use super::error::UpdateError;
use super::manifest::Archive;
use crate::hex::to_hex;
use minisign_verify::PublicKey;
use minisign_verify::Signature;
use sha2::Digest;
use sha2::Sha256;

/// Reads the configured keys.
///
/// # Errors
/// Names the one that is none.
pub(crate) fn keys(texts: &[String]) -> Result<Vec<PublicKey>, UpdateError> {
    let key = |text: &String| {
        let read = PublicKey::from_base64(text.trim());
        read.map_err(|_| UpdateError::Key(text.clone()))
    };
    texts.iter().map(key).collect()
}

/// One of the keys has signed the bytes.
///
/// # Errors
/// Where none has; `what` names the bytes.
pub(crate) fn signed(
    keys: &[PublicKey],
    what: &str,
    bytes: &[u8],
    signature: &[u8],
) -> Result<(), UpdateError> {
    let unsigned = || UpdateError::Unsigned(what.to_owned());
    let text = std::str::from_utf8(signature).map_err(|_| unsigned())?;
    let signature = Signature::decode(text).map_err(|_| unsigned())?;
    // The legacy form signs the bytes themselves instead of their hash: nobody makes it any more.
    let is_by = |key: &PublicKey| key.verify(bytes, &signature, false).is_ok();
    keys.iter().any(is_by).then_some(()).ok_or_else(unsigned)
}

/// The bytes are those that the manifest names. An older archive under a new name is signed as well; this tells it.
///
/// # Errors
/// Where they are others.
pub(crate) fn meant(archive: &Archive, bytes: &[u8]) -> Result<(), UpdateError> {
    let is_whole = u64::try_from(bytes.len()).is_ok_and(|size| size == archive.size);
    let is_it = is_whole && to_hex(&Sha256::digest(bytes)).eq_ignore_ascii_case(&archive.sha256);
    is_it
        .then_some(())
        .ok_or_else(|| UpdateError::Altered(archive.file.clone()))
}
