//! What a response honestly says of how it was made.

use super::Joined;
use super::LaneId;

/// Labels of one answer; they go out as `x-relay-…` headers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Labels {
    /// The lane that served.
    pub(crate) lane: LaneId,
    pub(crate) text: TextSource,
    /// `None` where the lane has no sessions.
    pub(crate) session: Option<SessionOrigin>,
    /// The lanes that were tried before, each with the code of its failure.
    pub(crate) attempts: Vec<Attempt>,
    /// What reached the model in another way than the caller wrote it, by path.
    pub(crate) emulated: Vec<String>,
    /// Parameters that the lane could not honour, by field name.
    pub(crate) ignored: Vec<String>,
    /// How the call goes on with its conversation, where that has a name.
    pub(crate) conversation: Option<Joined>,
}

/// A lane that was tried, and failed before anything of an answer came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) lane: LaneId,
    /// The stable code of the failure.
    pub(crate) code: &'static str,
}

impl Labels {
    /// Labels of an exact answer of this lane, with nothing to tell.
    pub(crate) fn exact(lane: LaneId) -> Labels {
        Labels {
            lane,
            text: TextSource::Exact,
            session: None,
            attempts: Vec::new(),
            emulated: Vec::new(),
            ignored: Vec::new(),
            conversation: None,
        }
    }
}

/// How the answer's text was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    dead_code,
    reason = "no lane reads content from the screen yet; the label is the contract's"
)]
pub(crate) enum TextSource {
    /// From hooks, the transcript or the wire: the model's own bytes.
    Exact,
    /// From the screen: what a terminal shows of it.
    Rendered,
}

/// Which kind of session served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionOrigin {
    /// It was waiting, and empty.
    Warm,
    /// It was started for this call.
    Cold,
    /// It was waiting, and took up the history from a transcript.
    Resumed,
    /// It held the history already.
    Live,
}

impl TextSource {
    pub(crate) fn name(self) -> &'static str {
        match self {
            TextSource::Exact => "exact",
            TextSource::Rendered => "rendered",
        }
    }
}

impl SessionOrigin {
    pub(crate) fn name(self) -> &'static str {
        match self {
            SessionOrigin::Warm => "warm",
            SessionOrigin::Cold => "cold",
            SessionOrigin::Resumed => "resumed",
            SessionOrigin::Live => "live",
        }
    }
}
