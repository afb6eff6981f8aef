//! An answer's body that takes something along until it is sent, or its client is gone.

use axum::body::Body;
use axum::body::Bytes;
use hyper::body::Frame;
use hyper::body::SizeHint;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

/// What a body can take along.
pub(super) trait BodyGuard: Send + Unpin + 'static {
    /// The body is let go of, at its end or before.
    fn handle_end(&mut self, _body: &Body) {}

    /// So many bytes go out.
    fn handle_bytes(&mut self, _bytes: usize) {}
}

/// The body, and what it takes along.
pub(super) struct GuardedBody<T: BodyGuard> {
    body: Body,
    guard: T,
}

impl<T: BodyGuard> GuardedBody<T> {
    pub(super) fn body(body: Body, guard: T) -> Body {
        Body::new(GuardedBody { body, guard })
    }
}

impl<T: BodyGuard> hyper::body::Body for GuardedBody<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(bytes) = frame.data_ref()
        {
            let length = bytes.len();
            self.guard.handle_bytes(length);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<T: BodyGuard> Drop for GuardedBody<T> {
    fn drop(&mut self) {
        self.guard.handle_end(&self.body);
    }
}
