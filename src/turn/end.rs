//! How an answer ended, when it ended well.

use super::MessageId;
use super::Usage;
use serde_json::Value;

/// The last event of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct End {
    pub(crate) stop: StopReason,
    /// What the upstream says beside the reason, as its JSON object.
    pub(crate) details: Option<Value>,
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
    /// A reason that has no name here, as the upstream names it.
    Other(String),
}

impl StopReason {
    /// Whether the answer ends where its length did, wherever that is.
    pub(crate) fn is_cut(&self) -> bool {
        matches!(self, StopReason::MaxTokens | StopReason::ContextWindow)
    }

    /// The reason of this name; one that is not known keeps its name.
    pub(crate) fn named(name: &str, sequence: Option<String>) -> StopReason {
        match name {
            "max_tokens" => StopReason::MaxTokens,
            "stop_sequence" => StopReason::StopSequence(sequence),
            "tool_use" => StopReason::ToolUse,
            "pause_turn" => StopReason::PauseTurn,
            "refusal" => StopReason::Refusal,
            "model_context_window_exceeded" => StopReason::ContextWindow,
            "end_turn" => StopReason::EndTurn,
            other => StopReason::Other(other.to_owned()),
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        match self {
            StopReason::EndTurn => "end_turn",
            StopReason::MaxTokens => "max_tokens",
            StopReason::StopSequence(_) => "stop_sequence",
            StopReason::ToolUse => "tool_use",
            StopReason::PauseTurn => "pause_turn",
            StopReason::Refusal => "refusal",
            StopReason::ContextWindow => "model_context_window_exceeded",
            StopReason::Other(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_goes_by_its_name() {
        for reason in [
            StopReason::EndTurn,
            StopReason::MaxTokens,
            StopReason::StopSequence(None),
            StopReason::ToolUse,
            StopReason::PauseTurn,
            StopReason::Refusal,
            StopReason::ContextWindow,
        ] {
            assert_eq!(StopReason::named(reason.name(), None), reason);
        }
        let new = StopReason::named("new", None);
        assert_eq!(new, StopReason::Other("new".into()));
        assert_eq!(new.name(), "new");
    }
}
