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

/// Writes a count as JSON has it. Most have one digit or two.
pub(crate) fn count(number: u64, json: &mut String) {
    if number > 99 {
        count(number / 100, json);
    }
    if number > 9 {
        digit(number / 10 % 10, json);
    }
    digit(number % 10, json);
}

fn digit(digit: u64, json: &mut String) {
    json.push(char::from(b'0' + digit as u8));
}

/// Where the first byte stands that is escaped. Most texts hold none, which the machine sees of many bytes at once.
pub(crate) fn escaped_at(text: &[u8]) -> Option<usize> {
    let (pieces, rest) = text.as_chunks::<PIECE_BYTES>();
    let holds = |piece: &[u8; PIECE_BYTES]| {
        let found = piece.iter().map(|byte| is_escaped(*byte));
        found.fold(false, |any, found| any | found)
    };
    let (begin, piece) = match pieces.iter().position(holds) {
        Some(piece) => (piece * PIECE_BYTES, pieces[piece].as_slice()),
        None => (text.len() - rest.len(), rest),
    };
    escaped_in(piece).map(|at| begin + at)
}

/// The same in a piece, or in less: in its first word, or else in its last one. The two may have bytes in common.
fn escaped_in(piece: &[u8]) -> Option<usize> {
    if let (Some(first), Some(last)) = (piece.first_chunk(), piece.last_chunk()) {
        let in_last = || Some(piece.len() - size_of::<u64>() + first_escaped(*last)?);
        return first_escaped(*first).or_else(in_last);
    }
    if let (Some(first), Some(last)) = (piece.first_chunk(), piece.last_chunk()) {
        let [a, b, c, d]: [u8; 4] = *first;
        let [e, f, g, h]: [u8; 4] = *last;
        let at = first_escaped([a, b, c, d, e, f, g, h])?;
        return Some(if at < 4 { at } else { piece.len() + at - 8 });
    }
    piece.iter().position(|byte| is_escaped(*byte))
}

/// Where the first escaped byte of eight stands. Both numbers have the highest bit of a byte set where that byte is one;
/// behind the first such byte they may have it set of others as well.
fn first_escaped(bytes: [u8; 8]) -> Option<usize> {
    let word = u64::from_le_bytes(bytes);
    let of = |byte: u8| u64::from_le_bytes([byte; 8]);
    let less = |word: u64, byte: u8| word.wrapping_sub(of(byte)) & !word;
    let found = less(word ^ of(QUOTE_TO_SPACE), b'!') | less(word ^ of(b'\\'), 1);
    match (found & of(0x80)).trailing_zeros() / u8::BITS {
        8 => None,
        at => Some(at as usize),
    }
}

/// Control characters, quotes and backslashes.
fn is_escaped(byte: u8) -> bool {
    byte ^ QUOTE_TO_SPACE < b'!' || byte == b'\\'
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
/// The bit by which a quote differs from a space, which stands behind the control characters: none of these leaves them by
/// it, so that one comparison finds all.
const QUOTE_TO_SPACE: u8 = b'"' ^ b' ';

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
    fn the_first_escaped_byte_is_found_wherever_it_stands_and_whatever_stands_around_it() {
        let around = [
            b'a', b' ', b'!', b'#', b'[', b']', 0x7F, 0x80, 0xA2, 0xDC, 0xFF,
        ];
        for (length, other) in (0..40).flat_map(|length| around.map(|other| (length, other))) {
            let plain = vec![other; length];
            assert_eq!(escaped_at(&plain), None, "{length} of {other}");
            for (at, escaped) in
                (0..length).flat_map(|at| [0, 1, 31, b'"', b'\\'].map(|byte| (at, byte)))
            {
                let mut text = plain.clone();
                text[at] = escaped;
                assert_eq!(
                    escaped_at(&text),
                    Some(at),
                    "{escaped} in {length} of {other}"
                );
                text[at..].fill(escaped);
                assert_eq!(escaped_at(&text), Some(at));
            }
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
