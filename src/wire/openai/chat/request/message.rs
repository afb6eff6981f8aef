//! The messages of a chat call.

use crate::turn::Block;
use crate::turn::Fault;
use crate::turn::Role;
use crate::wire::field::Path;
use crate::wire::field::object;
use crate::wire::field::present;
use crate::wire::field::string;
use crate::wire::openai::part;
use crate::wire::openai::part::required;
use crate::wire::openai::part::text_field;
use crate::wire::openai::talk;
use crate::wire::openai::talk::Talk;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// Reads the messages.
pub(super) fn messages(fields: &Map<String, Value>, goes_on: bool) -> Result<Talk, Fault> {
    let path = Path::Root.field("messages");
    let Value::Array(values) = required(fields, "messages", &path)? else {
        return Err(path.wrong("Input should be a valid list"));
    };
    if values.is_empty() {
        return Err(path.wrong("at least one message is required"));
    }
    if values.len() > MESSAGES_MAX {
        return Err(path.wrong("List should have at most 100000 items"));
    }
    let mut reader = Reader {
        talk: Talk::new(goes_on),
        functions: Vec::new(),
    };
    for (index, value) in values.iter().enumerate() {
        let at = path.item(index);
        reader.message(object(value, &at)?, &at)?;
    }
    Ok(reader.talk)
}

struct Reader {
    talk: Talk,
    /// Calls of functions without an id, by their names, that have no result yet; each has the id of its place.
    functions: Vec<(String, String)>,
}

impl Reader {
    fn message(&mut self, message: &Map<String, Value>, at: &Path<'_>) -> Result<(), Fault> {
        match text_field(message, "role", at)? {
            "system" | "developer" => {
                let texts = part::texts(message.get("content"), &at.field("content"))?;
                self.talk.instruct(texts, at);
                Ok(())
            }
            "user" => {
                self.name(message, at);
                let blocks = self.content(message, at)?;
                self.talk.say(Role::User, blocks, at)
            }
            "assistant" => self.assistant(message, at),
            "tool" => {
                let id = text_field(message, "tool_call_id", at)?;
                let content = self.output(message, at)?;
                self.talk.result(id, content, at)
            }
            "function" => self.function_result(message, at),
            _ => Err(at.field("role").wrong(
                "Input should be 'system', 'developer', 'user', 'assistant', 'tool' or 'function'",
            )),
        }
    }

    fn assistant(&mut self, message: &Map<String, Value>, at: &Path<'_>) -> Result<(), Fault> {
        self.name(message, at);
        let mut blocks = self.thinking(message, at);
        blocks.extend(self.content(message, at)?);
        if let Some(refusal) = present(message, "refusal") {
            let refusal = string(refusal, &at.field("refusal"))?;
            blocks.extend(part::content(
                Some(&refusal.into()),
                at,
                &mut self.talk.labels,
            )?);
        }
        if present(message, "audio").is_some() {
            self.talk.labels.ignore(at.field("audio"));
        }
        self.talk.say(Role::Assistant, blocks, at)?;
        self.calls(message, at)?;
        match present(message, "function_call") {
            None => Ok(()),
            Some(call) => self.function_call(call, &at.field("function_call")),
        }
    }

    fn calls(&mut self, message: &Map<String, Value>, at: &Path<'_>) -> Result<(), Fault> {
        let path = at.field("tool_calls");
        let values = match present(message, "tool_calls") {
            None => return Ok(()),
            Some(Value::Array(values)) => values,
            Some(_) => return Err(path.wrong("Input should be a valid list")),
        };
        for (index, value) in values.iter().enumerate() {
            let at = path.item(index);
            let call = object(value, &at)?;
            let id = text_field(call, "id", &at)?;
            if let Some(custom) = present(call, "custom") {
                let at = at.field("custom");
                let custom = object(custom, &at)?;
                let input = present(custom, "input").and_then(Value::as_str);
                let input = json!({"input": input.unwrap_or_default()});
                self.talk
                    .call(id, text_field(custom, "name", &at)?, input, &at)?;
                continue;
            }
            let at = at.field("function");
            let function = object(required(call, "function", &at)?, &at)?;
            let name = text_field(function, "name", &at)?;
            let said = function.get("arguments");
            let input = talk::arguments(said, &at.field("arguments"), &mut self.talk.labels);
            self.talk.call(id, name, input, &at)?;
        }
        Ok(())
    }

    fn function_call(&mut self, call: &Value, at: &Path<'_>) -> Result<(), Fault> {
        let call = object(call, at)?;
        let name = text_field(call, "name", at)?;
        let said = call.get("arguments");
        let input = talk::arguments(said, &at.field("arguments"), &mut self.talk.labels);
        let id = format!("call_fn_{}", self.talk.messages.len());
        self.talk.call(&id, name, input, at)?;
        self.functions.push((name.to_owned(), id));
        Ok(())
    }

    fn function_result(
        &mut self,
        message: &Map<String, Value>,
        at: &Path<'_>,
    ) -> Result<(), Fault> {
        let name = text_field(message, "name", at)?;
        let content = self.output(message, at)?;
        let place = self.functions.iter().position(|(called, _)| called == name);
        let id = place.map(|place| self.functions.remove(place).1);
        self.talk.result(&id.unwrap_or_default(), content, at)
    }

    fn content(
        &mut self,
        message: &Map<String, Value>,
        at: &Path<'_>,
    ) -> Result<Vec<Block>, Fault> {
        part::content(
            message.get("content"),
            &at.field("content"),
            &mut self.talk.labels,
        )
    }

    fn output(&mut self, message: &Map<String, Value>, at: &Path<'_>) -> Result<Value, Fault> {
        part::output(
            message.get("content"),
            &at.field("content"),
            &mut self.talk.labels,
        )
    }

    /// Nobody hears who of several users spoke.
    fn name(&mut self, message: &Map<String, Value>, at: &Path<'_>) {
        if present(message, "name").is_some() {
            self.talk.labels.ignore(at.field("name"));
        }
    }

    /// The model's own thinking, where the client kept its signature; words alone are no thinking to their maker.
    fn thinking(&mut self, message: &Map<String, Value>, at: &Path<'_>) -> Vec<Block> {
        let blocks = message.get("thinking_blocks").and_then(Value::as_array);
        let signed = blocks
            .into_iter()
            .flatten()
            .filter(|block| is_signed(block));
        let signed: Vec<Block> = signed.cloned().map(Block::of).collect();
        if !signed.is_empty() {
            return signed;
        }
        let words = ["reasoning_content", "reasoning"];
        let said = |name: &&&str| {
            let text = message.get(**name).and_then(Value::as_str);
            text.is_some_and(|text| !text.is_empty())
        };
        if let Some(name) = words.iter().find(said) {
            self.talk.labels.ignore(at.field(name));
        }
        signed
    }
}

fn is_signed(block: &Value) -> bool {
    let text = |name: &str| block.get(name).is_some_and(Value::is_string);
    match block.get("type").and_then(Value::as_str) {
        Some("thinking") => text("thinking") && text("signature"),
        Some("redacted_thinking") => text("data"),
        _ => false,
    }
}

/// Messages that a call may have: as many as one of the Messages API.
const MESSAGES_MAX: usize = 100_000;
