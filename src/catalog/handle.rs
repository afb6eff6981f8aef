//! The catalog in force, and how another one takes its place.

use super::builtin::built_in;
use super::document::read_text;
use super::folder;
use super::problem::Place;
use super::problem::Problem;
use super::resolve::concerns_calls;
use super::resolve::resolve;
use super::set::DocumentSet;
use super::snapshot::Snapshot;
use crate::clock;
use crate::secret::SecretReader;
use arc_swap::ArcSwap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use tokio::sync::watch;

/// Where the catalog stands.
#[derive(Debug, Clone)]
pub(crate) struct CatalogConfig {
    pub(crate) dir: PathBuf,
    /// Whether somebody named the folder. The default one may be missing; one that was named may not.
    pub(crate) is_named: bool,
    /// Rows that a simulation brings. They stand beside what the folder declares, and declare nothing themselves: where
    /// the folder is empty, every other model goes where it went.
    pub(crate) brought: String,
}

/// The catalog in force. Clones are one and the same.
#[derive(Debug, Clone)]
pub(crate) struct Catalog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: CatalogConfig,
    secrets: SecretReader,
    snapshot: ArcSwap<Snapshot>,
    status: watch::Sender<CatalogStatus>,
    /// One reading at a time. Calls never wait for it.
    reading: Mutex<()>,
}

/// How the last reading went.
#[derive(Debug, Clone, Default)]
pub(crate) struct CatalogStatus {
    /// Grows with each catalog that came into force.
    pub(crate) generation: u64,
    /// When this one did, in milliseconds since 1970.
    pub(crate) in_force_since: u64,
    /// Why the folder as it is now is not in force; empty where it is.
    pub(crate) refused: Vec<Problem>,
}

/// What became of a reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reloaded {
    InForce,
    /// The text is wrong somewhere; the last good catalog stays in force.
    Refused,
}

impl Catalog {
    /// Reads the folder. What is wrong at a start spoils its own rows, since there is nothing earlier to stay with.
    pub(crate) fn open(config: CatalogConfig, secrets: SecretReader) -> Catalog {
        let mut set = folder::load(&config.dir);
        if config.is_named && !config.dir.exists() {
            set.complain(Problem::file(
                &config.dir,
                "there is no such folder; make it, or name another one",
            ));
        }
        let snapshot = made(&set, &config.brought, &secrets);
        let status = CatalogStatus {
            generation: 1,
            in_force_since: clock::unix_ms(),
            refused: Vec::new(),
        };
        Catalog(Arc::new(Shared {
            config,
            secrets,
            snapshot: ArcSwap::from_pointee(snapshot),
            status: watch::Sender::new(status),
            reading: Mutex::default(),
        }))
    }

    /// The catalog in force; a call takes it once, and keeps it to its end. No lock is taken.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.0.snapshot.load_full()
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.0.config.dir
    }

    /// The rows that a simulation brings, which stand in no file; empty without one.
    pub(crate) fn brought(&self) -> DocumentSet {
        DocumentSet::of_text(&self.0.config.brought, &Place::default())
    }

    pub(crate) fn status(&self) -> CatalogStatus {
        self.0.status.borrow().clone()
    }

    /// Tells of every catalog that comes into force, and of every refusal.
    pub(crate) fn subscribe(&self) -> watch::Receiver<CatalogStatus> {
        self.0.status.subscribe()
    }

    /// Reads the folder and every secret anew. Takes the file system, so never on a call's path.
    pub(crate) fn reload(&self) -> Reloaded {
        let _one = self.lock();
        let set = folder::load(&self.0.config.dir);
        let wrong: Vec<_> = set
            .problems()
            .iter()
            .filter(|problem| problem.is_of_text())
            .cloned()
            .collect();
        let known = |problem: &Problem| self.snapshot().problems().contains(problem);
        // What was wrong already when the present catalog came into force does not hold the next one up.
        if wrong.iter().any(|problem| !known(problem)) {
            self.0.status.send_modify(|status| status.refused = wrong);
            return Reloaded::Refused;
        }
        self.put(&set);
        Reloaded::InForce
    }

    fn put(&self, set: &DocumentSet) {
        let made = made(set, &self.0.config.brought, &self.0.secrets);
        self.0.snapshot.store(Arc::new(made));
        self.0.status.send_modify(|status| {
            status.generation += 1;
            status.in_force_since = clock::unix_ms();
            status.refused = Vec::new();
        });
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.0
            .reading
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn made(declared: &DocumentSet, brought: &str, secrets: &SecretReader) -> Snapshot {
    let pass = secrets.pass();
    let mut set = declared.clone();
    set.bring(read_text(brought, &Place::default()));
    let mut snapshot = resolve(&set, &mut |reference| pass.read(reference), &built_in);
    snapshot.is_configured = concerns_calls(declared);
    snapshot
}
