//! What claude posts to us while it works, as a type. `[pure]`

use serde_json::Value;

/// One posted event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hook {
    /// The CLI's id of the conversation; it changes with `/clear` and `/resume`.
    pub(crate) conversation: String,
    /// Where the conversation's transcript is, or will be.
    pub(crate) transcript: String,
    pub(crate) event: HookEvent,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum HookEvent {
    /// A prompt was submitted; the model is asked only after our answer.
    Submitted { prompt: String },
    /// More of the reply's source text.
    Displayed {
        message: String,
        index: u64,
        last: bool,
        text: String,
    },
    /// The result of this tool call is with the turn.
    Used { id: String },
    /// The turn ended.
    Stopped { text: String },
    /// The turn failed.
    Failed { error: String, text: String },
    /// The conversation ended: `clear`, `resume`, or the reason of an exit.
    Ended { reason: String },
    /// Anything else.
    Other { name: String },
}

impl Hook {
    /// Reads a posted body; `None` where it is not a hook's.
    pub(crate) fn parse(body: &[u8]) -> Option<Hook> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let name = body.get("hook_event_name")?.as_str()?;
        Some(Hook {
            conversation: text(&body, "session_id"),
            transcript: text(&body, "transcript_path"),
            event: event(name, &body),
        })
    }
}

impl HookEvent {
    /// What happened, without its texts.
    pub(crate) fn name(&self) -> &str {
        match self {
            HookEvent::Submitted { .. } => "submitted",
            HookEvent::Displayed { .. } => "displayed",
            HookEvent::Used { .. } => "used",
            HookEvent::Stopped { .. } => "stopped",
            HookEvent::Failed { error, .. } => error,
            HookEvent::Ended { reason } => reason,
            HookEvent::Other { name } => name,
        }
    }
}

fn event(name: &str, body: &Value) -> HookEvent {
    match name {
        "UserPromptSubmit" => HookEvent::Submitted {
            prompt: text(body, "prompt"),
        },
        "MessageDisplay" => HookEvent::Displayed {
            message: text(body, "message_id"),
            index: body.get("index").and_then(Value::as_u64).unwrap_or(0),
            last: body.get("final").and_then(Value::as_bool).unwrap_or(false),
            text: text(body, "delta"),
        },
        "PostToolUse" | "PostToolUseFailure" => HookEvent::Used {
            id: text(body, "tool_use_id"),
        },
        "Stop" => HookEvent::Stopped {
            text: text(body, "last_assistant_message"),
        },
        "StopFailure" => HookEvent::Failed {
            error: text(body, "error"),
            text: text(body, "last_assistant_message"),
        },
        "SessionEnd" => HookEvent::Ended {
            reason: text(body, "reason"),
        },
        other => HookEvent::Other {
            name: other.to_owned(),
        },
    }
}

fn text(body: &Value, name: &str) -> String {
    body.get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// The events that a session's settings ask for.
pub(crate) const EVENTS: [&str; 7] = [
    "UserPromptSubmit",
    "MessageDisplay",
    "PostToolUse",
    "PostToolUseFailure",
    "Stop",
    "StopFailure",
    "SessionEnd",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delta_keeps_its_bytes() {
        let body = r#"{"session_id":"s","transcript_path":"/t","hook_event_name":"MessageDisplay",
            "message_id":"m","index":2,"final":true,"delta":"a\tb\r\n"}"#;
        let hook = Hook::parse(body.as_bytes()).expect("the body is a hook's");
        let text = "a\tb\r\n".to_owned();
        assert_eq!(
            hook.event,
            HookEvent::Displayed {
                message: "m".into(),
                index: 2,
                last: true,
                text
            }
        );
    }

    #[test]
    fn what_is_not_a_hook_is_none() {
        assert_eq!(Hook::parse(b"{}"), None);
        assert_eq!(Hook::parse(b"\xff"), None);
    }
}
