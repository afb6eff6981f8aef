//! A body that must be over by a moment, however steadily it comes.
//!
//! Its timer is set when somebody first waits in vain: most whole answers come at once, and need none.

use crate::clock;
use bytes::Bytes;
use hyper::body::Body;
use hyper::body::Frame;
use hyper::body::SizeHint;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Instant;
use tokio::time::Sleep;

/// A body, and the moment that it may take until.
pub(super) struct TimedBody<B> {
    body: B,
    /// `None`: as long as it goes on.
    until: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// Why it gives no more.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended<E> {
    /// The moment came before its end.
    Overdue,
    Broke(E),
}

impl<B> TimedBody<B> {
    pub(super) fn new(body: B, until: Option<Instant>) -> TimedBody<B> {
        TimedBody {
            body,
            until,
            timer: None,
        }
    }

    /// Whether its moment has come; who waits is woken when it does.
    fn is_overdue(&mut self, until: Instant, cx: &mut Context<'_>) -> bool {
        let sleep = || Box::pin(tokio::time::sleep_until(until.into()));
        let timer = self.timer.get_or_insert_with(sleep);
        timer.as_mut().poll(cx).is_ready()
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for TimedBody<B> {
    type Data = Bytes;
    type Error = Ended<B::Error>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Ended<B::Error>>>> {
        let this = &mut *self;
        if this.until.is_some_and(|until| clock::now() >= until) {
            return Poll::Ready(Some(Err(Ended::Overdue)));
        }
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        match this.until.filter(|_| polled.is_pending()) {
            Some(until) if this.is_overdue(until, cx) => Poll::Ready(Some(Err(Ended::Overdue))),
            Some(_) | None => polled.map(|frame| frame.map(|frame| frame.map_err(Ended::Broke))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use std::convert::Infallible;
    use std::time::Duration;

    /// A host that says a byte a second, and never ends.
    struct Dripping(Pin<Box<Sleep>>);

    impl Dripping {
        fn new() -> Dripping {
            Dripping(Box::pin(tokio::time::sleep(SECOND)))
        }
    }

    impl Body for Dripping {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            std::task::ready!(self.0.as_mut().poll(cx));
            self.0 = Box::pin(tokio::time::sleep(SECOND));
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b" ")))))
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn what_only_drips_is_over_at_its_moment() {
        let now = tokio::time::Instant::now().into_std();
        let mut body = TimedBody::new(Dripping::new(), Some(now + SECOND * 600));
        let mut bytes = 0;
        let ended = loop {
            assert!(bytes <= 600, "it goes on");
            match body.frame().await {
                Some(Ok(_)) => bytes += 1,
                Some(Err(ended)) => break Some(ended),
                None => break None,
            }
        };
        assert_eq!(ended, Some(Ended::Overdue));
    }

    #[tokio::test(start_paused = true)]
    async fn a_live_stream_goes_on() {
        let mut body = TimedBody::new(Dripping::new(), None);
        for _ in 0..1000 {
            assert!(body.frame().await.is_some_and(|frame| frame.is_ok()));
        }
        let ended = TimedBody::new(http_body_util::Full::new(Bytes::new()), Some(clock::now()));
        assert!(ended.is_end_stream());
    }
}
