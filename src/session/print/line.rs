//! Lines of a print mode's stdout → words. `[pure]`

use super::output::OutputLine;
use super::output::parse;
use crate::session::line;
use crate::session::line::FromLine;

/// The output being read.
pub(crate) type Lines = line::Lines<OutputLine>;

impl FromLine for OutputLine {
    fn from_line(line: &[u8]) -> Option<OutputLine> {
        parse(line)
    }

    fn unread() -> Option<OutputLine> {
        Some(OutputLine::Broken)
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
        assert_eq!(lines.push(b"\r\n"), [OutputLine::Over]);
    }
}
