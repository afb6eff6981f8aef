//! Why a credential could not be read, or kept.

use crate::store::StoreError;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// What is wrong with a secret. No variant holds any part of a value.
#[derive(Debug, Error)]
pub(crate) enum SecretFault {
    #[error("the variable {name} is not set; set it for the relay and start it again")]
    Unset { name: String },
    #[error("read the secret in {}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error(
        "{place} is the relay's own, and is sent to no host; keep the host's credential in another place"
    )]
    Own { place: String },
    #[error("{place} is empty; put the credential there")]
    Empty { place: String },
    #[error("{place} holds what no header can carry: a credential is one line of visible ASCII")]
    NotALine { place: String },
    #[error(
        "no secret is stored under \"{name}\"; `inference-relay secret set {name}` reads it from standard input"
    )]
    NotStored { name: String },
    #[error(
        "the stored secret \"{name}\" was sealed with master key {sealed_by}, and this is {present}; \
         give the relay the former in RELAY_MASTER_KEY, or set the secret anew"
    )]
    OtherMasterKey {
        name: String,
        sealed_by: String,
        present: String,
    },
    #[error("the stored secret \"{name}\" does not open: it was changed; set it anew")]
    Undecryptable { name: String },
    #[error("there is no master key: RELAY_MASTER_KEY is not set, and {} is not there", path.display())]
    NoMasterKey { path: PathBuf },
    #[error(
        "the master key is in RELAY_MASTER_KEY, so the next one must come from RELAY_MASTER_KEY_NEXT: write 32 random bytes \
         as base64 there, as `openssl rand -base64 32` does, for this command and for the relay"
    )]
    NoNextMasterKey,
    #[error(
        "{place} is no master key: write 32 random bytes as base64, as `openssl rand -base64 32` does"
    )]
    BadMasterKey { place: String },
    #[error(
        "\"{0}\" is not a name for a secret; write 1 to 64 of a-z, A-Z, 0-9, \".\", \"_\", \"-\""
    )]
    Name(String),
    #[error("there are too many stored secrets already; remove those that nothing refers to")]
    TooMany,
    #[error("keep a secret: the machine gives no randomness")]
    NoRandomness { source: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SecretFault {
    /// Whether what is stored does not open with what is known, as `secret_undecryptable` tells callers.
    pub(crate) fn is_undecryptable(&self) -> bool {
        matches!(
            self,
            SecretFault::OtherMasterKey { .. }
                | SecretFault::Undecryptable { .. }
                | SecretFault::NoMasterKey { .. }
                | SecretFault::BadMasterKey { .. }
        )
    }
}
