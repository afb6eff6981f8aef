//! A value that cannot be meant, found after the command line was read: the user changes it, so the exit code is 2.

use thiserror::Error;

/// What is wrong with it, and what to write.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct Misuse(pub(crate) String);
