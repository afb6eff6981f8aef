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
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// The request, for the model of this name.
pub(crate) fn write(request: &Request, model: &str, is_streamed: bool) -> Outgoing {
    let body = Body::of(request, model, is_streamed);
    let (body, lost) = match request.marks.as_slice() {
        [] => (serde_json::to_string(&body), false),
        marks => {
            let mut body = json!(body);
            let stand = marks.iter().fold(Stand::default(), |stand, mark| {
                stand.set(body.as_object_mut(), mark)
            });
            (Ok(body.to_string()), stand.lost)
        }
    };
    Outgoing {
        body: body.expect("texts and trees must have a form in JSON"),
        emulated: Vec::new(),
        ignored: lost
            .then(|| "cache_control".to_owned())
            .into_iter()
            .collect(),
    }
}

/// The body of a call. Most of it is texts, of which no tree is made.
#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Part<'a>>,
    messages: Vec<Said<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Offered<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<&'a Value>,
    #[serde(flatten)]
    verbatim: &'a Map<String, Value>,
    stream: bool,
}

#[derive(Serialize)]
struct Said<'a> {
    role: &'static str,
    content: Vec<Part<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Part<'a> {
    Text {
        #[serde(rename = "type")]
        kind: &'static str,
        text: &'a str,
    },
    /// A block as its caller wrote it.
    Whole(&'a Value),
}

#[derive(Serialize)]
struct Offered<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    input_schema: &'a Value,
}

impl<'a> Body<'a> {
    fn of(request: &'a Request, model: &'a str, is_streamed: bool) -> Body<'a> {
        let sampling = &request.sampling;
        let choice = request.tool_choice.as_ref();
        Body {
            model,
            max_tokens: sampling
                .max_tokens
                .unwrap_or_else(|| answer_tokens_max(model)),
            system: request.system.iter().map(|text| Part::text(text)).collect(),
            messages: request.messages.iter().map(Said::of).collect(),
            tools: request.tools.iter().map(Offered::of).collect(),
            tool_choice: choice
                .filter(|_| !request.tools.is_empty())
                .map(tool_choice),
            stop_sequences: &sampling.stop_sequences,
            temperature: sampling.temperature,
            top_p: sampling.top_p,
            top_k: sampling.top_k,
            thinking: sampling.thinking.as_ref(),
            verbatim: &sampling.verbatim,
            stream: is_streamed,
        }
    }
}

impl<'a> Said<'a> {
    fn of(message: &'a Message) -> Said<'a> {
        let part = |block: &'a Block| match block {
            Block::Text(text) => Part::text(text),
            other => Part::Whole(other.json().unwrap_or(&Value::Null)),
        };
        Said {
            role: match message.role {
                Role::User => "user",
                Role::Assistant => "assistant",
            },
            content: message.blocks.iter().map(part).collect(),
        }
    }
}

impl<'a> Part<'a> {
    fn text(text: &'a str) -> Part<'a> {
        Part::Text { kind: "text", text }
    }
}

impl<'a> Offered<'a> {
    fn of(tool: &'a Tool) -> Offered<'a> {
        Offered {
            name: &tool.name,
            description: &tool.description,
            input_schema: &tool.input_schema,
        }
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
    fn set(mut self, body: Option<&mut Map<String, Value>>, mark: &Mark) -> Stand {
        let Some(body) = body else { return self };
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
        let written = write(&call.request, "real", true).tree();
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
            write(&request, "claude-3-5-haiku", false).tree()["max_tokens"],
            8192
        );
        let written = write(&request, "new", false);
        assert_eq!(written.tree()["max_tokens"], 64_000);
        assert!(written.body.starts_with("{\"model\":\"new\","));
    }
}
