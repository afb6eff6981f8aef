//! Whether a lane can serve. `[pure]`

use crate::turn::LaneId;
use serde_json::Value;
use std::time::Duration;

/// How a lane is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Health {
    Starting,
    Ready {
        /// Calls that wait before a new one.
        waiting: usize,
    },
    /// Calls may fail; the text says why and what to do.
    Degraded(String),
    /// It failed lately: calls are kept from it, but for a probe after this time.
    Resting(Duration),
    /// What serves it is not on this machine, and nobody said that it is: calls that ask for it fail, for this reason.
    Absent(String),
    Draining,
}

/// A lane as the relay tells of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LaneView {
    pub(crate) id: LaneId,
    pub(crate) health: Health,
    /// What it tells of itself; null where that is nothing.
    pub(crate) about: Value,
}
