//! The ledger alone, among callers and sessions that do anything they may in any order.

use crate::pool::PoolConfig;
use crate::pool::definitions::Offer;
use crate::pool::ledger::Effect;
use crate::pool::ledger::Ledger;
use crate::pool::ledger::Need;
use crate::pool::ledger::WaiterId;
use crate::pool::slot::SlotId;
use crate::session::Shape;
use crate::turn::Owner;
use crate::turn::Tool;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;
use std::time::Instant;

/// What the sessions' side knows of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Starting,
    Idle,
    /// Lent; `rested` where its session is at rest before the lease is back.
    Lent {
        rested: bool,
    },
    /// Permitted, and its session is being launched, or in its first turn.
    Launched {
        rested: bool,
    },
    /// It stays in a conversation.
    Kept,
    Resetting,
    Retiring,
}

/// The ledger and everything around it.
struct Around {
    ledger: Ledger,
    now: Instant,
    max: usize,
    depth: usize,
    waiters: BTreeSet<WaiterId>,
    lives: BTreeMap<SlotId, Life>,
}

/// One thing that may happen; `pick` chooses whom it happens to.
#[derive(Debug, Clone, Copy)]
enum Move {
    Command {
        owner: u8,
        shape: u8,
        launch: bool,
        /// The description of its tool; 0: it has none.
        tool: u8,
    },
    Withdraw,
    Wait(u16),
    Ready {
        worn: bool,
    },
    Return,
    /// A turn is over, and its session stays in the conversation.
    Keep,
    /// The next call of a conversation comes to the session that stayed.
    Rejoin,
    /// Nobody goes on in a conversation any more.
    Leave,
    Refuse,
    Die,
}

impl Around {
    fn new(max: usize, idle: usize, depth: usize, primes: bool) -> Around {
        let now = crate::clock::now();
        let config = PoolConfig {
            idle,
            max,
            queue_depth_max: depth,
            queue_wait_max: Duration::from_secs(5),
            turn_wait_max: Duration::from_secs(5),
            session_turns_max: 3,
            session_age_max: Duration::from_secs(100),
            session_resident_max: 1000,
            kept_max: 2,
            kept_wait_max: Duration::from_secs(10),
        };
        Around {
            ledger: Ledger::new(config, Shape::plain("0"), primes),
            now,
            max,
            depth,
            waiters: BTreeSet::new(),
            lives: BTreeMap::new(),
        }
    }

    fn happen(&mut self, what: Move, pick: usize) {
        let now = self.now;
        match what {
            Move::Command {
                owner,
                shape,
                launch,
                tool,
            } => {
                let offer = offer(tool);
                let need = if launch { Need::Launch } else { Need::Warm };
                let (owner, shape) = (Owner(owner.to_string()), Shape::plain(&shape.to_string()));
                let asked = self.ledger.ask(&owner, &shape, need, offer, now);
                self.waiters.extend(asked.ok());
            }
            Move::Withdraw => {
                if let Some(waiter) = self
                    .waiters
                    .iter()
                    .nth(pick % self.waiters.len().max(1))
                    .copied()
                {
                    self.waiters.remove(&waiter);
                    self.ledger.withdraw(waiter, now);
                }
            }
            Move::Wait(ms) => {
                self.now += Duration::from_millis(u64::from(ms));
                self.ledger.handle_timeout(self.now);
            }
            Move::Ready { worn } => self.ready(pick, worn.then_some(2000)),
            Move::Return => self.give_back(pick),
            Move::Keep => self.keep(pick),
            Move::Rejoin => {
                if let Some(slot) = self.pick(pick, |life| *life == Life::Kept) {
                    assert!(self.ledger.rejoin(slot), "{slot} was given up in silence");
                    self.lives.insert(slot, Life::Lent { rested: false });
                }
            }
            Move::Leave => {
                if let Some(slot) = self.pick(pick, |life| *life == Life::Kept) {
                    self.ledger.handle_left(slot, now);
                }
            }
            Move::Refuse => self.refuse(pick),
            Move::Die => {
                if let Some(slot) =
                    self.pick(pick, |life| *life != Life::Idle || pick.is_multiple_of(4))
                {
                    self.die(slot);
                }
            }
        }
        self.settle();
    }

    fn pick(&self, pick: usize, may: impl Fn(&Life) -> bool) -> Option<SlotId> {
        let slots: Vec<SlotId> = self
            .lives
            .iter()
            .filter(|(_, life)| may(life))
            .map(|(slot, _)| *slot)
            .collect();
        slots.get(pick % slots.len().max(1)).copied()
    }

    fn ready(&mut self, pick: usize, resident: Option<u64>) {
        let may = |life: &Life| {
            matches!(
                life,
                Life::Starting
                    | Life::Resetting
                    | Life::Lent { rested: false }
                    | Life::Launched { rested: false }
            )
        };
        let Some(slot) = self.pick(pick, may) else {
            return;
        };
        let next = match self.lives[&slot] {
            Life::Lent { .. } => Life::Lent { rested: true },
            Life::Launched { .. } => Life::Launched { rested: true },
            Life::Starting | Life::Idle | Life::Kept | Life::Resetting | Life::Retiring => {
                Life::Idle
            }
        };
        self.lives.insert(slot, next);
        self.ledger.handle_ready(slot, resident, self.now);
    }

    fn give_back(&mut self, pick: usize) {
        let Some(slot) = self.pick(pick, |life| {
            matches!(life, Life::Lent { .. } | Life::Launched { .. })
        }) else {
            return;
        };
        let next = match self.lives[&slot] {
            Life::Lent { rested: true } | Life::Launched { rested: true } => Life::Idle,
            _ => Life::Resetting,
        };
        self.lives.insert(slot, next);
        self.ledger.handle_returned(slot, self.now);
    }

    fn keep(&mut self, pick: usize) {
        let at_work = |life: &Life| {
            matches!(
                life,
                Life::Lent { rested: false } | Life::Launched { rested: false }
            )
        };
        if let Some(slot) = self.pick(pick, at_work) {
            self.lives.insert(slot, Life::Kept);
            self.ledger.handle_kept(slot, self.now);
        }
    }

    fn refuse(&mut self, pick: usize) {
        let unused = Life::Lent { rested: false };
        if let Some(slot) = self.pick(pick, |life| *life == unused) {
            self.lives.insert(slot, Life::Idle);
            self.ledger.handle_refused(slot, self.now);
        } else if let Some(slot) = self.pick(pick, |life| *life == Life::Launched { rested: false })
        {
            self.lives.remove(&slot);
            self.ledger.handle_refused(slot, self.now);
        }
    }

    fn die(&mut self, slot: SlotId) {
        self.lives.remove(&slot);
        self.ledger.handle_gone(slot, self.now);
    }

    /// Takes the effects, and holds the ledger to its promises.
    fn settle(&mut self) {
        while let Some(effect) = self.ledger.poll_effect() {
            match effect {
                Effect::Lend { waiter, slot } => {
                    assert!(
                        self.waiters.remove(&waiter),
                        "{waiter} was served before, or is gone"
                    );
                    let before = self.lives.insert(slot, Life::Lent { rested: false });
                    assert_eq!(before, Some(Life::Idle), "only an idle session can be lent");
                }
                Effect::Permit { waiter, slot } => {
                    assert!(
                        self.waiters.remove(&waiter),
                        "{waiter} was served before, or is gone"
                    );
                    assert_eq!(
                        self.lives.insert(slot, Life::Launched { rested: false }),
                        None
                    );
                }
                Effect::Warm { slot, .. } => {
                    assert_eq!(self.lives.insert(slot, Life::Starting), None);
                }
                Effect::Retire { slot } => {
                    let before = self.lives.insert(slot, Life::Retiring);
                    assert_ne!(before, None, "only what is there can be retired");
                    assert_ne!(before, Some(Life::Retiring), "once is enough");
                }
                Effect::Empty { slot } => {
                    let before = self.lives.insert(slot, Life::Resetting);
                    assert_eq!(before, Some(Life::Kept), "only what is kept can be left");
                }
                Effect::Expire { waiter } | Effect::Displace { waiter } => {
                    assert!(
                        self.waiters.remove(&waiter),
                        "{waiter} was served before, or is gone"
                    );
                }
            }
        }
        let kept = self.lives.values().filter(|life| **life == Life::Kept);
        assert!(kept.count() <= 2, "more are kept than may be");
        let (slots, waiting) = (self.ledger.slots().len(), self.ledger.waiting());
        assert!(slots <= self.max, "{slots} slots of {}", self.max);
        assert!(waiting <= self.depth, "{waiting} waiters of {}", self.depth);
        assert_eq!(waiting, self.waiters.len(), "who waits must be known");
        assert!(
            slots == self.lives.len(),
            "{:?} are not {:?}",
            self.ledger.slots(),
            self.lives
        );
        assert!(
            waiting == 0 || self.ledger.poll_timeout().is_some(),
            "a wait must have an end"
        );
    }

    /// Everybody does what they owe, and nobody new comes: then everything must be gone.
    fn drain(&mut self) {
        self.ledger.drain(self.now);
        self.settle();
        for _ in 0..self.max * 4 {
            self.give_back(0);
            self.settle();
            self.ready(0, None);
            self.settle();
            if let Some(slot) = self.pick(0, |life| *life == Life::Retiring) {
                self.die(slot);
                self.settle();
            }
        }
        assert!(self.waiters.is_empty(), "{:?} still wait", self.waiters);
        assert!(
            self.ledger.slots().is_empty(),
            "{:?} are left",
            self.ledger.slots()
        );
    }
}

/// A tool of one name that calls describe in different ways.
fn offer(description: u8) -> Offer {
    let tool = Tool {
        name: "find".to_owned(),
        description: description.to_string(),
        input_schema: json!({"type": "object"}),
    };
    match description {
        0 => Offer::default(),
        _ => Offer::of(&[tool]),
    }
}

fn a_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => (0_u8..3, 0_u8..3, any::<bool>(), 0_u8..4)
            .prop_map(|(owner, shape, launch, tool)| Move::Command { owner, shape, launch, tool }),
        1 => Just(Move::Withdraw),
        2 => (0_u16..3000).prop_map(Move::Wait),
        4 => prop::bool::weighted(0.1).prop_map(|worn| Move::Ready { worn }),
        4 => Just(Move::Return),
        2 => Just(Move::Keep),
        2 => Just(Move::Rejoin),
        1 => Just(Move::Leave),
        1 => Just(Move::Refuse),
        2 => Just(Move::Die),
    ]
}

proptest! {
    #[test]
    fn every_waiter_is_served_once_and_no_place_is_left(
        (max, idle, depth) in (1_usize..5, 0_usize..4, 0_usize..6),
        primes in any::<bool>(),
        moves in prop::collection::vec((a_move(), any::<usize>()), 0..80),
    ) {
        let mut around = Around::new(max, idle, depth, primes);
        around.happen(Move::Wait(0), 0);
        for (what, pick) in moves {
            around.happen(what, pick);
        }
        around.drain();
    }
}
