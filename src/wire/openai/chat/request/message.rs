//! The messages of a chat call.

use super::Recall;
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
use std::sync::Arc;

/// Reads the messages.
pub(super) fn messages(
    fields: &Map<String, Value>,
    goes_on: bool,
    recall: &Recall<'_>,
) -> Result<Talk, Fault> {
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
        recall,
    };
    for (index, value) in values.iter().enumerate() {
        let at = path.item(index);
        reader.talk.read("messages", index);
        reader.message(object(value, &at)?, &at)?;
    }
    Ok(reader.talk)
}

struct Reader<'a> {
    talk: Talk,
    /// Calls of functions without an id, by their names, that have no result yet; each has the id of its place.
    functions: Vec<(String, String)>,
    recall: &'a Recall<'a>,
}

impl Reader<'_> {
    fn message(&mut self, message: &Map<String, Value>, at: &Path<'_>) -> Result<(), Fault> {
        match text_field(message, "role", at)? {
            "system" | "developer" => {
                let texts = part::texts(message.get("content"), &at.field("content"))?;
                self.name(message, at);
                self.talk.instruct(texts, at);
                Ok(())
            }
            "user" => {
                self.name(message, at);
                let blocks = self.content(message, at)?;
                self.tell_silence(&blocks, message, at);
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
        if let Some(blocks) = self.remembered(message) {
            return self.say_again(&blocks, at);
        }
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
        self.tell_silence(&blocks, message, at);
        self.talk.say(Role::Assistant, blocks, at)?;
        self.calls(message, at)?;
        match present(message, "function_call") {
            None => Ok(()),
            Some(call) => self.function_call(call, &at.field("function_call")),
        }
    }

    /// A message in which nothing is said and nothing called has no place in a conversation, and its neighbours are one.
    fn tell_silence(&mut self, blocks: &[Block], message: &Map<String, Value>, at: &Path<'_>) {
        let is_none = |name: &str| present(message, name).is_none_or(|calls| *calls == json!([]));
        if blocks.is_empty() && is_none("tool_calls") && is_none("function_call") {
            self.talk.labels.ignore(at);
        }
    }

    /// The answer as it was given, where this message is what its client kept of it: the same words, and the same calls
    /// with the same inputs.
    fn remembered(&self, message: &Map<String, Value>) -> Option<Arc<Vec<Value>>> {
        let calls = message.get("tool_calls")?.as_array()?;
        let blocks = (self.recall)(calls.first()?.get("id")?.as_str()?)?;
        let of = |kind: &'static str| blocks.iter().filter(move |block| block["type"] == kind);
        let same_call = |(given, told): (&Value, &Value)| {
            let arguments = told["function"]["arguments"].as_str();
            let input = arguments.and_then(|text| serde_json::from_str(text).ok());
            given["id"] == told["id"]
                && given["name"] == told["function"]["name"]
                && input.unwrap_or_else(|| json!({})) == given["input"]
        };
        let words: String = of("text")
            .filter_map(|block| block["text"].as_str())
            .collect();
        let kept = part::texts(message.get("content"), &Path::Root)
            .ok()?
            .concat();
        let is_same = of("tool_use").count() == calls.len()
            && of("tool_use").zip(calls).all(same_call)
            && (kept == words || (words.trim().is_empty() && kept.is_empty()));
        is_same.then_some(blocks)
    }

    fn say_again(&mut self, blocks: &[Value], at: &Path<'_>) -> Result<(), Fault> {
        for block in blocks {
            let text = |name: &str| block[name].as_str().unwrap_or_default();
            match text("type") {
                "tool_use" => {
                    self.talk
                        .call(text("id"), text("name"), block["input"].clone(), at)?
                }
                "text" => {
                    let content =
                        part::content(Some(&text("text").into()), at, &mut self.talk.labels)?;
                    self.talk.say(Role::Assistant, content, at)?;
                }
                _ => self
                    .talk
                    .say(Role::Assistant, vec![Block::of(block.clone())], at)?,
            }
        }
        Ok(())
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
