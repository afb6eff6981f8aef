//! Where a credential stands. `[pure]`

use std::fmt;
use std::path::PathBuf;

/// The place of a secret; it tells nothing of the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum SecretRef {
    /// A variable of the relay's environment, as it was at its start.
    Env(String),
    /// A file, read anew at each pass; a relative path is taken from the folder of the catalog.
    File(PathBuf),
    /// A name in the relay's own file of sealed secrets.
    Stored(String),
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretRef::Env(name) => write!(f, "env {name}"),
            SecretRef::File(path) => write!(f, "file {}", path.display()),
            SecretRef::Stored(name) => write!(f, "secret {name}"),
        }
    }
}
