//! A conversation as the items that a thread takes up. `[pure]`

use super::path::Unfit;
use super::tool::Aliases;
use crate::turn::Block;
use crate::turn::PlacedMessage;
use crate::turn::Request;
use crate::turn::Role;
use serde_json::Value;
use serde_json::json;
use std::collections::HashSet;

/// Items of the Responses API, and what of the conversation is not in them as it was written.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Items {
    pub(super) items: Vec<Value>,
    /// By path.
    pub(super) emulated: Vec<String>,
    /// By path.
    pub(super) ignored: Vec<String>,
}

/// The items of a request.
///
/// # Errors
/// Where a part of it cannot reach the model through the CLI, or would be dropped without a word.
pub(super) fn items(request: &Request, aliases: &Aliases) -> Result<Items, Unfit> {
    paired(request)?;
    let mut writer = Writer {
        found: Items::default(),
        parts: Vec::new(),
        aliases,
    };
    if !request.system.is_empty() {
        let parts = request.system.iter().map(|text| input_text(text)).collect();
        writer.message("developer", parts);
    }
    for said in request.placed_messages() {
        for (index, block) in said.message.blocks.iter().enumerate() {
            writer.block(&said, index, block)?;
        }
        writer.flush(said.message.role);
    }
    Ok(writer.found)
}

/// A result without its call, or a call without its result: the CLI drops the one and invents the other.
fn paired(request: &Request) -> Result<(), Unfit> {
    let mut open: HashSet<&str> = HashSet::new();
    let mut called: HashSet<&str> = HashSet::new();
    for said in request.placed_messages() {
        for (index, block) in said.message.blocks.iter().enumerate() {
            if let Some(call) = block.call() {
                called.insert(call.id);
                open.insert(call.id);
            }
            if let Some(id) = block.result_of() {
                open.remove(id);
                if !called.contains(id) {
                    let why = "there is no call of this id before it";
                    return Err(Unfit::at(&said.at(index), why));
                }
            }
        }
    }
    let is_open = |block: &Block| block.call().is_some_and(|call| open.contains(call.id));
    let found = request.placed_messages().find_map(|said| {
        let place = said.message.blocks.iter().position(is_open)?;
        Some(said.at(place))
    });
    found.map_or(Ok(()), |path| {
        Err(Unfit::at(&path, "this call of a tool has no result"))
    })
}

struct Writer<'a> {
    found: Items,
    /// Of the message that is being written.
    parts: Vec<Value>,
    aliases: &'a Aliases,
}

impl Writer<'_> {
    fn block(
        &mut self,
        said: &PlacedMessage<'_>,
        index: usize,
        block: &Block,
    ) -> Result<(), Unfit> {
        let (role, path) = (said.message.role, &*said.at(index));
        match block {
            Block::Text(text) => self.parts.push(spoken(role, text)),
            Block::Image(json) => self.parts.push(image(json, path)?),
            Block::Document(json) => self.document(json, path)?,
            Block::ToolUse(_) => {
                self.flush(role);
                self.call(block, path)?;
            }
            Block::ToolResult(json) => {
                self.flush(role);
                self.result(json, path)?;
            }
            Block::Thinking(json) => {
                self.flush(role);
                self.thinking(json, || said.field_at(index, "thinking"));
            }
            Block::Foreign(json) => self.foreign(role, json, path)?,
        }
        Ok(())
    }

    /// Ends the message that is being written.
    fn flush(&mut self, role: Role) {
        let parts = std::mem::take(&mut self.parts);
        if !parts.is_empty() {
            self.message(role_name(role), parts);
        }
    }

    fn message(&mut self, role: &str, parts: Vec<Value>) {
        self.found
            .items
            .push(json!({ "type": "message", "role": role, "content": parts }));
    }

    fn call(&mut self, block: &Block, path: &str) -> Result<(), Unfit> {
        let call = block
            .call()
            .ok_or_else(|| Unfit::at(path, "a call needs an id and a name"))?;
        let arguments = match call.input {
            Value::String(text) => text.clone(),
            Value::Null => "{}".to_owned(),
            input => input.to_string(),
        };
        let name = self.aliases.there(call.name);
        self.found.items.push(json!({
            "type": "function_call", "name": name, "arguments": arguments, "call_id": call.id,
        }));
        Ok(())
    }

    fn result(&mut self, json: &Value, path: &str) -> Result<(), Unfit> {
        let id = json["tool_use_id"].as_str().unwrap_or_default();
        let output = output(&json["content"], path)?;
        self.found.items.push(json!({
            "type": "function_call_output", "call_id": id, "output": output,
        }));
        if json["is_error"] == true {
            self.found.ignored.push(format!("{path}.is_error"));
        }
        Ok(())
    }

    /// Only thinking that came from here can go back: its signature holds what the upstream knows it by.
    fn thinking(&mut self, json: &Value, path: impl FnOnce() -> String) {
        match json["signature"].as_str().and_then(Reasoning::read) {
            Some(reasoning) => self.found.items.push(json!({
                "type": "reasoning",
                "id": reasoning.id,
                "summary": summary(json["thinking"].as_str().unwrap_or_default()),
                "encrypted_content": reasoning.content,
            })),
            None => self.found.ignored.push(path()),
        }
    }

    fn document(&mut self, json: &Value, path: &str) -> Result<(), Unfit> {
        match (
            json["source"]["type"].as_str(),
            json["source"]["data"].as_str(),
        ) {
            (Some("text"), Some(text)) => {
                self.parts.push(input_text(text));
                self.found.emulated.push(path.to_owned());
                Ok(())
            }
            _ => Err(Unfit::at(path, "the Codex CLI takes no files")),
        }
    }

    fn foreign(&mut self, role: Role, json: &Value, path: &str) -> Result<(), Unfit> {
        let text = |name: &str| json[name].as_str();
        match json["type"].as_str() {
            Some("text" | "input_text" | "output_text") => {
                self.parts
                    .push(spoken(role, text("text").unwrap_or_default()));
                Ok(())
            }
            Some("refusal") => {
                self.parts
                    .push(spoken(role, text("refusal").unwrap_or_default()));
                self.found.emulated.push(path.to_owned());
                Ok(())
            }
            _ => Err(Unfit::at(path, "the Codex CLI knows no such content")),
        }
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

fn spoken(role: Role, text: &str) -> Value {
    match role {
        Role::User => input_text(text),
        Role::Assistant => json!({ "type": "output_text", "text": text }),
    }
}

fn input_text(text: &str) -> Value {
    json!({ "type": "input_text", "text": text })
}

fn summary(text: &str) -> Value {
    match text {
        "" => json!([]),
        text => json!([{ "type": "summary_text", "text": text }]),
    }
}

/// A picture that is in the request itself; the CLI fetches none.
fn image(json: &Value, path: &str) -> Result<Value, Unfit> {
    let source = &json["source"];
    let url = match source["type"].as_str() {
        Some("base64") => {
            let kind = source["media_type"].as_str().unwrap_or_default();
            let data = source["data"].as_str().unwrap_or_default();
            format!("data:{kind};base64,{data}")
        }
        _ => {
            let places = [
                &source["url"],
                &json["image_url"],
                &json["image_url"]["url"],
            ];
            let url = places.into_iter().find_map(Value::as_str);
            url.unwrap_or_default().to_owned()
        }
    };
    match url.starts_with("data:") {
        true => Ok(json!({ "type": "input_image", "image_url": url })),
        false => Err(Unfit::at(
            path,
            "the Codex CLI fetches no pictures; send its bytes, in base64",
        )),
    }
}

/// What a tool answered: a text, or parts.
pub(super) fn output(content: &Value, path: &str) -> Result<Value, Unfit> {
    let part = |(index, block): (usize, &Value)| {
        let path = format!("{path}.content.{index}");
        match block["type"].as_str() {
            Some("text") => Ok(input_text(block["text"].as_str().unwrap_or_default())),
            Some("image") => image(block, &path),
            _ => Err(Unfit::at(
                &path,
                "the Codex CLI takes texts and pictures of tools only",
            )),
        }
    };
    match content {
        Value::Null => Ok(Value::from("")),
        Value::String(text) => Ok(Value::from(text.as_str())),
        Value::Array(blocks) => match blocks.as_slice() {
            [only] if only["type"] == "text" => Ok(only["text"].clone()),
            blocks => blocks.iter().enumerate().map(part).collect(),
        },
        _ => Err(Unfit::at(
            path,
            "the content of a result is a text or a list",
        )),
    }
}

/// What the upstream knows a piece of reasoning by; it travels in the signature of a thinking block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reasoning<'a> {
    pub(super) id: &'a str,
    pub(super) content: &'a str,
}

impl<'a> Reasoning<'a> {
    pub(super) fn write(&self) -> String {
        format!("{SIGNATURE}{}:{}", self.id, self.content)
    }

    fn read(signature: &'a str) -> Option<Reasoning<'a>> {
        let (id, content) = signature.strip_prefix(SIGNATURE)?.split_once(':')?;
        Some(Reasoning { id, content })
    }
}

/// Marks a signature as one of this lane.
const SIGNATURE: &str = "codex:";

#[cfg(test)]
mod tests;
