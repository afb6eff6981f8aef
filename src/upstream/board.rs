//! What calls see of a host's breakers: those against which something is held, made anew with each change. `[pure]`

use super::breaker::Gate;
use super::breaker::Generation;
use super::breaker::Standing;
use super::cells::CellId;
use super::cells::KeyDigest;
use super::outcome::Class;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// The breakers that are not quiet.
#[derive(Debug, Default)]
pub(super) struct Board {
    host: Option<Shown>,
    keys: HashMap<CellId, Shown>,
    /// Keys that were forbidden a model, which a success takes back.
    forbidden: HashSet<KeyDigest>,
}

/// One breaker.
#[derive(Debug)]
struct Shown {
    gate: Gate,
    /// A call is about to take its probe: the others need not ask.
    is_claimed: AtomicBool,
}

/// Why a key cannot be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) class: Class,
    /// When the next probe may go.
    pub(crate) until: Instant,
}

/// Where a call goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leading {
    Through,
    /// It is the one that may take the probe.
    ToProbe,
}

impl Board {
    pub(super) fn new(
        host: Option<Gate>,
        keys: impl Iterator<Item = (CellId, Gate)>,
        forbidden: impl Iterator<Item = KeyDigest>,
    ) -> Board {
        Board {
            host: host.map(Shown::new),
            keys: keys.map(|(id, gate)| (id, Shown::new(gate))).collect(),
            forbidden: forbidden.collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.host.is_none() && self.keys.is_empty() && self.forbidden.is_empty()
    }

    /// Whether this key may be used for this model. Of all calls that find a probe due, one is led to it.
    ///
    /// # Errors
    /// Where it is closed, by now.
    pub(super) fn lead(
        &self,
        key: &KeyDigest,
        model: &Arc<str>,
        now: Instant,
    ) -> Result<Leading, Closed> {
        let mut due = None;
        for shown in self.of(key, model) {
            let until = match shown.gate.standing(now) {
                Standing::Closed => continue,
                Standing::ProbeDue => {
                    due = due.or(Some(shown));
                    continue;
                }
                Standing::Probing => now,
                Standing::OpenUntil(until) => until,
            };
            return Err(shown.closed(until));
        }
        match due {
            None => Ok(Leading::Through),
            // The host's own comes first, so that calls with several keys meet at one.
            Some(shown) if shown.is_claimed.swap(true, Ordering::AcqRel) => Err(shown.closed(now)),
            Some(_) => Ok(Leading::ToProbe),
        }
    }

    /// Whether the success of a call that began then changes anything.
    pub(super) fn heeds_success(
        &self,
        key: &KeyDigest,
        model: &Arc<str>,
        entered: Generation,
    ) -> bool {
        let mut shown = self.of(key, model);
        shown.any(|shown| shown.gate.heeds_success(entered)) || self.forbidden.contains(key)
    }

    /// Whether a call that began then may be a probe, which is given back where it tells nothing.
    pub(super) fn may_be_probed_by(
        &self,
        key: &KeyDigest,
        model: &Arc<str>,
        entered: Generation,
    ) -> bool {
        let mut shown = self.of(key, model);
        shown.any(|shown| shown.gate.may_be_probed_by(entered))
    }

    /// The host's own, the key's for the model, and the key's for every one.
    fn of(&self, key: &KeyDigest, model: &Arc<str>) -> impl Iterator<Item = &Shown> {
        let cell = (*key, Some(Arc::clone(model)));
        let cells = [self.keys.get(&cell), self.keys.get(&(*key, None))];
        self.host.iter().chain(cells.into_iter().flatten())
    }
}

impl Shown {
    fn new(gate: Gate) -> Shown {
        Shown {
            gate,
            is_claimed: AtomicBool::new(false),
        }
    }

    fn closed(&self, until: Instant) -> Closed {
        Closed {
            class: self.gate.class().unwrap_or(Class::Network),
            until,
        }
    }
}
