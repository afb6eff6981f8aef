//! The body of a streamed answer: events as they come, pings while none do, and a failure as the last event.

use super::answer;
use super::api;
use super::drain::DrainDeadline;
use super::label;
use crate::calls::CallRecorder;
use crate::clock;
use crate::pool::Answer;
use crate::turn::AnswerBuilder;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::RequestId;
use crate::turn::Start;
use crate::wire::anthropic::error;
use crate::wire::anthropic::event;
use crate::wire::sse;
use axum::body::Bytes;
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

/// How far an answer is when its stream's head goes out.
pub(super) enum Begun {
    /// Its first event came, and its labels are in the head.
    With(Start),
    /// Nothing came yet. The labels will stand in a comment, which clients pass over, before the first event.
    Waiting,
}

/// The body. Dropping it drops the answer.
pub(super) struct EventBody {
    /// Goes out first.
    first: Option<String>,
    /// `None`: the last event is out, or is in `first`.
    answer: Option<Answer>,
    /// Checks that the events fit together; a stream that does not ends with an error.
    grammar: AnswerBuilder,
    are_labels_due: bool,
    pings: Interval,
    /// Its end is the end of the time that the relay's own end leaves.
    drain_deadline: Pin<Box<dyn Future<Output = ()> + Send>>,
    request_id: RequestId,
    note: CallRecorder,
}

impl EventBody {
    pub(super) fn new(
        answer: Answer,
        begun: Begun,
        request_id: RequestId,
        note: CallRecorder,
        drain_deadline: &DrainDeadline,
    ) -> EventBody {
        let mut pings = interval(PING_EVERY);
        pings.reset();
        let answer = Some(answer);
        let grammar = AnswerBuilder::default();
        let mut body = EventBody {
            first: None,
            answer,
            grammar,
            are_labels_due: false,
            pings,
            drain_deadline: Box::pin(drain_deadline.passed()),
            request_id,
            note,
        };
        body.first = Some(match begun {
            Begun::With(start) => body.frames(Ok(Event::Start(start))),
            Begun::Waiting => {
                body.are_labels_due = true;
                event::ping()
            }
        });
        body
    }

    /// What goes out for the lane's next word. After an end or a failure the answer is over.
    fn frames(&mut self, word: Result<Event, Fault>) -> String {
        let event = match word {
            Ok(event) => event,
            Err(fault) => return self.fail(&fault),
        };
        self.note.hear(&event, clock::now());
        let mut frames = String::new();
        match &event {
            Event::Start(start) if self.are_labels_due => {
                for (name, value) in label::named(&start.labels) {
                    frames.push_str(&sse::comment(&format!("{name}: {value}")));
                }
            }
            Event::End(_) => self.answer = None,
            Event::Start(_)
            | Event::BlockStart { .. }
            | Event::Delta { .. }
            | Event::BlockStop { .. } => {}
        }
        frames.push_str(&event::frames(&event));
        match self.grammar.push(event) {
            Ok(()) => frames,
            Err(rule) => self.fail(&answer::broken(rule)),
        }
    }

    fn fail(&mut self, fault: &Fault) -> String {
        self.answer = None;
        self.note.fail(fault.kind.code());
        tracing::warn!(
            request_id = %self.request_id,
            code = fault.kind.code(),
            cause = fault.private,
            "a stream failed"
        );
        error::frame(fault, &self.request_id)
    }
}

impl Body for EventBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frames = if let Some(first) = self.first.take() {
            first
        } else {
            let Some(answer) = &mut self.answer else {
                return Poll::Ready(None);
            };
            match answer.events.poll_recv(cx) {
                Poll::Ready(Some(word)) => self.frames(word),
                Poll::Ready(None) => self.fail(&answer::unended()),
                Poll::Pending if self.drain_deadline.as_mut().poll(cx).is_ready() => {
                    self.fail(&api::cut_off())
                }
                Poll::Pending => {
                    ready!(self.pings.poll_tick(cx));
                    event::ping()
                }
            }
        };
        self.pings.reset();
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(frames)))))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.answer.is_none()
    }
}
