//! An answer of Messages that is told in events is read once: whoever looks after the call takes what it needs of what the
//! reader says, and whoever tells the answer takes the rest.
//!
//! Only pieces of whole frames are read so, which nearly all are. From the first other one on, the bytes are observed by
//! themselves, as those of an answer that passes.

use super::observed::StreamReader;
use crate::sync::lock;
use crate::wire::anthropic::answer::Reader;
use crate::wire::reader::AnswerReader;
use crate::wire::reader::Unread;
use crate::wire::reader::Word;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;

/// The reader of one answer, which two have: they take turns, and neither waits.
#[derive(Debug, Clone, Default)]
pub(super) struct Along(Arc<Mutex<Read>>);

#[derive(Debug, Default)]
struct Read {
    reader: Reader,
    /// What pieces say that are not told yet, one entry each: no more than are held back of an answer before it is committed,
    /// and then one.
    pieces: VecDeque<Vec<Word>>,
}

/// What is known of a piece that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// It is read, and all that it says of the answer is observed.
    Observed,
    /// It is read, and must be observed by itself.
    Read,
    /// Neither it nor what follows is read here: whoever tells it does.
    Unread,
}

impl Along {
    /// The same reader, for an answer that begins.
    pub(super) fn begun(&self) -> Along {
        *lock(&self.0) = Read::default();
        self.clone()
    }

    /// Reads the next piece, where it is one of whole frames.
    pub(super) fn hear(&self, piece: &[u8], observer: &mut StreamReader) -> Heard {
        let read = &mut *lock(&self.0);
        let before = read.reader.clone();
        let said = read.reader.push(piece);
        let begins = |words: &[Word]| {
            observer.has_seen_data() || matches!(words.first(), Some(Word::Begun(_)))
        };
        let is_whole = read.reader.is_between();
        let Some(words) = said.ok().filter(|words| is_whole && begins(words)) else {
            read.reader = before;
            return Heard::Unread;
        };
        let has_failed = |word: &Word| matches!(word, Word::Failed { .. });
        let heard = match words.is_empty() || words.iter().any(has_failed) {
            true => Heard::Read,
            false => {
                observer.take(&words, read.reader.usage(), read.reader.stop());
                Heard::Observed
            }
        };
        read.pieces.push_back(words);
        heard
    }
}

impl AnswerReader for Along {
    /// What the piece says: it may have been read already.
    fn push(&mut self, piece: &[u8]) -> Result<Vec<Word>, Unread> {
        let read = &mut *lock(&self.0);
        match read.pieces.pop_front() {
            Some(words) => Ok(words),
            None => read.reader.push(piece),
        }
    }

    fn finish(&mut self) -> Result<Vec<Word>, Unread> {
        AnswerReader::finish(&mut lock(&self.0).reader)
    }
}

#[cfg(test)]
mod tests {
    use super::super::protocol::Protocol;
    use super::*;
    use crate::wire::sse::encode;

    const FRAMES: [(&str, &str); 8] = [
        (
            "message_start",
            r#"{"type":"message_start","message":{"id":"i","model":"m","usage":{"input_tokens":3,"output_tokens":1}}}"#,
        ),
        ("ping", r#"{"type":"ping"}"#),
        (
            "content_block_start",
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        ),
        (
            "content_block_delta",
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#,
        ),
        (
            "content_block_delta",
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"b"}}"#,
        ),
        (
            "content_block_stop",
            r#"{"type":"content_block_stop","index":0}"#,
        ),
        (
            "message_delta",
            r#"{"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"E"},"usage":{"output_tokens":9}}"#,
        ),
        ("message_stop", r#"{"type":"message_stop"}"#),
    ];

    const FAILURE: (&str, &str) = (
        "error",
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Over"}}"#,
    );

    fn observed_alone(pieces: &[String]) -> StreamReader {
        let mut alone = StreamReader::new(Protocol::Messages);
        pieces.iter().for_each(|piece| observe(&mut alone, piece));
        alone
    }

    fn observe(observer: &mut StreamReader, piece: &str) {
        piece
            .lines()
            .for_each(|line| observer.handle(line.as_bytes()));
    }

    /// Pieces of so many frames each, how each was heard, what was observed, and what is told.
    fn heard(pieces: &[String]) -> (Vec<Heard>, StreamReader, Vec<Word>) {
        let along = Along::default();
        let (mut looks, mut tells) = (Some(along.begun()), along);
        let (mut heard, mut observer) = (Vec::new(), StreamReader::new(Protocol::Messages));
        for piece in pieces {
            let said = looks.as_ref().map_or(Heard::Unread, |along| {
                along.hear(piece.as_bytes(), &mut observer)
            });
            if said != Heard::Observed {
                observe(&mut observer, piece);
            }
            looks = looks.filter(|_| said != Heard::Unread);
            heard.push(said);
        }
        let told = pieces.iter().map(|piece| tells.push(piece.as_bytes()));
        let told = told
            .collect::<Result<Vec<_>, Unread>>()
            .expect("it is read");
        (heard, observer, told.concat())
    }

    fn written(frames: &[(&str, &str)]) -> Vec<String> {
        let frames = frames.iter();
        frames.map(|(event, data)| encode(event, data)).collect()
    }

    #[test]
    fn what_is_observed_and_told_is_the_same_in_whatever_pieces_it_comes() {
        for last in [FRAMES[7], FAILURE] {
            let frames = written(&[&FRAMES[..7], &[last]].concat());
            let whole = Reader::default().push(frames.concat().as_bytes());
            for size in 1..=frames.len() {
                let pieces: Vec<String> = frames.chunks(size).map(<[_]>::concat).collect();
                let (heard, observer, told) = heard(&pieces);
                let alone = observed_alone(&pieces);
                assert_eq!(observer.observed, alone.observed, "{size}: {heard:?}");
                assert_eq!(Ok(&told), whole.as_ref(), "{size}");
                assert!(!heard.contains(&Heard::Unread));
            }
        }
    }

    #[test]
    fn a_piece_of_no_whole_frames_is_left_to_whoever_tells_it_and_so_is_what_follows() {
        let whole = written(&FRAMES).concat();
        let words = Reader::default().push(whole.as_bytes());
        for cut in 1..whole.len() {
            let pieces = [whole[..cut].to_owned(), whole[cut..].to_owned()];
            let (heard, _, told) = heard(&pieces);
            assert_eq!(Ok(&told), words.as_ref(), "{cut}");
            let is_between = whole[..cut].ends_with("\n\n");
            assert_eq!(heard[0] == Heard::Unread, !is_between, "{cut}");
        }
    }

    #[test]
    fn an_answer_of_another_protocol_is_not_read() {
        let piece = encode("message", r#"{"type":"response.created","response":{}}"#);
        let mut observer = StreamReader::new(Protocol::Messages);
        let heard = Along::default().hear(piece.as_bytes(), &mut observer);
        assert_eq!(heard, Heard::Unread);
    }
}
