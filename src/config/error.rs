//! What can be wrong with a configuration.

use crate::config::source::Source;
use crate::secret::SecretFault;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why there is no configuration. Each says where, what, and the next step.
#[derive(Debug, Error)]
pub(crate) enum ConfigError {
    /// The file named by `--config` (or a default one that exists) does not open.
    #[error("{}: this file does not open", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    /// The text is not TOML, or not JSON.
    #[error("{}:{line}: {problem}", path.display())]
    Syntax {
        path: PathBuf,
        line: usize,
        problem: String,
    },
    /// A key that means nothing here.
    #[error("{}:{line}: unknown key \"{key}\"{}", path.display(), hint(nearest.as_deref()))]
    UnknownKey {
        path: PathBuf,
        line: usize,
        key: String,
        nearest: Option<String>,
    },
    /// A known key with a value that cannot be meant.
    #[error("{source_of}: {key}: {problem}")]
    Value {
        key: &'static str,
        source_of: Source,
        problem: String,
    },
    /// A variable holds a master key that is none.
    #[error(transparent)]
    MasterKey(#[from] SecretFault),
    /// Neither `INFERENCE_RELAY_HOME` nor a home folder is known.
    #[error("no home folder is known: set INFERENCE_RELAY_HOME to a folder for the relay's state")]
    Homeless,
}

fn hint(nearest: Option<&str>) -> String {
    match nearest {
        Some(key) => format!("; did you mean \"{key}\"?"),
        None => "; `inference-relay config default` prints every key with its meaning".to_owned(),
    }
}
