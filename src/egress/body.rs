//! An answer's body, as it comes from the host: no longer silent than it may be.

use super::direct::Drive;
use super::direct::next_frame;
use super::error::BodyError;
use super::silence::Silence;
use crate::clock;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;
use hyper::body::Frame;
use hyper::body::Incoming;
use hyper::body::SizeHint;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Instant;

/// The body of an answer. Dropping it before its end tells the host that nobody listens any more.
pub(crate) struct ResponseBody {
    body: Incoming,
    /// What brings it, where no task of its own does. It is never locked: a body may be shared, and is used by one.
    wire: Option<Mutex<Box<dyn Drive>>>,
    silence: Silence,
    /// Since when somebody waits for the next piece. Time in which nobody asks for one is not the host's.
    waiting: Option<Instant>,
}

impl ResponseBody {
    pub(super) fn of(
        body: Incoming,
        wire: Option<Box<dyn Drive>>,
        silence: Silence,
    ) -> ResponseBody {
        ResponseBody {
            body,
            wire: wire.map(Mutex::new),
            silence,
            waiting: None,
        }
    }

    /// Takes all of it, of at most so many bytes.
    ///
    /// # Errors
    /// Where it breaks off, falls silent, or is larger; then no more of it is read.
    pub(crate) async fn whole(mut self, bytes_max: u64) -> Result<Bytes, BodyError> {
        let mut pieces = Pieces::default();
        // What the host says it will be is believed if it is too much.
        let mut size = self.size_hint().lower();
        while size <= bytes_max {
            let Some(frame) = self.frame().await else {
                return Ok(pieces.joined());
            };
            if let Ok(data) = frame?.into_data() {
                pieces.push(data);
            }
            size = size.max(pieces.bytes);
        }
        Err(BodyError::TooLarge { bytes_max })
    }
}

impl ResponseBody {
    /// All of it came: what brought it is free.
    fn handle_end(&mut self) {
        if let Some(wire) = self.wire.take() {
            let wire = wire.into_inner().unwrap_or_else(PoisonError::into_inner);
            wire.give_back();
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if self.body.is_end_stream() {
            self.handle_end();
        }
    }
}

/// Pieces of a body; one alone is not copied.
#[derive(Default)]
struct Pieces {
    all: Vec<Bytes>,
    bytes: u64,
}

impl Pieces {
    fn push(&mut self, data: Bytes) {
        self.bytes = self.bytes.saturating_add(data.len() as u64);
        self.all.push(data);
    }

    fn joined(mut self) -> Bytes {
        match self.all.len() {
            0 | 1 => self.all.pop().unwrap_or_default(),
            _ => self.all.concat().into(),
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let polled = match &mut this.wire {
            Some(wire) => {
                let wire = wire.get_mut().unwrap_or_else(PoisonError::into_inner);
                next_frame(&mut **wire, &mut this.body, context)
            }
            None => Pin::new(&mut this.body).poll_frame(context),
        };
        if let Poll::Ready(frame) = polled {
            this.waiting = None;
            if frame.is_none() {
                this.handle_end();
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Broke)));
        }
        let since = *this.waiting.get_or_insert_with(clock::now);
        ready!(this.silence.poll(context, since));
        Poll::Ready(Some(Err(BodyError::Idle(this.silence.limit()))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
