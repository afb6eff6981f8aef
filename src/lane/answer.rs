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
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::pin::pin;
use std::task::Context;
use std::task::Poll;
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
    /// Comes before those of the source.
    first: Option<Result<Event, Fault>>,
    rest: Box<dyn EventSource>,
}

/// Where events come from: a channel that a task of the lane fills, or what is read when somebody asks.
pub(crate) trait EventSource: fmt::Debug + Send {
    /// The next event; `None` after the last one.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Event, Fault>>>;
}

impl EventSource for mpsc::Receiver<Result<Event, Fault>> {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Event, Fault>>> {
        self.poll_recv(context)
    }
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
        Events {
            first: None,
            rest: Box::new(rest),
        }
    }

    /// The next event; `None` after the last one.
    pub(crate) async fn next(&mut self) -> Option<Result<Event, Fault>> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// Like [`Events::next`], for a body that is polled.
    pub(crate) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Event, Fault>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => self.rest.poll_next(context),
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

/// Has work done while a future waits, once it has gone as far as it can by itself: a call that was sent to a host waits for
/// it, and whatever does not depend on the answer costs no time then. Gives what both give.
pub(crate) async fn meanwhile<F: Future, T>(future: F, work: impl FnOnce() -> T) -> (F::Output, T) {
    let mut future = pin!(future);
    let (mut work, mut done) = (Some(work), None);
    poll_fn(|context| {
        let given = future.as_mut().poll(context);
        done = done.take().or_else(|| work.take().map(|work| work()));
        given.map(|given| {
            (
                given,
                done.take().expect("the work was done at the first poll"),
            )
        })
    })
    .await
}

/// Waits for the first event of an answer, which commits the call; a failure before it is the call's.
///
/// # Errors
/// The fault that came in place of the first event.
pub(crate) async fn committed(source: impl EventSource + 'static) -> Result<Reply, Fault> {
    let mut rest: Box<dyn EventSource> = Box::new(source);
    let first = match poll_fn(|context| rest.poll_next(context)).await {
        Some(Err(fault)) => return Err(fault),
        first => first,
    };
    Ok(Reply::Events(Events { first, rest }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[tokio::test]
    async fn what_is_done_meanwhile_is_done_once_after_the_future_has_begun_and_before_it_goes_on()
    {
        let told = RefCell::new(Vec::new());
        let say = |word| told.borrow_mut().push(word);
        let future = async {
            say("begins");
            tokio::task::yield_now().await;
            say("goes on");
            tokio::task::yield_now().await;
            1
        };
        assert_eq!(meanwhile(future, || say("works")).await, (1, ()));
        assert_eq!(*told.borrow(), ["begins", "works", "goes on"]);
        assert_eq!(meanwhile(async { 2 }, || 3).await, (2, 3));
    }
}
