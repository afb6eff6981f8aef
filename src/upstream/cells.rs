//! The breakers of one host: its own, and one for each of its keys and models.
//!
//! A host of which nothing is known but good is passed without a lock: one flag says so.

use super::breaker::Breaker;
use super::breaker::Failure;
use super::breaker::Standing;
use super::outcome::Class;
use super::outcome::Cools;
use super::outcome::Then;
use super::outcome::Verdict;
use crate::clock;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// What a key's secret hashes to: a rotated key starts fresh, and two rows of one secret share what is known.
pub(crate) type KeyDigest = crate::secret::SecretDigest;

/// The breakers of one host.
#[derive(Debug, Default)]
pub(crate) struct HostBreakers {
    /// Something is held against the host or one of its keys: only then the cells are looked at.
    is_marked: AtomicBool,
    /// Calls that the host answered.
    answered: AtomicU64,
    cells: Mutex<Cells>,
}

#[derive(Debug, Default)]
struct Cells {
    host: Breaker,
    keys: HashMap<(KeyDigest, Arc<str>), Breaker>,
    /// Models that each key was forbidden: from [`FORBIDDEN_MODELS`] on it is the key that is.
    forbidden: HashMap<KeyDigest, BTreeSet<Arc<str>>>,
}

/// Why a key cannot be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) class: Class,
    /// When the next probe may go.
    pub(crate) until: Instant,
}

/// A call's leave to use a key. Dropped without a result, it is given back.
#[derive(Debug)]
pub(crate) struct Leave {
    breakers: Arc<HostBreakers>,
    key: KeyDigest,
    model: Arc<str>,
    is_settled: bool,
}

/// One breaker that is not closed, for lists.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CellView {
    /// `None`: the host's own.
    pub(crate) key: Option<(KeyDigest, Arc<str>)>,
    pub(crate) standing: Standing,
    pub(crate) class: Option<Class>,
}

impl HostBreakers {
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
        if self.is_marked.load(Ordering::Acquire) {
            let mut cells = self.lock();
            cells.look(&key, model, now)?;
            cells.probe(&key, model, now);
        }
        Ok(Leave {
            breakers: Arc::clone(self),
            key,
            model: Arc::clone(model),
            is_settled: false,
        })
    }

    /// Forgets what is held against this key, or against the host and all its keys.
    pub(crate) fn reset(&self, key: Option<&KeyDigest>) {
        let mut cells = self.lock();
        match key {
            Some(key) => {
                cells.keys.retain(|(digest, _), _| digest != key);
                cells.forbidden.remove(key);
            }
            None => *cells = Cells::default(),
        }
        self.mark(&cells);
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
        let keys = cells.keys.iter();
        let keys = keys.map(|(key, breaker)| view(Some(key.clone()), breaker));
        host.into_iter().chain(keys).collect()
    }

    fn mark(&self, cells: &Cells) {
        let is_marked = !cells.host.is_quiet() || !cells.keys.is_empty();
        self.is_marked.store(is_marked, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Cells> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cells {
    fn look(&self, key: &KeyDigest, model: &Arc<str>, now: Instant) -> Result<(), Closed> {
        let cell = self.keys.get(&(*key, Arc::clone(model)));
        let whole = self.whole_key(key);
        for breaker in [Some(&self.host), cell, whole].into_iter().flatten() {
            let until = match breaker.standing(now) {
                Standing::Closed | Standing::ProbeDue => continue,
                Standing::Probing => now,
                Standing::OpenUntil(until) => until,
            };
            let class = breaker.class().unwrap_or(Class::Network);
            return Err(Closed { class, until });
        }
        Ok(())
    }

    /// The breaker that counts for all models of a key which was forbidden too many of them.
    fn whole_key(&self, key: &KeyDigest) -> Option<&Breaker> {
        let models = self.forbidden.get(key)?;
        let latest = models
            .first()
            .filter(|_| models.len() >= FORBIDDEN_MODELS)?;
        self.keys.get(&(*key, Arc::clone(latest)))
    }

    fn probe(&mut self, key: &KeyDigest, model: &Arc<str>, now: Instant) {
        self.host.take_probe(now);
        if let Some(cell) = self.keys.get_mut(&(*key, Arc::clone(model))) {
            cell.take_probe(now);
        }
    }

    fn succeed(&mut self, key: &KeyDigest, model: &Arc<str>) {
        self.host.handle_success();
        let cell = (*key, Arc::clone(model));
        if let Some(breaker) = self.keys.get_mut(&cell) {
            breaker.handle_success();
            if breaker.is_quiet() {
                self.keys.remove(&cell);
                self.forbidden.remove(key);
            }
        }
    }

    fn fail(&mut self, leave: &Leave, failure: Failure, cools: Cools, now: Instant) {
        let cell = (leave.key, Arc::clone(&leave.model));
        if matches!(cools, Cools::Key | Cools::KeyAndHost) {
            let breaker = self.keys.entry(cell).or_default();
            breaker.handle_failure(failure, now);
        } else if let Some(breaker) = self.keys.get_mut(&cell) {
            breaker.handle_left(now);
        }
        match cools {
            Cools::Host | Cools::KeyAndHost => self.host.handle_failure(failure, now),
            // The host answered, if only with a refusal: it is there.
            Cools::Key => self.host.handle_success(),
            Cools::Nothing => self.host.handle_left(now),
        }
        if failure.class == Class::Forbidden {
            let models = self.forbidden.entry(leave.key).or_default();
            models.insert(Arc::clone(&leave.model));
        }
    }
}

impl Leave {
    /// The call ended as the verdict says: well, by somebody's fault, or by its caller's leaving.
    pub(crate) fn settle(self, verdict: &Verdict, chance: f64) {
        match (verdict.class, verdict.then) {
            (None, Then::Answered) => self.succeed(),
            (None, _) => drop(self),
            (Some(_), _) => self.fail(verdict, chance),
        }
    }

    fn succeed(mut self) {
        self.is_settled = true;
        self.breakers.answered.fetch_add(1, Ordering::Relaxed);
        if self.breakers.is_marked.load(Ordering::Acquire) {
            let mut cells = self.breakers.lock();
            cells.succeed(&self.key, &self.model);
            self.breakers.mark(&cells);
        }
    }

    /// The call failed, of whoever's fault the verdict says.
    pub(crate) fn fail(mut self, verdict: &Verdict, chance: f64) {
        let Some(class) = verdict.class.filter(|_| verdict.cools != Cools::Nothing) else {
            return;
        };
        self.is_settled = true;
        let failure = Failure {
            class,
            hint: verdict.hint,
            answered: self.breakers.answered.load(Ordering::Relaxed),
            chance,
        };
        let mut cells = self.breakers.lock();
        cells.fail(&self, failure, verdict.cools, clock::now());
        self.breakers.mark(&cells);
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        if self.is_settled || !self.breakers.is_marked.load(Ordering::Acquire) {
            return;
        }
        let now = clock::now();
        let mut cells = self.breakers.lock();
        cells.host.handle_left(now);
        if let Some(cell) = cells.keys.get_mut(&(self.key, Arc::clone(&self.model))) {
            cell.handle_left(now);
        }
    }
}

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
        leave.fail(&status(429), 0.0);
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
            leave.fail(&judge(&Outcome::Unreachable), 0.0);
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
                .fail(&status(403), 0.0);
        }
        assert!(enter(&breakers, A, "d").is_ok());
        enter(&breakers, A, "c")
            .expect("closed")
            .fail(&status(403), 0.0);
        assert!(enter(&breakers, A, "d").is_err() && enter(&breakers, B, "d").is_ok());
    }

    #[test]
    fn a_callers_mistake_and_a_caller_that_left_are_held_against_nobody() {
        let breakers = Arc::new(HostBreakers::default());
        enter(&breakers, A, "m")
            .expect("closed")
            .fail(&status(404), 0.0);
        drop(enter(&breakers, A, "m").expect("closed"));
        assert_eq!(breakers.views(clock::now()), []);
        enter(&breakers, A, "m").expect("closed").succeed();
        assert_eq!(breakers.answered.load(Ordering::Relaxed), 1);
    }
}
