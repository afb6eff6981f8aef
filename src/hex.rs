//! Bytes as hex digits, and a digest of 32 bytes back from them. `[pure]`

/// Two lower-case digits a byte.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    let mut digits = vec![0; 2 * bytes.len()];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    String::from_utf8(digits).expect("hex digits must be text")
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// `None` where it is not 64 hex digits.
pub(crate) fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if text.len() != 2 * bytes.len() || !is_hex {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_digest_is_none() {
        let bytes = [0x0a; 32];
        assert_eq!(to_hex(&[0x00, 0x9f, 0xe1]), "009fe1");
        assert_eq!(from_hex(&to_hex(&bytes)), Some(bytes));
        let (short, long) = ("0a".repeat(31), "0a".repeat(33));
        let (other, wide) = ("zz".repeat(32), "é".repeat(32));
        for wrong in ["", &short, &long, &other, &wide] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }
}
