//! Lines of a transcript → records. `[pure]`

use super::record::Record;
use super::record::parse;
use crate::session::line;
use crate::session::line::FromLine;

/// A transcript being read.
pub(crate) type Lines = line::Lines<Record>;

impl FromLine for Record {
    fn from_line(line: &[u8]) -> Option<Record> {
        Some(parse(&String::from_utf8_lossy(line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::line::LINE_BYTES_MAX;
    use proptest::prelude::*;

    const CLOSED: &str = r#"{"type":"system","subtype":"turn_duration"}"#;

    #[test]
    fn a_line_counts_when_its_end_has_come() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(CLOSED.as_bytes()), []);
        assert_eq!(lines.push(b"\r\n"), [Record::Closed]);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_the_next_one_is_read() {
        let mut lines = Lines::default();
        let piece = vec![b' '; 1 << 20];
        for _ in 0..=(LINE_BYTES_MAX >> 20) {
            assert_eq!(lines.push(&piece), []);
            assert!(lines.partial.len() <= LINE_BYTES_MAX);
        }
        assert_eq!(lines.push(b"\n"), []);
        assert_eq!(
            lines.push(format!("{CLOSED}\n").as_bytes()),
            [Record::Closed]
        );
    }

    /// Lines as a transcript has them: whole, cut short, broken, empty.
    fn line() -> impl Strategy<Value = Vec<u8>> {
        let said = r#"{"type":"assistant","message":{"id":"m","model":"x","content":[{"type":"text","text":"é"}]}}"#;
        prop_oneof![
            Just(CLOSED.as_bytes().to_vec()),
            Just(said.as_bytes().to_vec()),
            (0..said.len()).prop_map(move |cut| said.as_bytes()[..cut].to_vec()),
            proptest::collection::vec(any::<u8>(), 0..40),
            Just(b"{\"type\":\"user\"}\r".to_vec()),
        ]
    }

    proptest! {
        #[test]
        fn any_split_of_the_lines_reads_the_same(
            lines in proptest::collection::vec(line(), 0..12),
            cut in 1_usize..30,
        ) {
            let bytes = lines.join(&b'\n');
            let whole = Lines::default().push(&bytes);
            let mut split = Lines::default();
            let pieces: Vec<Record> = bytes.chunks(cut).flat_map(|piece| split.push(piece)).collect();
            prop_assert_eq!(pieces, whole);
        }
    }
}
