//! Where the daemon's own lines go.

use super::DaemonError;
use crate::config::LogConfig;
use crate::config::LogFormat;
use crate::config::LogLevel;
use crate::control::FIRST_USER_LOG;
use crate::disk::make_private_folder;
use crate::service::LogFile;
use std::io;
use std::path::Path;
use std::sync::Mutex;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::reload;

/// Changes the level while the daemon runs; without a log of this daemon's own it changes nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct LevelSwitch(Option<reload::Handle<Targets, Registry>>);

impl LevelSwitch {
    pub(super) fn set(&self, level: LogLevel) {
        let changed = self.0.as_ref().map(|handle| handle.reload(targets(level)));
        if let Some(Err(error)) = changed {
            tracing::warn!(%error, "the level of the log stays as it is");
        }
    }
}

/// Only our own lines: a transcript_store's trace could hold a body.
fn targets(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
        LogLevel::Trace => tracing::Level::TRACE,
    };
    Targets::new()
        .with_target("inference_relay", level)
        .with_target(FIRST_USER_LOG, level.max(tracing::Level::INFO))
}

/// Writes them to this file, or else to stderr.
///
/// # Errors
/// Where the file cannot be written.
pub(super) fn open(config: LogConfig, file: Option<&Path>) -> Result<LevelSwitch, DaemonError> {
    let (filter, handle) = reload::Layer::new(targets(config.level));
    let colours = file.is_none() && std::io::IsTerminal::is_terminal(&io::stderr());
    let writer = match file {
        None => BoxMakeWriter::new(io::stderr),
        Some(path) => BoxMakeWriter::new(Mutex::new(self::file(path)?)),
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(colours);
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    let registry = tracing_subscriber::registry().with(filter);
    drop(match config.format {
        LogFormat::Text => registry.with(lines).try_init(),
        LogFormat::Json => registry.with(lines.json()).try_init(),
    });
    Ok(LevelSwitch(Some(handle)))
}

/// A service may start before its state folder was ever made.
fn file(path: &Path) -> Result<LogFile, DaemonError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let made = if folder.as_os_str().is_empty() || folder.is_dir() {
        Ok(())
    } else {
        make_private_folder(folder)
    };
    made.and_then(|()| LogFile::open(path))
        .map_err(|source| DaemonError::Log {
            path: path.to_owned(),
            source,
        })
}
