//! Server-sent events: frames as bytes, and bytes as frames, however they were cut.

use memchr::memchr;
use memchr::memchr2;
use std::borrow::Cow;
use std::mem;

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The event's name; `message` where the stream gives none.
    pub(crate) event: String,
    pub(crate) data: String,
}

/// Writes one frame. A line break in `data` begins another `data:` line, as the format asks.
pub(crate) fn encode(event: &str, data: &str) -> String {
    let mut frame = String::with_capacity(event.len() + data.len() + 16);
    frame.push_str("event: ");
    frame.push_str(event);
    frame.push('\n');
    for line in data.split('\n') {
        frame.push_str("data: ");
        frame.push_str(line);
        frame.push('\n');
    }
    frame.push('\n');
    frame
}

/// Writes one frame that has no name; its data is one line.
pub(crate) fn unnamed(data: &str) -> String {
    format!("data: {data}\n\n")
}

/// Writes a comment, which every reader of the format passes over. It is not a frame by itself: it stands before
/// the next one.
pub(crate) fn comment(text: &str) -> String {
    let mut comment = String::with_capacity(text.len() + 3);
    for line in text.lines() {
        comment.push_str(": ");
        comment.push_str(line);
        comment.push('\n');
    }
    comment
}

/// Reads frames out of bytes that come in any pieces.
///
/// It holds at most one unfinished frame; whoever feeds it bounds how long that may become.
#[derive(Debug, Clone, Default)]
pub(crate) struct Decoder {
    /// The line that is not complete yet.
    line: Vec<u8>,
    /// The last byte was a carriage return, so that a line feed now is the second half of that line's end.
    returned: bool,
    /// A first line was read, so that a byte order mark is no longer one.
    begun: bool,
    event: String,
    data: String,
    has_data: bool,
}

impl Decoder {
    /// Takes the next bytes and gives the frames that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<Frame> {
        let mut frames = Vec::new();
        self.each(bytes, |event, data| {
            frames.push(Frame {
                event: event.to_owned(),
                data: data.to_owned(),
            });
        });
        frames
    }

    /// Takes the next bytes and tells the frames that they complete, by their names and data, where they stand.
    pub(crate) fn each(&mut self, bytes: &[u8], mut tell: impl FnMut(&str, &str)) {
        let mut rest = bytes;
        if self.returned && !bytes.is_empty() {
            self.returned = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        loop {
            while let Some((event, data, after)) = self.whole(rest) {
                tell(event, data);
                rest = after;
            }
            let Some(end) = memchr2(b'\n', b'\r', rest) else {
                break;
            };
            let (line, after) = rest.split_at(end);
            if self.end_line(line) {
                self.end_frame(&mut tell);
            }
            let is_return = after.starts_with(b"\r");
            self.returned = is_return && after.len() == 1;
            let length = 1 + usize::from(is_return && after.get(1) == Some(&b'\n'));
            rest = after.get(length..).unwrap_or_default();
        }
        self.line.extend_from_slice(rest);
    }

    /// Whether nothing of the next frame has come yet.
    pub(crate) fn is_between(&self) -> bool {
        self.line.is_empty() && self.event.is_empty() && !self.has_data && !self.returned
    }

    /// The frame that begins the bytes, by its name and data, and what follows it. Nearly all are an event and its data,
    /// or data alone, each in one line; `None`: it is another, or not at its end.
    pub(crate) fn whole<'a>(&mut self, bytes: &'a [u8]) -> Option<(&'a str, &'a str, &'a [u8])> {
        let (event, rest) = match bytes.strip_prefix(b"event: ") {
            Some(rest) => line(rest)?,
            None => (&b"message"[..], bytes),
        };
        let (data, rest) = line(rest.strip_prefix(b"data: ")?)?;
        let rest = rest.strip_prefix(b"\n")?;
        let (event, data) = (str::from_utf8(event).ok()?, str::from_utf8(data).ok()?);
        let is_one = self.is_between() && !event.is_empty();
        self.begun |= is_one;
        is_one.then_some((event, data, rest))
    }

    /// A line ends in these bytes; most lines come in one piece, and are read where they stand. Says whether a frame
    /// ends with it.
    fn end_line(&mut self, last: &[u8]) -> bool {
        if self.line.is_empty() {
            return self.read_line(last);
        }
        let mut line = mem::take(&mut self.line);
        line.extend_from_slice(last);
        self.read_line(&line)
    }

    fn read_line(&mut self, line: &[u8]) -> bool {
        let mut line = line;
        if !mem::replace(&mut self.begun, true) {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        if line.is_empty() {
            return true;
        }
        // Nearly every line is of one of these two.
        let of = |name: &'static [u8]| Some((name, line.strip_prefix(name)?.strip_prefix(b":")?));
        let known = of(b"data").or_else(|| of(b"event"));
        let (name, value) = known.unwrap_or_else(|| match memchr(b':', line) {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &line[line.len()..]),
        });
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"event" => {
                self.event.clear();
                self.event.push_str(&text(value));
            }
            b"data" => {
                if mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(&text(value));
            }
            _ => {} // Comments, `id`, `retry`, and names the format does not know.
        }
        false
    }

    fn end_frame(&mut self, tell: &mut impl FnMut(&str, &str)) {
        if mem::take(&mut self.has_data) {
            let event = match self.event.as_str() {
                "" => "message",
                event => event,
            };
            tell(event, &self.data);
        }
        self.event.clear();
        self.data.clear();
    }
}

/// A line that ends in a line feed alone, and what follows it.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr2(b'\n', b'\r', bytes)?;
    let (line, rest) = bytes.split_at(end);
    Some((line, rest.strip_prefix(b"\n")?))
}

/// Bytes as a text; what is no character is replaced, which takes ten times as long to look for.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(pieces: &[&[u8]]) -> Vec<Frame> {
        let mut decoder = Decoder::default();
        pieces
            .iter()
            .flat_map(|piece| decoder.push(piece))
            .collect()
    }

    #[test]
    fn a_frame_is_written_as_the_format_asks() {
        assert_eq!(encode("ping", "{}"), "event: ping\ndata: {}\n\n");
        assert_eq!(encode("x", "a\nb"), "event: x\ndata: a\ndata: b\n\n");
        assert_eq!(comment("a: b\nc"), ": a: b\n: c\n");
    }

    #[test]
    fn comments_marks_and_all_line_ends_are_read() {
        let bytes = "\u{feff}: hello\r\nevent: a\r\ndata: 1\r\n\r\ndata:2\rdata\r\revent: lost\n\nid: 7\ndata: é\n\n";
        let frames = read(&[bytes.as_bytes()]);
        let seen: Vec<_> = frames
            .iter()
            .map(|f| (f.event.as_str(), f.data.as_str()))
            .collect();
        assert_eq!(seen, [("a", "1"), ("message", "2\n"), ("message", "é")]);
    }

    #[test]
    fn a_frame_without_its_empty_line_is_not_given() {
        assert_eq!(read(&[b"event: a\ndata: 1\n"]), []);
    }

    /// What streams are made of.
    const PIECES: [&[u8]; 13] = [
        b"event: ",
        b"event: a\n",
        b"event: a\ndata: ",
        b"data: ",
        b"data: b\n\n",
        b"id: ",
        b"\n",
        b"\n",
        b"\r",
        b"a",
        b" ",
        b"\xC3\xA9",
        b"\xC3",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_split_of_any_bytes_reads_the_same(
            bytes in proptest::collection::vec(
                prop_oneof![Just(b'\n'), Just(b'\r'), Just(b':'), Just(b' '), Just(b'd'), any::<u8>()], 0..200),
            cut in 0_usize..200,
        ) {
            let whole = read(&[&bytes]);
            let cut = cut.min(bytes.len());
            prop_assert_eq!(&read(&[&bytes[..cut], &bytes[cut..]]), &whole);
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(&read(&single), &whole);
        }

        #[test]
        fn a_frame_in_one_piece_is_read_as_one_that_comes_byte_by_byte(
            pieces in proptest::collection::vec(0..PIECES.len(), 0..40),
        ) {
            let bytes = pieces.into_iter().map(|piece| PIECES[piece]).collect::<Vec<_>>().concat();
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(read(&[&bytes]), read(&single));
        }

        #[test]
        fn what_was_written_is_read(frames in proptest::collection::vec(("[a-z_]{1,12}", "[^\r]{0,40}"), 0..6), cut in 1_usize..9) {
            let bytes: String = frames.iter().map(|(event, data)| encode(event, data)).collect();
            let pieces: Vec<&[u8]> = bytes.as_bytes().chunks(cut).collect();
            let seen: Vec<_> = read(&pieces).into_iter().map(|f| (f.event, f.data)).collect();
            prop_assert_eq!(seen, frames);
        }
    }
}
