//! So many at once. `[pure]`

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// How many are taken.
#[derive(Debug, Default)]
pub(super) struct Slots {
    taken: AtomicU64,
}

impl Slots {
    /// Takes one, where fewer than `max` are taken. They are counted also where there is no bound, so that one that is set
    /// later knows of calls under way.
    pub(super) fn take(&self, max: Option<u64>) -> bool {
        let free =
            |taken: u64| (taken < max.unwrap_or(u64::MAX)).then_some(taken.saturating_add(1));
        self.taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, free)
            .is_ok()
    }

    pub(super) fn give_back(&self) {
        let before = self.taken.fetch_sub(1, Ordering::AcqRel);
        debug_assert!(before > 0, "only what was taken is given back");
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Acquire)
    }
}
