//! Processes on pseudo-terminals: found, started, and ended with all they started.

pub(crate) mod discover;
pub(crate) mod reap;
pub(crate) mod spawn;
