//! A request as the Messages API gets it.

use crate::turn::Block;
use crate::turn::Mark;
use crate::turn::Marked;
use crate::turn::Message;
use crate::turn::Request;
use crate::turn::Role;
use crate::turn::Tool;
use crate::turn::ToolChoice;
use crate::turn::ToolRule;
use crate::turn::answer_tokens_max;
use crate::wire::outgoing::Outgoing;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// The request, for the model of this name.
pub(crate) fn write(request: &Request, model: &str, is_streamed: bool) -> Outgoing {
    let sampling = &request.sampling;
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    put("model", model.into());
    put(
        "max_tokens",
        // The API wants a number.
        sampling
            .max_tokens
            .unwrap_or_else(|| answer_tokens_max(model))
            .into(),
    );
    if !request.system.is_empty() {
        let text = |text: &String| json!({"type": "text", "text": text});
        put("system", request.system.iter().map(text).collect());
    }
    put("messages", request.messages.iter().map(message).collect());
    if !request.tools.is_empty() {
        put("tools", request.tools.iter().map(tool).collect());
        if let Some(choice) = &request.tool_choice {
            put("tool_choice", tool_choice(choice));
        }
    }
    if !sampling.stop_sequences.is_empty() {
        put("stop_sequences", json!(sampling.stop_sequences));
    }
    for (name, value) in [
        ("temperature", sampling.temperature),
        ("top_p", sampling.top_p),
    ] {
        if let Some(value) = value {
            put(name, json!(value));
        }
    }
    if let Some(top_k) = sampling.top_k {
        put("top_k", top_k.into());
    }
    if let Some(thinking) = &sampling.thinking {
        put("thinking", thinking.clone());
    }
    for (name, value) in &sampling.verbatim {
        put(name, value.clone());
    }
    put("stream", is_streamed.into());
    let all_stand = request
        .marks
        .iter()
        .fold(Stand::default(), |stand, mark| stand.set(&mut body, mark));
    Outgoing {
        body: body.into(),
        emulated: Vec::new(),
        ignored: all_stand
            .lost
            .then(|| "cache_control".to_owned())
            .into_iter()
            .collect(),
    }
}

/// Marks of the cache that were set so far.
#[derive(Default)]
struct Stand {
    /// Texts before this one come before the mark of the last one.
    texts: usize,
    /// One has nothing to stand on.
    lost: bool,
}

impl Stand {
    /// Sets a mark on what it stood on: a text is the first of its words behind the one that was marked before.
    fn set(mut self, body: &mut Map<String, Value>, mark: &Mark) -> Stand {
        let from = self.texts;
        let place = match &mark.on {
            Marked::Tool(name) => tools(body).find(|tool| tool["name"] == name.as_str()),
            Marked::Result(id) => blocks(body).find(|block| block["tool_use_id"] == id.as_str()),
            Marked::Text(text) => {
                let texts = blocks(body).enumerate().skip(from);
                let mut same = texts.filter(|(_, block)| says(block, text));
                same.next().map(|(at, block)| {
                    self.texts = at;
                    block
                })
            }
        };
        match place {
            Some(place) => place["cache_control"] = mark.mark.clone(),
            None => self.lost = true,
        }
        self
    }
}

fn tools(body: &mut Map<String, Value>) -> impl Iterator<Item = &mut Value> {
    let tools = body.get_mut("tools").and_then(Value::as_array_mut);
    tools.into_iter().flatten()
}

/// The system's texts and the blocks of all messages.
fn blocks(body: &mut Map<String, Value>) -> impl Iterator<Item = &mut Value> {
    let mut said: Vec<&mut Vec<Value>> = Vec::new();
    for (name, value) in body.iter_mut() {
        match (name.as_str(), value) {
            ("system", Value::Array(texts)) => said.insert(0, texts),
            ("messages", Value::Array(messages)) => {
                let content = messages
                    .iter_mut()
                    .filter_map(|message| message.get_mut("content"));
                said.extend(content.filter_map(Value::as_array_mut));
            }
            _ => {}
        }
    }
    said.into_iter().flatten()
}

/// Whether a block is this text, or what the program says in the middle of the conversation.
fn says(block: &Value, text: &str) -> bool {
    let said = block["text"].as_str().unwrap_or_default();
    let remark = said
        .strip_prefix("<system>\n")
        .and_then(|said| said.strip_suffix("\n</system>"));
    said == text || remark == Some(text)
}

fn message(message: &Message) -> Value {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let block = |block: &Block| match block {
        Block::Text(text) => json!({"type": "text", "text": text}),
        other => other.json().cloned().unwrap_or_default(),
    };
    json!({"role": role, "content": message.blocks.iter().map(block).collect::<Value>()})
}

fn tool(tool: &Tool) -> Value {
    let mut told = json!({"name": tool.name});
    if !tool.description.is_empty() {
        told["description"] = tool.description.as_str().into();
    }
    told["input_schema"] = tool.input_schema.clone();
    told
}

fn tool_choice(choice: &ToolChoice) -> Value {
    let mut told = match &choice.rule {
        ToolRule::Auto => json!({"type": "auto"}),
        ToolRule::Any => json!({"type": "any"}),
        ToolRule::None => json!({"type": "none"}),
        ToolRule::Named(name) => json!({"type": "tool", "name": name}),
    };
    if let Some(one) = choice.one_at_a_time {
        told["disable_parallel_tool_use"] = one.into();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::anthropic::request;
    use crate::wire::anthropic::request::Version;

    #[test]
    fn what_was_read_is_written_again() {
        let body = json!({
            "model": "m", "max_tokens": 9,
            "system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "go"}]},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "", "signature": "s"},
                    {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r"}]},
            ],
            "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
            "stop_sequences": ["END"], "temperature": 0.5, "top_k": 3,
            "thinking": {"type": "disabled"},
            "output_config": {"effort": "low"},
            "stream": true,
        });
        let call = request::call(body.to_string().as_bytes(), Version::V2023_06_01).expect("good");
        let mut expected = body;
        expected["model"] = "real".into();
        let written = write(&call.request, "real", true).body;
        for (name, value) in expected.as_object().expect("an object") {
            assert_eq!(&written[name], value, "{name}");
        }
        assert_eq!(
            written.as_object().map(Map::len),
            expected.as_object().map(Map::len)
        );
    }

    #[test]
    fn an_answer_has_the_models_own_length_where_nobody_says() {
        let mut request = Request::plain(vec![]);
        request.sampling.max_tokens = None;
        assert_eq!(
            write(&request, "claude-3-5-haiku", false).body["max_tokens"],
            8192
        );
        assert_eq!(write(&request, "new", false).body["max_tokens"], 64_000);
    }
}
