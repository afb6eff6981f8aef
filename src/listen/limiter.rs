//! The open connections of a listener, and which of them makes room when there are too many.
//!
//! A connection costs its peer nothing, so a bound alone would let whoever opens the most shut out everybody else.
//! Whoever has not shown yet that it belongs here is a stranger. When the last place is taken, the stranger that came
//! first goes. One that is known goes for no stranger: an eighth of the places is for strangers alone, and where those
//! that are known take more than the others, the one that has been idle for longest goes. One whose request is being
//! answered is never closed; but as long as there are too many, a request is the last one on its connection, and its
//! answer says so.

use crate::clock;
use crate::sync::lock;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::Weak;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::Notify;

/// The open connections. Its size is bounded by whoever accepts them.
pub(super) struct ConnectionLimiter {
    slots: Vec<Weak<Slot>>,
    counts: Arc<Counts>,
}

/// What all connections of a listener share.
struct Counts {
    /// Connections that are known.
    known: AtomicUsize,
    known_max: usize,
    /// Told when a connection has had its request answered while too many are known.
    idled: Notify,
}

/// One open connection.
pub(super) struct Slot {
    state: Mutex<State>,
    /// Tells the connection to close.
    pub(super) leave: Notify,
    counts: Arc<Counts>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Stranger { since: Instant },
    Idle { since: Instant },
    ActiveRequest,
    Leaving { was_known: bool },
}

/// A request of the connection is being answered for as long as this is held.
pub(super) struct ActiveRequest(Arc<Slot>);

impl ConnectionLimiter {
    /// A limiter of a listener that has so many places.
    pub(super) fn new(connections_max: usize) -> ConnectionLimiter {
        let strangers = (connections_max / STRANGERS_PART).max(STRANGERS_MIN);
        let counts = Counts {
            known: AtomicUsize::new(0),
            known_max: connections_max.saturating_sub(strangers),
            idled: Notify::new(),
        };
        ConnectionLimiter {
            slots: Vec::new(),
            counts: Arc::new(counts),
        }
    }

    pub(super) fn join(&mut self) -> Arc<Slot> {
        self.slots.retain(|slot| slot.strong_count() > 0);
        let slot = Arc::new(Slot {
            state: Mutex::new(State::Stranger {
                since: clock::now(),
            }),
            leave: Notify::new(),
            counts: Arc::clone(&self.counts),
        });
        self.slots.push(Arc::downgrade(&slot));
        slot
    }

    /// Waits until a connection has had its request answered while too many are known.
    pub(super) fn idled(&self) -> impl Future<Output = ()> + Send + 'static {
        let counts = Arc::clone(&self.counts);
        async move { counts.idled.notified().await }
    }

    /// Closes the stranger that came first, where there is one beside the newcomer.
    pub(super) fn make_room_for(&self, newcomer: &Arc<Slot>) {
        self.close_least(1, |slot, state| {
            matches!(state, State::Stranger { .. }) && !Arc::ptr_eq(slot, newcomer)
        });
    }

    /// Closes some strangers, because the system has nothing left for anybody; unless some are on their way out already.
    /// Whoever came just now is spared: its head may be on the way, and the system refuses to accept where nobody waits.
    pub(super) fn close_strangers(&self, now: Instant) {
        let mut slots = self.slots.iter().filter_map(Weak::upgrade);
        if slots.any(|slot| matches!(slot.get(), State::Leaving { .. })) {
            return;
        }
        self.close_least(
            EXHAUSTED_CLOSES,
            |_, state| matches!(state, State::Stranger { since } if since + FRESH <= now),
        );
    }

    /// Closes the longest idle ones of those that are known, while there are too many.
    pub(super) fn settle(&self) {
        let surplus = self.counts.surplus();
        if surplus > 0 {
            self.close_least(surplus, |_, state| matches!(state, State::Idle { .. }));
        }
    }

    fn close_least(&self, count: usize, may_go: impl Fn(&Arc<Slot>, State) -> bool) {
        let slots = self.slots.iter().filter_map(Weak::upgrade);
        let mut least: Vec<(State, Arc<Slot>)> = slots
            .map(|slot| (slot.get(), slot))
            .filter(|(state, slot)| may_go(slot, *state))
            .collect();
        least.sort_by_key(|(state, _)| *state);
        for (_, slot) in least.into_iter().take(count) {
            slot.close();
        }
    }
}

impl Slot {
    /// A request came whose sender is known.
    pub(super) fn begin(self: &Arc<Slot>) -> ActiveRequest {
        let was_known = self.replace(State::ActiveRequest).is_known();
        let more = usize::from(!was_known);
        let known = self.counts.known.fetch_add(more, Ordering::Relaxed) + more;
        if known > self.counts.known_max {
            self.leave.notify_one();
        }
        ActiveRequest(Arc::clone(self))
    }

    /// A request that came in the meantime keeps it open.
    fn close(&self) {
        let mut state = lock(&self.state);
        if *state != State::ActiveRequest {
            let was_known = state.is_known();
            *state = State::Leaving { was_known };
            drop(state);
            if was_known {
                self.counts.known.fetch_sub(1, Ordering::Relaxed);
            }
            self.leave.notify_one();
        }
    }

    /// Whether a request of it is being answered.
    pub(super) fn is_busy(&self) -> bool {
        self.get() == State::ActiveRequest
    }

    /// Since when it is known and nothing is asked on it.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        match self.get() {
            State::Idle { since } => Some(since),
            State::Stranger { .. } | State::ActiveRequest | State::Leaving { .. } => None,
        }
    }

    /// Whether it was never known.
    pub(super) fn is_stranger(&self) -> bool {
        matches!(
            self.get(),
            State::Stranger { .. } | State::Leaving { was_known: false }
        )
    }

    fn get(&self) -> State {
        *lock(&self.state)
    }

    fn replace(&self, state: State) -> State {
        let mut held = lock(&self.state);
        std::mem::replace(&mut *held, state)
    }
}

impl Counts {
    /// How many known connections are too many.
    fn surplus(&self) -> usize {
        let known = self.known.load(Ordering::Relaxed);
        known.saturating_sub(self.known_max)
    }
}

impl State {
    /// Whether it is counted as known.
    fn is_known(self) -> bool {
        matches!(self, State::Idle { .. } | State::ActiveRequest)
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        let since = clock::now();
        let _: State = self.0.replace(State::Idle { since });
        // Otherwise every answer would wake the accept loop.
        if self.0.counts.surplus() > 0 {
            self.0.counts.idled.notify_one();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.get().is_known() {
            self.counts.known.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Of all places, the part that those who are known leave to strangers: every caller is one at first.
const STRANGERS_PART: usize = 8;
/// Two at least: a newcomer, and the one before it, which makes room.
const STRANGERS_MIN: usize = 2;
/// Strangers that are closed at once where the system has no more descriptors: whoever opens connections opens many.
const EXHAUSTED_CLOSES: usize = 8;
/// How long a stranger is new: clients send their head with the connection.
const FRESH: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    fn is_leaving(slot: &Slot) -> bool {
        matches!(slot.get(), State::Leaving { .. })
    }

    #[test]
    fn strangers_go_in_the_order_of_their_coming_and_nobody_who_is_known_goes_for_them() {
        let mut limiter = ConnectionLimiter::new(16);
        let [busy, idle, first, second, newcomer] = [(); 5].map(|()| limiter.join());
        let _held = busy.begin();
        drop(idle.begin());
        for stranger in [&first, &second] {
            assert!(!is_leaving(stranger));
            limiter.make_room_for(&newcomer);
            assert!(is_leaving(stranger));
        }
        limiter.make_room_for(&newcomer);
        limiter.settle();
        assert!(
            ![&busy, &idle, &newcomer]
                .map(|slot| is_leaving(slot))
                .contains(&true)
        );
        drop((first, second));
        let now = clock::now();
        limiter.close_strangers(now);
        assert!(!is_leaving(&newcomer));
        limiter.close_strangers(now + FRESH * 2);
        assert!(is_leaving(&newcomer) && !is_leaving(&idle));
        let late = limiter.join();
        limiter.close_strangers(now + FRESH * 4);
        assert!(!is_leaving(&late));
        drop(newcomer);
        limiter.close_strangers(now + FRESH * 4);
        assert!(is_leaving(&late));
    }

    #[test]
    fn those_who_are_known_leave_some_places_to_strangers_and_the_busy_stay() {
        let mut limiter = ConnectionLimiter::new(4);
        let [busy, idler, idle] = [(); 3].map(|()| limiter.join());
        let held = busy.begin();
        drop(idler.begin());
        limiter.settle();
        assert!(!is_leaving(&idler));
        drop(idle.begin());
        limiter.settle();
        assert!(is_leaving(&idler) && !is_leaving(&idle) && !is_leaving(&busy));
        drop(held);
        limiter.settle();
        assert!(!is_leaving(&idle) && !is_leaving(&busy));
    }

    #[tokio::test]
    async fn a_request_beyond_the_places_is_the_last_one_on_its_connection() {
        let mut limiter = ConnectionLimiter::new(3);
        let [first, second] = [(); 2].map(|()| limiter.join());
        let _held = [first.begin(), second.begin()];
        second.leave.notified().await;
        assert!(second.is_busy() && !second.is_stranger());
        assert!(
            tokio::time::timeout(std::time::Duration::ZERO, first.leave.notified())
                .await
                .is_err()
        );
    }

    #[test]
    fn connections_that_were_left_are_forgotten() {
        let mut limiter = ConnectionLimiter::new(8);
        for _ in 0..1000 {
            drop(limiter.join().begin());
        }
        let _stays = limiter.join();
        assert_eq!(limiter.slots.len(), 1);
        assert_eq!(limiter.counts.known.load(Ordering::Relaxed), 0);
    }
}
