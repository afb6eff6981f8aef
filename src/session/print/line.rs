//! Lines of a print mode's stdout → words. `[pure]`

use super::word::Word;
use super::word::parse;
use crate::session::line;
use crate::session::line::FromLine;

/// The output being read.
pub(crate) type Lines = line::Lines<Word>;

impl FromLine for Word {
    fn from_line(line: &[u8]) -> Option<Word> {
        parse(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVER: &str = r#"{"type":"stream_event","event":{"type":"message_stop"}}"#;

    #[test]
    fn a_line_counts_when_its_end_has_come() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(OVER.as_bytes()), []);
        assert_eq!(lines.push(b"\r\n"), [Word::Over]);
    }
}
