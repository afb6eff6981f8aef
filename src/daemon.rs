//! The composition root: builds the rooms in order, and drains them in reverse.

use crate::config::Config;
use std::net::SocketAddr;
use std::path::PathBuf;
use thiserror::Error;

/// A daemon that runs inside this process.
#[derive(Debug)]
pub(crate) struct Running {
    /// Where it listens; the port is the one that was really taken.
    pub(crate) address: SocketAddr,
}

/// Why there is no daemon.
#[derive(Debug, Error)]
pub(crate) enum DaemonError {
    /// `bind_failed`: something else listens there.
    #[error("{address} is taken{}", holder(*.pid))]
    BindFailed {
        address: SocketAddr,
        pid: Option<u32>,
    },
    /// `already_running`: another daemon holds this state folder.
    #[error("a daemon already runs on {} with process {pid}, on port {port}", home.display())]
    AlreadyRunning { home: PathBuf, pid: u32, port: u16 },
    /// The rooms are not joined yet.
    #[error("this build has no daemon yet")]
    NotBuilt,
}

/// Serves until a stop signal, and then until every call in flight has ended.
pub(crate) fn run(config: Config, simulated: bool) -> Result<(), DaemonError> {
    let _ = (config, simulated);
    Err(DaemonError::NotBuilt)
}

/// Starts a daemon inside this process, for one `ask`. With `server.port` 0 it takes any free port.
pub(crate) async fn start(config: Config, simulated: bool) -> Result<Running, DaemonError> {
    let _ = (config, simulated);
    Err(DaemonError::NotBuilt)
}

impl Running {
    /// Ends it: no session is left behind.
    pub(crate) async fn stop(self) {}
}

fn holder(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" by process {pid}"))
        .unwrap_or_default()
}
