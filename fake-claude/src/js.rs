//! JSON as a program of JavaScript keeps it: half of a surrogate pair, which no text of ours can hold, goes in and out.
//!
//! Such a half is kept as a character of the last private plane, where nobody writes, and is escaped again on its way out.

use serde_json::Value;

/// What is read from an API; nothing where it is no JSON.
pub(crate) fn read(text: &str) -> Value {
    serde_json::from_str(&kept(text)).unwrap_or_default()
}

/// A call's input, whose pieces are texts of JSON within JSON; `None` where it is no JSON.
pub(crate) fn input(text: &str) -> Option<Value> {
    serde_json::from_str(&kept(text)).ok()
}

/// What is written for others to read.
pub(crate) fn text(value: &Value) -> String {
    let told = value.to_string();
    if !told.contains(is_half) {
        return told;
    }
    let escaped = |c: char| match is_half(c) {
        true => format!("\\u{:04x}", u32::from(c) - PLANE),
        false => c.to_string(),
    };
    told.chars().map(escaped).collect()
}

/// The text with each half that stands alone as one character.
fn kept(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        kept.push_str(&rest[..at]);
        rest = &rest[at..];
        let (first, second) = (unit(rest), rest.get(6..).and_then(unit));
        let taken = match (first, second) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(half @ 0xD800..=0xDFFF), _) => {
                kept.extend(char::from_u32(PLANE + half));
                rest = &rest[6..];
                continue;
            }
            (Some(_), _) => 6,
            (None, _) => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
        };
        kept.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    kept + rest
}

/// The unit that is escaped here.
fn unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u32::from_str_radix(digits, 16).ok()
}

fn is_half(c: char) -> bool {
    (PLANE + 0xD800..=PLANE + 0xDFFF).contains(&u32::from(c))
}

/// Where halves are kept.
const PLANE: u32 = 0x0010_0000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_pair_goes_in_and_out() {
        for told in [
            r#""a\ud99c b""#,
            r#"{"t":"\ude00\ud83d"}"#,
            r#""\\ud800 \n""#,
        ] {
            assert_eq!(text(&read(told)), told);
        }
        assert_eq!(text(&read(r#""\ud83d\ude00""#)), "\"\u{1f600}\"");
        assert_eq!(read("{"), Value::Null);
    }
}
