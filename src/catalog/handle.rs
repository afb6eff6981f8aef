//! The catalog in force, and how another one takes its place.

use super::builtin::built_in;
use super::document::read_text;
use super::folder::Texts;
use super::problem::Location;
use super::problem::Problem;
use super::resolve::concerns_calls;
use super::resolve::resolve;
use super::set::DocumentSet;
use super::snapshot::Snapshot;
use super::stamps::Stamps;
use crate::clock;
use crate::secret::SecretReader;
use crate::secret::SecretRef;
use crate::store::Drafts;
use crate::sync::lock;
use arc_swap::ArcSwap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;
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
    /// The files that its rows' secrets stand in, as they were when they were read.
    secrets_read: ArcSwap<Stamps>,
    /// What its files said when they were believed last. One reading at a time; calls never wait for it.
    reading: Mutex<Texts>,
    /// Files that somebody is just writing.
    drafts: Drafts,
}

/// How the last reading went.
#[derive(Debug, Clone, Default)]
pub(crate) struct CatalogStatus {
    /// Grows with each catalog that came into force.
    pub(crate) generation: u64,
    /// When this one did, in milliseconds since 1970.
    pub(crate) in_force_since: u64,
    /// A file is just being written, or was emptied just now: its rows are what they were before it. It is to be looked at
    /// again so long after that.
    pub(super) look_again: Option<Duration>,
}

impl Catalog {
    /// Reads the folder. What is wrong spoils its own rows, now and in every later reading.
    pub(crate) fn open(config: CatalogConfig, secrets: SecretReader) -> Catalog {
        let (mut texts, drafts) = (Texts::default(), Drafts::default());
        let look_again = texts.take_up(&config.dir, &drafts);
        let (snapshot, stamps) = made(&config, &texts, &secrets);
        let status = CatalogStatus {
            generation: 1,
            in_force_since: clock::unix_ms(),
            look_again,
        };
        Catalog(Arc::new(Shared {
            config,
            secrets,
            snapshot: ArcSwap::from_pointee(snapshot),
            status: watch::Sender::new(status),
            secrets_read: ArcSwap::from_pointee(stamps),
            reading: Mutex::new(texts),
            drafts,
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
        DocumentSet::of_text(&self.0.config.brought, &Location::default())
    }

    pub(crate) fn status(&self) -> CatalogStatus {
        self.0.status.borrow().clone()
    }

    /// Whether every file says what is in force of it: nobody is just writing one.
    pub(crate) fn is_settled(&self) -> bool {
        self.0.status.borrow().look_again.is_none()
    }

    /// Tells of every catalog that comes into force.
    pub(crate) fn subscribe(&self) -> watch::Receiver<CatalogStatus> {
        self.0.status.subscribe()
    }

    /// Whether a file that a secret stands in is another one than was read. Takes the file system.
    pub(super) fn are_secrets_old(&self) -> bool {
        self.0.secrets_read.load().are_old()
    }

    /// Where whoever watches the folder notes what is just being written.
    pub(super) fn drafts(&self) -> &Drafts {
        &self.0.drafts
    }

    /// Reads the folder and every secret anew, and puts what is good of it in force: a row that is wrong is out, were it
    /// good before or not, and every other one serves. A file that somebody is just writing says what it said before.
    /// Takes the file system, so never on a call's path.
    pub(crate) fn reload(&self) {
        let mut texts = self.lock();
        let look_again = texts.take_up(&self.0.config.dir, &self.0.drafts);
        let (made, stamps) = made(&self.0.config, &texts, &self.0.secrets);
        self.0.secrets_read.store(Arc::new(stamps));
        self.0.snapshot.store(Arc::new(made));
        self.0.status.send_modify(|status| {
            status.generation += 1;
            status.in_force_since = clock::unix_ms();
            status.look_again = look_again;
        });
    }

    fn lock(&self) -> MutexGuard<'_, Texts> {
        lock(&self.0.reading)
    }
}

/// What these texts of the folder and the secrets say now, and the secrets' files as they were just before they were read.
fn made(config: &CatalogConfig, texts: &Texts, secrets: &SecretReader) -> (Snapshot, Stamps) {
    let mut declared = texts.rows();
    if config.is_named && !config.dir.exists() {
        declared.complain(Problem::file(
            &config.dir,
            "there is no such folder; make it, or name another one",
        ));
    }
    let pass = secrets.pass();
    let mut stamps = Stamps::default();
    let mut set = declared.clone();
    set.bring(read_text(&config.brought, &Location::default()));
    let mut read = |reference: &SecretRef| {
        for place in secrets.places(reference) {
            stamps.take(place);
        }
        pass.read(reference)
    };
    let mut snapshot = resolve(&set, &mut read, &built_in);
    snapshot.is_configured = concerns_calls(&declared);
    (snapshot, stamps)
}
