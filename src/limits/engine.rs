//! The seam between calls and whatever counts for them.
//!
//! One process counts in its memory. Several that share their limits count elsewhere, which takes a question and an answer
//! over the network; so the asking is async, and a second variant has its place here. Settling is not: it is told, and
//! nobody waits for it.

use super::ask::Ask;
use super::ask::Refusal;
use super::memory::MemoryLimits;
use super::memory::Reservation;

/// What counts.
#[derive(Debug, Clone)]
pub(crate) enum Limits {
    Memory(MemoryLimits),
}

impl Limits {
    /// Takes a call's share of every bound, or says which refuses it; then nothing is taken.
    ///
    /// # Errors
    /// Which limit refuses, whose it is, and the wait.
    pub(crate) async fn reserve(&self, ask: &Ask<'_>) -> Result<Reservation, Refusal> {
        match self {
            Limits::Memory(limits) => limits.reserve(ask),
        }
    }
}
