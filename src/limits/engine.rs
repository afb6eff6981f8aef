//! The seam between calls and whatever counts for them.
//!
//! One process counts in its memory. Several that share their limits count in a Valkey, which takes a question and an
//! answer over the network; so the asking is async. Settling is not: it is told, and nobody waits for it.

use super::ask::Ask;
use super::ask::Bound;
use super::ask::Readings;
use super::ask::Refusal;
use super::ask::Subject;
use super::journal::JournalFault;
use super::memory::MemoryLimits;
use super::memory::MemoryReservation;
use super::memory::Spent;
use super::shared::SharedLimits;
use super::shared::SharedReservation;
use super::state::BoundState;
use crate::catalog::BudgetSpec;
use crate::catalog::Nanos;
use std::time::Instant;

/// What counts.
#[derive(Debug, Clone)]
pub(crate) enum LimitEngine {
    Memory(MemoryLimits),
    Shared(SharedLimits),
}

/// A call's hold on what it may have, to its last byte. Dropped without a word it gives its places back and stands at its
/// estimate.
#[must_use = "a reservation is settled with what was used, or cancelled when nothing was"]
#[derive(Debug)]
pub(crate) enum Reservation {
    Memory(MemoryReservation),
    Shared(SharedReservation),
}

impl LimitEngine {
    /// Takes a call's share of every bound, or says which refuses it; then nothing is taken.
    ///
    /// # Errors
    /// Which limit refuses, whose it is, and the wait.
    pub(crate) async fn reserve(&self, ask: &Ask<'_>) -> Result<Reservation, Refusal> {
        match self {
            LimitEngine::Memory(limits) => limits.reserve(ask).map(Reservation::Memory),
            LimitEngine::Shared(limits) => limits.reserve(ask).await.map(Reservation::Shared),
        }
    }

    /// Until what calls have used is kept, or cannot be; of one process it is kept at once.
    pub(crate) async fn flush(&self) {
        match self {
            LimitEngine::Memory(_) => {}
            LimitEngine::Shared(limits) => limits.flush().await,
        }
    }

    /// How the tightest of several bounds stand, as far as is known here.
    pub(crate) fn readings(&self, bounds: &[Bound<'_>], now: Instant) -> Readings {
        match self {
            LimitEngine::Memory(limits) => limits.readings(bounds, now),
            LimitEngine::Shared(limits) => limits.readings(bounds, now),
        }
    }

    /// How one bound stands, as far as is known here.
    pub(crate) fn state(&self, bound: &Bound<'_>, now: Instant, unix_ms: u64) -> BoundState {
        match self {
            LimitEngine::Memory(limits) => limits.state(bound, now, unix_ms),
            LimitEngine::Shared(limits) => limits.state(bound, now, unix_ms),
        }
    }

    /// Whether it can be known what was counted.
    pub(crate) fn is_there(&self) -> bool {
        match self {
            LimitEngine::Memory(_) => true,
            LimitEngine::Shared(limits) => limits.is_there(),
        }
    }

    /// What a subject has spent in the present window of a budget, as far as is known here.
    pub(crate) fn spent(
        &self,
        subject: Subject<'_>,
        budget: &BudgetSpec,
        now: Instant,
        unix_ms: u64,
    ) -> Spent {
        match self {
            LimitEngine::Memory(limits) => limits.spent(subject, budget, now, unix_ms),
            LimitEngine::Shared(limits) => limits.spent(subject, budget, unix_ms),
        }
    }

    /// The minute's counts as a text, for the process after this one; those that are shared are nobody's.
    pub(crate) fn windows(&self, now: Instant, unix_ms: u64) -> Option<String> {
        match self {
            LimitEngine::Memory(limits) => Some(limits.windows(now, unix_ms)),
            LimitEngine::Shared(_) => None,
        }
    }

    /// Takes up the minute's counts of a process before.
    pub(crate) fn recall(&self, text: &str, now: Instant, unix_ms: u64) {
        match self {
            LimitEngine::Memory(limits) => limits.recall(text, now, unix_ms),
            LimitEngine::Shared(_) => {}
        }
    }

    /// Keeps the journal short; takes the file system, so it is called now and then and away from every call.
    ///
    /// # Errors
    /// Where a file cannot be read or written; the next time tries again.
    pub(crate) fn tend(&self, unix_ms: u64) -> Result<(), JournalFault> {
        match self {
            LimitEngine::Memory(limits) => limits.tend(unix_ms),
            LimitEngine::Shared(_) => Ok(()),
        }
    }
}

impl Reservation {
    /// Ends it with what was really used. A cost of `None`, of a call without a price, charges no budget.
    pub(crate) fn settle(self, tokens: u64, cost: Option<Nanos>) {
        match self {
            Reservation::Memory(held) => held.settle(tokens, cost),
            Reservation::Shared(held) => held.settle(tokens, cost),
        }
    }

    /// Ends it without a request, a token or money: nothing was asked of anybody.
    pub(crate) fn cancel(self) {
        match self {
            Reservation::Memory(held) => held.cancel(),
            Reservation::Shared(held) => held.cancel(),
        }
    }

    /// How the tightest limits stood when it was taken.
    pub(crate) fn readings(&self) -> Readings {
        match self {
            Reservation::Memory(held) => held.readings,
            Reservation::Shared(held) => held.readings,
        }
    }
}
