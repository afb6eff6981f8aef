//! When a turn passed from one phase to the next: written by whoever takes it there, read by whoever records it.

use super::End;
use super::LaneId;
use super::Usage;
use crate::sync::lock;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::time::Instant;

/// The timeline of one turn; cheap to clone. A turn that is tried again begins its timeline again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timeline(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    marks: Mutex<Marks>,
    notes: Mutex<Notes>,
    /// How an answer ended whose bytes passed without being told as events.
    end: OnceLock<End>,
}

/// What became known of the turn on its way, and may be known only when its answer has begun.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    /// Requests to the upstream, over all tries, as far as they were seen.
    pub(crate) questions: u32,
    /// What of the answer is not as the model wrote it, by path.
    pub(crate) emulated: Vec<String>,
    /// What was tried, in order; those past [`TRIES_MAX`] are counted alone.
    pub(crate) tries: Vec<Try>,
    /// What the upstream had counted when its answer began; all that is known of one that nobody heard to its end.
    pub(crate) counted: Option<Usage>,
    pub(crate) tries_count: u32,
}

/// One try of a call: on which lane, with which key, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Try {
    pub(crate) lane: LaneId,
    /// The name of a host's key, never its value.
    pub(crate) key: Option<Arc<str>>,
    /// `answered`, the class of a host's failure, or the code of a lane's.
    pub(crate) outcome: &'static str,
    pub(crate) began: Instant,
    /// When it failed, or when its answer began.
    pub(crate) ended: Instant,
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
        *lock(&self.0.marks)
    }

    /// An answer whose bytes passed came to its end.
    pub(crate) fn end(&self, end: End) {
        let _ = self.0.end.set(end); // A call ends once.
    }

    /// How an answer ended whose bytes passed.
    pub(crate) fn passed_end(&self) -> Option<&End> {
        self.0.end.get()
    }

    /// An answer that is told in events began with these counts.
    pub(crate) fn count(&self, usage: Usage) {
        if usage.is_known() {
            self.notes_mut().counted = Some(usage);
        }
    }

    /// A request went to the upstream.
    pub(crate) fn question(&self) {
        self.notes_mut().questions += 1;
    }

    /// What has this path is not as the model wrote it.
    pub(crate) fn emulate(&self, path: String) {
        let mut notes = self.notes_mut();
        if notes.emulated.len() < EMULATED_MAX && !notes.emulated.contains(&path) {
            notes.emulated.push(path);
        }
    }

    /// Something was tried.
    pub(crate) fn tried(&self, tried: Try) {
        let mut notes = self.notes_mut();
        notes.tries_count += 1;
        if notes.tries.len() < TRIES_MAX {
            notes.tries.reserve_exact(1); // Nearly every call has one.
            notes.tries.push(tried);
        }
    }

    /// How many tries there were so far.
    pub(crate) fn tries(&self) -> u32 {
        self.notes_mut().tries_count
    }

    /// How many requests went to the upstream so far.
    pub(crate) fn questions(&self) -> u32 {
        self.notes_mut().questions
    }

    pub(crate) fn notes(&self) -> Notes {
        self.notes_mut().clone()
    }

    /// What of the answer is not as the model wrote it, by path.
    pub(crate) fn emulated(&self) -> Vec<String> {
        self.notes_mut().emulated.clone()
    }

    /// The same once nobody asks for them any more.
    pub(crate) fn take_notes(&self) -> Notes {
        std::mem::take(&mut self.notes_mut())
    }

    fn notes_mut(&self) -> MutexGuard<'_, Notes> {
        lock(&self.0.notes)
    }

    fn set(&self, change: impl FnOnce(&mut Marks)) {
        change(&mut lock(&self.0.marks));
    }
}

/// Tries that are kept: a lane makes at most four, and a model has few lanes.
const TRIES_MAX: usize = 32;
/// Paths that are kept; an answer has few blocks.
const EMULATED_MAX: usize = 32;
