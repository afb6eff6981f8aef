//! Bytes of a transcript, in any pieces → its lines, as records. `[pure]`

use super::record::Record;
use super::record::parse;

/// A transcript being read.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// A line whose end has not come yet.
    partial: Vec<u8>,
    /// It is too long to be kept, and is passed over.
    over: bool,
}

impl Lines {
    /// Takes the next bytes; gives the records of the lines that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<Record> {
        let mut records = Vec::new();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.extend(&rest[..end]);
            records.extend(self.end());
            rest = &rest[end + 1..];
        }
        self.extend(rest);
        records
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.over |= self.partial.len() + bytes.len() > LINE_BYTES_MAX;
        if self.over {
            self.partial = Vec::new();
        } else {
            self.partial.extend_from_slice(bytes);
        }
    }

    fn end(&mut self) -> Option<Record> {
        let line = std::mem::take(&mut self.partial);
        let over = std::mem::take(&mut self.over);
        (!over).then(|| parse(&String::from_utf8_lossy(&line)))
    }
}

/// A line holds one block of a message, and the API's own requests end at 32 MiB; what is longer is no turn of ours.
const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
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
