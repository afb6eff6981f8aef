//! What handlers work on; cheap to clone.

use super::ControlConfig;
use super::audit::Audit;
use super::live::STREAMS_MAX;
use super::session::Sessions;
use super::throttle::Throttle;
use crate::calls::CallLog;
use crate::catalog::Catalog;
use crate::pool::Snapshot as PoolSnapshot;
use crate::secret::SecretFile;
use crate::secret::SecretReader;
use crate::store::KeyFile;
use crate::store::Store;
use crate::upstream::Hosts;
use serde_json::Value;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use tokio::sync::Semaphore;
use tokio::sync::watch;

/// The rooms that the control plane looks at and changes.
#[derive(Clone)]
pub(crate) struct Rooms {
    pub(crate) catalog: Catalog,
    pub(crate) secrets: SecretReader,
    pub(crate) hosts: Hosts,
    pub(crate) keys: KeyFile,
    pub(crate) pool: watch::Receiver<PoolSnapshot>,
    pub(crate) calls: CallLog,
    pub(crate) store: Store,
    pub(crate) explain: Explainer,
    /// The configuration in force, in the manual's order.
    pub(crate) settings: Arc<[Setting]>,
}

/// A value of the configuration. None is a secret: whoever makes it leaves those out.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) key: String,
    pub(crate) value: Value,
    /// Where it was written, such as a file with its line.
    pub(crate) source: String,
    pub(crate) note: Option<&'static str>,
}

/// Tells where a plain call would go and why nowhere else, to a question that is written as the query of an address;
/// `None` where the question is wrong.
pub(crate) type Explainer = Arc<dyn Fn(&str) -> Option<Value> + Send + Sync>;

/// The control plane's state.
#[derive(Clone)]
pub(crate) struct Plane(Arc<Shared>);

pub(crate) struct Shared {
    pub(super) config: ControlConfig,
    pub(super) rooms: Rooms,
    pub(super) file: SecretFile,
    pub(super) audit: Audit,
    /// One change of the catalog at a time, so that no two undo one another.
    pub(super) writing: Mutex<()>,
    /// Hashes of passwords that are worked on at once: each takes 19 MiB.
    pub(super) hashing: Semaphore,
    /// Pages that are kept new by events.
    pub(super) streams: Arc<Semaphore>,
    sessions: Mutex<Sessions>,
    throttle: Mutex<Throttle>,
}

impl Plane {
    pub(crate) fn new(config: ControlConfig, rooms: Rooms) -> Plane {
        Plane(Arc::new(Shared {
            file: SecretFile::of(&config.home),
            config,
            audit: Audit::of(rooms.store.clone()),
            rooms,
            writing: Mutex::default(),
            hashing: Semaphore::new(HASHES_MAX),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            sessions: Mutex::default(),
            throttle: Mutex::default(),
        }))
    }

    pub(super) fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.0
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.0
            .throttle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::ops::Deref for Plane {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Two at once keep one core for calls; others wait in line.
const HASHES_MAX: usize = 2;
