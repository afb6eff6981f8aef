//! Whether a lane can serve. `[pure]`

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
    Draining,
}
