//! A response of a host that passes, and is kept as well: its bytes go on as they come, but for the last, which wait until
//! it is kept.

use super::front::Answered;
use super::front::Keep;
use super::front::Keeping;
use crate::lane::Passed;
use crate::turn::Fault;
use crate::wire::openai::responses::passed;
use crate::wire::sse::Decoder;
use axum::body::Bytes;
use axum::http::header;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Body;
use hyper::body::Frame;
use serde_json::Value;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

/// Has a response kept while it passes, where it is one that can be read.
pub(super) fn beside(passed: Passed, keep: Option<Keep>) -> Passed {
    let is_readable =
        passed.status.is_success() && !passed.headers.contains_key(header::CONTENT_ENCODING);
    let Some(keep) = keep.filter(|_| is_readable) else {
        return passed;
    };
    let reading = match passed.is_event_stream() {
        true => Reading::Stream {
            frames: Decoder::default(),
            unfinished: 0,
        },
        false => Reading::Whole(Vec::new()),
    };
    let body = KeptBody {
        upstream: passed.body,
        keep: Some(keep),
        reading,
        end: None,
    };
    Passed {
        body: body.boxed_unsync(),
        ..passed
    }
}

struct KeptBody {
    upstream: UnsyncBoxBody<Bytes, Fault>,
    /// `None`: it is kept, or cannot be.
    keep: Option<Keep>,
    reading: Reading,
    /// The last bytes, which go out as soon as the response is kept.
    end: Option<(Keeping, Bytes)>,
}

enum Reading {
    Stream {
        frames: Decoder,
        /// Bytes since the last frame ended.
        unfinished: usize,
    },
    /// What came of a whole answer.
    Whole(Vec<u8>),
}

impl KeptBody {
    /// Takes a piece in; gives what of it passes already.
    fn hear(&mut self, data: Bytes) -> Option<Bytes> {
        if self.keep.is_none() {
            return Some(data);
        }
        match &mut self.reading {
            Reading::Stream { frames, unfinished } => {
                let frames = frames.push(&data);
                *unfinished = match frames.is_empty() {
                    true => *unfinished + data.len(),
                    false => 0,
                };
                let is_readable = *unfinished <= BYTES_MAX;
                self.keep.take_if(|_| !is_readable);
                match frames.iter().find_map(passed::at_the_end) {
                    Some(response) => self.finish(response, data),
                    None => Some(data),
                }
            }
            Reading::Whole(whole) => {
                whole.extend_from_slice(&data);
                if whole.len() <= BYTES_MAX {
                    return None;
                }
                self.keep = None;
                Some(std::mem::take(whole).into())
            }
        }
    }

    /// The upstream's body ended; gives what is held of it.
    fn close(&mut self) -> Option<Bytes> {
        let Reading::Whole(whole) = &mut self.reading else {
            return None;
        };
        let whole = Bytes::from(std::mem::take(whole));
        if whole.is_empty() {
            return None;
        }
        match passed::whole(&whole) {
            Some(response) => self.finish(response, whole),
            None => Some(whole),
        }
    }

    /// Begins to keep the response; gives these bytes back where it is kept already.
    fn finish(&mut self, response: Value, bytes: Bytes) -> Option<Bytes> {
        match self.keep.take() {
            Some(keep) => {
                self.end = Some((keep.keep(Answered::Passed(response)), bytes));
                None
            }
            None => Some(bytes),
        }
    }
}

impl Body for KeptBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        loop {
            if let Some((keeping, _)) = &mut self.end {
                ready!(keeping.as_mut().poll(cx));
                let bytes = self.end.take().map(|(_, bytes)| Ok(Frame::data(bytes)));
                return Poll::Ready(bytes);
            }
            let passes = match ready!(Pin::new(&mut self.upstream).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.hear(data),
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                Some(Err(fault)) => return Poll::Ready(Some(Err(fault))),
                None => match self.close() {
                    None if self.end.is_none() => return Poll::Ready(None),
                    passes => passes,
                },
            };
            if let Some(bytes) = passes {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let is_held = match &self.reading {
            Reading::Whole(whole) => !whole.is_empty(),
            Reading::Stream { .. } => false,
        };
        self.end.is_none() && !is_held && self.upstream.is_end_stream()
    }
}

/// Bytes of a whole answer, or of one frame, that are held to be kept: what is larger passes and is not kept.
const BYTES_MAX: usize = 16 * 1024 * 1024;
