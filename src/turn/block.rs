//! One part of a message: a text, or a block of a known kind that is kept whole, as its caller wrote it.

use serde_json::Value;

/// One part of a message.
///
/// Every kind but a text keeps the JSON object that its caller wrote, so that a lane which passes blocks on changes
/// nothing of them. What lanes and dialects ask of it, they ask by the methods here.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Block {
    Text(String),
    Image(Value),
    Document(Value),
    /// The model's call of a tool.
    ToolUse(Value),
    /// What a tool answered.
    ToolResult(Value),
    /// The model's thinking, readable or redacted.
    Thinking(Value),
    /// A block that only the dialect it came in knows.
    Foreign(Value),
}

/// A call of a tool, as far as every dialect knows one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ToolCall<'a> {
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) input: &'a Value,
}

impl Block {
    /// The block that this JSON object is, by its `type`. A text is one only where it carries nothing but its text.
    pub(crate) fn of(json: Value) -> Block {
        match json.get("type").and_then(Value::as_str) {
            Some("image") => Block::Image(json),
            Some("document") => Block::Document(json),
            Some("tool_use") => Block::ToolUse(json),
            Some("tool_result") => Block::ToolResult(json),
            Some("thinking" | "redacted_thinking") => Block::Thinking(json),
            _ => Block::Foreign(json),
        }
    }

    /// The JSON object of every block but a text.
    pub(crate) fn json(&self) -> Option<&Value> {
        match self {
            Block::Text(_) => None,
            Block::Image(json)
            | Block::Document(json)
            | Block::ToolUse(json)
            | Block::ToolResult(json)
            | Block::Thinking(json)
            | Block::Foreign(json) => Some(json),
        }
    }

    /// The same call under another name and with another input, or the block as it is where it is no call.
    pub(crate) fn call_mut(&mut self) -> Option<&mut Value> {
        match self {
            Block::ToolUse(json) => Some(json),
            Block::Text(_)
            | Block::Image(_)
            | Block::Document(_)
            | Block::ToolResult(_)
            | Block::Thinking(_)
            | Block::Foreign(_) => None,
        }
    }

    /// The call of a tool, where the block is one that says its id and its name.
    pub(crate) fn call(&self) -> Option<ToolCall<'_>> {
        let Block::ToolUse(json) = self else {
            return None;
        };
        Some(ToolCall {
            id: json.get("id")?.as_str()?,
            name: json.get("name")?.as_str()?,
            input: json.get("input").unwrap_or(&Value::Null),
        })
    }

    /// The id of the call that the block is the result of.
    pub(crate) fn result_of(&self) -> Option<&str> {
        match self {
            Block::ToolResult(json) => json.get("tool_use_id")?.as_str(),
            Block::Text(_)
            | Block::Image(_)
            | Block::Document(_)
            | Block::ToolUse(_)
            | Block::Thinking(_)
            | Block::Foreign(_) => None,
        }
    }

    /// Whether the block is the result of a call.
    pub(crate) fn is_result(&self) -> bool {
        matches!(self, Block::ToolResult(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_block_keeps_its_json_and_tells_its_kind() {
        for (kind, is_call, is_result) in [
            ("image", false, false),
            ("tool_use", true, false),
            ("tool_result", false, true),
            ("thinking", false, false),
            ("new_one", false, false),
        ] {
            let json = json!({"type": kind, "id": "a", "name": "f", "tool_use_id": "a", "x": 1});
            let block = Block::of(json.clone());
            assert_eq!(block.json(), Some(&json));
            assert_eq!(block.call().is_some(), is_call, "{kind}");
            assert_eq!(block.result_of().is_some(), is_result, "{kind}");
        }
        assert_eq!(Block::Text("a".into()).json(), None);
    }
}
