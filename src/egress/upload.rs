//! A request's body on its way out, and who is waited for while nothing is answered.
//!
//! A host that says nothing while it is still being sent a body is not late, and one that waits for a caller who sends
//! nothing more is not to blame: so the body tells when it moved last, and what it waits for.

use crate::clock;
use hyper::body::Body;
use hyper::body::Frame;
use hyper::body::SizeHint;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;
use std::time::Instant;

/// How far a body has come; shared by the call and the connection that takes it.
pub(super) struct Upload {
    begun: Instant,
    /// When a piece was taken last, in microseconds after the beginning.
    moved_us: AtomicU64,
    waits_for: AtomicU8,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WaitsFor {
    /// The host: it has everything, or does not take more at the moment.
    Host,
    /// Whoever gives the body.
    Sender,
    /// Nobody: the body broke off.
    Nobody,
}

/// A body that tells of itself, and is otherwise the one within. It is boxed, for a connection has places for 32 requests.
pub(super) struct UploadBody<B>(Box<Told<B>>);

struct Told<B> {
    body: B,
    upload: Arc<Upload>,
}

impl Upload {
    pub(super) fn begin() -> Arc<Upload> {
        Arc::new(Upload {
            begun: clock::now(),
            moved_us: AtomicU64::new(0),
            waits_for: AtomicU8::new(WaitsFor::Host as u8),
        })
    }

    /// When a piece was taken last, or the call began.
    pub(super) fn moved_at(&self) -> Instant {
        self.begun + Duration::from_micros(self.moved_us.load(Ordering::Relaxed))
    }

    pub(super) fn waits_for(&self) -> WaitsFor {
        let told = self.waits_for.load(Ordering::Relaxed);
        let all = [WaitsFor::Sender, WaitsFor::Nobody];
        let found = all.into_iter().find(|waits_for| *waits_for as u8 == told);
        found.unwrap_or(WaitsFor::Host)
    }

    fn tell(&self, waits_for: WaitsFor) {
        self.waits_for.store(waits_for as u8, Ordering::Relaxed);
    }

    fn moved(&self) {
        let after = clock::now().saturating_duration_since(self.begun);
        let after = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
        self.moved_us.store(after, Ordering::Relaxed);
    }
}

impl<B> UploadBody<B> {
    pub(super) fn of(body: B, upload: Arc<Upload>) -> UploadBody<B> {
        UploadBody(Box::new(Told { body, upload }))
    }
}

impl<B: Body + Unpin> Body for UploadBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let Told { body, upload } = &mut *self.0;
        let polled = Pin::new(body).poll_frame(context);
        match &polled {
            Poll::Pending => upload.tell(WaitsFor::Sender),
            Poll::Ready(Some(Err(_))) => upload.tell(WaitsFor::Nobody),
            Poll::Ready(Some(Ok(_)) | None) => {
                upload.moved();
                upload.tell(WaitsFor::Host);
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.0.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.body.size_hint()
    }
}
