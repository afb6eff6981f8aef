//! When a turn passed from one phase to the next: written by whoever takes it there, read by whoever records it.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

/// The timeline of one turn; cheap to clone. A turn that is tried again begins its timeline again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timeline(Arc<Mutex<Marks>>);

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
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, change: impl FnOnce(&mut Marks)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
