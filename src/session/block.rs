//! The model's blocks in JSON: as claude tells them, and as a caller brings them back. `[pure]`

use super::mcp::name;
use crate::turn::AnswerBlock;
use crate::turn::Block;
use crate::turn::BlockKind;
use crate::turn::json;
use serde_json::Value;
use serde_json::json;

/// What a block is, with a tool under the name that the caller gave it; `None` for one that is not the model's to a
/// caller.
pub(crate) fn kind(block: &Value) -> Option<BlockKind> {
    Some(match block.get("type")?.as_str()? {
        "text" => BlockKind::Text,
        "thinking" => BlockKind::Thinking,
        "redacted_thinking" => BlockKind::RedactedThinking {
            data: text(block, "data"),
        },
        "tool_use" => BlockKind::ToolUse {
            id: text(block, "id"),
            name: name::plain(&text(block, "name")).to_owned(),
        },
        _ => BlockKind::Foreign(block.clone()),
    })
}

/// A block that came whole; `None` where it has no type.
pub(crate) fn built(block: &Value) -> Option<AnswerBlock> {
    let kind = kind(block)?;
    let text_of_kind = match &kind {
        BlockKind::Text => text(block, "text"),
        BlockKind::Thinking => text(block, "thinking"),
        BlockKind::RedactedThinking { .. } | BlockKind::Foreign(_) => String::new(),
        BlockKind::ToolUse { .. } => block.get("input")?.to_string(),
    };
    Some(AnswerBlock {
        kind,
        text: text_of_kind,
        signature: text(block, "signature"),
        foreign: citations(block),
    })
}

/// The citations of a text, each as the piece in which a stream would tell it.
fn citations(block: &Value) -> Vec<Value> {
    let citations = block.get("citations").and_then(Value::as_array);
    let citations = citations.filter(|_| block["type"] == "text").into_iter();
    citations
        .flatten()
        .map(|citation| json!({"type": "citations_delta", "citation": citation}))
        .collect()
}

/// A block that was told, as its caller brings it back.
pub(crate) fn returned_block(built: &AnswerBlock) -> Block {
    Block::of(match &built.kind {
        BlockKind::Text => return Block::Text(built.text.clone()),
        BlockKind::Thinking => {
            json!({"type": "thinking", "thinking": built.text, "signature": built.signature})
        }
        BlockKind::RedactedThinking { data } => json!({"type": "redacted_thinking", "data": data}),
        BlockKind::ToolUse { id, name } => {
            let input = json::read(built.text.as_bytes()).map_or_else(|_| json!({}), |read| read.0);
            json!({"type": "tool_use", "id": id, "name": name, "input": input})
        }
        BlockKind::Foreign(block) => block.clone(),
    })
}

/// The text in this field; empty where there is none.
pub(super) fn text(value: &Value, name: &str) -> String {
    let text = value.get(name).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_comes_back_as_it_was_told() {
        for block in [
            json!({"type": "thinking", "thinking": "hm", "signature": "s"}),
            json!({"type": "redacted_thinking", "data": "d"}),
            json!({"type": "tool_use", "id": "t1", "name": "f", "input": {"b": 1, "a": 2}}),
        ] {
            let built = built(&block).expect("each is the model's to a caller");
            assert_eq!(returned_block(&built), Block::of(block));
        }
        let text = built(&json!({"type": "text", "text": "a\n"})).expect("a text is, too");
        assert_eq!(returned_block(&text), Block::Text("a\n".into()));
        let foreign = json!({"type": "server_tool_use", "id": "s", "input": {"a": 1}});
        let block = built(&foreign).expect("what only the API knows is, too");
        assert_eq!(returned_block(&block), Block::Foreign(foreign));
        assert_eq!(built(&json!({"text": "a"})), None);
    }

    #[test]
    fn a_tool_has_the_name_that_its_caller_gave_it() {
        let call = json!({"type": "tool_use", "id": "t1", "name": "mcp__relay__f", "input": {}});
        let (id, name) = ("t1".into(), "f".into());
        assert_eq!(kind(&call), Some(BlockKind::ToolUse { id, name }));
    }
}
