//! A completion and its chunks, as they are written.

use crate::quote::around;
use crate::quote::count;
use crate::quote::quote;
use crate::turn::Usage;
use crate::wire::openai::usage::write_chat;
use serde_json::Value;
use std::fmt::Write;

/// What tells an answer from others: it stands in all that is told of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Label<'a> {
    pub(super) id: &'a str,
    /// Seconds since 1970.
    pub(super) created: u64,
    pub(super) model: &'a str,
}

impl Label<'_> {
    /// Writes what an object of this kind begins with, up to its choices.
    fn begin(self, object: &str, json: &mut String) {
        around(r#"{"id":"#, self.id, r#","object":""#, json);
        json.push_str(object);
        json.push_str(r#"","created":"#);
        count(self.created, json);
        around(r#","model":"#, self.model, r#","choices":["#, json);
    }

    /// What all chunks of an answer begin with, up to the delta.
    pub(super) fn chunk_head(self) -> String {
        let mut head = String::from("data: ");
        self.begin(CHUNK, &mut head);
        head.push_str(r#"{"index":0,"delta":"#);
        head
    }

    /// Writes the chunk that tells the usage.
    pub(super) fn write_usage(self, usage: &Usage, stream: &mut String) {
        stream.push_str("data: ");
        self.begin(CHUNK, stream);
        stream.push_str(r#"],"usage":"#);
        write_chat(usage, stream);
        stream.push_str("}\n\n");
    }

    /// A whole answer.
    pub(super) fn completion(self, message: &Message, reason: &str, usage: &Usage) -> String {
        let mut json = String::with_capacity(message.text_bytes() + COMPLETION_BYTES_EXPECTED);
        self.begin("chat.completion", &mut json);
        json.push_str(r#"{"index":0,"message":"#);
        message.write(&mut json);
        around(
            r#","logprobs":null,"finish_reason":"#,
            reason,
            r#"}],"usage":"#,
            &mut json,
        );
        write_chat(usage, &mut json);
        json.push('}');
        json
    }
}

/// Writes what follows the head of a chunk. `is_usage_due`: a later one tells it.
pub(super) fn chunk(
    delta: &Piece<'_>,
    finish_reason: Option<&str>,
    is_usage_due: bool,
    stream: &mut String,
) {
    delta.write(stream);
    let usage = if is_usage_due { ",\"usage\":null" } else { "" };
    match finish_reason {
        Some(reason) => around(
            ",\"logprobs\":null,\"finish_reason\":",
            reason,
            "}]",
            stream,
        ),
        None => stream.push_str(",\"logprobs\":null,\"finish_reason\":null}]"),
    }
    stream.push_str(usage);
    stream.push_str("}\n\n");
}

/// What an answer says.
pub(super) struct Message {
    pub(super) content: Option<String>,
    pub(super) reasoning_content: String,
    pub(super) thinking_blocks: Vec<Value>,
    pub(super) function_call: Option<Value>,
    pub(super) tool_calls: Vec<Value>,
}

impl Message {
    fn text_bytes(&self) -> usize {
        self.content.as_ref().map_or(0, String::len) + self.reasoning_content.len()
    }

    /// Writes it; what it has none of is left away.
    fn write(&self, json: &mut String) {
        json.push_str(r#"{"role":"assistant","content":"#);
        match &self.content {
            Some(text) => quote(text, json),
            None => json.push_str("null"),
        }
        json.push_str(r#","refusal":null"#);
        if !self.reasoning_content.is_empty() {
            around(
                r#","reasoning_content":"#,
                &self.reasoning_content,
                "",
                json,
            );
        }
        write_list("thinking_blocks", &self.thinking_blocks, json);
        if let Some(call) = &self.function_call {
            let _ = write!(json, r#","function_call":{call}"#); // A text takes whatever is written.
        }
        write_list("tool_calls", &self.tool_calls, json);
        json.push('}');
    }
}

fn write_list(name: &str, list: &[Value], json: &mut String) {
    for (index, value) in list.iter().enumerate() {
        match index {
            0 => {
                let _ = write!(json, r#","{name}":[{value}"#);
            }
            _ => {
                let _ = write!(json, ",{value}");
            }
        }
    }
    if !list.is_empty() {
        json.push(']');
    }
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
                json.push_str("{\"tool_calls\":[{\"index\":");
                count(*index as u64, json);
                around(",\"function\":{\"arguments\":", arguments, "}}]}", json);
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

/// Bytes of a whole answer beside its texts.
const COMPLETION_BYTES_EXPECTED: usize = 768;
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
