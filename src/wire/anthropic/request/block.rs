//! The content of a message: its blocks, and which tool call goes with which result.

use super::field::Path;
use super::field::Version;
use super::field::echo;
use super::field::invalid;
use super::field::object;
use super::field::string;
use super::field::unexpected_tag;
use super::media;
use super::present;
use super::required;
use super::talk::Remarks;
use crate::turn::Block;
use crate::turn::Fault;
use crate::turn::Role;
use crate::turn::holds_changed;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::collections::HashSet;

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
/// Blocks that a message of the system may hold.
const SYSTEM_KINDS: &[&str] = &["text", "tool_addition", "tool_removal"];
/// Those of them that are no words.
const CHANGES: &[&str] = &["tool_addition", "tool_removal"];
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

/// Reads a `system` message's content: texts, and changes of what the model may do, which no lane carries.
pub(super) fn remarks(message: &Map<String, Value>, at: &Path<'_>) -> Result<Remarks, Fault> {
    let path = at.field("content");
    let (mut texts, mut unheard) = (Vec::new(), Vec::new());
    let values = match required(message, &path, "content")? {
        Value::String(text) => {
            texts.push(spoken(text)?.to_owned());
            return Ok(Remarks { texts, unheard });
        }
        Value::Array(values) => values,
        _ => return Err(path.wrong("Input should be a valid string or a list of text blocks")),
    };
    for (index, value) in values.iter().enumerate() {
        let at = path.item(index);
        let fields = object(value, &at)?;
        match text_field(fields, "type", &at)? {
            "text" => texts.push(spoken(text_field(fields, "text", &at)?)?.to_owned()),
            kind if CHANGES.contains(&kind) => unheard.push(format!("{at}.{kind}")),
            other => return Err(at.field("type").wrong(unexpected_tag(other, SYSTEM_KINDS))),
        }
    }
    Ok(Remarks { texts, unheard })
}

/// Paths of the references to tools that a message's results hold: they become texts.
pub(super) fn references(message: &Map<String, Value>, at: &Path<'_>) -> Vec<String> {
    paths(message, at, "content", holds_reference)
}

/// Paths of the calls whose input a claude changes: it holds numbers that are rounded, or a field that is lost.
pub(super) fn rounded(message: &Map<String, Value>, at: &Path<'_>) -> Vec<String> {
    let rounded = |block: &Value| block["type"] == "tool_use" && holds_changed(&block["input"]);
    paths(message, at, "input", rounded)
}

/// Paths of citations, which a claude does not pass on, and of wishes for them: the model hears of those, but what it
/// cited is not told.
pub(super) fn citations(message: &Map<String, Value>, at: &Path<'_>) -> Vec<String> {
    let cited = |block: &Value| block.as_object().is_some_and(cites);
    let wishes = |block: &Value| block["citations"]["enabled"] == true;
    paths(message, at, "citations", |block| {
        wishes(block) || cited(block)
    })
}

/// Paths of the blocks that change places with those behind them on their way through claude: calls go behind the
/// words that were said with them, and words behind all results of the message that is to be answered.
pub(super) fn moved(blocks: &[Block], role: Role, last: bool, at: &Path<'_>) -> Vec<String> {
    let goes_back = |block: &Block| match role {
        Role::User => !block.is_result(),
        Role::Assistant => matches!(block, Block::ToolUse(_)),
    };
    let comes_first = |block: &Block| match role {
        Role::User => block.is_result(),
        Role::Assistant => matches!(block, Block::Text(_)),
    };
    let moves = role == Role::Assistant || (last && blocks.first().is_some_and(Block::is_result));
    let end = blocks.iter().rposition(comes_first).filter(|_| moves);
    let before = blocks.iter().enumerate().take(end.unwrap_or_default());
    let moved = before.filter(|(_, block)| goes_back(block));
    moved
        .map(|(index, _)| format!("{at}.content.{index}"))
        .collect()
}

/// Paths of this field, in the blocks of a message that are so.
fn paths(
    message: &Map<String, Value>,
    at: &Path<'_>,
    field: &str,
    is_so: impl Fn(&Value) -> bool,
) -> Vec<String> {
    let blocks = message.get("content").and_then(Value::as_array);
    let blocks = blocks.into_iter().flatten().enumerate();
    let blocks = blocks.filter(|(_, block)| is_so(block));
    blocks
        .map(|(index, _)| format!("{at}.content.{index}.{field}"))
        .collect()
}

fn holds_reference(block: &Value) -> bool {
    let content = block.get("content").and_then(Value::as_array);
    block["type"] == "tool_result" && content.is_some_and(|blocks| blocks.iter().any(is_reference))
}

fn is_reference(block: &Value) -> bool {
    block["type"] == "tool_reference"
}

/// The block with words for its references: all tools are offered in full, so there is nothing left to load.
fn with_words_for_references(block: &Value) -> Value {
    let mut block = block.clone();
    let content = block.get_mut("content").and_then(Value::as_array_mut);
    for part in content
        .into_iter()
        .flatten()
        .filter(|part| is_reference(part))
    {
        let name = part["tool_name"].as_str().unwrap_or_default();
        *part = json!({ "type": "text", "text": format!("The tool {name} is loaded.") });
    }
    block
}

fn block(value: &Value, role: Role, at: &Path<'_>, version: Version) -> Result<Block, Fault> {
    let fields = object(value, at)?;
    let path = at.field("type");
    let kind = string(required(fields, &path, "type")?, &path)?;
    match kind {
        "text" => return Ok(Block::Text(text(fields, role, at, version)?.to_owned())),
        "image" => media::image(fields, at)?,
        "document" => media::document(fields, role, at, version)?,
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
    Ok(Block::of(match kind {
        "tool_result" if holds_reference(value) => with_words_for_references(value),
        _ => value.clone(),
    }))
}

fn text<'a>(
    fields: &'a Map<String, Value>,
    role: Role,
    at: &Path<'_>,
    version: Version,
) -> Result<&'a str, Fault> {
    let text = spoken(text_field(fields, "text", at)?)?;
    if cites(fields) && role == Role::User && version == Version::V2026_10_21 {
        return Err(at
            .field("citations")
            .wrong("citations are not permitted on text blocks of a user message"));
    }
    Ok(text)
}

fn cites(fields: &Map<String, Value>) -> bool {
    let citations = present(fields, "citations").and_then(Value::as_array);
    citations.is_some_and(|list| !list.is_empty())
}

/// The API takes no text that says nothing. To the CLI a mark of byte order is a blank too, and it leaves such a text
/// away.
fn spoken(text: &str) -> Result<&str, Fault> {
    if text.is_empty() {
        return Err(invalid("messages: text content blocks must be non-empty"));
    }
    if text.chars().all(|c| c.is_whitespace() || c == '\u{feff}') {
        return Err(invalid(
            "messages: text content blocks must contain non-whitespace text",
        ));
    }
    Ok(text)
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
            "image" => media::image(fields, &at)?,
            "document" => media::document(fields, role, &at, version)?,
            "search_result" => search_result(fields, role, &at, version)?,
            "tool_reference" => filled(fields, "tool_name", &at)?,
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

pub(super) fn text_field<'a>(
    fields: &'a Map<String, Value>,
    name: &str,
    at: &Path<'_>,
) -> Result<&'a str, Fault> {
    let path = at.field(name);
    string(required(fields, &path, name)?, &path)
}

pub(super) fn filled(fields: &Map<String, Value>, name: &str, at: &Path<'_>) -> Result<(), Fault> {
    if text_field(fields, name, at)?.is_empty() {
        return Err(at
            .field(name)
            .wrong("String should have at least 1 character"));
    }
    Ok(())
}

/// Every tool call of a turn is answered in the next turn, and nothing else is.
#[derive(Debug, Default)]
pub(super) struct Pairing {
    latest: Option<Role>,
    /// Calls of the assistant's latest turn.
    called: Vec<String>,
    /// Those of them that have no result yet.
    open: Vec<String>,
    /// Calls of the whole conversation.
    made: HashSet<String>,
    /// Results of the user's latest turn.
    answered: HashSet<String>,
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
            self.answered.clear();
            self.at = index;
        }
        let path = Path::Root.field("messages");
        let path = path.item(index);
        let content = path.field("content");
        for (place, block) in blocks.iter().enumerate() {
            let Some(value) = block.json() else {
                continue;
            };
            if let Some(id) = id_of(value, "tool_use", "id") {
                self.called(id, &content.item(place))?;
            }
            if let Some(id) = id_of(value, "tool_result", "tool_use_id") {
                self.answered(id, &content.item(place))?;
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

    /// An id names one call: claude would leave the second one away, and its result with it.
    fn called(&mut self, id: &str, at: &Path<'_>) -> Result<(), Fault> {
        if !self.made.insert(id.to_owned()) {
            return Err(at.wrong(format!("`tool_use` ids must be unique: {}", echo(id))));
        }
        self.called.push(id.to_owned());
        self.open.push(id.to_owned());
        Ok(())
    }

    fn answered(&mut self, id: &str, at: &Path<'_>) -> Result<(), Fault> {
        if !self.goes_on && !self.called.iter().any(|called| called == id) {
            return Err(at.wrong(format!(
                "unexpected `tool_use_id` found in `tool_result` blocks: {}. Each `tool_result` block must have a \
                 corresponding `tool_use` block in the previous message.",
                echo(id)
            )));
        }
        if !self.answered.insert(id.to_owned()) {
            return Err(at.wrong(format!(
                "each tool_use must have a single result. Found multiple `tool_result` blocks with id: {}",
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
