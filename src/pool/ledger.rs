//! Who has which session, who waits, and what to do about it: inputs and `now` in, effects out. `[pure]`
//!
//! Waiters are served strictly in the order of the [`queue`](super::queue), whatever they need, so that a stream of calls
//! of one shape cannot starve a call of another. A waiter whose shape is just coming back to rest waits for it, because that is faster
//! than a launch; every other waiter gets a slot for a launch, by the retirement of the longest idle session where
//! the bound is reached.

use super::PoolConfig;
use super::definitions::Offer;
use super::definitions::ToolsTold;
use super::demand::Demand;
use super::pause::Pause;
use super::queue::Queue;
use super::queue::Waiting;
use super::slot::Found;
use super::slot::Slot;
use super::slot::SlotId;
use super::slot::SlotKind;
use super::slot::SlotState;
use super::slot::Slots;
use crate::session::Edition;
use crate::session::Mode;
use crate::session::Shape;
use crate::turn::Owner;
use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;
use std::time::Instant;

/// One caller in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct WaiterId(pub(crate) u64);

impl fmt::Display for WaiterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

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
    fn kinds(self) -> &'static [SlotKind] {
        match self {
            Need::Warm => &[SlotKind::Typed, SlotKind::Primed],
            Need::Launch => &[SlotKind::Primed],
            Need::Typed => &[SlotKind::Typed],
            Need::Fresh => &[],
        }
    }
}

/// What the supervisor must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The waiter gets the idle session in this slot.
    Lend {
        waiter: WaiterId,
        slot: SlotId,
    },
    /// The waiter may launch a session into this slot.
    Permit {
        waiter: WaiterId,
        slot: SlotId,
    },
    /// Warm a session of this shape in this slot.
    Warm {
        slot: SlotId,
        shape: Shape,
        kind: SlotKind,
    },
    Retire {
        slot: SlotId,
    },
    /// The session in this slot is to leave its conversation, and come to rest.
    Empty {
        slot: SlotId,
    },
    /// The waiter's time is over.
    Expire {
        waiter: WaiterId,
    },
    /// The queue is full, and the waiter's caller has most of it: its slot goes to another one.
    Displace {
        waiter: WaiterId,
    },
}

/// The books.
#[derive(Debug)]
pub(crate) struct Ledger {
    config: PoolConfig,
    slots: Slots,
    waiters: Queue,
    demand: Demand,
    pause: Pause,
    effects: VecDeque<Effect>,
    next: u64,
    draining: bool,
    /// The claude that launches run, and whether it keeps what it heard first of a tool.
    edition: Edition,
    keeps: bool,
    /// The claude cannot be driven, there is none, or what its sessions must have told is still unknown: nothing is
    /// warmed.
    halted: bool,
}

/// The queue is full.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct QueueFull;

impl Ledger {
    /// An empty ledger that will warm sessions of the given shape.
    pub(crate) fn new(config: PoolConfig, plain: Shape, primes: bool) -> Ledger {
        Ledger {
            slots: Slots::default(),
            waiters: Queue::default(),
            demand: Demand::new(plain, config.idle, primes),
            pause: Pause::default(),
            effects: VecDeque::new(),
            next: 1,
            draining: false,
            edition: Edition::default(),
            keeps: true,
            halted: false,
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
        offer: Offer,
        now: Instant,
    ) -> Result<WaiterId, QueueFull> {
        let waiter = WaiterId(self.fresh());
        self.demand.note(shape, self.config.max);
        let until = now + self.config.queue_wait_max;
        self.waiters.push(Waiting {
            waiter,
            owner: owner.clone(),
            shape: shape.clone(),
            need,
            offer,
            until,
        });
        self.balance(now);
        if self.waiters.len() > self.config.queue_depth_max {
            return self.turn_away(owner, waiter);
        }
        Ok(waiter)
    }

    /// One is too many, which may be another one than the one that came.
    fn turn_away(&mut self, came: &Owner, newest: WaiterId) -> Result<WaiterId, QueueFull> {
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
    pub(crate) fn withdraw(&mut self, waiter: WaiterId, now: Instant) {
        self.waiters.withdraw(waiter);
        self.balance(now);
    }

    /// A launch began, of this claude.
    pub(crate) fn handle_launched(&mut self, slot: SlotId, edition: Edition, keeps: bool) {
        if let Some(entry) = self.slots.get_mut(slot) {
            (entry.edition, entry.keeps) = (edition, keeps);
        }
    }

    /// What a look at this machine's claude showed: the one that launches run with whether it keeps what it heard first of
    /// a tool, once that is known; and whether sessions are not to be warmed for now. That comes first: what may start
    /// sessions would warm one of a claude of which it is still to be found out what such a session must have told.
    pub(crate) fn handle_look(
        &mut self,
        known: Option<(Edition, bool)>,
        halted: bool,
        now: Instant,
    ) {
        if std::mem::replace(&mut self.halted, halted) && !halted {
            self.pause.handle_success();
        }
        match known {
            Some((edition, keeps)) => self.handle_known(edition, keeps, now),
            None => self.balance(now),
        }
    }

    /// Sessions of another claude serve what they have begun, and nothing more.
    fn handle_known(&mut self, edition: Edition, keeps: bool, now: Instant) {
        if self.edition != edition {
            // Whatever failed, failed with another one.
            self.pause.handle_success();
        }
        (self.edition, self.keeps) = (edition, keeps);
        for entry in self.slots.0.values_mut() {
            if entry.edition == edition {
                entry.keeps = keeps;
            }
        }
        while let Some(slot) = self.slots.idle_of_other(edition) {
            self.retire(slot);
        }
        self.balance(now);
    }

    /// A session that waits hangs: it would be lent in vain.
    pub(crate) fn handle_hung(&mut self, slot: SlotId, now: Instant) {
        let held = self.slots.get(slot).map(|entry| entry.held);
        if matches!(held, Some(SlotState::Idle { .. })) {
            self.retire(slot);
        }
        self.balance(now);
    }

    /// A lease or a permit that was not taken up: the session is as it was.
    pub(crate) fn handle_refused(&mut self, slot: SlotId, now: Instant) {
        match self.slots.get_mut(slot) {
            Some(entry) if entry.turns == 0 && entry.held == SlotState::Leased => {
                drop(self.slots.remove(slot));
            }
            Some(entry) if entry.held == SlotState::Leased => {
                entry.turns -= 1;
                entry.holder = None;
                entry.held = SlotState::Idle { since: now };
            }
            _ => {}
        }
        self.balance(now);
    }

    /// A turn is over; its session comes to rest by itself, unless it is worn: then nobody waits for that rest.
    pub(crate) fn handle_returned(&mut self, slot: SlotId, now: Instant) {
        let worn = self.is_worn(slot, None, now);
        if let Some(entry) = self.slots.get_mut(slot) {
            entry.kind = SlotKind::Typed;
            entry.held = entry.held.given_back(now);
            if worn {
                self.retire(slot);
            }
        }
        self.balance(now);
    }

    /// A turn ended in tool calls; its session waits for their results.
    pub(crate) fn handle_parked(&mut self, slot: SlotId, now: Instant) {
        if let Some(entry) = self.slots.get_mut(slot)
            && entry.held == SlotState::Leased
        {
            entry.kind = SlotKind::Typed;
            entry.held = SlotState::Parked { since: now };
        }
        self.balance(now);
    }

    /// A turn is over, and its session stays in its conversation; as long as there is a use for it.
    pub(crate) fn handle_kept(&mut self, slot: SlotId, now: Instant) {
        let worn = self.is_worn(slot, None, now);
        if let Some(entry) = self.slots.get_mut(slot)
            && entry.held == SlotState::Leased
        {
            entry.kind = SlotKind::Typed;
            entry.held = SlotState::Kept { since: now };
            if worn {
                self.retire(slot);
            }
        }
        while let Some((slot, _)) = self.kept_beyond_bound() {
            self.empty(slot);
        }
        self.balance(now);
    }

    /// The results or the next prompt are there: the slot is leased again, if its session still waits.
    pub(crate) fn rejoin(&mut self, slot: SlotId) -> bool {
        let Some(entry) = self.slots.get_mut(slot) else {
            return false;
        };
        match entry.held {
            SlotState::Parked { .. } => {}
            SlotState::Kept { .. } => entry.turns += 1,
            SlotState::Starting
            | SlotState::Idle { .. }
            | SlotState::Leased
            | SlotState::Rested
            | SlotState::Resetting
            | SlotState::Retiring => return false,
        }
        entry.held = SlotState::Leased;
        true
    }

    /// What a session holds is of no use any more, or whoever claimed it is gone.
    pub(crate) fn handle_left(&mut self, slot: SlotId, now: Instant) {
        let held = self.slots.get(slot).map(|entry| entry.held);
        if matches!(
            held,
            Some(SlotState::Kept { .. } | SlotState::Parked { .. } | SlotState::Leased)
        ) {
            self.empty(slot);
        }
        self.balance(now);
    }

    /// A session is empty and waits.
    pub(crate) fn handle_ready(&mut self, slot: SlotId, resident: Option<u64>, now: Instant) {
        self.pause.handle_success();
        let worn = self.is_worn(slot, resident, now);
        match self.slots.get_mut(slot) {
            Some(_) if worn => self.retire(slot),
            Some(entry) => {
                entry.held = entry.held.at_rest(now);
                entry.holder = None;
            }
            None => {}
        }
        self.balance(now);
    }

    /// A session's process is gone, or was never there.
    pub(crate) fn handle_gone(&mut self, slot: SlotId, now: Instant) {
        let gone = self.slots.remove(slot);
        if gone.is_some_and(|entry| entry.held == SlotState::Starting) {
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
        while let Some((slot, since)) = self.slots.longest_kept()
            && since + self.config.kept_wait_max <= now
        {
            self.empty(slot);
        }
        self.retire_surplus(now);
        self.balance(now);
    }

    fn expire(&mut self, over: Vec<WaiterId>) {
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
            .slots
            .longest_parked()
            .filter(|_| !self.waiters.is_empty());
        let parked = parked.map(|(_, since)| since + PARKED_MIN);
        let kept = self.slots.longest_kept();
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

    pub(crate) fn slots(&self) -> &BTreeMap<SlotId, Slot> {
        &self.slots.0
    }

    fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn is_worn(&self, slot: SlotId, resident: Option<u64>, now: Instant) -> bool {
        self.slots.get(slot).is_some_and(|entry| {
            self.draining
                || entry.edition != self.edition
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
            let head = head.clone();
            if !self.serve(&head, now) {
                return;
            }
            self.waiters.pop();
        }
        self.warm(now);
    }

    /// Whether there is something for the waiter now; or else it is brought about.
    fn serve(&mut self, head: &Waiting, now: Instant) -> bool {
        let (waiter, shape, need) = (head.waiter, &head.shape, head.need);
        let kinds = need.kinds();
        match self.slots.find(shape, kinds, &head.offer) {
            Found::Idle(slot) => {
                self.lend(head, slot, now);
                true
            }
            Found::Coming => false,
            Found::Nothing if self.slots.len() >= self.config.max => {
                self.make_room(head, now);
                false
            }
            // A session that cannot come up is launched for its caller, who is told why.
            Found::Nothing if need == Need::Typed && !self.pause.follows_failure() => {
                self.start(shape, SlotKind::Typed, now);
                false
            }
            Found::Nothing => {
                let slot = self.slot(shape, SlotKind::Typed, SlotState::Leased, now);
                self.hand_over(slot, head);
                self.effects.push_back(Effect::Permit { waiter, slot });
                true
            }
        }
    }

    /// The session in this slot is this caller's, and about to be told of its tools.
    fn hand_over(&mut self, slot: SlotId, head: &Waiting) {
        if let Some(entry) = self.slots.get_mut(slot) {
            entry.told.add(&head.offer);
            entry.holder = Some(head.owner.clone());
        }
    }

    fn lend(&mut self, head: &Waiting, slot: SlotId, now: Instant) {
        self.hand_over(slot, head);
        if let Some(entry) = self.slots.get_mut(slot) {
            entry.held = SlotState::Leased;
            entry.turns += 1;
            // It serves one call only and is replaced at once, and its replacement's start would slow that call down.
            if entry.shape.mode == Mode::Print {
                self.pause.keep_quiet(now);
            }
        }
        let waiter = head.waiter;
        self.effects.push_back(Effect::Lend { waiter, slot });
    }

    fn start(&mut self, shape: &Shape, kind: SlotKind, now: Instant) {
        let slot = self.slot(shape, kind, SlotState::Starting, now);
        let shape = shape.clone();
        self.effects.push_back(Effect::Warm { slot, shape, kind });
    }

    fn slot(&mut self, shape: &Shape, kind: SlotKind, held: SlotState, now: Instant) -> SlotId {
        let slot = SlotId(self.fresh());
        let entry = Slot {
            shape: shape.clone(),
            kind,
            held,
            born: now,
            turns: 0,
            holder: None,
            edition: self.edition,
            keeps: self.keeps,
            told: ToolsTold::default(),
        };
        self.slots.insert(slot, entry);
        slot
    }

    /// Gives a slot up: a kept session's first, then an idle one's, then one that waits for results; unless one is on
    /// its way out already. A session that the caller can use is emptied, which is faster than another launch.
    fn make_room(&mut self, head: &Waiting, now: Instant) {
        let usable = head.need.kinds().contains(&SlotKind::Typed);
        let kept = self.slots.kept_of(&head.shape, &head.offer);
        if let Some(slot) = kept.filter(|_| usable) {
            return self.empty(slot);
        }
        if self.slots.is_retiring() {
            return;
        }
        let waiting = self.slots.longest_kept().or(self.slots.longest_idle());
        if let Some((slot, _)) = waiting {
            return self.retire(slot);
        }
        let is_due = |(_, since): &(SlotId, Instant)| *since + PARKED_MIN <= now;
        let parked = self.slots.longest_parked_of(&head.shape, &head.offer);
        if let Some((slot, _)) = parked.filter(|_| usable).filter(is_due) {
            return self.empty(slot);
        }
        if let Some((slot, _)) = self.slots.longest_parked().filter(is_due) {
            self.retire(slot);
        }
    }

    fn kept_beyond_bound(&self) -> Option<(SlotId, Instant)> {
        let over = self.slots.kept() > self.config.kept_max;
        self.slots.longest_kept().filter(|_| over)
    }

    fn empty(&mut self, slot: SlotId) {
        if self.slots.set(slot, SlotState::Resetting) {
            self.effects.push_back(Effect::Empty { slot });
        }
    }

    fn retire(&mut self, slot: SlotId) {
        let entry = self.slots.get_mut(slot);
        if let Some(entry) = entry.filter(|entry| entry.held != SlotState::Retiring) {
            entry.held = SlotState::Retiring;
            self.effects.push_back(Effect::Retire { slot });
        }
    }

    /// What is still starting, or leaves a conversation, is not waited for.
    fn retire_unused(&mut self) {
        while let Some(slot) = self.slots.unused() {
            self.retire(slot);
        }
    }

    /// The longest idle session beyond the idle bound.
    fn surplus(&self) -> Option<(SlotId, Instant)> {
        let over = self.slots.idle() > self.config.idle;
        self.slots.longest_idle().filter(|_| over)
    }

    fn retire_surplus(&mut self, now: Instant) {
        while let Some((slot, since)) = self.surplus()
            && since + SURPLUS_WAIT <= now
        {
            self.retire(slot);
        }
    }

    /// Warms the next of the sessions that should wait, unless that has to wait itself.
    fn warm(&mut self, now: Instant) {
        let full = self.slots.len() >= self.config.max;
        if full || self.halted || self.slots.starting() >= STARTING_MAX || self.pause.is_on(now) {
            return;
        }
        if let Some((shape, kind)) = self.demand.missing(&self.slots) {
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

    /// Anyone asks for a warm session of this shape, and is told or queued.
    fn asked(ledger: &mut Ledger, name: &str, now: Instant) -> WaiterId {
        ledger
            .ask(&anyone(), &shape(name), Need::Warm, Offer::default(), now)
            .expect("the queue has room")
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

    /// A ledger with one idle session of shape `a`, at slot 2.
    fn warmed(max: usize) -> (Ledger, Instant) {
        let now = now();
        let mut ledger = Ledger::new(config(1, max), shape("a"), true);
        ledger.handle_timeout(now);
        assert_eq!(
            effects(&mut ledger),
            [Effect::Warm {
                slot: SlotId(2),
                shape: shape("a"),
                kind: SlotKind::Typed
            }]
        );
        ledger.handle_ready(SlotId(2), None, now);
        assert_eq!(effects(&mut ledger), []);
        (ledger, now)
    }

    #[test]
    fn a_warm_session_is_lent_to_its_shape() {
        let (mut ledger, now) = warmed(2);
        let waiter = asked(&mut ledger, "a", now);
        assert_eq!(
            effects(&mut ledger)[0],
            Effect::Lend {
                waiter,
                slot: SlotId(2)
            }
        );
    }

    #[test]
    fn a_session_that_serves_one_call_is_replaced_once_that_call_has_begun() {
        let now = now();
        let print = Shape {
            mode: Mode::Print,
            ..shape("a")
        };
        let mut ledger = Ledger::new(config(1, 2), print.clone(), true);
        ledger.handle_timeout(now);
        ledger.handle_ready(SlotId(2), None, now);
        effects(&mut ledger);
        let waiter = ledger
            .ask(&anyone(), &print, Need::Warm, Offer::default(), now)
            .expect("the queue is empty");
        assert_eq!(
            effects(&mut ledger),
            [Effect::Lend {
                waiter,
                slot: SlotId(2)
            }]
        );
        assert_eq!(ledger.poll_timeout(), Some(now + QUIET));
        ledger.handle_timeout(now + QUIET);
        assert!(matches!(effects(&mut ledger)[0], Effect::Warm { .. }));
    }

    #[test]
    fn another_shape_gets_a_place_of_its_own() {
        let (mut ledger, now) = warmed(2);
        let waiter = asked(&mut ledger, "b", now);
        assert!(matches!(effects(&mut ledger)[0], Effect::Permit { waiter: w, .. } if w == waiter));
    }

    #[test]
    fn at_the_bound_an_idle_session_makes_room() {
        let (mut ledger, now) = warmed(1);
        let waiter = asked(&mut ledger, "b", now);
        assert_eq!(effects(&mut ledger), [Effect::Retire { slot: SlotId(2) }]);
        ledger.handle_gone(SlotId(2), now);
        assert!(matches!(effects(&mut ledger)[0], Effect::Permit { waiter: w, .. } if w == waiter));
    }

    #[test]
    fn a_caller_waits_for_a_session_that_comes_to_rest() {
        let (mut ledger, now) = warmed(2);
        asked(&mut ledger, "a", now);
        ledger.handle_returned(SlotId(2), now);
        effects(&mut ledger);
        let waiter = asked(&mut ledger, "a", now);
        assert_eq!(effects(&mut ledger), []);
        ledger.handle_ready(SlotId(2), None, now);
        assert_eq!(
            effects(&mut ledger)[0],
            Effect::Lend {
                waiter,
                slot: SlotId(2)
            }
        );
    }

    #[test]
    fn the_queue_is_bounded_and_its_waits_end() {
        let (mut ledger, now) = warmed(1);
        asked(&mut ledger, "a", now);
        for _ in 0..3 {
            asked(&mut ledger, "a", now);
        }
        assert_eq!(
            ledger.ask(&anyone(), &shape("a"), Need::Warm, Offer::default(), now),
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
            Effect::Warm {
                slot: SlotId(2),
                ..
            }
        ));
        ledger.drain(now);
        assert_eq!(effects(&mut ledger), [Effect::Retire { slot: SlotId(2) }]);
        ledger.handle_ready(SlotId(2), None, now);
        assert_eq!(effects(&mut ledger), []);
        ledger.handle_gone(SlotId(2), now);
        assert!(ledger.slots().is_empty());
    }

    #[test]
    fn who_fills_the_queue_makes_room_for_another_caller() {
        let (mut ledger, now) = warmed(1);
        ledger.config.session_turns_max = 9;
        let ask = |ledger: &mut Ledger, name: &str| {
            ledger.ask(
                &Owner(name.to_owned()),
                &shape("a"),
                Need::Warm,
                Offer::default(),
                now,
            )
        };
        let many: Vec<WaiterId> = (0..4).flat_map(|_| ask(&mut ledger, "many")).collect();
        assert_eq!(ask(&mut ledger, "many"), Err(QueueFull));
        effects(&mut ledger);
        let one = ask(&mut ledger, "one").expect("it has nothing in the queue");
        assert_eq!(effects(&mut ledger), [Effect::Displace { waiter: many[3] }]);
        for waiter in [many[1], one, many[2]] {
            ledger.handle_returned(SlotId(2), now);
            ledger.handle_ready(SlotId(2), None, now);
            assert_eq!(
                effects(&mut ledger)[0],
                Effect::Lend {
                    waiter,
                    slot: SlotId(2)
                }
            );
        }
    }

    #[test]
    fn a_session_that_is_at_rest_before_its_lease_is_back_is_lent_once_it_is() {
        let (mut ledger, now) = warmed(1);
        ledger.config.session_turns_max = 3;
        let ask = |ledger: &mut Ledger| {
            ledger.ask(&anyone(), &shape("a"), Need::Warm, Offer::default(), now)
        };
        ask(&mut ledger).expect("lent at once");
        ledger.handle_ready(SlotId(2), None, now);
        effects(&mut ledger);
        let waiter = ask(&mut ledger).expect("the queue has room");
        assert_eq!(effects(&mut ledger), []);
        ledger.handle_returned(SlotId(2), now);
        assert_eq!(
            effects(&mut ledger)[0],
            Effect::Lend {
                waiter,
                slot: SlotId(2)
            }
        );
        ledger.handle_returned(SlotId(2), now);
        assert_eq!(ledger.slots()[&SlotId(2)].held, SlotState::Resetting);
    }

    #[test]
    fn a_primed_session_whose_lease_is_refused_is_still_primed() {
        let now = now();
        let mut ledger = Ledger::new(config(2, 2), shape("a"), true);
        ledger.handle_timeout(now);
        ledger.handle_ready(SlotId(2), None, now);
        ledger.handle_ready(SlotId(3), None, now);
        effects(&mut ledger);
        for _ in 0..2 {
            let waiter = ledger.ask(&anyone(), &shape("a"), Need::Launch, Offer::default(), now);
            let waiter = waiter.expect("the queue is empty");
            assert_eq!(
                effects(&mut ledger),
                [Effect::Lend {
                    waiter,
                    slot: SlotId(3)
                }]
            );
            ledger.handle_refused(SlotId(3), now);
        }
    }

    #[test]
    fn a_worn_session_is_retired_before_anybody_waits_for_its_rest() {
        let (mut ledger, now) = warmed(1);
        for (turn, ends) in [(1, false), (2, true)] {
            asked(&mut ledger, "a", now);
            effects(&mut ledger);
            ledger.handle_returned(SlotId(2), now);
            let retired = effects(&mut ledger) == [Effect::Retire { slot: SlotId(2) }];
            assert_eq!(retired, ends, "after turn {turn}");
            ledger.handle_ready(SlotId(2), None, now);
        }
        assert_eq!(ledger.slots()[&SlotId(2)].held, SlotState::Retiring);
    }

    #[test]
    fn a_session_that_has_grown_is_retired_once_that_is_known() {
        let (mut ledger, now) = warmed(1);
        asked(&mut ledger, "a", now);
        ledger.handle_returned(SlotId(2), now);
        effects(&mut ledger);
        ledger.handle_ready(SlotId(2), Some(2 << 30), now);
        assert_eq!(effects(&mut ledger)[0], Effect::Retire { slot: SlotId(2) });
    }

    #[test]
    fn a_failing_launch_is_not_tried_at_once_again() {
        let now = now();
        let mut ledger = Ledger::new(config(1, 1), shape("a"), true);
        ledger.handle_timeout(now);
        effects(&mut ledger);
        ledger.handle_gone(SlotId(2), now);
        assert_eq!(effects(&mut ledger), []);
        ledger.handle_timeout(now + Duration::from_secs(2));
        assert!(matches!(effects(&mut ledger)[0], Effect::Warm { .. }));
    }

    /// A ledger whose one session, at slot 2, stays in a conversation.
    fn kept(max: usize) -> (Ledger, Instant) {
        let (mut ledger, now) = warmed(max);
        asked(&mut ledger, "a", now);
        ledger.handle_kept(SlotId(2), now);
        effects(&mut ledger);
        (ledger, now)
    }

    #[test]
    fn a_kept_session_is_emptied_for_whoever_can_use_it() {
        let (mut ledger, now) = kept(1);
        let waiter = ledger.ask(&anyone(), &shape("a"), Need::Warm, Offer::default(), now);
        let waiter = waiter.expect("the queue is empty");
        assert_eq!(effects(&mut ledger), [Effect::Empty { slot: SlotId(2) }]);
        assert!(!ledger.rejoin(SlotId(2)));
        ledger.handle_ready(SlotId(2), None, now);
        assert_eq!(
            effects(&mut ledger)[0],
            Effect::Lend {
                waiter,
                slot: SlotId(2)
            }
        );
    }

    #[test]
    fn a_kept_session_gives_its_place_to_whoever_cannot() {
        let (mut ledger, now) = kept(1);
        asked(&mut ledger, "b", now);
        assert_eq!(effects(&mut ledger), [Effect::Retire { slot: SlotId(2) }]);
    }

    #[test]
    fn a_kept_session_is_left_when_its_time_is_over() {
        let (mut ledger, now) = kept(1);
        let due = ledger.poll_timeout().expect("it has a time");
        assert_eq!(due, now + Duration::from_secs(1800));
        ledger.handle_timeout(due);
        assert_eq!(effects(&mut ledger)[0], Effect::Empty { slot: SlotId(2) });
    }

    /// A ledger whose one session, at slot 2, waits for the results of its calls.
    fn parked() -> (Ledger, Instant) {
        let (mut ledger, now) = warmed(1);
        ledger.config.queue_wait_max = Duration::from_secs(60);
        asked(&mut ledger, "a", now);
        ledger.handle_parked(SlotId(2), now);
        effects(&mut ledger);
        (ledger, now)
    }

    #[test]
    fn a_session_whose_results_do_not_come_is_emptied_for_whoever_can_use_it() {
        let (mut ledger, now) = parked();
        let waiter = asked(&mut ledger, "a", now);
        assert_eq!(effects(&mut ledger), []);
        let due = now + PARKED_MIN;
        assert_eq!(ledger.poll_timeout(), Some(due));
        ledger.handle_timeout(due);
        assert_eq!(effects(&mut ledger), [Effect::Empty { slot: SlotId(2) }]);
        ledger.handle_ready(SlotId(2), None, due);
        let slot = SlotId(2);
        assert_eq!(effects(&mut ledger)[0], Effect::Lend { waiter, slot });
    }

    #[test]
    fn a_session_whose_results_do_not_come_gives_its_place_to_whoever_cannot() {
        let (mut ledger, now) = parked();
        asked(&mut ledger, "b", now);
        ledger.handle_timeout(now + PARKED_MIN);
        assert_eq!(effects(&mut ledger), [Effect::Retire { slot: SlotId(2) }]);
    }

    #[test]
    fn a_kept_session_wears_out_like_any() {
        let (mut ledger, now) = kept(1);
        assert!(ledger.rejoin(SlotId(2)));
        ledger.handle_kept(SlotId(2), now);
        assert_eq!(effects(&mut ledger)[0], Effect::Retire { slot: SlotId(2) });
    }

    fn tools(description: &str) -> Offer {
        Offer::of(&[crate::turn::Tool {
            name: "find".to_owned(),
            description: description.to_owned(),
            input_schema: serde_json::json!({"type": "object"}),
        }])
    }

    /// Serves a call with a tool that is described so in the session at slot 2, and lets that come to rest.
    fn serve_with_tool(ledger: &mut Ledger, description: &str, now: Instant) {
        let asked = ledger.ask(&anyone(), &shape("a"), Need::Typed, tools(description), now);
        let waiter = asked.expect("the queue is empty");
        let slot = SlotId(2);
        assert_eq!(effects(ledger)[0], Effect::Lend { waiter, slot });
        ledger.handle_returned(slot, now);
        ledger.handle_ready(slot, None, now);
        effects(ledger);
    }

    #[test]
    fn a_session_that_keeps_definitions_serves_no_call_that_describes_its_tool_otherwise() {
        let (mut ledger, now) = warmed(2);
        ledger.config.session_turns_max = 9;
        serve_with_tool(&mut ledger, "one", now);
        serve_with_tool(&mut ledger, "one", now);
        let asked = ledger.ask(&anyone(), &shape("a"), Need::Typed, tools("two"), now);
        let waiter = asked.expect("the queue is empty");
        let lent = |effect: &Effect| matches!(effect, Effect::Lend { .. });
        assert!(!effects(&mut ledger).iter().any(lent));
        let mut others = ledger.slots().keys().filter(|slot| **slot != SlotId(2));
        let slot = *others.next().expect("another one is on its way");
        ledger.handle_ready(slot, None, now);
        assert_eq!(effects(&mut ledger)[0], Effect::Lend { waiter, slot });
    }

    #[test]
    fn at_the_bound_a_session_that_keeps_definitions_makes_room() {
        let (mut ledger, now) = warmed(1);
        ledger.config.session_turns_max = 9;
        serve_with_tool(&mut ledger, "one", now);
        let asked = ledger.ask(&anyone(), &shape("a"), Need::Typed, tools("two"), now);
        asked.expect("the queue is empty");
        assert_eq!(effects(&mut ledger), [Effect::Retire { slot: SlotId(2) }]);
    }

    #[test]
    fn a_session_that_takes_new_definitions_up_serves_any_call() {
        let (mut ledger, now) = warmed(1);
        ledger.config.session_turns_max = 9;
        ledger.handle_look(Some((Edition::default(), false)), false, now);
        for description in ["one", "two", "one"] {
            serve_with_tool(&mut ledger, description, now);
        }
    }

    #[test]
    fn sessions_of_a_claude_that_was_replaced_end_their_turn_and_serve_no_more() {
        let (mut ledger, now) = warmed(2);
        ledger.config.session_turns_max = 9;
        let asked = ledger.ask(&anyone(), &shape("a"), Need::Warm, Offer::default(), now);
        asked.expect("the session is idle");
        ledger.handle_timeout(now + QUIET);
        effects(&mut ledger);
        ledger.handle_ready(SlotId(4), None, now);
        ledger.handle_look(Some((Edition(1), false)), false, now);
        let retired = Effect::Retire { slot: SlotId(4) };
        assert!(effects(&mut ledger).contains(&retired));
        ledger.handle_returned(SlotId(2), now);
        let retired = Effect::Retire { slot: SlotId(2) };
        assert!(effects(&mut ledger).contains(&retired));
    }

    #[test]
    fn nothing_is_warmed_while_no_claude_can_be_driven() {
        let now = now();
        let mut ledger = Ledger::new(config(1, 1), shape("a"), true);
        ledger.handle_look(None, true, now);
        ledger.handle_timeout(now);
        assert_eq!(effects(&mut ledger), []);
        ledger.handle_look(None, false, now);
        assert!(matches!(effects(&mut ledger)[0], Effect::Warm { .. }));
    }

    #[test]
    fn nothing_is_warmed_of_a_claude_that_is_known_and_not_yet_rehearsed() {
        let now = now();
        let mut ledger = Ledger::new(config(1, 1), shape("a"), true);
        let known = Some((Edition(1), true));
        ledger.handle_look(known, true, now);
        assert_eq!(effects(&mut ledger), []);
        ledger.handle_look(known, false, now);
        assert!(matches!(effects(&mut ledger)[..], [Effect::Warm { .. }]));
    }
}
