//! Why there is no update: what happened, whose fault it is, and the next step.

use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// In every case the program is the one it was.
#[derive(Debug, Error)]
pub(crate) enum UpdateError {
    #[error("updates are off: set update.source and update.public_keys in relay.toml")]
    Off,
    #[error("update.public_keys: \"{0}\" is not a minisign public key")]
    Key(String),
    #[error("{what} cannot be fetched: {why}")]
    Unfetched { what: String, why: String },
    #[error("{what} has more than {max} bytes, which no release of ours has; nothing was changed")]
    TooLarge { what: String, max: u64 },
    #[error(
        "{0} is not signed by a key of update.public_keys; nothing was changed. Do not use this source before you know why"
    )]
    Unsigned(String),
    #[error(
        "{0} is not what its manifest says: it is cut off or was changed on the way; nothing was changed. Try again, and if it stays so, tell whoever runs the source"
    )]
    Altered(String),
    #[error("the manifest cannot be read: {0}")]
    Manifest(String),
    #[error("the source offers {offered}, which is older than this {running}; nothing was changed")]
    Downgrade { offered: String, running: String },
    #[error("the source has no {version} for {platform}")]
    NotForHere { version: String, platform: String },
    #[error("the archive {0}")]
    Archive(String),
    #[error("{} cannot be replaced: {source}. If a package manager installed it, update with that one", path.display())]
    Place { path: PathBuf, source: io::Error },
}
