//! What claude posts to us while it works, as a type. `[pure]`

use crate::turn::json;
use crate::turn::json::Replaced;
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
        /// What of the text is not as it was written.
        replaced: Replaced,
    },
    /// The result of this tool call is with the turn.
    Used { id: String },
    /// All calls of a message have their results; the model is asked on only after our answer.
    Batched,
    /// The turn ended.
    Stopped { text: String },
    /// The turn failed.
    Failed { error: String, text: String },
    /// The conversation ended: `clear`, `resume`, or the reason of an exit.
    Ended { reason: String },
    /// Anything else.
    Other { name: String },
    /// Nobody can read it: whatever it told is missing.
    Broken,
}

impl Hook {
    /// Reads a posted body; `None` where it is not a hook's.
    pub(crate) fn parse(body: &[u8]) -> Option<Hook> {
        let Ok((body, replaced)) = json::read(body) else {
            return Some(Hook::broken());
        };
        let name = body.get("hook_event_name")?.as_str()?;
        Some(Hook {
            conversation: text(&body, "session_id"),
            transcript: text(&body, "transcript_path"),
            event: event(name, &body, replaced),
        })
    }

    /// One that nobody can read, of a conversation that nobody knows.
    fn broken() -> Hook {
        Hook {
            conversation: String::new(),
            transcript: String::new(),
            event: HookEvent::Broken,
        }
    }

    /// Whether the CLI waits for our word before it asks the model.
    pub(crate) fn asks(&self) -> bool {
        matches!(self.event, HookEvent::Submitted { .. } | HookEvent::Batched)
    }
}

impl HookEvent {
    /// What happened, without its texts.
    pub(crate) fn name(&self) -> &str {
        match self {
            HookEvent::Submitted { .. } => "submitted",
            HookEvent::Displayed { .. } => "displayed",
            HookEvent::Used { .. } => "used",
            HookEvent::Batched => "batched",
            HookEvent::Broken => "broken",
            HookEvent::Stopped { .. } => "stopped",
            HookEvent::Failed { error, .. } => error,
            HookEvent::Ended { reason } => reason,
            HookEvent::Other { name } => name,
        }
    }
}

fn event(name: &str, body: &Value, replaced: Replaced) -> HookEvent {
    match name {
        "UserPromptSubmit" => HookEvent::Submitted {
            prompt: text(body, "prompt"),
        },
        "MessageDisplay" => HookEvent::Displayed {
            message: text(body, "message_id"),
            index: body.get("index").and_then(Value::as_u64).unwrap_or(0),
            last: body.get("final").and_then(Value::as_bool).unwrap_or(false),
            text: text(body, "delta"),
            replaced,
        },
        "PostToolUse" | "PostToolUseFailure" => HookEvent::Used {
            id: text(body, "tool_use_id"),
        },
        "PostToolBatch" => HookEvent::Batched,
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
pub(crate) const EVENTS: [&str; 8] = [
    "UserPromptSubmit",
    "MessageDisplay",
    "PostToolUse",
    "PostToolUseFailure",
    "PostToolBatch",
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
                text,
                replaced: Replaced::default(),
            }
        );
    }

    #[test]
    fn what_is_not_a_hook_is_none() {
        assert_eq!(Hook::parse(b"{}"), None);
        let broken = Hook::parse(b"\xff").map(|hook| hook.event);
        assert_eq!(broken, Some(HookEvent::Broken));
    }
}
