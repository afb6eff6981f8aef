//! The writer of an answer to a call that may never be read: it is there once a lane has asked for the call.

use crate::sync::lock;
use crate::turn::CompleteAnswer;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::RequestId;
use crate::wire::writer::AnswerWriter;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;

/// Writes as the call asks, once it was read, and plainly before.
pub(super) struct LateWriter(Shared);

/// Where the call's own writer is put.
pub(super) struct Place(Shared);

type Shared = Arc<Mutex<Box<dyn AnswerWriter>>>;

impl LateWriter {
    pub(super) fn beside(plain: Box<dyn AnswerWriter>) -> (Place, LateWriter) {
        let writer = Arc::new(Mutex::new(plain));
        (Place(Arc::clone(&writer)), LateWriter(writer))
    }

    fn writer(&self) -> MutexGuard<'_, Box<dyn AnswerWriter>> {
        lock(&self.0)
    }
}

impl Place {
    pub(super) fn put(&self, writer: Box<dyn AnswerWriter>) {
        *lock(&self.0) = writer;
    }
}

impl AnswerWriter for LateWriter {
    fn frames(&mut self, event: &Event, stream: &mut String) {
        self.writer().frames(event, stream);
    }

    fn keep_alive(&self) -> String {
        self.writer().keep_alive()
    }

    fn failure(&mut self, fault: &Fault, request_id: &RequestId) -> String {
        self.writer().failure(fault, request_id)
    }

    fn whole(&self, whole: &CompleteAnswer) -> Result<String, &'static str> {
        self.writer().whole(whole)
    }

    fn told_whole(&mut self) -> Option<String> {
        self.writer().told_whole()
    }

    fn changed(&self, whole: &CompleteAnswer) -> Vec<String> {
        self.writer().changed(whole)
    }

    fn holds_answer(&self) -> bool {
        self.writer().holds_answer()
    }

    fn usage_at_head(&self) -> Option<&'static str> {
        self.writer().usage_at_head()
    }
}
