//! A response that an upstream gave in the caller's own dialect: its bytes go on as they come.

use super::label;
use crate::calls::CallRecorder;
use crate::clock;
use crate::lane::Passed;
use crate::turn::Fault;
use crate::turn::RequestId;
use crate::wire::writer::AnswerWriter;
use axum::body::Body;
use axum::body::Bytes;
use axum::response::Response;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Frame;
use std::io;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

/// The upstream's response, with the labels of this relay.
pub(super) fn response(
    passed: Passed,
    writer: Box<dyn AnswerWriter>,
    id: &RequestId,
    note: &CallRecorder,
) -> Response {
    record(&passed, note);
    let body = PassedBody {
        is_stream: passed.is_event_stream(),
        upstream: Some(passed.body),
        writer,
        id: id.clone(),
        note: note.clone(),
    };
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = passed.status;
    *response.headers_mut() = passed.headers;
    let headers = response.headers_mut();
    label::write_passed(headers, &passed.lane, &passed.attempts, note);
    response
}

/// Notes whose answer it is, or how the upstream refused the call.
pub(super) fn record(passed: &Passed, note: &CallRecorder) {
    match passed.refusal {
        Some(code) => note.fail(code),
        None => note.pass(&passed.lane, clock::now()),
    }
}

/// The upstream's bytes. Where they break off, a stream ends in an error event, and anything else in a connection that
/// is cut: neither looks like an end.
struct PassedBody {
    /// `None` after the last byte.
    upstream: Option<UnsyncBoxBody<Bytes, Fault>>,
    is_stream: bool,
    /// Writes how a stream fails that broke off.
    writer: Box<dyn AnswerWriter>,
    id: RequestId,
    note: CallRecorder,
}

impl PassedBody {
    fn fail(&mut self, fault: &Fault) -> Result<Frame<Bytes>, io::Error> {
        self.upstream = None;
        self.note.fail(fault.kind.code());
        match self.is_stream {
            true => Ok(Frame::data(self.writer.failure(fault, &self.id).into())),
            false => Err(io::Error::other(fault.kind.code())),
        }
    }
}

impl hyper::body::Body for PassedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Some(upstream) = &mut self.upstream else {
            return Poll::Ready(None);
        };
        Poll::Ready(match ready!(Pin::new(upstream).poll_frame(cx)) {
            Some(Ok(frame)) => Some(Ok(frame)),
            Some(Err(fault)) => Some(self.fail(&fault)),
            None => {
                self.upstream = None;
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        let upstream = self.upstream.as_ref();
        upstream.is_none_or(hyper::body::Body::is_end_stream)
    }
}
