//! Bytes of a print mode's stdout, in any pieces → its lines, as words. `[pure]`

use super::word::Word;
use super::word::parse;

/// The output being read.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// A line whose end has not come yet.
    partial: Vec<u8>,
    /// It is too long to be kept, and is passed over.
    over: bool,
}

impl Lines {
    /// Takes the next bytes; gives the words of the lines that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<Word> {
        let mut words = Vec::new();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.extend(&rest[..end]);
            words.extend(self.end());
            rest = &rest[end + 1..];
        }
        self.extend(rest);
        words
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.over |= self.partial.len() + bytes.len() > LINE_BYTES_MAX;
        if self.over {
            self.partial = Vec::new();
        } else {
            self.partial.extend_from_slice(bytes);
        }
    }

    fn end(&mut self) -> Option<Word> {
        let line = std::mem::take(&mut self.partial);
        let over = std::mem::take(&mut self.over);
        (!over).then(|| parse(&line)).flatten()
    }
}

/// A line repeats at most one whole message, and the API's own end at 32 MiB.
const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OVER: &str = r#"{"type":"stream_event","event":{"type":"message_stop"}}"#;

    #[test]
    fn a_line_counts_when_its_end_has_come() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(OVER.as_bytes()), []);
        assert_eq!(lines.push(b"\r\n"), [Word::Over]);
    }

    #[test]
    fn a_line_without_an_end_is_not_kept_for_ever() {
        let mut lines = Lines::default();
        let piece = vec![b'x'; LINE_BYTES_MAX / 4];
        for _ in 0..5 {
            assert_eq!(lines.push(&piece), []);
            assert!(lines.partial.len() <= LINE_BYTES_MAX);
        }
        assert_eq!(lines.push(b"\n"), []);
        assert_eq!(lines.push(format!("{OVER}\n").as_bytes()), [Word::Over]);
    }

    /// Lines as print mode has them: whole, cut short, broken, empty.
    fn line() -> impl Strategy<Value = Vec<u8>> {
        let more = r#"{"type":"stream_event","event":{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"é\u2028"}}}"#;
        prop_oneof![
            Just(OVER.as_bytes().to_vec()),
            Just(more.as_bytes().to_vec()),
            (0..more.len()).prop_map(move |cut| more.as_bytes()[..cut].to_vec()),
            proptest::collection::vec(any::<u8>(), 0..40),
            Just(b"{\"type\":\"result\"}\r".to_vec()),
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
            let pieces: Vec<Word> = bytes.chunks(cut).flat_map(|piece| split.push(piece)).collect();
            prop_assert_eq!(pieces, whole);
        }
    }
}
