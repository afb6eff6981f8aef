//! Who is free, who waits, who is worn out: the sessions, shared among callers.
//!
//! **What for.** [`Pool::serve`] takes a request and answers with events; behind it are the bounded queue, the
//! sessions by shape, and their renewal.
//!
//! **Never.** It does not know HTTP, dialects or terminals.
//!
//! **Invariants.** A session serves one turn at a time; a caller never gets a session that holds another caller's
//! text; dropping an [`Answer`] interrupts its turn.

mod snapshot;

pub(crate) use snapshot::ClaudeView;
pub(crate) use snapshot::Condition;
pub(crate) use snapshot::SessionView;
pub(crate) use snapshot::Snapshot;

use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::Request;
use std::time::Duration;
use tokio::sync::mpsc;

/// Bounds and habits of the pool.
#[derive(Debug, Clone)]
pub(crate) struct PoolConfig {
    /// Empty sessions kept warm.
    pub(crate) idle: usize,
    /// Sessions alive at once.
    pub(crate) max: usize,
    /// Callers that may wait for a session; more get `queue_full`.
    pub(crate) queue_depth_max: usize,
    /// How long a caller may wait for a session.
    pub(crate) queue_wait_max: Duration,
    /// How long a turn may take from delivery to its end.
    pub(crate) turn_wait_max: Duration,
    /// Turns after which a session is replaced.
    pub(crate) session_turns_max: u32,
    /// Age after which a session is replaced.
    pub(crate) session_age_max: Duration,
    /// Resident memory, in bytes, past which a session is replaced.
    pub(crate) session_resident_max: u64,
}

/// The events of one answer, as they come. Dropping it tells the pool that the caller is gone.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) events: mpsc::Receiver<Result<Event, Fault>>,
}

/// A handle to the pool; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Pool {}

impl Pool {
    /// Begins to serve a request. It returns at once: queueing, delivery and the model's work are behind the
    /// events, and a failure is the last of them.
    pub(crate) fn serve(&self, _request: Request) -> Answer {
        let (_, events) = mpsc::channel(1);
        Answer { events }
    }

    /// What is alive now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot { condition: Condition::Starting, sessions: Vec::new(), waiting: 0, claude: None }
    }
}
