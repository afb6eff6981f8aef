//! The lines of a stream, out of bytes that come in any pieces; a line that came in one piece is not copied. `[pure]`

use memchr::memchr2;

/// Cuts bytes into lines.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// What came of a line that is not complete.
    begun: Vec<u8>,
    /// The last byte was a carriage return, so that a line feed now belongs to the same end of a line.
    returned: bool,
}

/// A line is longer than any that an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Lines {
    /// Whether the next byte begins a line.
    pub(crate) fn is_between(&self) -> bool {
        self.begun.is_empty()
    }

    /// Takes the next bytes, and gives each line that they complete, without its end.
    ///
    /// # Errors
    /// Where a line does not end.
    pub(crate) fn push(
        &mut self,
        mut bytes: &[u8],
        mut handle: impl FnMut(&[u8]),
    ) -> Result<(), TooLong> {
        if std::mem::take(&mut self.returned) {
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = memchr2(b'\n', b'\r', bytes) {
            match self.begun.is_empty() {
                true => handle(&bytes[..end]),
                false => {
                    self.begun.extend_from_slice(&bytes[..end]);
                    handle(&self.begun);
                    self.begun.clear();
                }
            }
            let is_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            if is_return {
                self.returned = bytes.is_empty();
                bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
            }
        }
        self.begun.extend_from_slice(bytes);
        match self.begun.len() > LINE_BYTES_MAX {
            true => Err(TooLong),
            false => Ok(()),
        }
    }
}

/// One line holds one event; a picture of some megabytes in base64 fits in.
const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let (mut cut, mut found) = (Lines::default(), Vec::new());
        for piece in pieces {
            let each = |line: &[u8]| found.push(String::from_utf8_lossy(line).into_owned());
            cut.push(piece, each).expect("no line is long");
        }
        found
    }

    #[test]
    fn every_end_of_a_line_is_one() {
        assert_eq!(lines(&[b"a\r", b"\nb\rc\n\nd"]), ["a", "b", "c", ""]);
    }

    proptest! {
        #[test]
        fn lines_are_the_same_at_every_cut(text in "[a\r\n]{0,40}", cut in 0..40_usize) {
            let bytes = text.as_bytes();
            let (first, rest) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(lines(&[first, rest]), lines(&[bytes]));
        }
    }
}
