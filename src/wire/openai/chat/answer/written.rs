//! A completion and its chunks, as they are written.

use crate::quote::around;
use crate::quote::quote;
use crate::wire::openai::usage::ChatUsage;
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write;

/// What all chunks of an answer begin with, up to the delta.
pub(super) fn chunk_head(id: &str, created: u64, model: &str) -> String {
    let (id, model) = (Value::from(id), Value::from(model));
    format!(
        "data: {{\"id\":{id},\"object\":\"{CHUNK}\",\"created\":{created},\"model\":{model},\
         \"choices\":[{{\"index\":0,\"delta\":"
    )
}

/// Writes what follows the head of a chunk. `is_usage_due`: a later one tells it.
pub(super) fn chunk(
    delta: &Piece<'_>,
    finish_reason: Option<&str>,
    is_usage_due: bool,
    stream: &mut String,
) {
    delta.write(stream);
    stream.push_str(",\"logprobs\":null,\"finish_reason\":");
    match finish_reason {
        Some(reason) => quote(reason, stream),
        None => stream.push_str("null"),
    }
    stream.push_str(match is_usage_due {
        true => "}],\"usage\":null}\n\n",
        false => "}]}\n\n",
    });
}

/// The chunk that tells the usage.
#[derive(Serialize)]
pub(super) struct UsageChunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [(); 0],
    usage: ChatUsage,
}

impl<'a> UsageChunk<'a> {
    pub(super) fn new(
        id: &'a str,
        created: u64,
        model: &'a str,
        usage: ChatUsage,
    ) -> UsageChunk<'a> {
        UsageChunk {
            id,
            object: CHUNK,
            created,
            model,
            choices: [],
            usage,
        }
    }
}

/// A whole answer.
#[derive(Serialize)]
pub(super) struct Completion<'a> {
    pub(super) id: &'a str,
    pub(super) object: &'static str,
    pub(super) created: u64,
    pub(super) model: &'a str,
    pub(super) choices: [Choice<'a>; 1],
    pub(super) usage: ChatUsage,
}

#[derive(Serialize)]
pub(super) struct Choice<'a> {
    pub(super) index: u8,
    pub(super) message: Message,
    pub(super) logprobs: (),
    pub(super) finish_reason: &'a str,
}

#[derive(Serialize)]
pub(super) struct Message {
    pub(super) role: &'static str,
    pub(super) content: Option<String>,
    pub(super) refusal: (),
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) reasoning_content: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) thinking_blocks: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function_call: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tool_calls: Vec<Value>,
}

/// What a chunk says.
pub(super) enum Piece<'a> {
    /// Who speaks.
    Role,
    Text(&'a str),
    Thought(&'a str),
    /// A piece of the input of the call at this place.
    Input(usize, &'a str),
    /// The same of the one function that was called.
    Legacy(&'a str),
    Tree(Value),
    Nothing,
}

impl<'a> Piece<'a> {
    pub(super) fn input(index: usize, arguments: &'a str, is_legacy: bool) -> Piece<'a> {
        match is_legacy {
            true => Piece::Legacy(arguments),
            false => Piece::Input(index, arguments),
        }
    }

    fn write(&self, json: &mut String) {
        match self {
            Piece::Role => json.push_str(ROLE),
            Piece::Text(text) => around("{\"content\":", text, "}", json),
            Piece::Thought(text) => around("{\"reasoning_content\":", text, "}", json),
            Piece::Input(index, arguments) => {
                let _ = write!(json, "{{\"tool_calls\":[{{\"index\":{index},\"function\":");
                around("{\"arguments\":", arguments, "}}]}", json);
            }
            Piece::Legacy(arguments) => {
                around("{\"function_call\":{\"arguments\":", arguments, "}}", json);
            }
            Piece::Tree(tree) => {
                let _ = write!(json, "{tree}"); // A text takes whatever is written.
            }
            Piece::Nothing => json.push_str("{}"),
        }
    }
}

/// What the first chunk says.
const ROLE: &str = r#"{"role":"assistant","content":"","refusal":null}"#;
/// What a chunk calls itself.
const CHUNK: &str = "chat.completion.chunk";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_piece_is_written_as_its_tree_is() {
        let text = "a \"b\"\n";
        let call = json!([{"index": 12, "function": {"arguments": text}}]);
        let role = json!({"role": "assistant", "content": "", "refusal": null});
        for (piece, tree) in [
            (Piece::Role, role),
            (Piece::Text(text), json!({ "content": text })),
            (Piece::Thought(text), json!({ "reasoning_content": text })),
            (Piece::input(12, text, false), json!({ "tool_calls": call })),
            (
                Piece::input(12, text, true),
                json!({"function_call": {"arguments": text}}),
            ),
            (Piece::Tree(json!({"a": text})), json!({"a": text})),
            (Piece::Nothing, json!({})),
        ] {
            for (reason, is_usage_due) in [(None, true), (Some("stop"), false)] {
                let mut frame = String::new();
                chunk(&piece, reason, is_usage_due, &mut frame);
                let rest = json!({"logprobs": null, "finish_reason": reason}).to_string();
                let usage = if is_usage_due { ",\"usage\":null" } else { "" };
                assert_eq!(frame, format!("{tree},{}]{usage}}}\n\n", &rest[1..]));
            }
        }
    }
}
