//! Why the store cannot be used, and what to do then.

use thiserror::Error;

/// What a database said.
#[derive(Debug, Error)]
pub(crate) enum EngineFault {
    /// It may work in a moment: somebody else writes, or the connection is gone.
    #[error("{0}")]
    Away(String),
    /// The server's certificate is not believed.
    #[error("{0}")]
    Untrusted(String),
    /// It will not work again either.
    #[error("{0}")]
    Refused(String),
}

impl EngineFault {
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, EngineFault::Away(_) | EngineFault::Untrusted(_))
    }

    /// What to do where a start meets it.
    pub(super) fn next(&self) -> &'static str {
        match self {
            EngineFault::Untrusted(_) => {
                "call the server by a name of its certificate, and name the file of its authority in store.url \
                 (…?sslmode=verify-full&sslrootcert=/PATH)"
            }
            EngineFault::Away(_) | EngineFault::Refused(_) => {
                "free some space, give this user the right to write it, or see whether the server answers; or name another \
                 place in store.url"
            }
        }
    }
}

/// Why the store cannot be opened or asked.
#[derive(Debug, Error)]
pub(crate) enum StoreFault {
    #[error("the store {place} cannot be opened: {cause}; {next}")]
    Closed {
        place: String,
        cause: String,
        next: &'static str,
    },
    #[error(
        "the store {place} has migration {number}, and this relay knows {known}: a newer relay wrote it; update this one, or put the backup of before back"
    )]
    Newer {
        place: String,
        number: u64,
        known: u64,
    },
    #[error(
        "migration {number} ({name}) of the store {place} is not the one that this relay knows; start the relay that wrote it, or put a good backup back"
    )]
    Altered {
        place: String,
        number: u64,
        name: String,
    },
    #[error(
        "migration {number} ({name}) of the store {place} failed and left nothing behind: {cause}; mend that and start again, or put a good backup back"
    )]
    Failed {
        place: String,
        number: u64,
        name: &'static str,
        cause: String,
    },
    /// The daemon asks more of the store than it answers.
    #[error("the store is busy with {0} questions already; ask again in a moment")]
    Busy(usize),
    #[error("the store does not answer: {0}")]
    Asked(#[from] EngineFault),
    #[error("the store's thread has ended")]
    Ended,
}
