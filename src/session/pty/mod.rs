//! Processes on pseudo-terminals: started, and ended with all they started.

pub(crate) mod reap;
pub(crate) mod spawn;
