//! Names of things that go out to clients.

use std::fmt;
use std::sync::Arc;

/// The name of a lane: `claude-pty`, `claude-print`, `codex`, or `http:HOST`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LaneId(Arc<str>);

impl LaneId {
    pub(crate) fn new(name: &str) -> LaneId {
        LaneId(name.into())
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of an answer, as its stream carries it: `msg_…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MessageId(pub(crate) String);

/// The id of a call, in the `request-id` header, in error bodies and in the log: `req_…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestId(pub(crate) Arc<str>);

impl RequestId {
    /// What the ids of its answer are made of.
    pub(crate) fn stem(&self) -> &str {
        self.0.strip_prefix("req_").unwrap_or(&self.0)
    }
}

/// The id of a relay key: `key_…`. It is no secret: rooms scope what belongs to a caller by it, and the log names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct KeyId(pub(crate) String);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
