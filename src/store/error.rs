//! Why something could not be read from disk, or kept on it.

use super::key::KeyError;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// What can be wrong with a file of the relay's own.
#[derive(Debug, Error)]
pub(crate) enum StoreError {
    #[error("read {}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// The disk is full, or the folder is not ours. The old file still stands.
    #[error("write {}, which is unchanged", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
    /// Nothing is guessed about a file that somebody edited: it is named and left alone.
    #[error("understand {}: {problem}; put a good copy back, or move it away and make new keys", path.display())]
    Damaged { path: PathBuf, problem: String },
    #[error("use {}, which a newer relay wrote (version {version}); update this one", path.display())]
    Newer { path: PathBuf, version: u64 },
    #[error("make a key: the machine gives no randomness")]
    NoRandomness { source: io::Error },
    /// The change itself was wrong; nothing was written.
    #[error(transparent)]
    Refused(#[from] KeyError),
}
