//! The free text that a function with a single text carries, taken out of the function's JSON while it comes.

use std::mem;

/// The JSON `{"input": "…"}` on its way, of which only the text is told.
#[derive(Debug, Clone, Default)]
pub(super) struct Unwrap {
    state: State,
    /// The first half of a character that was written in two.
    high: Option<u16>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum State {
    /// Before the text: the key, whatever is its name, or what is around it.
    #[default]
    Head,
    /// Within the key.
    Key,
    /// Behind the key.
    Colon,
    Text,
    /// Behind a backslash.
    Escape,
    /// Digits of a character that is written by its number.
    Digits(String),
    Tail,
}

impl Unwrap {
    /// Takes more of the JSON, and gives what it adds to the text.
    pub(super) fn push(&mut self, piece: &str) -> String {
        let mut text = String::new();
        for c in piece.chars() {
            self.take(c, &mut text);
        }
        text
    }

    fn take(&mut self, c: char, text: &mut String) {
        self.state = match (mem::take(&mut self.state), c) {
            (State::Head, '"') => State::Key,
            (State::Head, _) => State::Head,
            (State::Key, '"') => State::Colon,
            (State::Key, _) => State::Key,
            (State::Colon, '"') => State::Text,
            (State::Colon, _) => State::Colon,
            (State::Text, '"') => State::Tail,
            (State::Text, '\\') => State::Escape,
            (State::Text, c) => self.tell(c, text),
            (State::Escape, 'u') => State::Digits(String::new()),
            (State::Escape, c) => self.tell(unescaped(c), text),
            (State::Digits(digits), c) => self.digit(digits, c, text),
            (State::Tail, _) => State::Tail,
        };
    }

    fn digit(&mut self, mut digits: String, c: char, text: &mut String) -> State {
        digits.push(c);
        if digits.len() < 4 {
            return State::Digits(digits);
        }
        let unit = u16::from_str_radix(&digits, 16).unwrap_or(REPLACEMENT);
        let units: Vec<u16> = self.high.take().into_iter().chain([unit]).collect();
        match char::decode_utf16(units.iter().copied()).collect::<Result<String, _>>() {
            Ok(whole) => text.push_str(&whole),
            Err(_) if units.len() == 1 && (0xD800..0xDC00).contains(&unit) => {
                self.high = Some(unit)
            }
            Err(_) => text.push(char::REPLACEMENT_CHARACTER),
        }
        State::Text
    }

    fn tell(&mut self, c: char, text: &mut String) -> State {
        if self.high.take().is_some() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
        text.push(c);
        State::Text
    }
}

fn unescaped(c: char) -> char {
    match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\u{8}',
        'f' => '\u{c}',
        other => other,
    }
}

const REPLACEMENT: u16 = 0xFFFD;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    proptest! {
        #[test]
        fn any_text_comes_out_as_it_went_in_however_it_is_cut(input in ".{0,40}", cut in 1_usize..9) {
            let json = json!({"input": input}).to_string();
            let chars: Vec<char> = json.chars().collect();
            let mut unwrap = Unwrap::default();
            let told: String = chars.chunks(cut).map(|piece| unwrap.push(&piece.iter().collect::<String>())).collect();
            prop_assert_eq!(told, input);
        }
    }

    #[test]
    fn characters_by_their_numbers_are_read_also_in_two_halves() {
        let read = |json: &str| Unwrap::default().push(json);
        assert_eq!(
            read(r#"{ "input" : "\u00e9\ud83c\udf89\\\"\/" , "x": "y"}"#),
            "é🎉\\\"/"
        );
        assert_eq!(read(r#"{"input":"\ud83cx"}"#), "\u{fffd}x");
    }
}
