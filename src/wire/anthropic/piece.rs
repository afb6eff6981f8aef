//! A piece of a block, read without a tree: nearly all that a stream says is one.

use crate::quote::escaped_at;
use crate::turn::Delta;
use serde::Deserialize;
use std::borrow::Cow;

/// The event of a piece of a block.
pub(super) const EVENT: &str = "content_block_delta";

/// A piece and its block's index; `None` for one of another kind, or one that holds what serde refuses.
pub(super) fn read(data: &str) -> Option<(u64, Delta)> {
    at_once(data).or_else(|| closely(data))
}

/// The piece whose frame begins the bytes, with its block's index and what follows the frame, where both are written as
/// the API writes them, byte for byte; `None`: it is written in another way, or not at its end.
pub(super) fn first(bytes: &[u8]) -> Option<(u64, Delta, &[u8])> {
    let begin = b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":";
    let (index, delta, rest) = behind_index(bytes.strip_prefix(begin)?)?;
    Some((index, delta, rest.strip_prefix(b"}}\n\n")?))
}

/// Reads one that is written as the API writes it, byte for byte; `None`: it is written in another way.
fn at_once(data: &str) -> Option<(u64, Delta)> {
    let rest = data.strip_prefix(r#"{"type":"content_block_delta","index":"#)?;
    let (index, delta, rest) = behind_index(rest.as_bytes())?;
    let is_over = rest == b"}}" || is_end(str::from_utf8(rest).ok()?);
    is_over.then_some((index, delta))
}

/// The index that begins the bytes, the piece behind it, and what follows the piece's text.
fn behind_index(bytes: &[u8]) -> Option<(u64, Delta, &[u8])> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit());
    let (index, rest) = bytes.split_at(digits.count());
    let rest = rest.strip_prefix(br#","delta":{"type":""#)?;
    let kind = KINDS.iter().find(|(begin, _)| rest.starts_with(begin));
    let (begin, make) = kind?;
    let (text, rest) = text(&rest[begin.len()..])?;
    Some((number(index)?, make(text), rest))
}

/// What digits say.
fn number(digits: &[u8]) -> Option<u64> {
    let more =
        |number: u64, digit: &u8| number.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    (!digits.is_empty()).then(|| digits.iter().try_fold(0, more))?
}

/// Whether nothing but two ends of objects follows.
fn is_end(rest: &str) -> bool {
    let last = rest.trim_start().strip_prefix('}');
    last.is_some_and(|last| last.trim() == "}")
}

/// How a piece of a kind begins, and what is made of its text.
type Kind = (&'static [u8], fn(String) -> Delta);
const KINDS: [Kind; 4] = [
    (br#"text_delta","text":""#, Delta::Text),
    (br#"input_json_delta","partial_json":""#, Delta::InputJson),
    (br#"thinking_delta","thinking":""#, Delta::Thinking),
    (br#"signature_delta","signature":""#, Delta::Signature),
];

/// A text of JSON behind its first quote, and what follows it.
pub(super) fn text(said: &[u8]) -> Option<(String, &[u8])> {
    let (mut end, mut is_plain) = (0, true);
    loop {
        end += escaped_at(said.get(end..)?)?;
        match said[end] {
            b'"' => break,
            // Whatever is escaped is no end; serde refuses a control character there.
            b'\\' => (is_plain, end) = (false, end + 2),
            _ => return None,
        }
    }
    let (inner, rest) = (&said[..end], &said[end + 1..]);
    let inner = str::from_utf8(inner).ok()?;
    match is_plain {
        true => Some((inner.to_owned(), rest)),
        false => Some((serde_json::from_str(&format!("\"{inner}\"")).ok()?, rest)),
    }
}

/// Reads one that is written in any way.
fn closely(data: &str) -> Option<(u64, Delta)> {
    let said: Piece<'_> = serde_json::from_str(data).ok()?;
    (said.kind == EVENT).then_some(())?;
    Some((said.index, said.delta.read()?))
}

#[derive(Deserialize)]
struct Piece<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    index: u64,
    #[serde(borrow)]
    delta: PieceDelta<'a>,
}

#[derive(Deserialize)]
struct PieceDelta<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    text: Option<String>,
    thinking: Option<String>,
    signature: Option<String>,
    partial_json: Option<String>,
}

impl PieceDelta<'_> {
    fn read(self) -> Option<Delta> {
        match self.kind.as_ref() {
            "text_delta" => self.text.map(Delta::Text),
            "thinking_delta" => self.thinking.map(Delta::Thinking),
            "signature_delta" => self.signature.map(Delta::Signature),
            "input_json_delta" => self.partial_json.map(Delta::InputJson),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn the_api_s_own_way_to_write_is_read_at_once_and_any_other_closely() {
        let own = r#"{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"a\"\\\u00e9"}     } "#;
        let told = Some((2, Delta::Text("a\"\\\u{e9}".into())));
        assert_eq!(at_once(own), told);
        let other = r#"{"index": 2, "delta": {"text": "a\"\\\u00e9", "type": "text_delta"}, "type": "content_block_delta"}"#;
        assert_eq!(at_once(other), None);
        assert_eq!(read(other), told);
    }

    #[test]
    fn what_is_no_json_or_says_more_is_not_read_at_once() {
        let with = |text: &str, more: &str| {
            format!(
                r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":{text}{more}}}}}"#
            )
        };
        assert!(at_once(&with("\"a\"", "")).is_some());
        for (text, more) in [
            ("\"a\tb\"", ""),
            (r#""\ud83d""#, ""),
            (r#""\x""#, ""),
            ("\"a\"", r#","citation":1"#),
            ("\"a", ""),
            ("\"a\\", ""),
            ("null", ""),
        ] {
            assert_eq!(at_once(&with(text, more)), None, "{text}{more}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn both_ways_read_the_same(text in "(\\PC|[\"\\\\\n\t}{,]){0,24}", kind in 0_usize..4, index in any::<u64>()) {
            let (name, field) = [("text_delta", "text"), ("thinking_delta", "thinking"),
                ("signature_delta", "signature"), ("input_json_delta", "partial_json")][kind];
            let data = json!({"type": EVENT, "index": index, "delta": {"type": name, field: text}}).to_string();
            prop_assert!(at_once(&data).is_some());
            prop_assert_eq!(at_once(&data), closely(&data));
            let frame = format!("event: {EVENT}\ndata: {data}\n\nmore");
            let told = at_once(&data).map(|(index, delta)| (index, delta, &b"more"[..]));
            prop_assert_eq!(first(frame.as_bytes()), told);
            let end = frame.len() - "more".len() - 1;
            prop_assert_eq!(first(&frame.as_bytes()[..end]), None);
            let returned = frame.replacen("\n\n", "\r\n\r\n", 1);
            prop_assert_eq!(first(returned.as_bytes()), None);
        }
    }
}
