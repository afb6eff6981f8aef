//! The slots of the pool and what is in each. `[pure]`

use super::definitions::Offer;
use super::definitions::ToolsTold;
use crate::session::Edition;
use crate::session::Shape;
use crate::turn::Owner;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

/// Names a slot for a session; the session in it may not be alive yet, or any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SlotId(pub(crate) u64);

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a waiting session waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlotKind {
    /// A prompt to be typed.
    Typed,
    /// Any conversation, once: after that it waits for a prompt.
    Primed,
}

/// A slot and what is in it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) shape: Shape,
    pub(super) kind: SlotKind,
    pub(crate) held: SlotState,
    pub(crate) born: Instant,
    pub(crate) turns: u32,
    /// Whose call has it, or whose conversation it holds; `None`: nobody's.
    pub(crate) holder: Option<Owner>,
    /// The claude that it runs; until that is launched, the one that it will be.
    pub(super) edition: Edition,
    /// Whether its process keeps what it heard first of a tool.
    pub(super) keeps: bool,
    /// What it was told of tools.
    pub(super) told: ToolsTold,
}

/// What a session in a slot is doing, as far as the pool is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlotState {
    Starting,
    Idle {
        since: Instant,
    },
    Leased,
    /// It is at rest, and its lease is still to be returned: its driver was faster than its caller.
    Rested,
    /// It waits for the tool results of its conversation.
    Parked {
        since: Instant,
    },
    /// It stays in its conversation, which has a name. Nobody waits: its slot is the first that is given up.
    Kept {
        since: Instant,
    },
    Resetting,
    Retiring,
}

impl SlotState {
    /// Its lease is returned.
    pub(super) fn given_back(self, now: Instant) -> SlotState {
        match self {
            SlotState::Leased => SlotState::Resetting,
            SlotState::Rested => SlotState::Idle { since: now },
            held => held,
        }
    }

    /// Its session is empty and waits.
    pub(super) fn at_rest(self, now: Instant) -> SlotState {
        match self {
            SlotState::Leased | SlotState::Rested => SlotState::Rested,
            SlotState::Retiring => SlotState::Retiring,
            SlotState::Starting
            | SlotState::Idle { .. }
            | SlotState::Parked { .. }
            | SlotState::Kept { .. }
            | SlotState::Resetting => SlotState::Idle { since: now },
        }
    }

    /// No call is served by it.
    fn is_unused(self) -> bool {
        match self {
            SlotState::Starting
            | SlotState::Idle { .. }
            | SlotState::Parked { .. }
            | SlotState::Kept { .. }
            | SlotState::Resetting => true,
            SlotState::Leased | SlotState::Rested | SlotState::Retiring => false,
        }
    }

    /// What the state is called, for whoever looks at the pool.
    pub(super) fn name(self) -> &'static str {
        match self {
            SlotState::Starting => "starting",
            SlotState::Idle { .. } => "idle",
            SlotState::Leased => "busy",
            SlotState::Rested | SlotState::Resetting => "resetting",
            SlotState::Parked { .. } => "parked",
            SlotState::Kept { .. } => "kept",
            SlotState::Retiring => "retiring",
        }
    }

    /// Since when it waits for a call of anybody.
    fn idle_since(self) -> Option<Instant> {
        match self {
            SlotState::Idle { since } => Some(since),
            _ => None,
        }
    }

    /// Since when it waits for results.
    fn parked_since(self) -> Option<Instant> {
        match self {
            SlotState::Parked { since } => Some(since),
            _ => None,
        }
    }

    /// Since when it stays for the next call of its conversation.
    fn kept_since(self) -> Option<Instant> {
        match self {
            SlotState::Kept { since } => Some(since),
            _ => None,
        }
    }

    /// Nobody has it, and it will be empty and wait.
    fn is_coming(self) -> bool {
        matches!(
            self,
            SlotState::Starting | SlotState::Resetting | SlotState::Rested
        )
    }
}

impl Slot {
    fn is(&self, shape: &Shape, kind: SlotKind) -> bool {
        self.shape == *shape && self.kind == kind
    }

    /// Whether the model will see the tools of this offer as they are.
    fn takes(&self, offer: &Offer) -> bool {
        !self.keeps || self.told.fits(offer)
    }

    /// Its process is coming up, with or without a caller: another one now would take its processor.
    fn is_starting(&self) -> bool {
        self.held == SlotState::Starting || (self.held == SlotState::Leased && self.turns == 0)
    }
}

/// All slots by their numbers.
#[derive(Debug, Default)]
pub(super) struct Slots(pub(super) BTreeMap<SlotId, Slot>);

/// What there is for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A session that can be lent at once.
    Idle(SlotId),
    /// One will be there without anybody's doing.
    Coming,
    Nothing,
}

impl Slots {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, slot: SlotId) -> Option<&Slot> {
        self.0.get(&slot)
    }

    pub(super) fn insert(&mut self, slot: SlotId, entry: Slot) {
        self.0.insert(slot, entry);
    }

    pub(super) fn remove(&mut self, slot: SlotId) -> Option<Slot> {
        self.0.remove(&slot)
    }

    pub(super) fn get_mut(&mut self, slot: SlotId) -> Option<&mut Slot> {
        self.0.get_mut(&slot)
    }

    /// Whatever is in this slot is doing that now; whether anything is.
    pub(super) fn set(&mut self, slot: SlotId, held: SlotState) -> bool {
        let entry = self.get_mut(slot);
        entry.map(|entry| entry.held = held).is_some()
    }

    /// What there is for a caller of this shape, of the first of these kinds that there is any of.
    pub(super) fn find(&self, shape: &Shape, kinds: &[SlotKind], offer: &Offer) -> Found {
        for kind in kinds {
            if let Some(slot) = self.idle_of(shape, *kind, offer) {
                return Found::Idle(slot);
            }
            if self.is_coming(shape, *kind, offer) {
                return Found::Coming;
            }
        }
        Found::Nothing
    }

    /// A session of this shape that can be lent at once.
    fn idle_of(&self, shape: &Shape, kind: SlotKind, offer: &Offer) -> Option<SlotId> {
        let is_idle = |entry: &Slot| {
            entry.held.idle_since().is_some() && entry.is(shape, kind) && entry.takes(offer)
        };
        let found = self.0.iter().find(|(_, entry)| is_idle(entry));
        found.map(|(slot, _)| *slot)
    }

    /// Whether a session of this shape will be there without anybody's doing.
    fn is_coming(&self, shape: &Shape, kind: SlotKind, offer: &Offer) -> bool {
        let mut entries = self.0.values();
        entries.any(|entry| entry.held.is_coming() && entry.is(shape, kind) && entry.takes(offer))
    }

    /// Sessions of this shape that wait, or will.
    pub(super) fn supply(&self, shape: &Shape, kind: SlotKind) -> usize {
        let waits = |held: SlotState| held.idle_since().is_some() || held.is_coming();
        let entries = self.0.values();
        entries
            .filter(|entry| waits(entry.held) && entry.is(shape, kind))
            .count()
    }

    /// Whether a slot is being given up.
    pub(super) fn is_retiring(&self) -> bool {
        self.0
            .values()
            .any(|entry| entry.held == SlotState::Retiring)
    }

    pub(super) fn starting(&self) -> usize {
        self.0.values().filter(|entry| entry.is_starting()).count()
    }

    pub(super) fn idle(&self) -> usize {
        self.since(SlotState::idle_since).count()
    }

    pub(super) fn kept(&self) -> usize {
        self.since(SlotState::kept_since).count()
    }

    /// The first kept session of this shape that can take this offer.
    pub(super) fn kept_of(&self, shape: &Shape, offer: &Offer) -> Option<SlotId> {
        let is_it = |entry: &Slot| {
            entry.held.kept_since().is_some() && entry.shape == *shape && entry.takes(offer)
        };
        let found = self.0.iter().find(|(_, entry)| is_it(entry));
        found.map(|(slot, _)| *slot)
    }

    pub(super) fn longest_idle(&self) -> Option<(SlotId, Instant)> {
        self.longest(SlotState::idle_since)
    }

    pub(super) fn longest_parked(&self) -> Option<(SlotId, Instant)> {
        self.longest(SlotState::parked_since)
    }

    /// The parked session of this shape that can take this offer and has waited longest.
    pub(super) fn longest_parked_of(
        &self,
        shape: &Shape,
        offer: &Offer,
    ) -> Option<(SlotId, Instant)> {
        let is_it = |entry: &Slot| entry.shape == *shape && entry.takes(offer);
        let parked = self.since(SlotState::parked_since);
        let fitting = parked.filter(|(slot, _)| self.get(*slot).is_some_and(is_it));
        fitting.min_by_key(|(_, since)| *since)
    }

    pub(super) fn longest_kept(&self) -> Option<(SlotId, Instant)> {
        self.longest(SlotState::kept_since)
    }

    /// A session that waits for any call, of another claude than this.
    pub(super) fn idle_of_other(&self, edition: Edition) -> Option<SlotId> {
        let mut idle = self.since(SlotState::idle_since).map(|(slot, _)| slot);
        idle.find(|slot| {
            self.get(*slot)
                .is_some_and(|entry| entry.edition != edition)
        })
    }

    /// A session that serves no call just now, and is not on its way out; whether it is at rest or not.
    pub(super) fn unused(&self) -> Option<SlotId> {
        let mut entries = self.0.iter();
        let unused = entries.find(|(_, entry)| entry.held.is_unused());
        unused.map(|(slot, _)| *slot)
    }

    fn longest(&self, wanted: fn(SlotState) -> Option<Instant>) -> Option<(SlotId, Instant)> {
        self.since(wanted).min_by_key(|(_, since)| *since)
    }

    fn since(
        &self,
        wanted: fn(SlotState) -> Option<Instant>,
    ) -> impl Iterator<Item = (SlotId, Instant)> {
        let entries = self.0.iter();
        entries.filter_map(move |(slot, entry)| Some((*slot, wanted(entry.held)?)))
    }
}
