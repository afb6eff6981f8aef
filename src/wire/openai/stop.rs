//! Why an answer ended, in the words of both dialects.

use crate::turn::StopReason;

/// How far an answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Whole,
    /// Its length was at its end.
    Cut,
    /// The model would not, or somebody would not let it.
    Filtered,
}

impl Ending {
    pub(super) fn of(stop: &StopReason) -> Ending {
        match stop {
            StopReason::MaxTokens | StopReason::ContextWindow => Ending::Cut,
            StopReason::Refusal => Ending::Filtered,
            StopReason::EndTurn
            | StopReason::StopSequence(_)
            | StopReason::ToolUse
            | StopReason::PauseTurn
            | StopReason::Other(_) => Ending::Whole,
        }
    }

    /// The `finish_reason` of an answer; one that called tools says so, whatever its upstream said.
    pub(super) fn finish_reason(self, called: Option<&'static str>) -> &'static str {
        match (self, called) {
            (Ending::Cut, _) => "length",
            (Ending::Filtered, _) => "content_filter",
            (Ending::Whole, Some(called)) => called,
            (Ending::Whole, None) => "stop",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_decide_where_the_answer_is_whole() {
        let of =
            |stop: &str, called| Ending::of(&StopReason::named(stop, None)).finish_reason(called);
        for (stop, called, reason) in [
            ("end_turn", None, "stop"),
            ("stop_sequence", None, "stop"),
            ("pause_turn", None, "stop"),
            ("new", None, "stop"),
            ("tool_use", Some("tool_calls"), "tool_calls"),
            ("end_turn", Some("tool_calls"), "tool_calls"),
            ("max_tokens", None, "length"),
            ("model_context_window_exceeded", None, "length"),
            ("refusal", None, "content_filter"),
        ] {
            assert_eq!(of(stop, called), reason, "{stop}");
        }
    }
}
