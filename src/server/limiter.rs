//! The open connections, and which of them makes room when there are too many.
//!
//! A connection costs its peer nothing, so a bound alone would let whoever opens the most shut out everybody else.
//! When the last place is taken, the connection that asks for nothing is closed: first one that never had a request
//! answered, then the one that has been idle for longest. One whose request is being answered is never closed; but as
//! long as every place is taken, a request is the last one on its connection, and its answer says so.

use crate::clock;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::Weak;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio::sync::Notify;

/// The open connections. Its size is bounded by whoever accepts them.
#[derive(Default)]
pub(super) struct ConnectionLimiter {
    slots: Vec<Weak<Slot>>,
    idled: Arc<Notify>,
    is_full: Arc<AtomicBool>,
}

/// One open connection.
pub(super) struct Slot {
    state: Mutex<State>,
    /// Tells the connection to close.
    pub(super) leave: Notify,
    idled: Arc<Notify>,
    is_full: Arc<AtomicBool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// It has sent no whole request yet.
    New {
        since: Instant,
    },
    Idle {
        since: Instant,
    },
    ActiveRequest,
    Leaving,
}

/// A request of the connection is being answered for as long as one of these is held.
#[derive(Clone)]
pub(super) struct ActiveRequest {
    _mark: Arc<Mark>,
}

struct Mark(Arc<Slot>);

impl ConnectionLimiter {
    pub(super) fn join(&mut self) -> Arc<Slot> {
        self.slots.retain(|slot| slot.strong_count() > 0);
        let slot = Arc::new(Slot {
            state: Mutex::new(State::New {
                since: clock::now(),
            }),
            leave: Notify::new(),
            idled: Arc::clone(&self.idled),
            is_full: Arc::clone(&self.is_full),
        });
        self.slots.push(Arc::downgrade(&slot));
        slot
    }

    /// Whether every place is taken.
    pub(super) fn set_full(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::Relaxed);
    }

    /// Told when a connection has had its request answered.
    pub(super) fn idled(&self) -> Arc<Notify> {
        Arc::clone(&self.idled)
    }

    /// Closes the connection that is missed least, where one beside the newcomer asks for nothing.
    pub(super) fn make_room_for(&self, newcomer: &Arc<Slot>) {
        self.close_least(|slot, state| {
            let asks_nothing = matches!(state, State::New { .. } | State::Idle { .. });
            asks_nothing && !Arc::ptr_eq(slot, newcomer)
        });
    }

    /// Closes a connection whose request was answered while every place was taken.
    pub(super) fn close_idle(&self) {
        self.close_least(|_, state| matches!(state, State::Idle { .. }));
    }

    fn close_least(&self, may_go: impl Fn(&Arc<Slot>, State) -> bool) {
        let slots = self.slots.iter().filter_map(Weak::upgrade);
        let least = slots
            .map(|slot| (slot.get(), slot))
            .filter(|(state, slot)| may_go(slot, *state))
            .min_by_key(|(state, _)| *state);
        if let Some((_, slot)) = least {
            slot.close();
        }
    }
}

impl Slot {
    pub(super) fn begin(self: &Arc<Slot>) -> ActiveRequest {
        self.set(State::ActiveRequest);
        if self.is_full.load(Ordering::Relaxed) {
            self.leave.notify_one();
        }
        ActiveRequest {
            _mark: Arc::new(Mark(Arc::clone(self))),
        }
    }

    /// A request that came in the meantime keeps it open.
    fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if *state != State::ActiveRequest {
            *state = State::Leaving;
            self.leave.notify_one();
        }
    }

    /// Whether a request of it is being answered.
    pub(super) fn is_busy(&self) -> bool {
        self.get() == State::ActiveRequest
    }

    fn get(&self) -> State {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.0.set(State::Idle {
            since: clock::now(),
        });
        self.0.idled.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_leaving(slot: &Slot) -> bool {
        slot.get() == State::Leaving
    }

    #[test]
    fn strangers_go_first_then_the_longest_idle_and_the_busy_stay() {
        let mut limiter = ConnectionLimiter::default();
        let [busy, idle, idler, stranger, newcomer] = [(); 5].map(|()| limiter.join());
        let _held = busy.begin();
        drop(idler.begin());
        drop(idle.begin());
        for slot in [&stranger, &idler, &idle] {
            limiter.make_room_for(&newcomer);
            assert!(is_leaving(slot));
        }
        limiter.make_room_for(&newcomer);
        limiter.close_idle();
        assert!(!is_leaving(&busy) && !is_leaving(&newcomer));
        drop(newcomer.begin());
        limiter.close_idle();
        assert!(is_leaving(&newcomer));
    }

    #[test]
    fn seats_that_were_left_are_forgotten() {
        let mut limiter = ConnectionLimiter::default();
        for _ in 0..1000 {
            drop(limiter.join());
        }
        let _stays = limiter.join();
        assert_eq!(limiter.slots.len(), 1);
    }
}
