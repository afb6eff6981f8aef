//! Where the daemon's own lines go.

use super::DaemonError;
use crate::config::LogConfig;
use crate::config::LogFormat;
use crate::config::LogLevel;
use crate::service::LogFile;
use crate::session::create_private;
use std::io;
use std::path::Path;
use std::sync::Mutex;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// Writes them to this file, or else to stderr.
///
/// # Errors
/// Where the file cannot be written.
pub(super) fn open(config: LogConfig, file: Option<&Path>) -> Result<(), DaemonError> {
    let level = match config.level {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
        LogLevel::Trace => tracing::Level::TRACE,
    };
    // Only our own lines: a transcript_store's trace could hold a body.
    let filter = tracing_subscriber::filter::Targets::new().with_target("inference_relay", level);
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
    Ok(())
}

/// A service may start before its state folder was ever made.
fn file(path: &Path) -> Result<LogFile, DaemonError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let made = if folder.as_os_str().is_empty() || folder.is_dir() {
        Ok(())
    } else {
        create_private(folder)
    };
    made.and_then(|()| LogFile::open(path))
        .map_err(|source| DaemonError::Log {
            path: path.to_owned(),
            source,
        })
}
