//! The breakers of one host: its own, and one for each of its keys and models.
//!
//! Calls read them without a lock: one flag says that nothing is held against anybody, and where something is, a board
//! shows it ([`Board`]), made anew with each change. The lock is taken by a call that changes
//! something: one that failed, a probe, and the first success after either.

use super::board::Board;
use super::board::Closed;
use super::board::Leading;
use super::breaker::Breaker;
use super::breaker::Failure;
use super::breaker::Gate;
use super::breaker::Generation;
use super::breaker::Standing;
use super::outcome::Class;
use super::outcome::Cools;
use super::outcome::Then;
use super::outcome::Verdict;
use super::told::Change;
use super::told::Said;
use crate::clock;
use crate::sync::lock;
use arc_swap::ArcSwap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio::sync::mpsc;

/// What a key's secret hashes to: a rotated key starts fresh, and two rows of one secret share what is known.
pub(crate) type KeyDigest = crate::secret::SecretDigest;

/// The breakers of one host.
#[derive(Debug, Default)]
pub(crate) struct HostBreakers {
    /// Something is held against the host or one of its keys: only then the cells are looked at.
    is_marked: AtomicBool,
    /// Calls that the host answered.
    answered: AtomicU64,
    /// The moment of the latest change of any breaker; written under the lock of the cells.
    generation: AtomicU64,
    /// What calls see of the cells; written under their lock.
    board: ArcSwap<Board>,
    cells: Mutex<Cells>,
    /// Where other relays are told of changes, and what the host is called there.
    feed: Option<Feed>,
}

/// Where other relays are told of the breakers of a host.
#[derive(Debug, Clone)]
pub(super) struct Feed {
    pub(super) host: Arc<str>,
    pub(super) changes: mpsc::Sender<Change>,
}

#[derive(Debug, Default)]
struct Cells {
    host: Breaker,
    /// A key for one model, and without a model for all of them.
    keys: HashMap<CellId, Breaker>,
    /// Models that each key was forbidden: from [`FORBIDDEN_MODELS`] on it is the key that is.
    forbidden: HashMap<KeyDigest, BTreeSet<Arc<str>>>,
    /// What other relays know; of those that are not in it, that they are closed.
    told: HashMap<Option<CellId>, Gate>,
}

/// A key, and the model that it is used for; `None`: every one.
pub(super) type CellId = (KeyDigest, Option<Arc<str>>);

/// A call's leave to use a key. Dropped without a result, it is given back.
#[derive(Debug)]
pub(crate) struct Leave {
    breakers: Arc<HostBreakers>,
    key: KeyDigest,
    model: Arc<str>,
    /// When it was taken.
    entered: Generation,
    is_settled: bool,
}

/// One breaker that is not closed, for lists.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CellView {
    /// `None`: the host's own.
    pub(crate) key: Option<(KeyDigest, Option<Arc<str>>)>,
    pub(crate) standing: Standing,
    pub(crate) class: Option<Class>,
}

impl HostBreakers {
    /// Those of a host of which other relays are told.
    pub(super) fn telling(feed: Option<Feed>) -> HostBreakers {
        HostBreakers {
            feed,
            ..HostBreakers::default()
        }
    }

    /// Takes up what another relay says of one of them.
    pub(super) fn hear(&self, cell: Option<CellId>, said: Said, now: Instant) {
        let mut cells = self.lock();
        let generation = self.next();
        let breaker = match &cell {
            Some(id) => cells.keys.entry(id.clone()).or_default(),
            None => &mut cells.host,
        };
        breaker.hear(said, now, generation);
        let gate = breaker.gate();
        cells.told.insert(cell, gate);
        self.show(&mut cells);
    }

    /// Tells other relays of all that are not closed, since they may not know.
    pub(super) fn tell_again(&self) {
        let mut cells = self.lock();
        cells.told.clear();
        self.show(&mut cells);
    }

    /// Tells other relays what has changed; under the lock of the cells, and without waiting.
    fn tell(&self, cells: &mut Cells) {
        let Some(feed) = &self.feed else { return };
        let now = clock::now();
        for (cell, said, gate) in cells.changed(now) {
            let (host, told) = (Arc::clone(&feed.host), cell.clone());
            let change = Change { host, cell, said };
            // One that does not fit is told with the next change.
            if feed.changes.try_send(change).is_ok() {
                cells.told.insert(told, gate);
            }
        }
        cells.told.retain(|_, gate| !gate.is_closed());
    }

    /// Takes the leave to use this key for this model, and the probe where one is due.
    ///
    /// # Errors
    /// Where it is closed, by now.
    pub(crate) fn enter(
        self: &Arc<Self>,
        key: KeyDigest,
        model: &Arc<str>,
        now: Instant,
    ) -> Result<Leave, Closed> {
        let mut entered = self.generation.load(Ordering::Acquire);
        if self.is_marked.load(Ordering::Acquire) {
            entered = match self.board.load().lead(&key, model, now)? {
                Leading::Through => entered,
                Leading::ToProbe => self.probe(&key, model, now)?,
            };
        }
        Ok(Leave {
            breakers: Arc::clone(self),
            key,
            model: Arc::clone(model),
            entered,
            is_settled: false,
        })
    }

    /// Takes the probe that the board showed to be due, if it still is.
    fn probe(&self, key: &KeyDigest, model: &Arc<str>, now: Instant) -> Result<Generation, Closed> {
        let mut cells = self.lock();
        let found = cells.board().lead(key, model, now);
        if found.is_ok() {
            let entered = self.next();
            cells.probe(key, model, now, entered);
            self.show(&mut cells);
            return Ok(entered);
        }
        found.map(|_| self.generation.load(Ordering::Acquire))
    }

    /// Forgets what is held against this key, or against the host and all its keys. What calls under way will tell is of
    /// the time before, and changes nothing.
    pub(crate) fn reset(&self, key: Option<&KeyDigest>) {
        let mut cells = self.lock();
        let generation = self.next();
        let meant = |digest: &KeyDigest| key.is_none_or(|key| key == digest);
        for ((digest, _), breaker) in &mut cells.keys {
            if meant(digest) {
                *breaker = Breaker::closed_at(generation);
            }
        }
        cells.forbidden.retain(|digest, _| !meant(digest));
        if key.is_none() {
            cells.host = Breaker::closed_at(generation);
        }
        self.show(&mut cells);
    }

    /// Every breaker of which something is known.
    pub(crate) fn views(&self, now: Instant) -> Vec<CellView> {
        let cells = self.lock();
        let view = |key, breaker: &Breaker| CellView {
            key,
            standing: breaker.standing(now),
            class: breaker.class(),
        };
        let host = (!cells.host.is_quiet()).then(|| view(None, &cells.host));
        let keys = cells.keys.iter().filter(|(_, breaker)| !breaker.is_quiet());
        let keys = keys.map(|(key, breaker)| view(Some(key.clone()), breaker));
        host.into_iter().chain(keys).collect()
    }

    /// The next moment; under the lock of the cells.
    fn next(&self) -> Generation {
        self.generation.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Shows calls what is held against anybody. What a closed breaker knows of older calls is kept as long as there is
    /// room.
    fn show(&self, cells: &mut Cells) {
        self.tell(cells);
        if cells.keys.len() > CELLS_MAX {
            cells.keys.retain(|_, breaker| !breaker.is_quiet());
        }
        let board = cells.board();
        let is_marked = !board.is_empty();
        self.board.store(Arc::new(board));
        self.is_marked.store(is_marked, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Cells> {
        lock(&self.cells)
    }
}

impl Cells {
    /// Those of which others know something else.
    fn changed(&self, now: Instant) -> Vec<(Option<CellId>, Said, Gate)> {
        let keys = self
            .keys
            .iter()
            .map(|(id, breaker)| (Some(id.clone()), breaker));
        let all = std::iter::once((None, &self.host)).chain(keys);
        let changed = all.filter(|(cell, breaker)| match self.told.get(cell) {
            Some(told) => !breaker.is_as(told),
            None => !breaker.gate().is_closed(),
        });
        changed
            .map(|(cell, breaker)| (cell, breaker.said(now), breaker.gate()))
            .collect()
    }

    /// What calls see of them.
    fn board(&self) -> Board {
        let keys = self.keys.iter().filter(|(_, breaker)| !breaker.is_quiet());
        Board::new(
            (!self.host.is_quiet()).then(|| self.host.gate()),
            keys.map(|(id, breaker)| (id.clone(), breaker.gate())),
            self.forbidden.keys().copied(),
        )
    }

    /// Changes the breakers of a key for a model: its own, and that of the key for every one.
    fn change(&mut self, key: KeyDigest, model: &Arc<str>, mut change: impl FnMut(&mut Breaker)) {
        for model in [Some(Arc::clone(model)), None] {
            if let Some(breaker) = self.keys.get_mut(&(key, model)) {
                change(breaker);
            }
        }
    }

    fn probe(&mut self, key: &KeyDigest, model: &Arc<str>, now: Instant, generation: Generation) {
        self.host.take_probe(now, generation);
        self.change(*key, model, |breaker| {
            breaker.take_probe(now, generation);
        });
    }

    fn succeed(&mut self, leave: &Leave) {
        self.host.handle_success(leave.entered);
        self.change(leave.key, &leave.model, |breaker| {
            breaker.handle_success(leave.entered);
        });
        self.forbidden.remove(&leave.key);
    }

    fn leave(&mut self, leave: &Leave, now: Instant) {
        self.host.handle_left(leave.entered, now);
        self.change(leave.key, &leave.model, |breaker| {
            breaker.handle_left(leave.entered, now);
        });
    }

    fn fail(&mut self, leave: &Leave, failure: Failure, cools: Cools, now: Instant) {
        if matches!(cools, Cools::Key | Cools::KeyAndHost) {
            let cell = (leave.key, Some(Arc::clone(&leave.model)));
            let breaker = self.keys.entry(cell).or_default();
            breaker.handle_failure(failure, now);
            self.forbid(leave, failure, now);
        }
        match cools {
            Cools::Host | Cools::KeyAndHost => self.host.handle_failure(failure, now),
            // The host answered, if only with a refusal: it is there.
            Cools::Key => self.host.handle_success(leave.entered),
            Cools::Nothing => {}
        }
        // What it told nothing of is free for another probe.
        self.leave(leave, now);
    }

    /// A key that is forbidden for so many models is forbidden for all.
    fn forbid(&mut self, leave: &Leave, failure: Failure, now: Instant) {
        if failure.class != Class::Forbidden {
            return;
        }
        let models = self.forbidden.entry(leave.key).or_default();
        models.insert(Arc::clone(&leave.model));
        if models.len() >= FORBIDDEN_MODELS {
            let whole = self.keys.entry((leave.key, None)).or_default();
            whole.handle_failure(failure, now);
        }
    }
}

impl Leave {
    /// The call ended as the verdict says: well, by somebody's fault, or by its caller's leaving.
    pub(crate) fn settle(self, verdict: &Verdict, chance: f64, now: Instant) {
        match (verdict.class, verdict.then) {
            (None, Then::Answered) => self.succeed(),
            (None, _) => drop(self),
            (Some(_), _) => self.fail(verdict, chance, now),
        }
    }

    fn succeed(mut self) {
        self.is_settled = true;
        self.breakers.answered.fetch_add(1, Ordering::Relaxed);
        let breakers = &self.breakers;
        let heeds = |board: &Board| board.heeds_success(&self.key, &self.model, self.entered);
        if breakers.is_marked.load(Ordering::Acquire) && heeds(&breakers.board.load()) {
            let mut cells = self.breakers.lock();
            cells.succeed(&self);
            self.breakers.show(&mut cells);
        }
    }

    /// The call failed, of whoever's fault the verdict says.
    pub(crate) fn fail(mut self, verdict: &Verdict, chance: f64, now: Instant) {
        let Some(class) = verdict.class.filter(|_| verdict.cools != Cools::Nothing) else {
            return;
        };
        self.is_settled = true;
        let mut cells = self.breakers.lock();
        let failure = Failure {
            class,
            hint: verdict.hint,
            answered: self.breakers.answered.load(Ordering::Relaxed),
            chance,
            entered: self.entered,
            generation: self.breakers.next(),
        };
        cells.fail(&self, failure, verdict.cools, now);
        self.breakers.show(&mut cells);
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        let breakers = &self.breakers;
        if self.is_settled || !breakers.is_marked.load(Ordering::Acquire) {
            return;
        }
        let board = breakers.board.load();
        if board.may_be_probed_by(&self.key, &self.model, self.entered) {
            let mut cells = breakers.lock();
            cells.leave(self, clock::now());
            breakers.show(&mut cells);
        }
    }
}

/// Cells that are kept of a host: some hundred keys with some ten models each.
const CELLS_MAX: usize = 4096;
/// Models that a key is forbidden before the key itself is.
const FORBIDDEN_MODELS: usize = 3;

#[cfg(test)]
mod tests {
    use super::super::outcome::Outcome;
    use super::super::outcome::judge;
    use super::*;

    const A: &str = "sk-a";
    const B: &str = "sk-b";

    fn digest(secret: &str) -> KeyDigest {
        let secret = crate::secret::SecretValue::parse(secret);
        secret.expect("it is a secret").digest()
    }

    fn status(status: u16) -> Verdict {
        let words = String::new();
        judge(&Outcome::Status {
            status,
            words,
            hint: None,
        })
    }

    fn enter(breakers: &Arc<HostBreakers>, key: &str, model: &str) -> Result<Leave, Closed> {
        breakers.enter(digest(key), &model.into(), clock::now())
    }

    #[test]
    fn a_refused_key_rests_for_its_model_and_the_others_serve() {
        let breakers = Arc::new(HostBreakers::default());
        let leave = enter(&breakers, A, "m").expect("nothing is known yet");
        leave.fail(&status(429), 0.0, clock::now());
        assert_eq!(
            enter(&breakers, A, "m").map(drop).map_err(|c| c.class),
            Err(Class::RateLimit)
        );
        assert!(enter(&breakers, A, "n").is_ok() && enter(&breakers, B, "m").is_ok());
        breakers.reset(Some(&digest(A)));
        assert!(enter(&breakers, A, "m").is_ok());
        assert_eq!(breakers.views(clock::now()), []);
    }

    #[test]
    fn a_host_that_fails_is_closed_for_all_its_keys() {
        let breakers = Arc::new(HostBreakers::default());
        for key in [A, B, A] {
            let leave = enter(&breakers, key, "m").expect("it is not open yet");
            leave.fail(&judge(&Outcome::Unreachable), 0.0, clock::now());
        }
        let closed = enter(&breakers, B, "other")
            .map(drop)
            .map_err(|closed| closed.class);
        assert_eq!(closed, Err(Class::Network));
    }

    #[test]
    fn a_key_that_is_forbidden_three_models_is_forbidden_all() {
        let breakers = Arc::new(HostBreakers::default());
        for model in ["a", "b"] {
            enter(&breakers, A, model)
                .expect("closed")
                .fail(&status(403), 0.0, clock::now());
        }
        assert!(enter(&breakers, A, "d").is_ok());
        enter(&breakers, A, "c")
            .expect("closed")
            .fail(&status(403), 0.0, clock::now());
        assert!(enter(&breakers, A, "d").is_err() && enter(&breakers, B, "d").is_ok());
    }

    #[test]
    fn a_call_with_a_good_key_of_a_marked_host_takes_no_lock() {
        let breakers = Arc::new(HostBreakers::default());
        let leave = enter(&breakers, A, "m").expect("nothing is known yet");
        leave.fail(&status(429), 0.0, clock::now());
        let held = breakers.lock();
        enter(&breakers, B, "m").expect("it is good").succeed();
        drop(enter(&breakers, A, "n"));
        assert!(enter(&breakers, A, "m").is_err());
        drop(held);
    }

    #[test]
    fn of_many_calls_one_is_the_probe_and_its_end_lets_the_others_in() {
        let breakers = Arc::new(HostBreakers::default());
        let begun = enter(&breakers, A, "m").expect("nothing is known yet");
        let leave = enter(&breakers, A, "m").expect("nothing is known yet");
        leave.fail(&status(429), 0.0, clock::now());
        let later = clock::now() + std::time::Duration::from_secs(60);
        let enter = || breakers.enter(digest(A), &"m".into(), later);
        let probe = enter().expect("the probe is due");
        assert!(enter().is_err() && enter().is_err());
        begun.succeed();
        assert!(enter().is_err(), "a call from before says nothing of now");
        drop(probe);
        let probe = enter().expect("it was given back");
        probe.succeed();
        assert!(enter().is_ok() && enter().is_ok());
        assert_eq!(breakers.views(later), []);
    }

    #[test]
    fn a_callers_mistake_and_a_caller_that_left_are_held_against_nobody() {
        let breakers = Arc::new(HostBreakers::default());
        enter(&breakers, A, "m")
            .expect("closed")
            .fail(&status(404), 0.0, clock::now());
        drop(enter(&breakers, A, "m").expect("closed"));
        assert_eq!(breakers.views(clock::now()), []);
        enter(&breakers, A, "m").expect("closed").succeed();
        assert_eq!(breakers.answered.load(Ordering::Relaxed), 1);
    }
}
