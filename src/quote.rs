//! Texts and counts as JSON, written behind what is there already, as serde writes them. `[pure]`

use crate::hex::to_hex;

/// Writes a text in its quotes.
pub(crate) fn quote(text: &str, json: &mut String) {
    json.push('"');
    let mut rest = text;
    while let Some(at) = escaped_at(rest.as_bytes()) {
        let (plain, escaped) = rest.split_at(at);
        json.push_str(plain);
        escape(escaped.as_bytes()[0], json);
        rest = &escaped[1..];
    }
    json.push_str(rest);
    json.push('"');
}

/// Writes a text in its quotes between what stands around it.
pub(crate) fn around(before: &str, text: &str, after: &str, json: &mut String) {
    json.push_str(before);
    quote(text, json);
    json.push_str(after);
}

/// Writes a count as JSON has it.
pub(crate) fn count(number: u64, json: &mut String) {
    if number > 9 {
        count(number / 10, json);
    }
    json.push(char::from(b'0' + (number % 10) as u8));
}

/// Where the first byte stands that is escaped. Most pieces hold none, which the machine sees of all their bytes at once.
fn escaped_at(text: &[u8]) -> Option<usize> {
    let (pieces, _) = text.as_chunks::<PIECE_BYTES>();
    let holds = |piece: &[u8; PIECE_BYTES]| {
        let found = piece.iter().map(|byte| is_escaped(*byte));
        found.fold(false, |any, found| any | found)
    };
    let piece = pieces.iter().position(holds);
    let begin = piece.unwrap_or(pieces.len()) * PIECE_BYTES;
    let at = text[begin..].iter().position(|byte| is_escaped(*byte))?;
    Some(begin + at)
}

fn is_escaped(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

fn escape(byte: u8, json: &mut String) {
    json.push('\\');
    match byte {
        0x08 => json.push('b'),
        0x0C => json.push('f'),
        b'\n' => json.push('n'),
        b'\r' => json.push('r'),
        b'\t' => json.push('t'),
        b'"' | b'\\' => json.push(char::from(byte)),
        control => {
            json.push_str("u00");
            json.push_str(&to_hex(&[control]));
        }
    }
}

/// Bytes of a piece: those of one register.
const PIECE_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_text_is_written_as_serde_writes_it() {
        let every: String = ('\0'..='\u{FF}')
            .chain("\u{2028}\u{FFFD}😀".chars())
            .collect();
        let late = format!("{}\"{}\t", "é".repeat(20), "x".repeat(40));
        for text in ["", "a", "\"", "a\\", "é\n\u{7F}x", &late, &every] {
            let mut json = String::from("[");
            around("", text, "]", &mut json);
            assert_eq!(json, format!("[{}]", Value::from(text)));
        }
    }

    #[test]
    fn a_count_is_written_as_serde_writes_it() {
        for number in [0, 7, 10, 99, 100, 65_536, u64::MAX - 1, u64::MAX] {
            let mut json = String::from("[");
            count(number, &mut json);
            assert_eq!(json, format!("[{}", Value::from(number)));
        }
    }
}
