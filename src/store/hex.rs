//! A digest of 32 bytes as 64 hex digits, and back. `[pure]`

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

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
        assert_eq!(from_hex(&to_hex(&bytes)), Some(bytes));
        let (short, long) = ("0a".repeat(31), "0a".repeat(33));
        let (other, wide) = ("zz".repeat(32), "é".repeat(32));
        for wrong in ["", &short, &long, &other, &wide] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }
}
