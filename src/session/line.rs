//! Bytes in any pieces → their lines, each read once its end has come. `[pure]`

use std::marker::PhantomData;

/// What a line can be read as.
pub(crate) trait FromLine: Sized {
    /// Reads one line, without its end; `None` where it says nothing.
    fn from_line(line: &[u8]) -> Option<Self>;

    /// What a line says that is too long to be kept.
    fn unread() -> Option<Self> {
        None
    }
}

/// A stream of lines being read.
#[derive(Debug)]
pub(crate) struct Lines<T> {
    /// A line whose end has not come yet.
    partial: Vec<u8>,
    /// It is too long to be kept.
    over: bool,
    reads: PhantomData<T>,
}

impl<T> Default for Lines<T> {
    fn default() -> Lines<T> {
        Lines {
            partial: Vec::new(),
            over: false,
            reads: PhantomData,
        }
    }
}

impl<T: FromLine> Lines<T> {
    /// Takes the next bytes; gives what the lines say that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<T> {
        let mut read = Vec::new();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.extend(&rest[..end]);
            read.extend(self.end());
            rest = &rest[end + 1..];
        }
        self.extend(rest);
        read
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.over |= self.partial.len() + bytes.len() > LINE_BYTES_MAX;
        if self.over {
            self.partial = Vec::new();
        } else {
            self.partial.extend_from_slice(bytes);
        }
    }

    fn end(&mut self) -> Option<T> {
        let line = std::mem::take(&mut self.partial);
        let over = std::mem::take(&mut self.over);
        match over {
            true => T::unread(),
            false => T::from_line(&line),
        }
    }
}

/// A line holds at most one whole message, and the API's own requests end at 32 MiB; what is longer is no turn of ours.
const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A line as it is.
    #[derive(Debug, PartialEq)]
    struct Line(Vec<u8>);

    impl FromLine for Line {
        fn from_line(line: &[u8]) -> Option<Line> {
            Some(Line(line.to_vec()))
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_the_next_one_is_read() {
        let mut lines: Lines<Line> = Lines::default();
        let piece = vec![b' '; 1 << 20];
        for _ in 0..=(LINE_BYTES_MAX >> 20) {
            assert_eq!(lines.push(&piece), []);
            assert!(lines.partial.len() <= LINE_BYTES_MAX);
        }
        assert_eq!(lines.push(b"\n"), []);
        assert_eq!(lines.push(b"next\n"), [Line(b"next".to_vec())]);
    }

    proptest! {
        #[test]
        fn any_split_reads_the_same_lines(
            lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..12),
            cut in 1_usize..30,
        ) {
            let bytes = lines.join(&b'\n');
            let whole = Lines::<Line>::default().push(&bytes);
            let mut split = Lines::default();
            let pieces: Vec<Line> = bytes.chunks(cut).flat_map(|piece| split.push(piece)).collect();
            prop_assert_eq!(&pieces, &whole);
            let ends = bytes.iter().filter(|byte| **byte == b'\n').count();
            prop_assert_eq!(whole.len(), ends);
        }
    }
}
