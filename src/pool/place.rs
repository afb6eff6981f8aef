//! The places of the pool and what is in each. `[pure]`

use crate::session::shape::Shape;
use std::collections::BTreeMap;
use std::time::Instant;

/// A place for a session; the session in it may not be alive yet, or any more.
pub(crate) type Place = u64;

/// What a waiting session waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A prompt to be typed.
    Typed,
    /// Any conversation, once: after that it waits for a prompt.
    Primed,
}

/// A place and what is in it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) shape: Shape,
    pub(super) kind: Kind,
    pub(crate) held: Held,
    pub(crate) born: Instant,
    pub(crate) turns: u32,
}

/// What a session in a place is doing, as far as the pool is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
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
    /// It stays in its conversation, which has a name. Nobody waits: its place is the first that is given up.
    Kept {
        since: Instant,
    },
    Resetting,
    Retiring,
}

impl Held {
    /// Its lease is returned.
    pub(super) fn given_back(self, now: Instant) -> Held {
        match self {
            Held::Leased => Held::Resetting,
            Held::Rested => Held::Idle { since: now },
            held => held,
        }
    }

    /// Its session is empty and waits.
    pub(super) fn at_rest(self, now: Instant) -> Held {
        match self {
            Held::Leased | Held::Rested => Held::Rested,
            Held::Retiring => Held::Retiring,
            Held::Starting
            | Held::Idle { .. }
            | Held::Parked { .. }
            | Held::Kept { .. }
            | Held::Resetting => Held::Idle { since: now },
        }
    }

    /// No call is served by it.
    fn is_unused(self) -> bool {
        match self {
            Held::Starting
            | Held::Idle { .. }
            | Held::Parked { .. }
            | Held::Kept { .. }
            | Held::Resetting => true,
            Held::Leased | Held::Rested | Held::Retiring => false,
        }
    }

    /// What the state is called, for whoever looks at the pool.
    pub(super) fn name(self) -> &'static str {
        match self {
            Held::Starting => "starting",
            Held::Idle { .. } => "idle",
            Held::Leased => "busy",
            Held::Rested | Held::Resetting => "resetting",
            Held::Parked { .. } => "parked",
            Held::Kept { .. } => "kept",
            Held::Retiring => "retiring",
        }
    }

    /// Since when it waits for a call of anybody.
    fn idle_since(self) -> Option<Instant> {
        match self {
            Held::Idle { since } => Some(since),
            _ => None,
        }
    }

    /// Since when it waits for results.
    fn parked_since(self) -> Option<Instant> {
        match self {
            Held::Parked { since } => Some(since),
            _ => None,
        }
    }

    /// Since when it stays for the next call of its conversation.
    fn kept_since(self) -> Option<Instant> {
        match self {
            Held::Kept { since } => Some(since),
            _ => None,
        }
    }

    /// Nobody has it, and it will be empty and wait.
    fn is_coming(self) -> bool {
        matches!(self, Held::Starting | Held::Resetting | Held::Rested)
    }
}

impl Entry {
    fn is(&self, shape: &Shape, kind: Kind) -> bool {
        self.shape == *shape && self.kind == kind
    }

    /// Its process is coming up, with or without a caller: another one now would take its processor.
    fn is_starting(&self) -> bool {
        self.held == Held::Starting || (self.held == Held::Leased && self.turns == 0)
    }
}

/// All places by their numbers.
#[derive(Debug, Default)]
pub(super) struct Places(pub(super) BTreeMap<Place, Entry>);

/// What there is for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A session that can be lent at once.
    Idle(Place),
    /// One will be there without anybody's doing.
    Coming,
    Nothing,
}

impl Places {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, place: Place) -> Option<&Entry> {
        self.0.get(&place)
    }

    pub(super) fn insert(&mut self, place: Place, entry: Entry) {
        self.0.insert(place, entry);
    }

    pub(super) fn remove(&mut self, place: Place) -> Option<Entry> {
        self.0.remove(&place)
    }

    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut Entry> {
        self.0.get_mut(&place)
    }

    /// Whatever is in this place is doing that now; whether anything is.
    pub(super) fn set(&mut self, place: Place, held: Held) -> bool {
        let entry = self.get_mut(place);
        entry.map(|entry| entry.held = held).is_some()
    }

    /// What there is for a caller of this shape, of the first of these kinds that there is any of.
    pub(super) fn find(&self, shape: &Shape, kinds: &[Kind]) -> Found {
        for kind in kinds {
            if let Some(place) = self.idle_of(shape, *kind) {
                return Found::Idle(place);
            }
            if self.is_coming(shape, *kind) {
                return Found::Coming;
            }
        }
        Found::Nothing
    }

    /// A session of this shape that can be lent at once.
    fn idle_of(&self, shape: &Shape, kind: Kind) -> Option<Place> {
        let is_idle = |entry: &Entry| entry.held.idle_since().is_some() && entry.is(shape, kind);
        let found = self.0.iter().find(|(_, entry)| is_idle(entry));
        found.map(|(place, _)| *place)
    }

    /// Whether a session of this shape will be there without anybody's doing.
    fn is_coming(&self, shape: &Shape, kind: Kind) -> bool {
        let mut entries = self.0.values();
        entries.any(|entry| entry.held.is_coming() && entry.is(shape, kind))
    }

    /// Sessions of this shape that wait, or will.
    pub(super) fn supply(&self, shape: &Shape, kind: Kind) -> usize {
        let waits = |held: Held| held.idle_since().is_some() || held.is_coming();
        let entries = self.0.values();
        entries
            .filter(|entry| waits(entry.held) && entry.is(shape, kind))
            .count()
    }

    /// Whether a place is being given up.
    pub(super) fn is_retiring(&self) -> bool {
        self.0.values().any(|entry| entry.held == Held::Retiring)
    }

    pub(super) fn starting(&self) -> usize {
        self.0.values().filter(|entry| entry.is_starting()).count()
    }

    pub(super) fn idle(&self) -> usize {
        self.since(Held::idle_since).count()
    }

    pub(super) fn kept(&self) -> usize {
        self.since(Held::kept_since).count()
    }

    /// The first kept session of this shape.
    pub(super) fn kept_of(&self, shape: &Shape) -> Option<Place> {
        let is_it = |entry: &Entry| entry.held.kept_since().is_some() && entry.shape == *shape;
        let found = self.0.iter().find(|(_, entry)| is_it(entry));
        found.map(|(place, _)| *place)
    }

    pub(super) fn longest_idle(&self) -> Option<(Place, Instant)> {
        self.longest(Held::idle_since)
    }

    pub(super) fn longest_parked(&self) -> Option<(Place, Instant)> {
        self.longest(Held::parked_since)
    }

    pub(super) fn longest_kept(&self) -> Option<(Place, Instant)> {
        self.longest(Held::kept_since)
    }

    /// A session that serves no call just now, and is not on its way out; whether it is at rest or not.
    pub(super) fn unused(&self) -> Option<Place> {
        let mut entries = self.0.iter();
        let unused = entries.find(|(_, entry)| entry.held.is_unused());
        unused.map(|(place, _)| *place)
    }

    fn longest(&self, wanted: fn(Held) -> Option<Instant>) -> Option<(Place, Instant)> {
        self.since(wanted).min_by_key(|(_, since)| *since)
    }

    fn since(&self, wanted: fn(Held) -> Option<Instant>) -> impl Iterator<Item = (Place, Instant)> {
        let entries = self.0.iter();
        entries.filter_map(move |(place, entry)| Some((*place, wanted(entry.held)?)))
    }
}
