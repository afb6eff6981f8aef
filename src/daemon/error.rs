//! Why there is no daemon.

use super::volume;
use crate::server::ServerError;
use crate::store::StoreError;
use crate::store::StoreFault;
use crate::tap::TargetError;
use crate::valkey::Unusable;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::path::PathBuf;
use thiserror::Error;

/// Why there is no daemon.
#[derive(Debug, Error)]
pub(crate) enum DaemonError {
    /// `bind_failed`: something else listens there.
    #[error("bind_failed")]
    BindFailed(#[source] ServerError),
    #[error(
        "control: port {port} of the control plane cannot be had; name another with RELAY_CONTROL_PORT or control.port, or write \"off\""
    )]
    Control { port: u16, source: io::Error },
    /// `already_running`: another daemon holds this state folder.
    #[error("already_running: a daemon holds {} already, {}; stop it, or give this one a folder of its own with INFERENCE_RELAY_HOME", home.display(), holder(*.pid, *.port))]
    AlreadyRunning {
        home: PathBuf,
        pid: Option<u64>,
        port: Option<u64>,
    },
    #[error("the log file {} cannot be written", path.display())]
    Log { path: PathBuf, source: io::Error },
    #[error("the state folder {} cannot be written{}, or name another folder with INFERENCE_RELAY_HOME", home.display(), volume::why(home, source))]
    Home { home: PathBuf, source: io::Error },
    /// Nobody but this machine may knock where no key is asked for.
    #[error(
        "{address} is beyond loopback, and there is no key yet; make one with `inference-relay key create NAME`"
    )]
    Unguarded { address: IpAddr },
    /// The authority cannot be known by anything.
    #[error("the licence cannot be verified: {0}")]
    License(String),
    #[error(transparent)]
    Store(StoreFault),
    #[error(transparent)]
    State(Unusable),
    #[error("the keys cannot be used: cannot {0}")]
    Keys(#[source] StoreError),
    #[error("a simulated program is not built: {} is missing; `cargo build --release --workspace` builds it", .0.display())]
    NoSimulation(PathBuf),
    #[error("claude.tap cannot be laid: {0}")]
    Tap(#[from] TargetError),
    #[error("the machine gives no {what}")]
    Machine {
        what: &'static str,
        source: io::Error,
    },
}

impl DaemonError {
    /// What goes wrong in this state folder.
    pub(super) fn home(home: &Path) -> impl Fn(io::Error) -> DaemonError {
        move |source| DaemonError::Home {
            home: home.to_owned(),
            source,
        }
    }

    /// The machine gives no such thing.
    pub(super) fn machine(what: &'static str) -> impl FnOnce(io::Error) -> DaemonError {
        move |source| DaemonError::Machine { what, source }
    }
}

/// Who holds the lock, as far as it has said so.
fn holder(pid: Option<u64>, port: Option<u64>) -> String {
    match (pid, port) {
        (Some(pid), Some(port)) => format!("process {pid} on port {port}"),
        (Some(pid), None) => format!("process {pid}, which is still starting"),
        (None, _) => "a process that has not said its number yet".to_owned(),
    }
}
