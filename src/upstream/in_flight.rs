//! A call under way with a key of a host, until its last byte.

use crate::limits::Reservation;
use crate::turn::Timeline;
use crate::turn::Usage;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// Counts a call; dropped, it counts it no more.
pub(super) struct InFlight {
    counter: Arc<AtomicUsize>,
    /// What the call took of its key's limits, and where its true count will be told.
    held: Option<(Reservation, Timeline)>,
}

impl InFlight {
    pub(super) fn new(counter: Arc<AtomicUsize>) -> InFlight {
        counter.fetch_add(1, Ordering::Relaxed);
        InFlight {
            counter,
            held: None,
        }
    }

    /// Holds what the call took of its key's limits, too.
    pub(super) fn holding(mut self, taken: Option<Reservation>, timeline: &Timeline) -> InFlight {
        self.held = taken.map(|taken| (taken, timeline.clone()));
        self
    }

    /// The try was refused: it was a call, but took no tokens.
    pub(super) fn refused(mut self) {
        if let Some((reservation, _)) = self.held.take() {
            reservation.settle(0, None);
        }
    }
}

impl Drop for InFlight {
    /// An answer whose count nobody told stands at its estimate.
    fn drop(&mut self) {
        self.counter.fetch_sub(1, Ordering::Relaxed);
        let Some((reservation, timeline)) = self.held.take() else {
            return;
        };
        let usage = timeline.passed_end().map(|end| end.usage);
        if let Some(usage) = usage.filter(Usage::is_known) {
            reservation.settle(tokens(usage), None);
        }
    }
}

fn tokens(usage: Usage) -> u64 {
    let kinds = [
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_input_tokens,
        usage.cache_creation_input_tokens,
    ];
    kinds.into_iter().flatten().fold(0, u64::saturating_add)
}
