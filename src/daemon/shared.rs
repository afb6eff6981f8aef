//! What this relay shares with others, where its configuration says so.

use super::DaemonError;
use crate::clock;
use crate::config::Config;
use crate::control::LOGIN_NEWS;
use crate::limits::LimitEngine;
use crate::limits::MemoryLimits;
use crate::limits::SharedLimits;
use crate::routing::PolicyLimits;
use crate::upstream;
use crate::upstream::BREAKER_NEWS;
use crate::upstream::Change;
use crate::valkey::StatePlace;
use crate::valkey::Valkey;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Who counts limits.
pub(super) struct SharedState {
    /// `None`: nothing is shared.
    pub(super) valkey: Option<Valkey>,
    /// Of policies and relay keys.
    pub(super) limits: PolicyLimits,
    /// Of host keys.
    pub(super) of_keys: LimitEngine,
    /// How breakers are told to others.
    pub(super) breakers: Option<Feed>,
    pub(super) ending: Vec<JoinHandle<()>>,
}

/// How the breakers of this relay are told to others.
pub(super) struct Feed {
    pub(super) relay: String,
    pub(super) changes: mpsc::Sender<Change>,
    pub(super) untold: mpsc::Receiver<Change>,
}

impl Feed {
    fn new(relay: String) -> Feed {
        let (changes, untold) = upstream::changes();
        Feed {
            relay,
            changes,
            untold,
        }
    }
}

impl SharedState {
    pub(super) async fn of(config: &Config) -> Result<SharedState, DaemonError> {
        match &config.state {
            StatePlace::Memory => Ok(SharedState {
                valkey: None,
                limits: PolicyLimits::open(&config.home.join("limits")),
                of_keys: LimitEngine::Memory(MemoryLimits::new(clock::now())),
                breakers: None,
                ending: Vec::new(),
            }),
            StatePlace::Valkey(server) => {
                let valkey = Valkey::new(server).map_err(DaemonError::State)?;
                valkey.check().await.map_err(DaemonError::State)?;
                Ok(SharedState::on(valkey).await)
            }
        }
    }

    async fn on(valkey: Valkey) -> SharedState {
        let relay = uuid::Uuid::new_v4().to_string();
        let (shared, ending) = SharedLimits::new(valkey.clone(), relay.clone());
        let limits = LimitEngine::Shared(shared);
        let keeping = valkey.clone();
        let keeping = async move { match keeping.keep(&[BREAKER_NEWS, LOGIN_NEWS]).await {} };
        let mut connections = valkey.connections();
        let ending = vec![tokio::spawn(ending), tokio::spawn(keeping)];
        // A relay starts without it, too: what has no limit is served.
        drop(tokio::time::timeout(FIRST_WAIT_MAX, connections.changed()).await);
        SharedState {
            valkey: Some(valkey),
            limits: PolicyLimits::shared(limits.clone()),
            of_keys: limits,
            breakers: Some(Feed::new(relay)),
            ending,
        }
    }
}

/// How long a start waits for the first connection, so that its first calls are not refused.
const FIRST_WAIT_MAX: Duration = Duration::from_secs(2);
