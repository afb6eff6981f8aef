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
    use crate::session::line::LINE_BYTES_MAX;
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
