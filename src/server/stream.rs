//! The body of a streamed answer: events as they come, pings while none do, and a failure as the last event.

use super::answer;
use super::api;
use super::drain::DrainDeadline;
use super::front::Answered;
use super::front::Keep;
use super::front::Keeping;
use super::kept_body;
use super::label;
use super::passed;
use crate::calls::CallRecorder;
use crate::clock;
use crate::lane::Events;
use crate::lane::Reply;
use crate::lane::Serving;
use crate::turn::AnswerGrammar;
use crate::turn::AnswerSize;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::RequestId;
use crate::turn::Start;
use crate::turn::Unbuilt;
use crate::wire::sse;
use crate::wire::writer::AnswerWriter;
use axum::body::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Body;
use hyper::body::Frame;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;
use tokio::time::Interval;
use tokio::time::interval;

/// How long a stream may say nothing. Proxies and clients give up on silence at 30 to 60 s.
const PING_EVERY: Duration = Duration::from_secs(10);

/// Bytes of a piece to which nothing more is added: what one write takes.
const PIECE_BYTES: usize = 16 << 10;
/// Bytes of the frames of a short answer, which often come at once.
const FRAMES_BYTES_EXPECTED: usize = 8 << 10;

/// How far an answer is when its stream's head goes out.
pub(super) enum Begun {
    /// Its first event came, and its labels are in the head.
    With(Box<Start>, Events),
    /// The call is not committed yet. The labels will stand in a comment, which clients pass over, before the first
    /// event.
    Waiting(Serving),
}

/// Where the stream's frames come from.
enum Source {
    Waiting(Serving),
    Events(Events),
    /// The bytes of an upstream that speaks the caller's dialect.
    Passed(UnsyncBoxBody<Bytes, Fault>),
}

/// The body. Dropping it drops the answer.
pub(super) struct EventBody {
    /// Goes out first.
    first: Option<String>,
    /// `None`: the last event is out, or is in `first`.
    source: Option<Source>,
    writer: Box<dyn AnswerWriter>,
    /// Takes the answer once it is whole.
    keep: Option<Keep>,
    /// The end, which goes out as soon as the answer is kept.
    end: Option<(Keeping, String)>,
    /// Checks that the events fit together; a stream that does not ends with an error.
    grammar: AnswerGrammar,
    /// How much the writer holds, where it holds the answer.
    size: AnswerSize,
    are_labels_due: bool,
    /// Whether the first event of a block was noted.
    is_block_noted: bool,
    pings: Interval,
    /// Its end is the end of the time that the relay's own end leaves.
    drain_deadline: Pin<Box<dyn Future<Output = ()> + Send>>,
    request_id: RequestId,
    note: CallRecorder,
}

impl EventBody {
    pub(super) fn new(
        begun: Begun,
        (writer, keep): (Box<dyn AnswerWriter>, Option<Keep>),
        request_id: RequestId,
        note: CallRecorder,
        drain_deadline: &DrainDeadline,
    ) -> EventBody {
        let mut pings = interval(PING_EVERY);
        pings.reset();
        let mut body = EventBody {
            first: None,
            source: None,
            writer,
            keep,
            end: None,
            grammar: AnswerGrammar::default(),
            size: AnswerSize::default(),
            are_labels_due: false,
            is_block_noted: false,
            pings,
            drain_deadline: Box::pin(drain_deadline.passed()),
            request_id,
            note,
        };
        body.first = Some(match begun {
            Begun::With(start, events) => {
                body.source = Some(Source::Events(events));
                let mut frames = String::with_capacity(FRAMES_BYTES_EXPECTED);
                body.frames(&Ok(Event::Start(start)), &mut frames);
                frames
            }
            Begun::Waiting(serving) => {
                body.source = Some(Source::Waiting(serving));
                body.are_labels_due = true;
                body.writer.keep_alive()
            }
        });
        body
    }

    /// Takes the lane's next word, and writes what goes out for it, unless that waits until the answer is kept. No word
    /// more is a failure.
    fn hear(
        &mut self,
        word: Option<Result<Event, Fault>>,
        frames: &mut String,
        cx: &mut Context<'_>,
    ) {
        let (is_end, begin) = (matches!(word, Some(Ok(Event::End(_)))), frames.len());
        match &word {
            Some(word) => self.frames(word, frames),
            None => self.frames(&Err(answer::unended()), frames),
        }
        if let Some(keep) = self.keep.take_if(|_| is_end)
            && let Some(told) = self.writer.told_whole()
        {
            let mut keeping = keep.keep(Answered::Told(told));
            if keeping.as_mut().poll(cx).is_pending() {
                self.end = Some((keeping, frames.split_off(begin)));
            }
        }
    }

    /// Writes what goes out for the lane's next word. After an end or a failure the answer is over.
    fn frames(&mut self, word: &Result<Event, Fault>, frames: &mut String) {
        let event = match word {
            Ok(event) => event,
            Err(fault) => return frames.push_str(&self.fail(fault)),
        };
        self.note_event(event);
        let begin = frames.len();
        match event {
            Event::Start(start) if self.are_labels_due => {
                frames.push_str(&comments(label::named(&start.labels)));
            }
            Event::End(end) => {
                self.source = None;
                frames.push_str(&comments(label::late(&self.note.notes(), &end.usage)));
            }
            Event::Start(_)
            | Event::BlockStart { .. }
            | Event::Delta { .. }
            | Event::BlockStop { .. } => {}
        }
        if let Err(fault) = self.check(event) {
            frames.truncate(begin);
            return frames.push_str(&self.fail(&fault));
        }
        self.writer.frames(event, frames);
    }

    /// Has the event noted. Of the many in a block only the first says something that is.
    fn note_event(&mut self, event: &Event) {
        let is_of_block = !matches!(event, Event::Start(_) | Event::End(_));
        let is_noted = is_of_block && std::mem::replace(&mut self.is_block_noted, true);
        if !is_noted {
            self.note.hear(event, clock::now);
        }
    }

    fn check(&mut self, event: &Event) -> Result<(), Fault> {
        self.grammar.check(event).map_err(answer::broken)?;
        match self.writer.holds_answer() && !self.size.has_room_for(event) {
            true => Err(answer::unbuilt(Unbuilt::TooLong)),
            false => Ok(()),
        }
    }

    fn fail(&mut self, fault: &Fault) -> String {
        (self.source, self.end, self.keep) = (None, None, None);
        self.note.fail(fault.kind.code());
        tracing::warn!(
            request_id = %self.request_id,
            code = fault.kind.code(),
            cause = fault.private,
            "a stream failed"
        );
        self.writer.failure(fault, &self.request_id)
    }
}

impl EventBody {
    /// What goes out next; `None` after the last frame.
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(self.gathered(first, cx).into()));
        }
        loop {
            if self.end.is_some() {
                let frames = ready!(self.poll_end(cx));
                return Poll::Ready(frames.map(Bytes::from));
            }
            match &mut self.source {
                None => return Poll::Ready(None),
                Some(Source::Waiting(serving)) => {
                    let reply = ready!(serving.as_mut().poll(cx));
                    if let Some(frames) = self.commit(reply) {
                        return Poll::Ready(Some(frames));
                    }
                }
                Some(Source::Events(events)) => {
                    let word = ready!(events.poll_next(cx));
                    let mut frames = String::with_capacity(FRAMES_BYTES_EXPECTED);
                    self.hear(word, &mut frames, cx);
                    if self.end.is_none() {
                        return Poll::Ready(Some(self.gathered(frames, cx).into()));
                    }
                }
                Some(Source::Passed(body)) => match ready!(Pin::new(body).poll_frame(cx)) {
                    None => self.source = None,
                    Some(Err(fault)) => return Poll::Ready(Some(self.fail(&fault).into())),
                    Some(Ok(frame)) => {
                        if let Ok(bytes) = frame.into_data() {
                            return Poll::Ready(Some(bytes));
                        }
                    }
                },
            }
        }
    }

    /// What is there already goes out in one piece with the first of it.
    fn gathered(&mut self, mut frames: String, cx: &mut Context<'_>) -> String {
        while frames.len() < PIECE_BYTES
            && self.end.is_none()
            && let Some(Source::Events(events)) = &mut self.source
            && let Poll::Ready(word) = events.poll_next(cx)
        {
            self.hear(word, &mut frames, cx);
        }
        frames
    }

    /// The end, once the answer is kept; `None` where none waits for that.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<String>> {
        if let Some((keeping, _)) = &mut self.end {
            ready!(keeping.as_mut().poll(cx));
        }
        Poll::Ready(self.end.take().map(|(_, frames)| frames))
    }

    /// Takes the reply of a call whose head is out already; gives what goes out before the reply's own bytes.
    fn commit(&mut self, reply: Result<Reply, Fault>) -> Option<Bytes> {
        match reply {
            Err(fault) => Some(self.fail(&fault).into()),
            Ok(Reply::Events(events)) => {
                self.source = Some(Source::Events(events));
                None
            }
            Ok(Reply::Passed(passed)) => {
                let passed = kept_body::beside(passed, self.keep.take());
                passed::record(&passed, &self.note);
                let labels = label::passed(&passed.lane, &passed.attempts);
                self.source = Some(Source::Passed(passed.body));
                Some(comments(labels).into())
            }
        }
    }
}

/// Labels as comments of the stream.
fn comments(labels: impl Iterator<Item = label::Label>) -> String {
    labels
        .map(|(name, value)| sse::comment(&format!("{name}: {value}")))
        .collect()
}

impl Body for EventBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = match self.poll_bytes(cx) {
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(bytes)) => bytes,
            Poll::Pending if self.drain_deadline.as_mut().poll(cx).is_ready() => {
                self.fail(&api::cut_off()).into()
            }
            Poll::Pending => {
                ready!(self.pings.poll_tick(cx));
                self.writer.keep_alive().into()
            }
        };
        self.pings.reset();
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.source.is_none() && self.end.is_none()
    }
}
