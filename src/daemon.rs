//! The composition root: builds the rooms in order, and drains them in reverse.

use crate::config::Config;
use crate::config::LogConfig;
use crate::config::LogFormat;
use crate::config::LogLevel;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use thiserror::Error;
use tracing_subscriber::filter::LevelFilter;

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
    #[error("bind_failed: {address} is taken{}", holder(*.pid))]
    BindFailed {
        address: SocketAddr,
        pid: Option<u32>,
    },
    /// `already_running`: another daemon holds this state folder.
    #[error("already_running: a daemon holds {} with process {pid}, on port {port}", home.display())]
    AlreadyRunning { home: PathBuf, pid: u32, port: u16 },
    /// The rooms are not joined yet.
    #[error("this build has no daemon yet")]
    NotBuilt,
}

/// Serves until a stop signal, and then until every call in flight has ended.
pub(crate) fn run(config: Config, simulated: bool) -> Result<(), DaemonError> {
    log_to_stderr(config.log);
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

/// Sends the log to stderr. Inside another command (`ask`) there is no log: stderr is that command's.
fn log_to_stderr(config: LogConfig) {
    let level = match config.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr);
    let set = match config.format {
        LogFormat::Text => log
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    drop(set); // only a second logger in one process can fail, and then the first one stays
}

fn holder(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" by process {pid}"))
        .unwrap_or_default()
}
