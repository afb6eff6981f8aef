//! Where the newer family puts the images that tools answer with: `tool-results/` beside the transcript.

use std::path::Path;

use serde_json::Value;

use crate::clock;
use crate::conversation::text_of;
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

/// A result that is too long for the model goes into a file; what the model is shown instead.
pub(crate) fn put_aside(folder: &Path, id: &str, shown: &Value, letters: usize) -> Option<String> {
    if text_of(shown).chars().count() <= letters {
        return None;
    }
    let (kind, text) = match shown.as_str() {
        Some(text) => ("txt", text.to_owned()),
        None => ("json", format!("{shown:#}")),
    };
    let path = folder.join("tool-results").join(format!("{id}.{kind}"));
    std::fs::create_dir_all(path.parent()?).ok()?;
    std::fs::write(&path, &text).ok()?;
    let preview: String = text.chars().take(PREVIEW).collect();
    let size = size(text.chars().count());
    Some(format!(
        "<persisted-output>\nOutput too large ({size}). Full output saved to: {}\n\nPreview (first 2KB):\n{preview}\n...\n</persisted-output>",
        path.display()
    ))
}

/// `58.6KB`, and without a needless `.0`.
fn size(bytes: usize) -> String {
    let tenths = (bytes * 10 + 512) / 1024;
    match tenths % 10 {
        0 => format!("{}KB", tenths / 10),
        rest => format!("{}.{rest}KB", tenths / 10),
    }
}

/// Letters of a result that is put aside which the model still sees.
const PREVIEW: usize = 2000;

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
    fn sizes_are_told_as_the_real_one_tells_them() {
        assert_eq!(size(60_000), "58.6KB");
        assert_eq!(size(110_050), "107.5KB");
        assert_eq!(size(600_050), "586KB");
        assert_eq!(size(1024), "1KB");
    }

    #[test]
    fn base64_is_read() {
        assert_eq!(bytes("aGVsbG8="), Some(b"hello".to_vec()));
        assert_eq!(bytes("aGVsbG8h"), Some(b"hello!".to_vec()));
        assert_eq!(bytes("*"), None);
    }
}
