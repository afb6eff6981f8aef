//! The app-servers: at most so many, started when a call needs one, shared among calls, replaced when they are old.

use super::CodexConfig;
use super::account::Account;
use super::connection::CallKey;
use super::discover;
use super::fault;
use super::known::Known;
use super::launch;
use super::limits::Limits;
use super::process::Birth;
use super::process::Process;
use super::process::Status;
use crate::session::EndMode;
use crate::session::ProcessRegistry;
use crate::session::end_group;
use crate::sync::lock;
use crate::turn::Fault;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Keeps the app-servers; cheap to clone.
#[derive(Clone)]
pub(super) struct Keeper(Arc<Shared>);

struct Shared {
    config: CodexConfig,
    registry: ProcessRegistry,
    places: Arc<Semaphore>,
    kept: tokio::sync::Mutex<KeeperState>,
    known: Arc<Mutex<Known>>,
    last_call: AtomicU64,
}

#[derive(Default)]
struct KeeperState {
    processes: Vec<Arc<Process>>,
    /// Names of models that were asked for.
    models: BTreeSet<String>,
}

/// A call's hold on an app-server.
pub(super) struct Lease {
    pub(super) process: Arc<Process>,
    pub(super) key: CallKey,
    _place: OwnedSemaphorePermit,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.process.load.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Keeper {
    pub(super) fn new(config: CodexConfig, registry: ProcessRegistry) -> Keeper {
        // What an earlier daemon left; none of its processes is alive.
        let _ = std::fs::remove_dir_all(&config.runs);
        Keeper(Arc::new(Shared {
            places: Arc::new(Semaphore::new(config.calls_max)),
            kept: tokio::sync::Mutex::default(),
            known: Arc::default(),
            last_call: AtomicU64::new(0),
            registry,
            config,
        }))
    }

    pub(super) fn config(&self) -> &CodexConfig {
        &self.0.config
    }

    pub(super) fn limits(&self) -> Limits {
        self.known().limits
    }

    /// What the CLI has told so far.
    pub(super) fn known(&self) -> Known {
        let known = lock(&self.0.known);
        known.clone()
    }

    /// Whether the user named a CLI.
    pub(super) fn is_configured(&self) -> bool {
        self.0.config.command.is_some()
    }

    /// The program that would run.
    pub(super) fn program(&self) -> Option<PathBuf> {
        discover::program(&self.0.config)
    }

    /// An app-server that is ready and knows the model.
    ///
    /// # Errors
    /// Where there is none to be had: no place, no CLI, no login.
    pub(super) async fn lease(&self, model: &str) -> Result<Lease, Fault> {
        let wait = self.0.config.queue_wait_max;
        let place = timeout(wait, Arc::clone(&self.0.places).acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            return Err(fault::too_many(RETRY_WAIT));
        };
        let process = self.choose(model).await?;
        process.load.fetch_add(1, Ordering::Relaxed);
        process.calls.fetch_add(1, Ordering::Relaxed);
        let lease = Lease {
            key: CallKey(self.0.last_call.fetch_add(1, Ordering::Relaxed)),
            process,
            _place: place,
        };
        ready(&lease.process).await?;
        Ok(lease)
    }

    async fn choose(&self, model: &str) -> Result<Arc<Process>, Fault> {
        let config = &self.0.config;
        let mut kept = self.0.kept.lock().await;
        let login = launch::login_stamp(config);
        if kept.models.len() >= MODELS_MAX && !kept.models.contains(model) {
            return Err(fault::too_many_models());
        }
        kept.models.insert(model.to_owned());
        // One that is dropped here ends when its last call does.
        kept.processes.retain(|process| {
            let is_fresh =
                process.calls.load(Ordering::Relaxed) < CALLS_MAX && process.login == login;
            is_fresh && process.is_of_use() && process.models.contains(model)
        });
        let least = kept
            .processes
            .iter()
            .min_by_key(|process| process.load())
            .cloned();
        let is_full = kept.processes.len() >= self.processes_max();
        match least {
            Some(process) if is_full || process.load() < SPREAD => Ok(process),
            _ => {
                let process = Arc::new(self.start(kept.models.clone()).await?);
                kept.processes.push(Arc::clone(&process));
                Ok(process)
            }
        }
    }

    /// Of a login whose token is renewed there is one process: two that renew it take it from each other.
    fn processes_max(&self) -> usize {
        match self.known().account {
            Account::LoggedIn { kind, .. } if kind != RENEWED => self.0.config.processes_max,
            Account::NotNeeded => self.0.config.processes_max,
            // As long as nobody has said, it may be one.
            Account::LoggedIn { .. } | Account::LoggedOut | Account::Unknown => 1,
        }
    }

    async fn start(&self, models: BTreeSet<String>) -> Result<Process, Fault> {
        let shared = &self.0;
        let program = self.program().ok_or_else(fault::not_found)?;
        let login = launch::login_stamp(&shared.config);
        let launched = timeout(
            START_WAIT,
            launch::launch(&shared.config, &program, &models),
        )
        .await;
        let launched =
            launched.map_err(|_| fault::does_not_start("it does not tell its models"))?;
        let (child, folder) = launched.map_err(|error| fault::does_not_start(error.to_string()))?;
        let birth = Birth {
            child,
            folder,
            models,
            login,
            registry: shared.registry.clone(),
            known: Arc::clone(&shared.known),
            talk: shared.config.talk.clone(),
        };
        Process::start(birth).ok_or_else(|| fault::does_not_start("it ended at once"))
    }

    /// Ends every app-server.
    pub(super) async fn drain(&self) {
        let mut kept = self.0.kept.lock().await;
        for process in kept.processes.drain(..) {
            end_group(process.pid, EndMode::Forced);
            self.0.registry.remove(process.pid);
        }
        drop(kept);
        let _ = std::fs::remove_dir_all(&self.0.config.runs);
    }
}

/// Waits until a process serves.
async fn ready(process: &Process) -> Result<(), Fault> {
    let mut status = process.status.clone();
    let known = timeout(
        START_WAIT,
        status.wait_for(|status| *status != Status::Starting),
    )
    .await;
    let known = match known {
        Ok(Ok(known)) => known.clone(),
        _ => Status::Gone("it does not answer the handshake".to_owned()),
    };
    match known {
        Status::Ready {
            account: Account::LoggedOut,
            ..
        } => {
            // A login may lie where no change of it is seen; the next call asks a process that has looked again.
            process.retire();
            Err(fault::logged_out())
        }
        Status::Ready { .. } | Status::Starting => Ok(()),
        Status::Gone(why) => Err(fault::does_not_start(why)),
    }
}

/// The kind of login whose token is renewed; a key never is.
const RENEWED: &str = "chatgpt";
/// Calls on one process before another one is started beside it.
const SPREAD: usize = 4;
/// Calls of one process: what it writes of itself grows by 35 kB with each.
const CALLS_MAX: usize = 1000;
/// Different names of models; each new one costs a new process.
const MODELS_MAX: usize = 64;
/// A process is ready in 100 ms; a first one unpacks files.
const START_WAIT: Duration = Duration::from_secs(20);
const RETRY_WAIT: Duration = Duration::from_secs(2);
