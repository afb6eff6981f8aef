//! When a turn passed from one phase to the next: written by whoever takes it there, read by whoever records it.

use super::End;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::time::Instant;

/// The timeline of one turn; cheap to clone. A turn that is tried again begins its timeline again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timeline(Arc<Marked>);

#[derive(Debug, Default)]
struct Marked {
    marks: Mutex<Marks>,
    /// How an answer ended whose bytes passed without being told as events.
    end: OnceLock<End>,
}

/// What is passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// It got a session.
    pub(crate) leased: Option<Instant>,
    /// Its prompt was on its way to the model; not known of a session that was launched with it.
    pub(crate) asked: Option<Instant>,
}

impl Timeline {
    pub(crate) fn lease(&self, now: Instant) {
        let (leased, asked) = (Some(now), None);
        self.set(|passed| *passed = Marks { leased, asked });
    }

    pub(crate) fn ask(&self, now: Instant) {
        self.set(|passed| passed.asked = Some(now));
    }

    pub(crate) fn passed(&self) -> Marks {
        *self.0.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer whose bytes passed came to its end.
    pub(crate) fn end(&self, end: End) {
        let _ = self.0.end.set(end); // A call ends once.
    }

    /// How an answer ended whose bytes passed.
    pub(crate) fn passed_end(&self) -> Option<&End> {
        self.0.end.get()
    }

    fn set(&self, change: impl FnOnce(&mut Marks)) {
        change(&mut self.0.marks.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
