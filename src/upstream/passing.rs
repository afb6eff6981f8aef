//! An answer that passes: what was held back of it, then the rest as it comes, with a reader beside it.

use super::along::Along;
use super::along::Heard;
use super::cells::Leave;
use super::fault;
use super::in_flight::InFlight;
use super::lane::chance;
use super::lines::Lines;
use super::observed;
use super::observed::Observed;
use super::observed::StreamReader;
use super::outcome::Outcome;
use super::outcome::judge;
use super::protocol::Protocol;
use super::timed_body::Ended;
use super::timed_body::TimedBody;
use crate::clock;
use crate::egress::Coding;
use crate::egress::ResponseBody;
use crate::turn::End;
use crate::turn::Fault;
use crate::turn::StopReason;
use crate::turn::Timeline;
use bytes::Bytes;
use hyper::body::Body;
use hyper::body::Frame;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;
use std::time::Instant;

/// Reads an answer while it passes, in whatever pieces and coding it comes.
#[expect(
    clippy::large_enum_variant,
    reason = "one value a call, which moves once or twice"
)]
pub(super) enum Reader {
    Stream {
        lines: Lines,
        reader: StreamReader,
        /// `None`: it is in a coding that cannot be read, or lost it.
        coding: Option<Coding>,
        /// Reads the answer for whoever tells it in events, as long as it comes in whole frames.
        along: Option<Along>,
    },
    Whole {
        kind: Kind,
        /// The pieces themselves, not copies of them.
        pieces: Vec<Bytes>,
        bytes: usize,
        coding: Option<Coding>,
        /// What it says, once it was read.
        observed: Option<Box<Observed>>,
    },
}

/// What an answer is that is not told in events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// That of a turn.
    Answer(Protocol),
    /// Numbers or a link: it is looked at for what it took.
    Json,
    /// Sound, or whatever else: it passes from its first byte on.
    Bytes,
}

impl Reader {
    /// `along`: what reads an answer that is told in events.
    pub(super) fn stream(
        protocol: Protocol,
        coding: Option<Coding>,
        along: Option<Along>,
    ) -> Reader {
        let is_plain = coding.as_ref().is_some_and(Coding::is_plain);
        Reader::Stream {
            along: along.filter(|_| is_plain),
            lines: Lines::default(),
            reader: StreamReader::new(protocol),
            coding,
        }
    }

    pub(super) fn whole(kind: Kind, coding: Option<Coding>) -> Reader {
        Reader::Whole {
            kind,
            pieces: Vec::new(),
            bytes: 0,
            coding,
            observed: None,
        }
    }

    /// Takes the next piece in, and gives what of it passes: all but lines that something on the way has spoiled.
    ///
    /// # Errors
    /// Where the begin of such a line has passed already.
    pub(super) fn hear(&mut self, data: Bytes) -> Result<Bytes, Spoiled> {
        match self {
            Reader::Stream {
                lines,
                reader,
                coding,
                along,
            } => {
                match along.as_ref().map(|along| along.hear(&data, reader)) {
                    Some(Heard::Observed) => return Ok(data),
                    Some(Heard::Unread) => *along = None,
                    Some(Heard::Read) | None => {}
                }
                let is_plain = coding.as_ref().is_some_and(Coding::is_plain);
                let decoded = coding.as_mut().map(|coding| coding.decode(&data));
                let Some(Ok(text)) = decoded else {
                    *coding = None;
                    return Ok(data);
                };
                let (is_between, mut spoiled) = (lines.is_between(), false);
                let read = lines.push(&text, |line| match observed::is_spoiled(line) {
                    true => spoiled = true,
                    false => reader.handle(line),
                });
                if read.is_err() {
                    *coding = None;
                }
                match (spoiled, is_plain) {
                    (false, _) => Ok(data),
                    (true, true) => without_spoiled(&data, is_between),
                    (true, false) => Err(Spoiled),
                }
            }
            Reader::Whole {
                pieces,
                bytes,
                observed,
                ..
            } => {
                *observed = None;
                *bytes += data.len();
                match *bytes > WHOLE_BYTES_MAX {
                    true => pieces.clear(),
                    false => pieces.push(data.clone()),
                }
                Ok(data)
            }
        }
    }

    /// Whether the call may be committed: something meaningful came, or it cannot be told.
    pub(super) fn is_committed(&self) -> bool {
        match self {
            Reader::Stream { reader, coding, .. } => {
                coding.is_none() || reader.observed.is_meaningful
            }
            Reader::Whole { kind, bytes, .. } => match kind {
                Kind::Answer(_) | Kind::Json => *bytes > WHOLE_BYTES_MAX,
                Kind::Bytes => *bytes > 0,
            },
        }
    }

    /// What is known by now.
    pub(super) fn observed(&mut self) -> &mut Observed {
        match self {
            Reader::Stream { reader, .. } => &mut reader.observed,
            Reader::Whole {
                kind,
                pieces,
                bytes,
                coding,
                observed,
            } => {
                let mut read = || match *bytes <= WHOLE_BYTES_MAX {
                    true => whole(*kind, pieces, coding.as_mut()),
                    false => unread(),
                };
                observed.get_or_insert_with(|| Box::new(read()))
            }
        }
    }

    fn is_readable(&self) -> bool {
        match self {
            Reader::Stream { coding, .. } => coding.is_some(),
            Reader::Whole { .. } => true,
        }
    }
}

/// What a whole answer says, in whatever pieces it came.
fn whole(kind: Kind, pieces: &[Bytes], coding: Option<&mut Coding>) -> Observed {
    let body = match pieces {
        [piece] => Cow::Borrowed(&**piece),
        pieces => Cow::Owned(pieces.concat()),
    };
    match (coding.map(|coding| coding.decode(&body)), kind) {
        (Some(Ok(text)), Kind::Answer(protocol)) => observed::whole(protocol, &text),
        (Some(Ok(text)), Kind::Json) => observed::opaque(&text),
        (Some(_), Kind::Bytes) | (Some(Err(_)) | None, _) => unread(),
    }
}

/// An answer that cannot be read passes as it is.
fn unread() -> Observed {
    Observed {
        is_meaningful: true,
        is_over: true,
        ..Observed::default()
    }
}

/// A line came that is no JSON, and a part of it is with the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spoiled;

/// A piece without its spoiled lines. `is_between`: it begins with a line.
fn without_spoiled(data: &Bytes, is_between: bool) -> Result<Bytes, Spoiled> {
    let mut kept = Vec::with_capacity(data.len());
    for (place, line) in data.split_inclusive(|byte| *byte == b'\n').enumerate() {
        match (observed::is_spoiled(line), place == 0 && !is_between) {
            (false, _) => kept.extend_from_slice(line),
            (true, false) => {}
            (true, true) => return Err(Spoiled),
        }
    }
    // The spoiled line was the end of one that had begun before.
    match kept.len() == data.len() {
        true => Err(Spoiled),
        false => Ok(kept.into()),
    }
}

/// What is settled when the answer ends, however it does.
pub(super) struct Settle {
    pub(super) leave: Leave,
    pub(super) timeline: Timeline,
    /// It ends when this is dropped, which is when the answer's end was told.
    pub(super) in_flight: InFlight,
}

/// The body of a committed answer.
pub(super) struct PassingBody {
    held: VecDeque<Bytes>,
    /// `None` after its end.
    upstream: Option<TimedBody<ResponseBody>>,
    reader: Reader,
    /// How long all of it may take, for the one who is told that it took longer.
    total: Duration,
    settle: Option<Settle>,
    /// How it broke off, after the piece that went out last.
    broken: Option<Fault>,
}

impl PassingBody {
    /// `held` passes first; the reader has heard it already. `until`: when a whole answer is over at the latest, which is
    /// after so long in total.
    pub(super) fn new(
        held: VecDeque<Bytes>,
        upstream: Option<ResponseBody>,
        reader: Reader,
        settle: Settle,
        (until, total): (Option<Instant>, Duration),
    ) -> PassingBody {
        PassingBody {
            held,
            upstream: upstream.map(|body| TimedBody::new(body, until)),
            reader,
            total,
            settle: Some(settle),
            broken: None,
        }
    }

    /// Whoever sends a body of a known length asks for nothing after its last byte, so the end is settled with that.
    fn finish_if_over(&mut self) {
        let upstream = self.upstream.as_ref();
        if self.held.is_empty() && upstream.is_none_or(Body::is_end_stream) {
            self.broken = self.finish();
        }
    }

    /// The upstream's body ended by itself: whether the answer did, too.
    fn finish(&mut self) -> Option<Fault> {
        self.upstream = None;
        let is_readable = self.reader.is_readable();
        let observed = self.reader.observed();
        let is_whole = observed.is_over || observed.is_complete;
        let (is_cut, failed) = (is_readable && !is_whole, observed.error.is_some());
        settled(self.settle.take(), observed, failed || is_cut);
        (is_cut && !failed).then(|| fault::incomplete("the stream ended early"))
    }

    fn break_off(&mut self, why: &str) -> Fault {
        self.upstream = None;
        settled(self.settle.take(), self.reader.observed(), true);
        fault::incomplete(why)
    }
}

/// Settles an answer that ended, unless that was done before.
fn settled(settle: Option<Settle>, observed: &mut Observed, broke: bool) {
    let Some(Settle {
        leave,
        timeline,
        in_flight,
    }) = settle
    else {
        return;
    };
    let (outcome, chance) = match broke {
        true => (Outcome::Broke, chance()),
        false => (Outcome::Success, 0.0),
    };
    leave.settle(&judge(&outcome), chance, clock::now());
    timeline.end(end(observed, "unknown"));
    drop(in_flight);
}

impl Body for PassingBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = &mut *self;
        if let Some(piece) = this.held.pop_front() {
            this.finish_if_over();
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if let Some(fault) = this.broken.take() {
            return Poll::Ready(Some(Err(fault)));
        }
        let Some(upstream) = &mut this.upstream else {
            return Poll::Ready(None);
        };
        Poll::Ready(match ready!(Pin::new(upstream).poll_frame(cx)) {
            Some(Ok(frame)) => match frame.into_data().map(|data| this.reader.hear(data)) {
                Ok(Ok(data)) => {
                    this.finish_if_over();
                    Some(Ok(Frame::data(data)))
                }
                Ok(Err(Spoiled)) => Some(Err(this.break_off("a line of the stream is no JSON"))),
                Err(trailers) => Some(Ok(trailers)),
            },
            Some(Err(Ended::Broke(error))) => Some(Err(this.break_off(&error.to_string()))),
            Some(Err(Ended::Overdue)) => {
                drop(this.break_off("it took too long"));
                Some(Err(fault::overdue(this.total)))
            }
            None => this.finish().map(Err),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_empty() && self.settle.is_none() && self.broken.is_none()
    }
}

impl Drop for PassingBody {
    /// A caller that leaves counts against nobody. What the host told by then of its tokens is at least what it takes.
    fn drop(&mut self) {
        let Some(settle) = self.settle.take() else {
            return;
        };
        settle
            .leave
            .settle(&judge(&Outcome::Left), 0.0, clock::now());
        if let Reader::Stream { reader, .. } = &mut self.reader
            && reader.observed.usage.is_known()
        {
            settle
                .timeline
                .end(end(&mut reader.observed, "client_left"));
        }
    }
}

/// How an answer ended; `otherwise` where it does not say. What is told is taken along, since it is told once.
fn end(observed: &mut Observed, otherwise: &str) -> End {
    let otherwise = || StopReason::Other(otherwise.to_owned());
    End {
        stop: observed.stop.take().unwrap_or_else(otherwise),
        details: None,
        usage: observed.usage,
        id: None,
        model: observed.model.take(),
    }
}

/// An answer that is not streamed is read whole up to this; of a larger one the tokens stay unknown.
const WHOLE_BYTES_MAX: usize = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    #[test]
    fn what_a_coded_answer_says_is_the_same_however_often_it_is_asked_for() {
        let answer =
            br#"{"type":"message","role":"assistant","content":[],"usage":{"output_tokens":7}}"#;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(answer).expect("memory takes it");
        let coded = Bytes::from(encoder.finish().expect("memory takes it"));
        let mut reader = Reader::whole(Kind::Answer(Protocol::Messages), Coding::of(Some("gzip")));
        for piece in [coded.slice(..9), coded.slice(9..)] {
            assert_eq!(reader.hear(piece.clone()), Ok(piece));
        }
        let first = reader.observed().clone();
        assert_eq!(first.usage.output_tokens, Some(7));
        assert_eq!(reader.observed(), &first);
    }
}
