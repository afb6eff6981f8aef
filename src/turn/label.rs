//! What a response honestly says of how it was made.

use super::Joined;

/// Labels of one answer; they go out as `x-relay-…` headers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Labels {
    /// The lane that served: `claude-pty`.
    pub(crate) lane: &'static str,
    pub(crate) text: TextSource,
    pub(crate) session: SessionOrigin,
    /// What reached the model in another way than the caller wrote it, by path.
    pub(crate) emulated: Vec<String>,
    /// Parameters that the lane could not honour, by field name.
    pub(crate) ignored: Vec<String>,
    /// How the call goes on with its conversation, where that has a name.
    pub(crate) conversation: Option<Joined>,
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
