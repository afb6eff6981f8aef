//! The pool at one moment, for health and session lists.

use crate::session::Installation;
use crate::turn::ConversationId;
use crate::turn::Owner;
use std::path::PathBuf;
use std::time::Instant;

/// What is alive now.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) condition: Condition,
    pub(crate) sessions: Vec<SessionView>,
    /// Callers that wait for a session.
    pub(crate) waiting: usize,
    /// The claude that sessions run, once found.
    pub(crate) claude: Option<ClaudeView>,
}

impl Snapshot {
    /// A pool in which nothing is alive.
    pub(crate) fn of(condition: Condition, claude: Option<ClaudeView>) -> Snapshot {
        Snapshot {
            condition,
            sessions: Vec::new(),
            waiting: 0,
            claude,
        }
    }
}

/// Whether calls can be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    Starting,
    Ready,
    /// Calls may fail; the text says why and what to do.
    Degraded(String),
    Draining,
}

/// One session as an outsider may see it.
#[derive(Debug, Clone)]
pub(crate) struct SessionView {
    pub(crate) id: String,
    pub(crate) pid: u32,
    /// `starting`, `idle`, `busy`, `parked`, `kept`, `resetting`, `retiring`.
    pub(crate) state: &'static str,
    pub(crate) model: String,
    pub(crate) turns: u32,
    /// Whose call it serves, or whose conversation it holds; `None`: it waits for anybody's.
    pub(crate) owner: Option<Owner>,
    /// When its process was started. A snapshot is taken when something changes, and read whenever somebody asks.
    pub(crate) born: Instant,
    /// The conversation that it stays in, where that has a name.
    pub(crate) conversation: Option<ConversationId>,
    /// The ids of the calls of tools whose results it waits for.
    pub(crate) awaits: Vec<String>,
}

impl SessionView {
    pub(crate) fn age_ms(&self, now: Instant) -> u64 {
        let age = now.saturating_duration_since(self.born);
        u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
    }
}

/// The claude install in use.
#[derive(Debug, Clone)]
pub(crate) struct ClaudeView {
    pub(crate) path: PathBuf,
    /// `None` until it was asked.
    pub(crate) version: Option<String>,
    /// What the relay can expect of that version, in words; `None` until it is known.
    pub(crate) support: Option<String>,
}

impl ClaudeView {
    pub(super) fn of(installation: &Installation) -> ClaudeView {
        ClaudeView {
            path: installation.path.clone(),
            version: installation.version().map(str::to_owned),
            support: installation.support().map(ToString::to_string),
        }
    }
}
