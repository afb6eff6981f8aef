//! The writer of an answer to a call that may never be read: it is there once a lane has asked for the call.

use crate::sync::lock;
use crate::turn::CompleteAnswer;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::Reading;
use crate::turn::RequestId;
use crate::wire::writer::AnswerWriter;
use std::sync::Arc;
use std::sync::Mutex;

/// Writes as the call asks, once it was read, and plainly before.
pub(super) struct LateWriter(Shared);

/// Where the call's own writer is put.
pub(super) struct Place(Shared);

type Shared = Arc<Mutex<Kept>>;

/// Makes a plain writer: nearly every answer that passes as bytes needs none.
pub(super) type Plain = Box<dyn Fn() -> Box<dyn AnswerWriter> + Send>;

struct Kept {
    plain: Plain,
    /// `None`: nothing was written yet.
    writer: Option<Box<dyn AnswerWriter>>,
}

impl LateWriter {
    pub(super) fn beside(plain: Plain) -> (Place, LateWriter) {
        let kept = Arc::new(Mutex::new(Kept {
            plain,
            writer: None,
        }));
        (Place(Arc::clone(&kept)), LateWriter(kept))
    }

    fn with<T>(&self, write: impl FnOnce(&mut dyn AnswerWriter) -> T) -> T {
        let mut kept = lock(&self.0);
        let Kept { plain, writer } = &mut *kept;
        write(&mut **writer.get_or_insert_with(plain))
    }
}

impl Place {
    pub(super) fn put(&self, writer: Box<dyn AnswerWriter>) {
        lock(&self.0).writer = Some(writer);
    }
}

impl AnswerWriter for LateWriter {
    fn prepare(&mut self, reading: Reading) {
        if let Some(writer) = &mut lock(&self.0).writer {
            writer.prepare(reading);
        }
    }

    fn frames(&mut self, event: &Event, stream: &mut String) {
        self.with(|writer| writer.frames(event, stream));
    }

    fn keep_alive(&self) -> String {
        self.with(|writer| writer.keep_alive())
    }

    fn failure(&mut self, fault: &Fault, request_id: &RequestId) -> String {
        self.with(|writer| writer.failure(fault, request_id))
    }

    fn whole(&self, whole: &CompleteAnswer) -> Result<String, &'static str> {
        self.with(|writer| writer.whole(whole))
    }

    fn told_whole(&mut self) -> Option<String> {
        self.with(|writer| writer.told_whole())
    }

    fn changed(&self, whole: &CompleteAnswer) -> Vec<String> {
        self.with(|writer| writer.changed(whole))
    }

    fn holds_answer(&self) -> bool {
        self.with(|writer| writer.holds_answer())
    }

    fn usage_at_head(&self) -> Option<&'static str> {
        self.with(|writer| writer.usage_at_head())
    }
}
