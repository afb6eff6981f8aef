//! Bytes in any pieces → their lines, each read once its end has come. `[pure]`

use std::marker::PhantomData;

/// What a line can be read as.
pub(crate) trait FromLine: Sized {
    /// Reads one line, without its end; `None` where it says nothing.
    fn from_line(line: &[u8]) -> Option<Self>;
}

/// A stream of lines being read.
#[derive(Debug)]
pub(crate) struct Lines<T> {
    /// A line whose end has not come yet.
    pub(in crate::session) partial: Vec<u8>,
    /// It is too long to be kept, and is passed over.
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
        (!over).then(|| T::from_line(&line)).flatten()
    }
}

/// A line holds at most one whole message, and the API's own requests end at 32 MiB; what is longer is no turn of ours.
pub(in crate::session) const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;
