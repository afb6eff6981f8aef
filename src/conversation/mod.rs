//! What is known of conversations that have a name (`X-IR-Session-ID`), so that they can be gone on with.
//!
//! **What for.** [`Conversations::serve`] takes a request, and the name of a conversation where the caller gave one. It joins
//! the request with what was said before under that name, lets the pool serve it, and remembers the turn. One call at
//! a time goes on in a conversation; others wait their turn.
//!
//! **Never.** It changes nothing of what the caller wrote, and shows no text to anyone but the model. A turn that
//! failed, or whose caller went away, is not remembered.
//!
//! **Invariants.** What is remembered is what was told: the caller's messages as they were written, and the answer as
//! it went out. Names belong to their owners. Ids, bytes and time of what is remembered are bounded; the idlest goes
//! first. A turn is on disk before its end is told, so a restart forgets nothing that a caller knows of.
//!
//! Start reading at [`prefix`], which decides how a call goes on.

mod cache;
mod encode;
mod fault;
mod file_locks;
mod prefix;
mod queue;
mod serve;
mod store;

pub(crate) use serve::Conversations;

use std::time::Duration;

/// Bounds of what is remembered.
#[derive(Debug, Clone)]
pub(crate) struct ConversationConfig {
    /// Conversations that are remembered.
    pub(crate) ids_max: usize,
    /// Bytes of all of them together.
    pub(crate) bytes_max: u64,
    /// How long one is remembered after its last turn.
    pub(crate) memory_max: Duration,
    /// Calls that may wait for the one before them in the same conversation; more get `session_busy`.
    pub(crate) queue_depth_max: usize,
    /// Whether conversations are kept on disk too.
    pub(crate) disk: bool,
}

/// A conversation as an outsider may see it; none of its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConversationView {
    pub(crate) name: String,
    /// `busy`: a call is being served; `live`: a session stays in it; `resumable`: it is remembered.
    pub(crate) state: &'static str,
    /// Since its last turn ended.
    pub(crate) idle: Duration,
    pub(crate) turns: u32,
    /// The model of its last turn.
    pub(crate) model: String,
    pub(crate) bytes: u64,
    /// Calls that wait for the one that is being served.
    pub(crate) waiting: usize,
}
