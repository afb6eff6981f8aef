//! One at a time for each conversation's file, so that what was decided last is what stands there.
//!
//! Whoever holds a lock looks at what is remembered, and then writes or removes the file. Only threads that may block take
//! one: it is held for as long as the disk takes.

use crate::sync::lock;
use crate::turn::ConversationId;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::sync::Mutex;
use std::sync::MutexGuard;

/// The locks of all files.
#[derive(Debug, Default)]
pub(super) struct FileLocks {
    locks: [Mutex<()>; LOCKS],
    hasher: RandomState,
}

impl FileLocks {
    /// Waits for whoever is at this conversation's file. It blocks.
    pub(super) fn lock(&self, id: &ConversationId) -> MutexGuard<'_, ()> {
        let place = usize::try_from(self.hasher.hash_one(id) % LOCKS as u64);
        lock(&self.locks[place.expect("what is below the number of locks must be an index")])
    }
}

/// Locks, shared by all files: so many that two conversations which are written at once seldom share one.
const LOCKS: usize = 32;
