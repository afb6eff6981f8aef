//! JSON as a program of JavaScript reads it: what serde refuses and such a program takes is read all the same. `[pure]`
//!
//! A text of JavaScript may hold half of a surrogate pair, and models do write one; JSON escapes it, and no text of ours
//! can hold it. A number may be too large for a double; such a program makes it infinite, and writes it as `null`. Both
//! are replaced, and counted, so that whoever passes the value on can say so. What is left is broken.

use serde_json::Value;
use std::borrow::Cow;

/// What of a text is not as it was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Replaced {
    /// Half pairs, bytes of no encoding, and numbers without an end.
    pub(crate) count: usize,
    /// The second half of a pair that a text began with.
    leads: Option<u16>,
    /// The first half of a pair that a text ended with.
    trails: Option<u16>,
}

/// The bytes are no JSON, not even to a program of JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken;

/// Reads one value.
///
/// # Errors
/// Where the bytes are no JSON, or are nested deeper than anybody wants to read.
pub(crate) fn read(bytes: &[u8]) -> Result<(Value, Replaced), Broken> {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok((value, Replaced::default()));
    }
    let text = String::from_utf8_lossy(bytes);
    let mut replaced = Replaced::default();
    if let Cow::Owned(text) = &text {
        replaced.count = text.matches(char::REPLACEMENT_CHARACTER).count();
    }
    let mended = Mender::mend(&text, &mut replaced);
    let value = serde_json::from_str(&mended).map_err(|_| Broken)?;
    Ok((value, replaced))
}

/// Whether a text is JSON.
pub(crate) fn is_json(text: &str) -> bool {
    read(text.as_bytes()).is_ok()
}

/// Whether a text of JSON says less once it was read: half of a pair, a number that no double holds, or digits of a whole
/// number that nobody keeps.
pub(crate) fn changes(text: &str) -> bool {
    let mut replaced = Replaced::default();
    let mut mender = Mender::of(text, &mut replaced);
    mender.run();
    let is_long = mender.is_long;
    is_long || replaced.is_any()
}

impl Replaced {
    pub(crate) fn is_any(self) -> bool {
        self.count > 0
    }
}

/// Writes a text of JSON again, without what serde refuses.
struct Mender<'a> {
    text: &'a str,
    at: usize,
    mended: String,
    replaced: &'a mut Replaced,
    /// A whole number has no place in 64 bits.
    is_long: bool,
}

impl<'a> Mender<'a> {
    fn mend(text: &'a str, replaced: &'a mut Replaced) -> String {
        let mut mender = Mender::of(text, replaced);
        mender.run();
        mender.mended
    }

    fn of(text: &'a str, replaced: &'a mut Replaced) -> Mender<'a> {
        Mender {
            text,
            at: 0,
            mended: String::with_capacity(text.len()),
            replaced,
            is_long: false,
        }
    }

    fn run(&mut self) {
        while let Some(byte) = self.byte(0) {
            match byte {
                b'"' => self.string(),
                b'-' | b'0'..=b'9' => self.number(),
                _ => self.copy_to(|byte| matches!(byte, b'"' | b'-' | b'0'..=b'9')),
            }
        }
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    /// Copies what stands before a byte at which a character begins.
    fn copy_to(&mut self, is_end: impl Fn(u8) -> bool) {
        let rest = &self.text[self.at..];
        let end = rest.bytes().position(is_end).unwrap_or(rest.len());
        self.copy(end);
    }

    fn copy(&mut self, bytes: usize) {
        let end = (self.at + bytes).min(self.text.len());
        let end = (end..=self.text.len()).find(|at| self.text.is_char_boundary(*at));
        let end = end.unwrap_or(self.text.len());
        self.mended.push_str(&self.text[self.at..end]);
        self.at = end;
    }

    fn string(&mut self) {
        self.copy(1);
        let begin = self.at;
        loop {
            self.copy_to(|byte| matches!(byte, b'"' | b'\\'));
            match (self.byte(0), self.escaped(0)) {
                (None, _) => return,
                (Some(b'"'), _) => return self.copy(1),
                (Some(_), Some(unit)) => self.unit(unit, begin),
                (Some(_), None) => self.copy(2),
            }
        }
    }

    /// The unit that is escaped this far ahead.
    fn escaped(&self, ahead: usize) -> Option<u16> {
        let begin = self.at + ahead;
        let digits = self.text.get(begin..begin + ESCAPE_BYTES)?;
        let digits = digits.strip_prefix("\\u")?;
        let all = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        all.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
    }

    fn unit(&mut self, unit: u16, begin: usize) {
        let pairs = is_first(unit) && self.escaped(ESCAPE_BYTES).is_some_and(is_second);
        match (pairs, is_first(unit) || is_second(unit)) {
            (true, _) => self.copy(2 * ESCAPE_BYTES),
            (false, false) => self.copy(ESCAPE_BYTES),
            (false, true) => self.half(unit, begin),
        }
    }

    fn half(&mut self, unit: u16, begin: usize) {
        self.replaced.count += 1;
        if self.at == begin && is_second(unit) {
            self.replaced.leads = Some(unit);
        }
        self.at += ESCAPE_BYTES;
        if self.byte(0) == Some(b'"') && is_first(unit) {
            self.replaced.trails = Some(unit);
        }
        self.mended.push(char::REPLACEMENT_CHARACTER);
    }

    fn number(&mut self) {
        let rest = &self.text[self.at..];
        let is_part = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
        let end = rest.bytes().position(|byte| !is_part(byte));
        let number = &rest[..end.unwrap_or(rest.len())];
        let is_whole = !number.contains(['.', 'e', 'E']);
        let fits = number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
        self.is_long |= is_whole && !fits;
        match number.parse::<f64>() {
            Ok(value) if value.is_infinite() => {
                self.replaced.count += 1;
                self.mended.push_str("null");
                self.at += number.len();
            }
            Ok(_) | Err(_) => self.copy(number.len()),
        }
    }
}

/// Texts that come in pieces, put together where a pair was cut in two.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seam {
    /// The first half of a pair that the last piece ended with.
    first: Option<u16>,
    /// Halves that stayed alone.
    lost: usize,
}

impl Seam {
    /// The next piece as it is told: its last half waits for the next one.
    pub(crate) fn join(&mut self, piece: &str, replaced: Replaced) -> String {
        let before = self.first.take();
        let paired = before.and_then(|first| Some(pair(first, replaced.leads?)));
        let mut text = String::with_capacity(piece.len() + 4);
        let mut rest = piece;
        match (paired, before) {
            (Some(pair), _) => {
                text.push(pair);
                rest = rest
                    .strip_prefix(char::REPLACEMENT_CHARACTER)
                    .unwrap_or(rest);
            }
            (None, Some(_)) if piece.is_empty() => self.first = before,
            (None, Some(_)) => text.push(self.lose()),
            (None, None) => {}
        }
        let trails = replaced.trails.filter(|_| !rest.is_empty());
        if let (Some(first), Some(whole)) = (trails, rest.strip_suffix(char::REPLACEMENT_CHARACTER))
        {
            self.first = Some(first);
            rest = whole;
        }
        let waits = usize::from(self.first.is_some());
        let paired = usize::from(paired.is_some());
        self.lost += replaced.count.saturating_sub(waits + paired);
        text.push_str(rest);
        text
    }

    /// Whether half of a pair waits for the next piece.
    pub(crate) fn is_waiting(&self) -> bool {
        self.first.is_some()
    }

    /// The text is over: what still waits is told.
    pub(crate) fn close(&mut self) -> Option<char> {
        self.first.take().map(|_| self.lose())
    }

    /// Whether anything was told that was not written so.
    pub(crate) fn has_lost(&self) -> bool {
        self.lost > 0
    }

    fn lose(&mut self) -> char {
        self.lost += 1;
        char::REPLACEMENT_CHARACTER
    }
}

fn pair(first: u16, second: u16) -> char {
    let mut units = char::decode_utf16([first, second]);
    let pair = units.next().and_then(Result::ok);
    pair.unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn is_first(unit: u16) -> bool {
    (0xD800..0xDC00).contains(&unit)
}

fn is_second(unit: u16) -> bool {
    (0xDC00..0xE000).contains(&unit)
}

/// `\u` and four digits.
const ESCAPE_BYTES: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn value(text: &str) -> Result<(Value, usize), Broken> {
        let (value, replaced) = read(text.as_bytes())?;
        Ok((value, replaced.count))
    }

    #[test]
    fn half_a_pair_is_replaced_and_a_whole_one_is_not() {
        for (text, expected, count) in [
            (r#""a\ud99c b""#, json!("a\u{fffd} b"), 1),
            (r#""\udc00\ud800""#, json!("\u{fffd}\u{fffd}"), 2),
            (r#""\ud83d\ude00""#, json!("\u{1f600}"), 0),
            (r#""\ud83d\ud83d\ude00""#, json!("\u{fffd}\u{1f600}"), 1),
            (
                r#"{"\ud800":"\\ud800\n"}"#,
                json!({"\u{fffd}": "\\ud800\n"}),
                1,
            ),
            (
                r#"["\uD83D","\"\uDE00"]"#,
                json!(["\u{fffd}", "\"\u{fffd}"]),
                2,
            ),
        ] {
            assert_eq!(value(text), Ok((expected, count)), "{text}");
        }
        let (read, replaced) = read(b"\"a\xffb\"").expect("JavaScript reads it");
        assert_eq!((read, replaced.count), (json!("a\u{fffd}b"), 1));
    }

    #[test]
    fn a_number_that_no_double_holds_is_what_javascript_writes_for_it() {
        let read = value(r#"{"a":[1e400,-1E999,2],"b":"1e400 \ud800"}"#);
        let expected = json!({"a": [null, null, 2], "b": "1e400 \u{fffd}"});
        assert_eq!(read, Ok((expected, 3)));
    }

    #[test]
    fn a_text_that_says_less_once_it_was_read_is_told() {
        for text in [
            r#"{"a":"\ud800"}"#,
            "[123456789012345678901234567890]",
            "[-1e999]",
        ] {
            assert!(changes(text), "{text}");
        }
        for text in [
            "{\"a\":[1.5,-2,18446744073709551615]}",
            r#""123456789012345678901234567890""#,
        ] {
            assert!(!changes(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_broken() {
        for text in [
            "",
            "{",
            "\"a",
            "\"\\",
            "\"\\ud800",
            "{\"a\":\\ud800}",
            "nope",
            "1e",
        ] {
            assert_eq!(value(text), Err(Broken), "{text}");
        }
    }

    /// Pieces as a stream has them, each read by itself.
    fn joined(pieces: &[&str]) -> (String, bool) {
        let mut seam = Seam::default();
        let mut text = String::new();
        for piece in pieces {
            let (value, replaced) = read(piece.as_bytes()).expect("each piece is a text");
            text += &seam.join(value.as_str().unwrap_or_default(), replaced);
        }
        text.extend(seam.close());
        (text, seam.has_lost())
    }

    #[test]
    fn a_pair_that_was_cut_in_two_is_whole_again() {
        let whole = ("a\u{1f600}b".to_owned(), false);
        assert_eq!(joined(&[r#""a\ud83d""#, r#""\ude00b""#]), whole);
        assert_eq!(joined(&[r#""a\ud83d""#, r#""""#, r#""\ude00b""#]), whole);
        let lost = |text: &str| (text.to_owned(), true);
        assert_eq!(joined(&[r#""a\ud83d""#, r#""b""#]), lost("a\u{fffd}b"));
        assert_eq!(joined(&[r#""a\ud83d""#]), lost("a\u{fffd}"));
        assert_eq!(
            joined(&[r#""\ude00""#, r#""\ud83d""#]),
            lost("\u{fffd}\u{fffd}")
        );
        assert_eq!(
            joined(&["\"a\u{fffd}\"", "\"b\""]),
            ("a\u{fffd}b".to_owned(), false)
        );
    }

    proptest! {
        #[test]
        fn what_serde_reads_is_read_the_same(text in "\\PC{0,40}", number in any::<f64>()) {
            let value = json!({"a": text, "b": [number, null, true]});
            let mut replaced = Replaced::default();
            let mended = Mender::mend(&value.to_string(), &mut replaced);
            prop_assert_eq!(mended, value.to_string());
            prop_assert!(!replaced.is_any());
        }

        #[test]
        fn any_units_are_read_as_javascript_reads_them(
            units in proptest::collection::vec(any::<u16>(), 0..12),
            cut in 0_usize..12,
        ) {
            let escape = |units: &[u16]| {
                let escaped: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
                format!("\"{escaped}\"")
            };
            let whole = value(&escape(&units)).map(|(value, _)| value);
            let expected = String::from_utf16_lossy(&units);
            prop_assert_eq!(whole, Ok(Value::String(expected.clone())));
            let (one, other) = units.split_at(cut.min(units.len()));
            let (text, lost) = joined(&[&escape(one), &escape(other)]);
            prop_assert_eq!(&text, &expected);
            let is_whole = char::decode_utf16(units).all(|unit| unit.is_ok());
            prop_assert_eq!(!lost, is_whole);
        }

        #[test]
        fn no_bytes_at_all_are_a_danger(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            drop(read(&bytes));
        }
    }
}
