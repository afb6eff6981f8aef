//! An answer that passes: what was held back of it, then the rest as it comes, with a reader beside it.

use super::cells::Leave;
use super::fault;
use super::lines::Lines;
use super::observed;
use super::observed::Observed;
use super::observed::StreamReader;
use super::outcome::Outcome;
use super::outcome::judge;
use super::protocol::Protocol;
use crate::egress::BodyError;
use crate::egress::Coding;
use crate::egress::ResponseBody;
use crate::turn::End;
use crate::turn::Fault;
use crate::turn::StopReason;
use crate::turn::Timeline;
use bytes::Bytes;
use hyper::body::Body;
use hyper::body::Frame;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

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
    },
    Whole {
        protocol: Protocol,
        /// The pieces themselves, not copies of them.
        pieces: Vec<Bytes>,
        bytes: usize,
        coding: Option<Coding>,
    },
}

impl Reader {
    pub(super) fn stream(protocol: Protocol, coding: Option<Coding>) -> Reader {
        Reader::Stream {
            lines: Lines::default(),
            reader: StreamReader::new(protocol),
            coding,
        }
    }

    pub(super) fn whole(protocol: Protocol, coding: Option<Coding>) -> Reader {
        Reader::Whole {
            protocol,
            pieces: Vec::new(),
            bytes: 0,
            coding,
        }
    }

    /// Takes the next piece in.
    pub(super) fn hear(&mut self, data: &Bytes) {
        match self {
            Reader::Stream {
                lines,
                reader,
                coding,
            } => {
                let decoded = coding.as_mut().map(|coding| coding.decode(data));
                let Some(Ok(text)) = decoded else {
                    *coding = None;
                    return;
                };
                let read = lines.push(&text, |line| reader.handle(line));
                if read.is_err() {
                    *coding = None;
                }
            }
            Reader::Whole { pieces, bytes, .. } => {
                *bytes += data.len();
                match *bytes > WHOLE_BYTES_MAX {
                    true => pieces.clear(),
                    false => pieces.push(data.clone()),
                }
            }
        }
    }

    /// Whether the call may be committed: something meaningful came, or it cannot be told.
    pub(super) fn is_committed(&self) -> bool {
        match self {
            Reader::Stream { reader, coding, .. } => {
                coding.is_none() || reader.observed.is_meaningful
            }
            Reader::Whole { bytes, .. } => *bytes > WHOLE_BYTES_MAX,
        }
    }

    /// What is known by now.
    pub(super) fn observed(&mut self) -> Observed {
        match self {
            Reader::Stream { reader, .. } => reader.observed.clone(),
            Reader::Whole {
                protocol,
                pieces,
                bytes,
                coding,
            } => {
                let body = pieces.concat();
                let decoded = coding.as_mut().map(|coding| coding.decode(&body));
                match decoded {
                    Some(Ok(text)) if *bytes <= WHOLE_BYTES_MAX => {
                        observed::whole(*protocol, &text)
                    }
                    _ => Observed {
                        is_meaningful: true,
                        is_over: true,
                        ..Observed::default()
                    },
                }
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

/// What is settled when the answer ends, however it does.
pub(super) struct Settle {
    pub(super) leave: Leave,
    pub(super) timeline: Timeline,
    /// Spreads the breakers' probes.
    pub(super) chance: f64,
}

/// The body of a committed answer.
pub(super) struct PassingBody {
    held: VecDeque<Bytes>,
    /// `None` after its end.
    upstream: Option<ResponseBody>,
    reader: Reader,
    settle: Option<Settle>,
    /// How it broke off, after the piece that went out last.
    broken: Option<Fault>,
}

impl PassingBody {
    /// `held` passes first; the reader has heard it already.
    pub(super) fn new(
        held: VecDeque<Bytes>,
        upstream: Option<ResponseBody>,
        reader: Reader,
        settle: Settle,
    ) -> PassingBody {
        PassingBody {
            held,
            upstream,
            reader,
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
        let observed = self.reader.observed();
        let is_cut = self.reader.is_readable() && !observed.is_over;
        let broke = observed.error.is_some() || is_cut;
        self.settled(&observed, broke);
        (is_cut && observed.error.is_none()).then(|| fault::incomplete("the stream ended early"))
    }

    fn settled(&mut self, observed: &Observed, broke: bool) {
        let Some(Settle {
            leave,
            timeline,
            chance,
        }) = self.settle.take()
        else {
            return;
        };
        let outcome = match broke {
            true => Outcome::Broke,
            false => Outcome::Success,
        };
        leave.settle(&judge(&outcome), chance);
        let unknown = || StopReason::Other("unknown".to_owned());
        timeline.end(End {
            stop: observed.stop.clone().unwrap_or_else(unknown),
            details: None,
            usage: observed.usage,
            id: None,
            model: observed.model.clone(),
        });
    }

    fn break_off(&mut self, error: &BodyError) -> Fault {
        self.upstream = None;
        let observed = self.reader.observed();
        self.settled(&observed, true);
        fault::incomplete(&error.to_string())
    }
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
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    this.reader.hear(data);
                }
                this.finish_if_over();
                Some(Ok(frame))
            }
            Some(Err(error)) => Some(Err(this.break_off(&error))),
            None => this.finish().map(Err),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_empty() && self.settle.is_none() && self.broken.is_none()
    }
}

impl Drop for PassingBody {
    /// A caller that leaves counts against nobody.
    fn drop(&mut self) {
        if let Some(Settle { leave, chance, .. }) = self.settle.take() {
            leave.settle(&judge(&Outcome::Left), chance);
        }
    }
}

/// An answer that is not streamed is read whole up to this; of a larger one the tokens stay unknown.
const WHOLE_BYTES_MAX: usize = 8 * 1024 * 1024;
