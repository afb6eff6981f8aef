//! How an answer ended, when it ended well.

use super::MessageId;
use super::Usage;

/// The last event of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct End {
    pub(crate) stop: StopReason,
    pub(crate) usage: Usage,
    /// The upstream's own id of the message, where a witness saw it.
    pub(crate) id: Option<MessageId>,
    /// The model that really answered, where a witness saw it.
    pub(crate) model: Option<String>,
}

/// Why the model stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StopReason {
    EndTurn,
    MaxTokens,
    /// The text of the sequence, where a witness saw it.
    StopSequence(Option<String>),
    ToolUse,
    PauseTurn,
    Refusal,
    ContextWindow,
}
