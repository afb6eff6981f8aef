//! Items: what a conversation is made of here, as callers send and get them.

use super::thought;
use crate::hex::to_hex;
use crate::quote::around;
use crate::turn::AnswerBlock;
use crate::turn::BlockKind;
use crate::wire::openai::tool::ToldTool;
use crate::wire::openai::tool::ToldTools;
use crate::wire::openai::tool::ToolKind;
use crate::wire::openai::unwrap::Unwrap;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// How far an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    InProgress,
    Completed,
    /// The answer was cut in it.
    Incomplete,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Status::InProgress => "in_progress",
            Status::Completed => "completed",
            Status::Incomplete => "incomplete",
        }
    }
}

/// The stem of the response that an item of an answer belongs to; `None` for an id that is not ours.
pub(crate) fn stem_of(id: &str) -> Option<&str> {
    let (_, rest) = id.split_once('_')?;
    let stem = rest.get(..STEM_CHARACTERS)?;
    stem.bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then_some(stem)
}

/// Whether a block is told as an item: what says nothing is not.
pub(super) fn is_told(block: &AnswerBlock) -> bool {
    match block.kind {
        BlockKind::Text => !block.text.is_empty(),
        BlockKind::Thinking | BlockKind::RedactedThinking { .. } | BlockKind::ToolUse { .. } => {
            true
        }
        BlockKind::Foreign(_) => false,
    }
}

/// The id of the item at this place of an answer.
pub(super) fn id(kind: &BlockKind, tools: &ToldTools, stem: &str, index: usize) -> String {
    let prefix = match kind {
        BlockKind::Text | BlockKind::Foreign(_) => "msg",
        BlockKind::Thinking | BlockKind::RedactedThinking { .. } => "rs",
        BlockKind::ToolUse { name, .. } => match tools.of(name).kind {
            ToolKind::Function => "fc",
            ToolKind::Custom => "ctc",
            ToolKind::LocalShell => "lsh",
            ToolKind::Shell => "sh",
            ToolKind::ApplyPatch => "apc",
        },
    };
    let place = match u8::try_from(index) {
        Ok(byte) => to_hex(&[byte]),
        Err(_) => format!("{index:x}"),
    };
    [prefix, "_", stem, &place].concat()
}

/// The item of a block, as far as it came.
pub(super) fn of(block: &AnswerBlock, id: &str, status: Status, tools: &ToldTools) -> Value {
    match &block.kind {
        BlockKind::Text | BlockKind::Foreign(_) => {
            let message = message(&block.text, id, status);
            serde_json::from_str(&message).expect("what is written must be JSON")
        }
        BlockKind::Thinking | BlockKind::RedactedThinking { .. } => reasoning(block, id, status),
        BlockKind::ToolUse { id: call, name } => {
            let input = match status {
                Status::InProgress => "",
                Status::Completed | Status::Incomplete => &block.text,
            };
            call_item(&tools.of(name), input, call, id, status)
        }
    }
}

/// The same in JSON. Most items are messages, and need no tree.
pub(super) fn written(block: &AnswerBlock, id: &str, status: Status, tools: &ToldTools) -> String {
    match &block.kind {
        BlockKind::Text | BlockKind::Foreign(_) => message(&block.text, id, status),
        BlockKind::Thinking | BlockKind::RedactedThinking { .. } | BlockKind::ToolUse { .. } => {
            of(block, id, status, tools).to_string()
        }
    }
}

/// A text of the model's, in JSON.
fn message(text: &str, id: &str, status: Status) -> String {
    let mut json = String::with_capacity(text.len() + MESSAGE_BYTES_EXPECTED);
    around(
        r#"{"id":"#,
        id,
        r#","type":"message","status":""#,
        &mut json,
    );
    json.push_str(status.name());
    json.push_str(r#"","role":"assistant","content":["#);
    if status != Status::InProgress {
        write_text_part(text, &mut json);
    }
    json.push_str("]}");
    json
}

/// Writes the part that is a text.
pub(super) fn write_text_part(text: &str, json: &mut String) {
    around(
        r#"{"type":"output_text","text":"#,
        text,
        r#","annotations":[],"logprobs":[]}"#,
        json,
    );
}

fn reasoning(block: &AnswerBlock, id: &str, status: Status) -> Value {
    let kept = match &block.kind {
        BlockKind::RedactedThinking { data } => {
            Some(json!({"type": "redacted_thinking", "data": data}))
        }
        _ if block.signature.is_empty() => None,
        _ => {
            Some(json!({"type": "thinking", "thinking": block.text, "signature": block.signature}))
        }
    };
    let is_open = status == Status::InProgress;
    let summary = match is_open || block.text.is_empty() {
        true => json!([]),
        false => json!([{"type": "summary_text", "text": block.text}]),
    };
    let kept = kept.filter(|_| !is_open).map(|block| thought::wrap(&block));
    json!({"id": id, "type": "reasoning", "summary": summary, "encrypted_content": kept})
}

fn call_item(told: &ToldTool, input: &str, call: &str, id: &str, status: Status) -> Value {
    let parsed = || serde_json::from_str::<Map<String, Value>>(input).unwrap_or_default();
    let mut item = match told.kind {
        ToolKind::Function => {
            let arguments = match input {
                "" if status == Status::Completed => "{}",
                input => input,
            };
            json!({"id": id, "type": "function_call", "status": status.name(), "call_id": call, "name": told.name,
                "arguments": arguments})
        }
        ToolKind::Custom => {
            json!({"id": id, "type": "custom_tool_call", "call_id": call, "name": told.name,
            "input": Unwrap::default().push(input)})
        }
        ToolKind::LocalShell => {
            let mut action = json!({"type": "exec", "command": [], "env": {}});
            fill(&mut action, parsed());
            json!({"id": id, "type": "local_shell_call", "status": status.name(), "call_id": call, "action": action})
        }
        ToolKind::Shell => {
            let mut action = json!({"commands": [], "timeout_ms": null, "max_output_length": null});
            fill(&mut action, parsed());
            json!({"id": id, "type": "shell_call", "status": status.name(), "call_id": call, "action": action,
                "environment": {"type": "local"}})
        }
        ToolKind::ApplyPatch => {
            let mut operation = json!({"type": "update_file", "path": "", "diff": ""});
            fill(&mut operation, parsed());
            json!({"id": id, "type": "apply_patch_call", "status": status.name(), "call_id": call,
                "operation": operation})
        }
    };
    if let Some(namespace) = &told.namespace {
        item["namespace"] = namespace.as_str().into();
    }
    item
}

fn fill(action: &mut Value, said: Map<String, Value>) {
    for (name, value) in said {
        action[name.as_str()] = value;
    }
}

/// Bytes of a message beside its text.
const MESSAGE_BYTES_EXPECTED: usize = 224;
/// Characters of the part of an id that is the response's: a UUID without its dashes.
const STEM_CHARACTERS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_of_ours_tells_its_response() {
        let stem = "0123456789abcdef0123456789abcdef";
        let id = id(&BlockKind::Text, &ToldTools::default(), stem, 3);
        assert_eq!(id, format!("msg_{stem}03"));
        let late = super::id(&BlockKind::Text, &ToldTools::default(), stem, 0x1a2);
        assert_eq!(late, format!("msg_{stem}1a2"));
        assert_eq!(stem_of(&id), Some(stem));
        for foreign in ["msg_1", "x", "msg_0123456789abcdefg123456789abcdef", ""] {
            assert_eq!(stem_of(foreign), None, "{foreign}");
        }
    }
}
