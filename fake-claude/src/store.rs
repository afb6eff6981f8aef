//! Where the newer family puts the images that tools answer with: `tool-results/` beside the transcript.

use std::path::Path;

use serde_json::Value;

use crate::clock;
use crate::id;

/// Writes an image block's data to a file of its own; the path, or `None` where it could not be written.
pub(crate) fn keep(folder: &Path, server: &str, block: &Value) -> Option<String> {
    let kind = block["mimeType"].as_str()?.rsplit('/').next()?;
    let name = format!(
        "mcp-{server}-blob-{}-{}.{kind}",
        clock::unix_ms(),
        id::hex(6)
    );
    let path = folder.join("tool-results").join(name);
    std::fs::create_dir_all(path.parent()?).ok()?;
    std::fs::write(&path, bytes(block["data"].as_str()?)?).ok()?;
    Some(path.to_string_lossy().into_owned())
}

/// Base64 as bytes; `None` where it is not.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut held, mut bits) = (0_u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let six = ALPHABET.iter().position(|known| *known == letter)?;
        held = held << 6 | u32::try_from(six).ok()?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from(held >> bits & 0xff).ok()?);
            held &= (1 << bits) - 1;
        }
    }
    Some(out)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read() {
        assert_eq!(bytes("aGVsbG8="), Some(b"hello".to_vec()));
        assert_eq!(bytes("aGVsbG8h"), Some(b"hello!".to_vec()));
        assert_eq!(bytes("*"), None);
    }
}
