//! What a conversation is, in a few bytes: two that the model would see alike have one fingerprint.

use super::Block;
use super::Message;
use super::Role;
use serde_json::Value;
use sha2::Digest;
use sha2::Sha256;

/// A SHA-256 over roles and blocks. Fields that do not reach the model as content are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(crate) fn of<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Fingerprint {
        let mut hash = Sha256::new();
        for message in messages {
            hash.update(match message.role {
                Role::User => b"U",
                Role::Assistant => b"A",
            });
            for block in &message.blocks {
                add(&mut hash, block);
            }
        }
        Fingerprint(hash.finalize().into())
    }
}

/// Each part goes in with its length, so that no two conversations run together.
fn add(hash: &mut Sha256, block: &Block) {
    let text = match block {
        Block::Text(text) => format!("t{text}"),
        other => format!("n{}", other.json().map(essence).unwrap_or_default()),
    };
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text.as_bytes());
}

/// The block with sorted keys, and without what clients add to it or leave out.
fn essence(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut kept: Vec<(&String, &Value)> = fields
                .iter()
                .filter(|(name, value)| !value.is_null() && !PASSING.contains(&name.as_str()))
                .collect();
            kept.sort_by_key(|(name, _)| *name);
            let kept = kept.into_iter();
            Value::Object(
                kept.map(|(name, value)| (name.clone(), essence(value)))
                    .collect(),
            )
        }
        Value::Array(values) => Value::Array(values.iter().map(essence).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Fields of a block that are the transport's, not the conversation's.
const PASSING: [&str; 2] = ["cache_control", "caller"];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(block: Value) -> Message {
        Message {
            role: Role::Assistant,
            blocks: vec![Block::of(block)],
        }
    }

    #[test]
    fn what_a_client_adds_changes_nothing() {
        let told = json!({"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1, "y": [2]}});
        let back = json!({"input": {"y": [2], "x": 1}, "type": "tool_use", "id": "a", "name": "f",
            "caller": {"type": "direct"}, "cache_control": {"type": "ephemeral"}});
        assert_eq!(
            Fingerprint::of(&[said(told)]),
            Fingerprint::of(&[said(back)])
        );
    }

    #[test]
    fn another_conversation_is_another() {
        let user = |texts: &[&str]| Message {
            role: Role::User,
            blocks: texts
                .iter()
                .map(|text| Block::Text((*text).into()))
                .collect(),
        };
        let all = [
            vec![user(&["ab"])],
            vec![user(&["a", "b"])],
            vec![user(&["a"]), user(&["b"])],
            vec![said(json!({"type": "tool_use", "input": {"x": 1}}))],
            vec![said(json!({"type": "tool_use", "input": {"x": 2}}))],
        ];
        for (one, a) in all.iter().enumerate() {
            for (other, b) in all.iter().enumerate() {
                assert_eq!(Fingerprint::of(a) == Fingerprint::of(b), one == other);
            }
        }
    }
}
