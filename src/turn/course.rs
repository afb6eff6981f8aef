//! When a turn passed from one phase to the next: written by whoever takes it there, read by whoever records it.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

/// The course of one turn; cheap to clone. A turn that is tried again begins its course again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Course(Arc<Mutex<Passed>>);

/// What is passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    /// It got a session.
    pub(crate) leased: Option<Instant>,
    /// Its prompt was on its way to the model; not known of a session that was launched with it.
    pub(crate) asked: Option<Instant>,
}

impl Course {
    pub(crate) fn lease(&self, now: Instant) {
        let (leased, asked) = (Some(now), None);
        self.set(|passed| *passed = Passed { leased, asked });
    }

    pub(crate) fn ask(&self, now: Instant) {
        self.set(|passed| passed.asked = Some(now));
    }

    pub(crate) fn passed(&self) -> Passed {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, change: impl FnOnce(&mut Passed)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
