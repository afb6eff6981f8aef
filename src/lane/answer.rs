//! What a lane answers: events of the inner language, or a response of an upstream that speaks the caller's dialect.

use crate::turn::Attempt;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::LaneId;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::HeaderMap;
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use std::pin::Pin;
use tokio::sync::mpsc;

/// A call being served. It resolves once the call is committed; dropping it cancels the call.
pub(crate) type Serving = Pin<Box<dyn Future<Output = Result<Reply, Fault>> + Send>>;

/// The answer of a committed call.
#[derive(Debug)]
pub(crate) enum Reply {
    Events(Events),
    Passed(Passed),
}

/// The events of one answer, as they come. Dropping it tells the lane that the caller is gone.
#[derive(Debug)]
pub(crate) struct Events {
    /// Comes before those of the channel.
    first: Option<Result<Event, Fault>>,
    rest: mpsc::Receiver<Result<Event, Fault>>,
}

/// A response in the caller's own dialect, whose bytes are passed on as they come.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) lane: LaneId,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) status: StatusCode,
    /// The code of the failure that it tells, where the upstream refused the call: no model was asked.
    pub(crate) refusal: Option<&'static str>,
    /// Cleaned of what is the connection's or the upstream account's.
    pub(crate) headers: HeaderMap,
    /// Whoever observes it writes what it saw to the call's timeline.
    pub(crate) body: UnsyncBoxBody<Bytes, Fault>,
}

impl Passed {
    /// Whether it says that it is a stream of events.
    pub(crate) fn is_event_stream(&self) -> bool {
        let kind = self.headers.get(CONTENT_TYPE);
        kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
    }
}

impl Events {
    /// All that comes through this channel.
    pub(crate) fn of(rest: mpsc::Receiver<Result<Event, Fault>>) -> Events {
        Events { first: None, rest }
    }

    /// The next event; `None` after the last one.
    pub(crate) async fn next(&mut self) -> Option<Result<Event, Fault>> {
        match self.first.take() {
            Some(first) => Some(first),
            None => self.rest.recv().await,
        }
    }

    /// Like [`Events::next`], for a body that is polled.
    pub(crate) fn poll_next(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Event, Fault>>> {
        match self.first.take() {
            Some(first) => std::task::Poll::Ready(Some(first)),
            None => self.rest.poll_recv(context),
        }
    }
}

impl Reply {
    /// Tells which lanes were tried before, in the labels of the answer.
    pub(crate) fn after(mut self, before: Vec<Attempt>) -> Reply {
        match &mut self {
            Reply::Events(Events {
                first: Some(Ok(Event::Start(start))),
                ..
            }) => start.labels.attempts = before,
            Reply::Passed(passed) => passed.attempts = before,
            Reply::Events(_) => {}
        }
        self
    }
}

/// Waits for the first event of an answer, which commits the call; a failure before it is the call's.
///
/// # Errors
/// The fault that came in place of the first event.
pub(crate) async fn committed(
    mut rest: mpsc::Receiver<Result<Event, Fault>>,
) -> Result<Reply, Fault> {
    let first = match rest.recv().await {
        Some(Err(fault)) => return Err(fault),
        first => first,
    };
    Ok(Reply::Events(Events { first, rest }))
}
