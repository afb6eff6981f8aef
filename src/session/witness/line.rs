//! Lines of a transcript → records. `[pure]`

use super::record::Record;
use super::record::parse_record;
use crate::session::line;
use crate::session::line::FromLine;

/// A transcript being read.
pub(crate) type Lines = line::Lines<Record>;

impl FromLine for Record {
    fn from_line(line: &[u8]) -> Option<Record> {
        Some(parse_record(line))
    }

    fn unread() -> Option<Record> {
        Some(Record::Broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSED: &str = r#"{"type":"system","subtype":"turn_duration"}"#;

    #[test]
    fn a_line_counts_when_its_end_has_come() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(CLOSED.as_bytes()), []);
        assert_eq!(lines.push(b"\r\n"), [Record::Closed]);
    }
}
