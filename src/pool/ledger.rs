//! Who has which session, who waits, and what to do about it: inputs and `now` in, effects out. `[pure]`
//!
//! Waiters are served strictly in the order of the [`queue`](super::queue), whatever they need, so that a stream of calls
//! of one shape cannot starve a call of another. A waiter whose shape is just coming back to rest waits for it, because that is faster
//! than a launch; every other waiter gets a place for a launch, by the retirement of the longest idle session where
//! the bound is reached.

use super::PoolConfig;
use super::demand::Demand;
use super::pause::Pause;
use super::place::Entry;
use super::place::Found;
use super::place::Held;
use super::place::Kind;
use super::place::Place;
use super::place::Places;
use super::queue::Queue;
use super::queue::Waiting;
use crate::session::shape::Shape;
use crate::turn::Driver;
use crate::turn::Owner;
use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

/// One caller in the queue.
pub(crate) type Waiter = u64;

/// What a call needs of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// An empty, waiting one; or else a launch.
    Warm,
    /// A launch, with the conversation as its transcript.
    Launch,
    /// An empty, waiting one whose prompt box is open; one is warmed where there is none.
    Typed,
    /// A launch for this call and no other.
    Fresh,
}

impl Need {
    /// The waiting sessions that will do, the best first.
    fn kinds(self) -> &'static [Kind] {
        match self {
            Need::Warm => &[Kind::Typed, Kind::Primed],
            Need::Launch => &[Kind::Primed],
            Need::Typed => &[Kind::Typed],
            Need::Fresh => &[],
        }
    }
}

/// What the keeper must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The waiter gets the idle session in this place.
    Lend {
        waiter: Waiter,
        place: Place,
    },
    /// The waiter may launch a session into this place.
    Permit {
        waiter: Waiter,
        place: Place,
    },
    /// Warm a session of this shape in this place.
    Warm {
        place: Place,
        shape: Shape,
        kind: Kind,
    },
    Retire {
        place: Place,
    },
    /// The session in this place is to leave its conversation, and come to rest.
    Empty {
        place: Place,
    },
    /// The waiter's time is over.
    Expire {
        waiter: Waiter,
    },
    /// The queue is full, and the waiter's caller has most of it: its place goes to another one.
    Displace {
        waiter: Waiter,
    },
}

/// The books.
#[derive(Debug)]
pub(crate) struct Ledger {
    config: PoolConfig,
    places: Places,
    waiters: Queue,
    demand: Demand,
    pause: Pause,
    effects: VecDeque<Effect>,
    next: u64,
    draining: bool,
}

/// The queue is full.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct QueueFull;

impl Ledger {
    /// An empty ledger that will warm sessions of the given shape.
    pub(crate) fn new(config: PoolConfig, plain: Shape, primes: bool) -> Ledger {
        Ledger {
            places: Places::default(),
            waiters: Queue::default(),
            demand: Demand::new(plain, config.idle, primes),
            pause: Pause::default(),
            effects: VecDeque::new(),
            next: 1,
            draining: false,
            config,
        }
    }

    /// A caller needs a session.
    ///
    /// # Errors
    /// Where as many wait already as may.
    pub(crate) fn ask(
        &mut self,
        owner: &Owner,
        shape: &Shape,
        need: Need,
        now: Instant,
    ) -> Result<Waiter, QueueFull> {
        let waiter = self.fresh();
        self.demand.note(shape, self.config.max);
        let until = now + self.config.queue_wait_max;
        self.waiters.push(Waiting {
            waiter,
            owner: owner.clone(),
            shape: shape.clone(),
            need,
            until,
        });
        self.balance(now);
        if self.waiters.len() > self.config.queue_depth_max {
            return self.turn_away(owner, waiter);
        }
        Ok(waiter)
    }

    /// One is too many, which may be another one than the one that came.
    fn turn_away(&mut self, came: &Owner, newest: Waiter) -> Result<Waiter, QueueFull> {
        match self.waiters.take_surplus(came) {
            Some(waiter) if waiter == newest => Err(QueueFull),
            Some(waiter) => {
                self.effects.push_back(Effect::Displace { waiter });
                Ok(newest)
            }
            None => Ok(newest),
        }
    }

    /// A caller that waits no longer.
    pub(crate) fn withdraw(&mut self, waiter: Waiter, now: Instant) {
        self.waiters.withdraw(waiter);
        self.balance(now);
    }

    /// A lease or a permit that was not taken up: the session is as it was.
    pub(crate) fn handle_refused(&mut self, place: Place, now: Instant) {
        match self.places.get_mut(place) {
            Some(entry) if entry.turns == 0 && entry.held == Held::Leased => {
                drop(self.places.remove(place));
            }
            Some(entry) if entry.held == Held::Leased => {
                entry.turns -= 1;
                entry.held = Held::Idle { since: now };
            }
            _ => {}
        }
        self.balance(now);
    }

    /// A turn is over; its session comes to rest by itself, unless it is worn: then nobody waits for that rest.
    pub(crate) fn handle_returned(&mut self, place: Place, now: Instant) {
        let worn = self.is_worn(place, None, now);
        if let Some(entry) = self.places.get_mut(place) {
            entry.kind = Kind::Typed;
            entry.held = entry.held.given_back(now);
            if worn {
                self.retire(place);
            }
        }
        self.balance(now);
    }

    /// A turn ended in tool calls; its session waits for their results.
    pub(crate) fn handle_parked(&mut self, place: Place, now: Instant) {
        if let Some(entry) = self.places.get_mut(place)
            && entry.held == Held::Leased
        {
            entry.held = Held::Parked { since: now };
        }
        self.balance(now);
    }

    /// A turn is over, and its session stays in its conversation; as long as there is a use for it.
    pub(crate) fn handle_kept(&mut self, place: Place, now: Instant) {
        let worn = self.is_worn(place, None, now);
        if let Some(entry) = self.places.get_mut(place)
            && entry.held == Held::Leased
        {
            entry.kind = Kind::Typed;
            entry.held = Held::Kept { since: now };
            if worn {
                self.retire(place);
            }
        }
        while let Some((place, _)) = self.kept_beyond_bound() {
            self.empty(place);
        }
        self.balance(now);
    }

    /// The results or the next prompt are there: the place is leased again, if its session still waits.
    pub(crate) fn rejoin(&mut self, place: Place) -> bool {
        let Some(entry) = self.places.get_mut(place) else {
            return false;
        };
        match entry.held {
            Held::Parked { .. } => {}
            Held::Kept { .. } => entry.turns += 1,
            Held::Starting
            | Held::Idle { .. }
            | Held::Leased
            | Held::Rested
            | Held::Resetting
            | Held::Retiring => return false,
        }
        entry.held = Held::Leased;
        true
    }

    /// What a session holds is of no use any more, or whoever claimed it is gone.
    pub(crate) fn handle_left(&mut self, place: Place, now: Instant) {
        let held = self.places.get(place).map(|entry| entry.held);
        if matches!(
            held,
            Some(Held::Kept { .. } | Held::Parked { .. } | Held::Leased)
        ) {
            self.empty(place);
        }
        self.balance(now);
    }

    /// A session is empty and waits.
    pub(crate) fn handle_ready(&mut self, place: Place, resident: Option<u64>, now: Instant) {
        self.pause.handle_success();
        let worn = self.is_worn(place, resident, now);
        match self.places.get_mut(place) {
            Some(_) if worn => self.retire(place),
            Some(entry) => entry.held = entry.held.at_rest(now),
            None => {}
        }
        self.balance(now);
    }

    /// A session's process is gone, or was never there.
    pub(crate) fn handle_gone(&mut self, place: Place, now: Instant) {
        let gone = self.places.remove(place);
        if gone.is_some_and(|entry| entry.held == Held::Starting) {
            self.pause.handle_failure(now);
        }
        self.balance(now);
    }

    /// No more callers, no more sessions.
    pub(crate) fn drain(&mut self, now: Instant) {
        self.draining = true;
        let all = self.waiters.drain();
        self.expire(all);
        self.balance(now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let over = self.waiters.expire(now);
        self.expire(over);
        self.pause.handle_timeout(now);
        while let Some((place, since)) = self.places.longest_kept()
            && since + self.config.kept_wait_max <= now
        {
            self.empty(place);
        }
        self.retire_surplus(now);
        self.balance(now);
    }

    fn expire(&mut self, over: Vec<Waiter>) {
        let effects = over.into_iter().map(|waiter| Effect::Expire { waiter });
        self.effects.extend(effects);
    }

    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When to call [`Ledger::handle_timeout`].
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self.waiters.iter().map(|waiting| waiting.until);
        let surplus = self.surplus().map(|(_, since)| since + SURPLUS_WAIT);
        let parked = self
            .places
            .longest_parked()
            .filter(|_| !self.waiters.is_empty());
        let parked = parked.map(|(_, since)| since + PARKED_MIN);
        let kept = self.places.longest_kept();
        let kept = kept.map(|(_, since)| since + self.config.kept_wait_max);
        waiting
            .chain(surplus)
            .chain(kept)
            .chain(parked)
            .chain(self.pause.poll_timeout())
            .min()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiters.len()
    }

    /// Whether the next caller is one too many, unless it is served at once.
    pub(crate) fn is_full(&self) -> bool {
        self.waiters.len() >= self.config.queue_depth_max
    }

    pub(crate) fn places(&self) -> &BTreeMap<Place, Entry> {
        &self.places.0
    }

    fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn is_worn(&self, place: Place, resident: Option<u64>, now: Instant) -> bool {
        self.places.get(place).is_some_and(|entry| {
            self.draining
                || entry.turns >= self.config.session_turns_max
                || now.duration_since(entry.born) >= self.config.session_age_max
                || resident.is_some_and(|bytes| bytes > self.config.session_resident_max)
        })
    }

    /// Serves the queue from its head as far as it goes, then warms what is missing.
    fn balance(&mut self, now: Instant) {
        if self.draining {
            return self.retire_unused();
        }
        while let Some(head) = self.waiters.head() {
            let (waiter, shape, need) = (head.waiter, head.shape.clone(), head.need);
            if !self.serve(waiter, &shape, need, now) {
                return;
            }
            self.waiters.pop();
        }
        self.warm(now);
    }

    /// Whether there is something for the waiter now; or else it is brought about.
    fn serve(&mut self, waiter: Waiter, shape: &Shape, need: Need, now: Instant) -> bool {
        let kinds = need.kinds();
        match self.places.find(shape, kinds) {
            Found::Idle(place) => {
                self.lend(waiter, place, now);
                true
            }
            Found::Coming => false,
            Found::Nothing if self.places.len() >= self.config.max => {
                self.make_room(shape, kinds, now);
                false
            }
            // A session that cannot come up is launched for its caller, who is told why.
            Found::Nothing if need == Need::Typed && !self.pause.follows_failure() => {
                self.start(shape, Kind::Typed, now);
                false
            }
            Found::Nothing => {
                let place = self.place(shape, Kind::Typed, Held::Leased, now);
                self.effects.push_back(Effect::Permit { waiter, place });
                true
            }
        }
    }

    fn lend(&mut self, waiter: Waiter, place: Place, now: Instant) {
        if let Some(entry) = self.places.get_mut(place) {
            entry.held = Held::Leased;
            entry.turns += 1;
            // It serves one call only and is replaced at once, and its replacement's start would slow that call down.
            if entry.shape.driver == Driver::Print {
                self.pause.keep_quiet(now);
            }
        }
        self.effects.push_back(Effect::Lend { waiter, place });
    }

    fn start(&mut self, shape: &Shape, kind: Kind, now: Instant) {
        let place = self.place(shape, kind, Held::Starting, now);
        let shape = shape.clone();
        self.effects.push_back(Effect::Warm { place, shape, kind });
    }

    fn place(&mut self, shape: &Shape, kind: Kind, held: Held, now: Instant) -> Place {
        let place = self.fresh();
        let entry = Entry {
            shape: shape.clone(),
            kind,
            held,
            born: now,
            turns: 0,
        };
        self.places.insert(place, entry);
        place
    }

    /// Gives a place up: a kept session's first, then an idle one's, then one that waits for results; unless one is on
    /// its way out already. A kept session that the caller can use is emptied, which is faster than another launch.
    fn make_room(&mut self, shape: &Shape, kinds: &[Kind], now: Instant) {
        let usable = kinds.contains(&Kind::Typed);
        if let Some(place) = self.places.kept_of(shape).filter(|_| usable) {
            return self.empty(place);
        }
        if self.places.is_retiring() {
            return;
        }
        let parked = self.places.longest_parked();
        let parked = parked.filter(|(_, since)| *since + PARKED_MIN <= now);
        let waiting = self.places.longest_kept().or(self.places.longest_idle());
        if let Some((place, _)) = waiting.or(parked) {
            self.retire(place);
        }
    }

    fn kept_beyond_bound(&self) -> Option<(Place, Instant)> {
        let over = self.places.kept() > self.config.kept_max;
        self.places.longest_kept().filter(|_| over)
    }

    fn empty(&mut self, place: Place) {
        if self.places.set(place, Held::Resetting) {
            self.effects.push_back(Effect::Empty { place });
        }
    }

    fn retire(&mut self, place: Place) {
        let entry = self.places.get_mut(place);
        if let Some(entry) = entry.filter(|entry| entry.held != Held::Retiring) {
            entry.held = Held::Retiring;
            self.effects.push_back(Effect::Retire { place });
        }
    }

    /// What is still starting, or leaves a conversation, is not waited for.
    fn retire_unused(&mut self) {
        while let Some(place) = self.places.unused() {
            self.retire(place);
        }
    }

    /// The longest idle session beyond the idle bound.
    fn surplus(&self) -> Option<(Place, Instant)> {
        let over = self.places.idle() > self.config.idle;
        self.places.longest_idle().filter(|_| over)
    }

    fn retire_surplus(&mut self, now: Instant) {
        while let Some((place, since)) = self.surplus()
            && since + SURPLUS_WAIT <= now
        {
            self.retire(place);
        }
    }

    /// Warms the next of the sessions that should wait, unless that has to wait itself.
    fn warm(&mut self, now: Instant) {
        let full = self.places.len() >= self.config.max;
        if full || self.places.starting() >= STARTING_MAX || self.pause.is_on(now) {
            return;
        }
        if let Some((shape, kind)) = self.demand.missing(&self.places) {
            self.start(&shape, kind, now);
        }
    }
}

/// How long a session that waits for tool results is left in peace though callers wait: most tools take less.
const PARKED_MIN: Duration = Duration::from_secs(10);
/// Sessions that start at once without a caller: more would only take each other's processor.
const STARTING_MAX: usize = 1;
/// How long a session may idle beyond the idle bound: a burst is often followed by another.
const SURPLUS_WAIT: Duration = Duration::from_secs(60);
#[cfg(test)]
mod tests {
    use super::super::pause::QUIET;
    use super::*;

    fn config(idle: usize, max: usize) -> PoolConfig {
        PoolConfig {
            idle,
            max,
            queue_depth_max: 3,
            queue_wait_max: Duration::from_secs(5),
            turn_wait_max: Duration::from_secs(5),
            session_turns_max: 2,
            session_age_max: Duration::from_secs(3600),
            session_resident_max: 1 << 30,
            kept_max: 2,
            kept_wait_max: Duration::from_secs(1800),
        }
    }

    fn shape(model: &str) -> Shape {
        Shape::plain(model)
    }

    fn anyone() -> Owner {
        Owner::anonymous()
    }

    fn now() -> Instant {
        crate::clock::now()
    }

    fn effects(ledger: &mut Ledger) -> Vec<Effect> {
        std::iter::from_fn(|| ledger.poll_effect()).collect()
    }

    /// A ledger with one idle session of shape `a`, at place 2.
    fn warmed(max: usize) -> (Ledger, Instant) {
        let now = now();
        let mut ledger = Ledger::new(config(1, max), shape("a"), true);
        ledger.handle_timeout(now);
        assert_eq!(
            effects(&mut ledger),
            [Effect::Warm {
                place: 2,
                shape: shape("a"),
                kind: Kind::Typed
            }]
        );
        ledger.handle_ready(2, None, now);
        assert_eq!(effects(&mut ledger), []);
        (ledger, now)
    }

    #[test]
    fn a_warm_session_is_lent_to_its_shape() {
        let (mut ledger, now) = warmed(2);
        let waiter = ledger
            .ask(&anyone(), &shape("a"), Need::Warm, now)
            .expect("the queue is empty");
        assert_eq!(effects(&mut ledger)[0], Effect::Lend { waiter, place: 2 });
    }

    #[test]
    fn a_session_that_serves_one_call_is_replaced_once_that_call_has_begun() {
        let now = now();
        let print = Shape {
            driver: Driver::Print,
            ..shape("a")
        };
        let mut ledger = Ledger::new(config(1, 2), print.clone(), true);
        ledger.handle_timeout(now);
        ledger.handle_ready(2, None, now);
        effects(&mut ledger);
        let waiter = ledger
            .ask(&anyone(), &print, Need::Warm, now)
            .expect("the queue is empty");
        assert_eq!(effects(&mut ledger), [Effect::Lend { waiter, place: 2 }]);
        assert_eq!(ledger.poll_timeout(), Some(now + QUIET));
        ledger.handle_timeout(now + QUIET);
        assert!(matches!(effects(&mut ledger)[0], Effect::Warm { .. }));
    }

    #[test]
    fn another_shape_gets_a_place_of_its_own() {
        let (mut ledger, now) = warmed(2);
        let waiter = ledger
            .ask(&anyone(), &shape("b"), Need::Warm, now)
            .expect("the queue is empty");
        assert!(matches!(effects(&mut ledger)[0], Effect::Permit { waiter: w, .. } if w == waiter));
    }

    #[test]
    fn at_the_bound_an_idle_session_makes_room() {
        let (mut ledger, now) = warmed(1);
        let waiter = ledger
            .ask(&anyone(), &shape("b"), Need::Warm, now)
            .expect("the queue is empty");
        assert_eq!(effects(&mut ledger), [Effect::Retire { place: 2 }]);
        ledger.handle_gone(2, now);
        assert!(matches!(effects(&mut ledger)[0], Effect::Permit { waiter: w, .. } if w == waiter));
    }

    #[test]
    fn a_caller_waits_for_a_session_that_comes_to_rest() {
        let (mut ledger, now) = warmed(2);
        ledger
            .ask(&anyone(), &shape("a"), Need::Warm, now)
            .expect("the queue is empty");
        ledger.handle_returned(2, now);
        effects(&mut ledger);
        let waiter = ledger
            .ask(&anyone(), &shape("a"), Need::Warm, now)
            .expect("the queue is empty");
        assert_eq!(effects(&mut ledger), []);
        ledger.handle_ready(2, None, now);
        assert_eq!(effects(&mut ledger)[0], Effect::Lend { waiter, place: 2 });
    }

    #[test]
    fn the_queue_is_bounded_and_its_waits_end() {
        let (mut ledger, now) = warmed(1);
        ledger
            .ask(&anyone(), &shape("a"), Need::Warm, now)
            .expect("lent at once");
        for _ in 0..3 {
            ledger
                .ask(&anyone(), &shape("a"), Need::Warm, now)
                .expect("the queue has room");
        }
        assert_eq!(
            ledger.ask(&anyone(), &shape("a"), Need::Warm, now),
            Err(QueueFull)
        );
        effects(&mut ledger);
        ledger.handle_timeout(now + Duration::from_secs(6));
        let expired = effects(&mut ledger);
        assert_eq!(
            expired
                .iter()
                .filter(|effect| matches!(effect, Effect::Expire { .. }))
                .count(),
            3
        );
    }

    #[test]
    fn a_drain_waits_for_no_session_that_is_on_its_way() {
        let now = now();
        let mut ledger = Ledger::new(config(1, 2), shape("a"), true);
        ledger.handle_timeout(now);
        assert!(matches!(
            effects(&mut ledger)[0],
            Effect::Warm { place: 2, .. }
        ));
        ledger.drain(now);
        assert_eq!(effects(&mut ledger), [Effect::Retire { place: 2 }]);
        ledger.handle_ready(2, None, now);
        assert_eq!(effects(&mut ledger), []);
        ledger.handle_gone(2, now);
        assert!(ledger.places().is_empty());
    }

    #[test]
    fn who_fills_the_queue_makes_room_for_another_caller() {
        let (mut ledger, now) = warmed(1);
        ledger.config.session_turns_max = 9;
        let ask = |ledger: &mut Ledger, name: &str| {
            ledger.ask(&Owner(name.to_owned()), &shape("a"), Need::Warm, now)
        };
        let many: Vec<Waiter> = (0..4).flat_map(|_| ask(&mut ledger, "many")).collect();
        assert_eq!(ask(&mut ledger, "many"), Err(QueueFull));
        effects(&mut ledger);
        let one = ask(&mut ledger, "one").expect("it has nothing in the queue");
        assert_eq!(effects(&mut ledger), [Effect::Displace { waiter: many[3] }]);
        for waiter in [many[1], one, many[2]] {
            ledger.handle_returned(2, now);
            ledger.handle_ready(2, None, now);
            assert_eq!(effects(&mut ledger)[0], Effect::Lend { waiter, place: 2 });
        }
    }

    #[test]
    fn a_session_that_is_at_rest_before_its_lease_is_back_is_lent_once_it_is() {
        let (mut ledger, now) = warmed(1);
        ledger.config.session_turns_max = 3;
        let ask = |ledger: &mut Ledger| ledger.ask(&anyone(), &shape("a"), Need::Warm, now);
        ask(&mut ledger).expect("lent at once");
        ledger.handle_ready(2, None, now);
        effects(&mut ledger);
        let waiter = ask(&mut ledger).expect("the queue has room");
        assert_eq!(effects(&mut ledger), []);
        ledger.handle_returned(2, now);
        assert_eq!(effects(&mut ledger)[0], Effect::Lend { waiter, place: 2 });
        ledger.handle_returned(2, now);
        assert_eq!(ledger.places()[&2].held, Held::Resetting);
    }

    #[test]
    fn a_primed_session_whose_lease_is_refused_is_still_primed() {
        let now = now();
        let mut ledger = Ledger::new(config(2, 2), shape("a"), true);
        ledger.handle_timeout(now);
        ledger.handle_ready(2, None, now);
        ledger.handle_ready(3, None, now);
        effects(&mut ledger);
        for _ in 0..2 {
            let waiter = ledger.ask(&anyone(), &shape("a"), Need::Launch, now);
            let waiter = waiter.expect("the queue is empty");
            assert_eq!(effects(&mut ledger), [Effect::Lend { waiter, place: 3 }]);
            ledger.handle_refused(3, now);
        }
    }

    #[test]
    fn a_worn_session_is_retired_before_anybody_waits_for_its_rest() {
        let (mut ledger, now) = warmed(1);
        for (turn, ends) in [(1, false), (2, true)] {
            ledger
                .ask(&anyone(), &shape("a"), Need::Warm, now)
                .expect("the session is idle");
            effects(&mut ledger);
            ledger.handle_returned(2, now);
            let retired = effects(&mut ledger) == [Effect::Retire { place: 2 }];
            assert_eq!(retired, ends, "after turn {turn}");
            ledger.handle_ready(2, None, now);
        }
        assert_eq!(ledger.places()[&2].held, Held::Retiring);
    }

    #[test]
    fn a_session_that_has_grown_is_retired_once_that_is_known() {
        let (mut ledger, now) = warmed(1);
        ledger
            .ask(&anyone(), &shape("a"), Need::Warm, now)
            .expect("the session is idle");
        ledger.handle_returned(2, now);
        effects(&mut ledger);
        ledger.handle_ready(2, Some(2 << 30), now);
        assert_eq!(effects(&mut ledger)[0], Effect::Retire { place: 2 });
    }

    #[test]
    fn a_failing_launch_is_not_tried_at_once_again() {
        let now = now();
        let mut ledger = Ledger::new(config(1, 1), shape("a"), true);
        ledger.handle_timeout(now);
        effects(&mut ledger);
        ledger.handle_gone(2, now);
        assert_eq!(effects(&mut ledger), []);
        ledger.handle_timeout(now + Duration::from_secs(2));
        assert!(matches!(effects(&mut ledger)[0], Effect::Warm { .. }));
    }

    /// A ledger whose one session, at place 2, stays in a conversation.
    fn kept(max: usize) -> (Ledger, Instant) {
        let (mut ledger, now) = warmed(max);
        ledger
            .ask(&anyone(), &shape("a"), Need::Warm, now)
            .expect("the session is idle");
        ledger.handle_kept(2, now);
        effects(&mut ledger);
        (ledger, now)
    }

    #[test]
    fn a_kept_session_is_emptied_for_whoever_can_use_it() {
        let (mut ledger, now) = kept(1);
        let waiter = ledger.ask(&anyone(), &shape("a"), Need::Warm, now);
        let waiter = waiter.expect("the queue is empty");
        assert_eq!(effects(&mut ledger), [Effect::Empty { place: 2 }]);
        assert!(!ledger.rejoin(2));
        ledger.handle_ready(2, None, now);
        assert_eq!(effects(&mut ledger)[0], Effect::Lend { waiter, place: 2 });
    }

    #[test]
    fn a_kept_session_gives_its_place_to_whoever_cannot() {
        let (mut ledger, now) = kept(1);
        ledger
            .ask(&anyone(), &shape("b"), Need::Warm, now)
            .expect("the queue is empty");
        assert_eq!(effects(&mut ledger), [Effect::Retire { place: 2 }]);
    }

    #[test]
    fn a_kept_session_is_left_when_its_time_is_over() {
        let (mut ledger, now) = kept(1);
        let due = ledger.poll_timeout().expect("it has a time");
        assert_eq!(due, now + Duration::from_secs(1800));
        ledger.handle_timeout(due);
        assert_eq!(effects(&mut ledger)[0], Effect::Empty { place: 2 });
    }

    #[test]
    fn a_kept_session_wears_out_like_any() {
        let (mut ledger, now) = kept(1);
        assert!(ledger.rejoin(2));
        ledger.handle_kept(2, now);
        assert_eq!(effects(&mut ledger)[0], Effect::Retire { place: 2 });
    }
}
