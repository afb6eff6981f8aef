//! The two bodies that pass: a request's, whose first bytes were looked at, and an answer's, which is read along.

use super::model;
use super::model::Asked;
use super::observation;
use super::observation::Observation;
use super::session::SessionTap;
use crate::egress;
use crate::egress::Coding;
use crate::egress::End;
use crate::egress::Hold;
use crate::egress::Observer;
use crate::egress::ResponseBody;
use crate::wire::anthropic::answer::Reader;
use crate::wire::anthropic::answer::Unread;
use crate::wire::anthropic::answer::Word;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;
use hyper::body::Frame;
use hyper::body::Incoming;
use hyper::body::SizeHint;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

/// A request's body. Frames that were looked at stand before the rest, as they came.
pub(super) struct PeekedBody {
    looked_at: VecDeque<Frame<Bytes>>,
    rest: Incoming,
}

impl PeekedBody {
    pub(super) fn of(body: Incoming) -> PeekedBody {
        PeekedBody {
            looked_at: VecDeque::new(),
            rest: body,
        }
    }

    /// Waits for the first bytes, until they say which model is asked or that none is.
    ///
    /// # Errors
    /// Where the body breaks off.
    pub(super) async fn model(&mut self) -> Result<Asked, hyper::Error> {
        let mut start = Vec::new();
        loop {
            match model::asked(&start) {
                Asked::More => {}
                told => return Ok(told),
            }
            let Some(frame) = self.rest.frame().await else {
                return Ok(Asked::Nothing);
            };
            let frame = frame?;
            if let Some(data) = frame.data_ref() {
                start.extend_from_slice(&data[..data.len().min(LOOK_BYTES_MAX)]);
            }
            self.looked_at.push_back(frame);
        }
    }
}

impl Body for PeekedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.looked_at.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.looked_at.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let ahead = self.looked_at.iter().filter_map(Frame::data_ref);
        let ahead: u64 = ahead.map(|data| data.len() as u64).sum();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + ahead);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + ahead);
        }
        hint
    }
}

/// An answer's body.
pub(super) type ObservedBody = egress::ObservedBody<ResponseBody, AnswerObserver>;

/// Reads one answer for its session.
pub(super) struct AnswerObserver {
    coding: Coding,
    reader: Reader,
    turn: u64,
    line: Arc<SessionTap>,
    /// The answer has begun.
    begun: bool,
    /// Nothing more is to be heard.
    is_over: bool,
}

impl AnswerObserver {
    pub(super) fn new(coding: Coding, turn: u64, line: Arc<SessionTap>) -> AnswerObserver {
        AnswerObserver {
            coding,
            reader: Reader::default(),
            turn,
            line,
            begun: false,
            is_over: false,
        }
    }

    fn words(&mut self, data: &[u8]) -> Vec<Observation> {
        let plain = self.coding.decode(data).map_err(|_| Unread);
        let words = plain.and_then(|plain| self.reader.push(&plain));
        let Ok(words) = words else {
            tracing::debug!("an answer cannot be read; it passes all the same");
            self.is_over = true;
            self.line.let_be(self.turn);
            return vec![Observation::Unread];
        };
        self.begun |= matches!(words.first(), Some(Word::Begun(_)));
        if self.reader.is_over() {
            self.answer_ended();
        }
        observation::joined(words)
    }

    fn answer_ended(&mut self) {
        self.is_over = true;
        // What has not begun may be asked for again.
        if !self.begun {
            self.line.give_back(self.turn);
        }
    }

    /// Tells the session; gives what must be waited for where it is behind.
    fn tell(&self, heard: Vec<Observation>) -> Option<Hold> {
        if heard.is_empty() {
            return None;
        }
        let batch = self.line.try_tell((self.turn, heard)).err()?;
        let line = Arc::clone(&self.line);
        Some(Box::pin(async move { line.tell(batch).await }))
    }
}

impl Observer for AnswerObserver {
    fn hear(&mut self, data: &Bytes) -> Option<Hold> {
        let heard = self.words(data);
        self.tell(heard)
    }

    /// The body ended, well or not, or the claude went away; and the answer did not end.
    fn end(&mut self, _: End) -> Option<Hold> {
        self.answer_ended();
        self.tell(vec![Observation::Broke])
    }

    fn is_over(&self) -> bool {
        self.is_over
    }
}

/// What of one frame is looked at for the model's name, which stands first.
const LOOK_BYTES_MAX: usize = 1024;
