//! The content of a message: its blocks, and which tool call goes with which result.

use super::field::Path;
use super::field::Version;
use super::field::echo;
use super::field::invalid;
use super::field::object;
use super::field::string;
use super::field::unexpected_tag;
use super::present;
use super::required;
use crate::turn::Block;
use crate::turn::Fault;
use crate::turn::Role;
use serde_json::Map;
use serde_json::Value;

/// Blocks that a message may hold, by their `type`.
const KINDS: &[&str] = &[
    "advisor_tool_result",
    "bash_code_execution_tool_result",
    "code_execution_tool_result",
    "compaction",
    "container_upload",
    "document",
    "fallback",
    "image",
    "mcp_tool_result",
    "mcp_tool_use",
    "mid_conv_system",
    "redacted_thinking",
    "search_result",
    "server_tool_use",
    "text",
    "text_editor_code_execution_tool_result",
    "thinking",
    "tool_addition",
    "tool_reference",
    "tool_removal",
    "tool_result",
    "tool_search_tool_result",
    "tool_use",
    "web_fetch_tool_result",
    "web_search_tool_result",
];
/// Pictures that the API reads.
const IMAGE_TYPES: &[&str] = &["image/jpeg", "image/png", "image/gif", "image/webp"];

/// Reads a message's content; it is empty only for a last message of the assistant.
pub(super) fn content(
    message: &Map<String, Value>,
    role: Role,
    last: bool,
    at: &Path<'_>,
    version: Version,
) -> Result<Vec<Block>, Fault> {
    let path = at.field("content");
    let blocks = match required(message, &path, "content")? {
        Value::String(text) if text.is_empty() => Vec::new(),
        Value::String(text) => vec![Block::Text(spoken(text)?.to_owned())],
        Value::Array(values) => {
            let read = |(index, value)| block(value, role, &path.item(index), version);
            values
                .iter()
                .enumerate()
                .map(read)
                .collect::<Result<_, _>>()?
        }
        _ => return Err(path.wrong("Input should be a valid string or a list of content blocks")),
    };
    match role {
        Role::User if blocks.is_empty() => Err(at.wrong("user messages must have non-empty content")),
        Role::Assistant if blocks.is_empty() && !last => Err(at.wrong(
            "all messages must have non-empty content except for the optional final assistant message",
        )),
        Role::User | Role::Assistant => Ok(blocks),
    }
}

fn block(value: &Value, role: Role, at: &Path<'_>, version: Version) -> Result<Block, Fault> {
    let fields = object(value, at)?;
    let path = at.field("type");
    let kind = string(required(fields, &path, "type")?, &path)?;
    match kind {
        "text" => return Ok(Block::Text(text(fields, role, at, version)?.to_owned())),
        "image" => image(fields, at)?,
        "document" => document(fields, role, at, version)?,
        "search_result" => search_result(fields, role, at, version)?,
        "tool_use" => tool_use(fields, role, at)?,
        "tool_result" => tool_result(fields, role, at, version)?,
        "thinking" => {
            only(role, Role::Assistant, kind, at)?;
            text_field(fields, "thinking", at)?;
            text_field(fields, "signature", at)?;
        }
        "redacted_thinking" => {
            only(role, Role::Assistant, kind, at)?;
            text_field(fields, "data", at)?;
        }
        "server_tool_use" | "mcp_tool_use" => {
            text_field(fields, "id", at)?;
            text_field(fields, "name", at)?;
        }
        kind if KINDS.contains(&kind) => {} // The upstream knows more of it than we do.
        other => return Err(path.wrong(unexpected_tag(other, KINDS))),
    }
    Ok(Block::Native(value.clone()))
}

fn text<'a>(
    fields: &'a Map<String, Value>,
    role: Role,
    at: &Path<'_>,
    version: Version,
) -> Result<&'a str, Fault> {
    let text = spoken(text_field(fields, "text", at)?)?;
    let cites = present(fields, "citations")
        .and_then(Value::as_array)
        .is_some_and(|list| !list.is_empty());
    if cites && role == Role::User && version == Version::V2026_10_21 {
        return Err(at
            .field("citations")
            .wrong("citations are not permitted on text blocks of a user message"));
    }
    Ok(text)
}

/// The API takes no text that says nothing.
fn spoken(text: &str) -> Result<&str, Fault> {
    if text.is_empty() {
        return Err(invalid("messages: text content blocks must be non-empty"));
    }
    if text.trim().is_empty() {
        return Err(invalid(
            "messages: text content blocks must contain non-whitespace text",
        ));
    }
    Ok(text)
}

fn image(fields: &Map<String, Value>, at: &Path<'_>) -> Result<(), Fault> {
    let at = at.field("source");
    let source = object(required(fields, &at, "source")?, &at)?;
    match text_field(source, "type", &at)? {
        "base64" => {
            if !IMAGE_TYPES.contains(&text_field(source, "media_type", &at)?) {
                return Err(at.field("media_type").wrong(
                    "Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'",
                ));
            }
            base64(source, &at)
        }
        "url" => filled(source, "url", &at),
        "file" => filled(source, "file_id", &at),
        other => Err(at
            .field("type")
            .wrong(unexpected_tag(other, &["base64", "file", "url"]))),
    }
}

fn document(
    fields: &Map<String, Value>,
    role: Role,
    at: &Path<'_>,
    version: Version,
) -> Result<(), Fault> {
    if role == Role::Assistant && version == Version::V2026_10_21 {
        return Err(at
            .field("type")
            .wrong("document blocks are not permitted in assistant messages"));
    }
    let at = at.field("source");
    let source = object(required(fields, &at, "source")?, &at)?;
    match text_field(source, "type", &at)? {
        "base64" => {
            text_field(source, "media_type", &at)?;
            base64(source, &at)
        }
        "text" => text_field(source, "data", &at).map(drop),
        "url" => filled(source, "url", &at),
        "file" => filled(source, "file_id", &at),
        "content" => required(source, &at.field("content"), "content").map(drop),
        other => {
            let known = ["base64", "content", "file", "text", "url"];
            Err(at.field("type").wrong(unexpected_tag(other, &known)))
        }
    }
}

fn search_result(
    fields: &Map<String, Value>,
    role: Role,
    at: &Path<'_>,
    version: Version,
) -> Result<(), Fault> {
    let at = at.field("content");
    let Value::Array(values) = required(fields, &at, "content")? else {
        return Err(at.wrong("Input should be a valid list"));
    };
    for (index, value) in values.iter().enumerate() {
        let at = at.item(index);
        text(object(value, &at)?, role, &at, version)?;
    }
    Ok(())
}

fn tool_use(fields: &Map<String, Value>, role: Role, at: &Path<'_>) -> Result<(), Fault> {
    only(role, Role::Assistant, "tool_use", at)?;
    filled(fields, "id", at)?;
    filled(fields, "name", at)?;
    let path = at.field("input");
    object(required(fields, &path, "input")?, &path).map(drop)
}

fn tool_result(
    fields: &Map<String, Value>,
    role: Role,
    at: &Path<'_>,
    version: Version,
) -> Result<(), Fault> {
    only(role, Role::User, "tool_result", at)?;
    filled(fields, "tool_use_id", at)?;
    let path = at.field("is_error");
    if present(fields, "is_error").is_some_and(|value| !value.is_boolean()) {
        return Err(path.wrong("Input should be a valid boolean"));
    }
    let path = at.field("content");
    let values = match present(fields, "content") {
        None | Some(Value::String(_)) => return Ok(()),
        Some(Value::Array(values)) => values,
        Some(_) => {
            return Err(path.wrong("Input should be a valid string or a list of content blocks"));
        }
    };
    for (index, value) in values.iter().enumerate() {
        let at = path.item(index);
        let fields = object(value, &at)?;
        match text_field(fields, "type", &at)? {
            "text" => text_field(fields, "text", &at).map(drop)?,
            "image" => image(fields, &at)?,
            "document" => document(fields, role, &at, version)?,
            "search_result" => search_result(fields, role, &at, version)?,
            "tool_reference" => {}
            other => {
                let known = [
                    "document",
                    "image",
                    "search_result",
                    "text",
                    "tool_reference",
                ];
                return Err(at.field("type").wrong(unexpected_tag(other, &known)));
            }
        }
    }
    Ok(())
}

fn only(role: Role, allowed: Role, kind: &str, at: &Path<'_>) -> Result<(), Fault> {
    let name = match allowed {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    if role == allowed {
        return Ok(());
    }
    Err(at.wrong(format!("`{kind}` blocks can only be in `{name}` messages")))
}

fn text_field<'a>(
    fields: &'a Map<String, Value>,
    name: &str,
    at: &Path<'_>,
) -> Result<&'a str, Fault> {
    let path = at.field(name);
    string(required(fields, &path, name)?, &path)
}

fn filled(fields: &Map<String, Value>, name: &str, at: &Path<'_>) -> Result<(), Fault> {
    if text_field(fields, name, at)?.is_empty() {
        return Err(at
            .field(name)
            .wrong("String should have at least 1 character"));
    }
    Ok(())
}

/// Either alphabet, with or without padding and line breaks: what a decoder says is the upstream's word.
fn base64(source: &Map<String, Value>, at: &Path<'_>) -> Result<(), Fault> {
    filled(source, "data", at)?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=\r\n".contains(&byte);
    if text_field(source, "data", at)?.bytes().all(fits) {
        return Ok(());
    }
    Err(at
        .field("data")
        .wrong("Input should be base64-encoded data"))
}

/// Every tool call of a turn is answered in the next turn, and nothing else is.
#[derive(Debug, Default)]
pub(super) struct Pairing {
    latest: Option<Role>,
    /// Calls of the assistant's latest turn.
    called: Vec<String>,
    /// Those of them that have no result yet.
    open: Vec<String>,
    /// The message in which the first of them was made.
    at: usize,
    /// Until the assistant speaks, results may be of calls that were made before all this.
    goes_on: bool,
}

impl Pairing {
    /// For messages that may go on with others, which are known elsewhere.
    pub(super) fn going_on() -> Pairing {
        Pairing {
            goes_on: true,
            ..Pairing::default()
        }
    }

    /// Takes the next message; neighbours of one role are one turn.
    pub(super) fn message(
        &mut self,
        role: Role,
        blocks: &[Block],
        index: usize,
    ) -> Result<(), Fault> {
        let begins = self.latest.replace(role) != Some(role);
        if begins && role == Role::Assistant {
            self.goes_on = false;
            self.all_answered()?;
            self.called.clear();
            self.at = index;
        }
        for (place, block) in blocks.iter().enumerate() {
            let Block::Native(value) = block else {
                continue;
            };
            if let Some(id) = id_of(value, "tool_use", "id") {
                self.called.push(id.to_owned());
                self.open.push(id.to_owned());
            }
            if let Some(id) = id_of(value, "tool_result", "tool_use_id") {
                self.answered(id, index, place)?;
            }
        }
        Ok(())
    }

    /// The conversation is over; calls that the assistant has just made are not answered yet.
    pub(super) fn end(self) -> Result<(), Fault> {
        match self.latest {
            Some(Role::User) => self.all_answered(),
            Some(Role::Assistant) | None => Ok(()),
        }
    }

    fn answered(&mut self, id: &str, index: usize, place: usize) -> Result<(), Fault> {
        if !self.goes_on && !self.called.iter().any(|called| called == id) {
            return Err(invalid(format!(
                "messages.{index}.content.{place}: unexpected `tool_use_id` found in `tool_result` blocks: {}. \
                 Each `tool_result` block must have a corresponding `tool_use` block in the previous message.",
                echo(id)
            )));
        }
        self.open.retain(|open| open != id);
        Ok(())
    }

    fn all_answered(&self) -> Result<(), Fault> {
        if self.open.is_empty() {
            return Ok(());
        }
        let open: Vec<String> = self.open.iter().map(|id| echo(id)).collect();
        Err(invalid(format!(
            "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each \
             `tool_use` block must have a corresponding `tool_result` block in the next message.",
            self.at,
            open.join(", ")
        )))
    }
}

fn id_of<'a>(value: &'a Value, kind: &str, name: &str) -> Option<&'a str> {
    if value.get("type")?.as_str()? != kind {
        return None;
    }
    value.get(name)?.as_str()
}
