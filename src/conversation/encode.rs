//! Messages as they were told, to and from the JSON that is kept of them. `[pure]`

use crate::session::returned_block;
use crate::turn::AnswerBlock;
use crate::turn::Block;
use crate::turn::BlockKind;
use crate::turn::CompleteAnswer;
use crate::turn::Message;
use crate::turn::Role;
use serde_json::Value;
use serde_json::json;

/// The answer as the message that its caller would tell again; `None` where nothing was said.
pub(super) fn answer(whole: &CompleteAnswer) -> Option<Message> {
    let blocks: Vec<Block> = whole.blocks.iter().filter_map(block).collect();
    (!blocks.is_empty()).then_some(Message {
        role: Role::Assistant,
        blocks,
    })
}

fn block(built: &AnswerBlock) -> Option<Block> {
    // The API takes no text that says nothing.
    let says_nothing = built.kind == BlockKind::Text && built.text.trim().is_empty();
    (!says_nothing).then(|| returned_block(built))
}

pub(super) fn to_json(message: &Message) -> Value {
    let blocks = message.blocks.iter().map(|block| match block {
        Block::Text(text) => json!({"type": "text", "text": text}),
        other => other.json().cloned().unwrap_or_default(),
    });
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    json!({"role": role, "content": blocks.collect::<Vec<Value>>()})
}

pub(super) fn from_json(value: &Value) -> Option<Message> {
    let role = match value.get("role")?.as_str()? {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        _ => return None,
    };
    let block = |value: &Value| match value.get("type")?.as_str()? {
        "text" => Some(Block::Text(value.get("text")?.as_str()?.to_owned())),
        _ => Some(Block::of(value.clone())),
    };
    let blocks: Option<Vec<Block>> = value
        .get("content")?
        .as_array()?
        .iter()
        .map(block)
        .collect();
    Some(Message {
        role,
        blocks: blocks.filter(|blocks| !blocks.is_empty())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_as_it_was() {
        let blocks = vec![
            Block::Text("a\t\u{0}\r\n".into()),
            Block::of(
                json!({"type": "tool_use", "id": "t", "name": "f", "input": {"b": 1, "a": null}}),
            ),
        ];
        for role in [Role::User, Role::Assistant] {
            let blocks = blocks.clone();
            let message = Message { role, blocks };
            let text = to_json(&message).to_string();
            let value: Value = serde_json::from_str(&text).expect("it was written as JSON");
            assert_eq!(from_json(&value), Some(message));
        }
    }

    #[test]
    fn what_is_no_message_is_none() {
        for value in [json!({}), json!({"role": "user", "content": []}), json!([])] {
            assert_eq!(from_json(&value), None);
        }
    }
}
