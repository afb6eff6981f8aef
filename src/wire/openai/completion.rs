//! Completions, which are older than chat: one text goes on.
//!
//! The text becomes the user's only message: no model of today goes on with a text as those of that time did.

use crate::turn::Block;
use crate::turn::CompleteAnswer;
use crate::turn::Delta;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::Owner;
use crate::turn::Places;
use crate::turn::Reading;
use crate::turn::Request;
use crate::turn::RequestId;
use crate::turn::Role;
use crate::wire::body::parse;
use crate::wire::field::Path;
use crate::wire::field::present;
use crate::wire::field::string;
use crate::wire::field::whole_number;
use crate::wire::openai::chat::request::parameter;
use crate::wire::openai::error;
use crate::wire::openai::label::Labels;
use crate::wire::openai::part::required;
use crate::wire::openai::stop::Ending;
use crate::wire::openai::talk::Talk;
use crate::wire::openai::usage;
use crate::wire::sse;
use crate::wire::writer::AnswerWriter;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// A call of Completions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) request: Request,
    pub(crate) stream: bool,
    /// Whether a stream ends with the usage.
    pub(crate) has_usage: bool,
}

/// Reads a call.
///
/// # Errors
/// `invalid_request`, with the path of the first field that is wrong.
pub(crate) fn call(body: &[u8]) -> Result<Call, Fault> {
    let fields = parse(body)?;
    let model = parameter::model(&fields)?;
    refused(&fields)?;
    let mut labels = Labels::default();
    let stream = parameter::boolean(&fields, "stream")?.unwrap_or(false);
    let sampling = parameter::sampling(&fields, &mut labels)?;
    parameter::ignore_unknown(&fields, KNOWN, &mut labels);
    labels.emulate("prompt");
    let path = Path::Root.field("prompt");
    let mut talk = Talk::new(false);
    let text = Block::Text(prompt(&fields, &path)?.to_owned());
    talk.say(Role::User, vec![text], &path)?;
    let talk = talk.end(&path)?;
    let request = Request {
        owner: Owner::anonymous(),
        model: model.to_owned(),
        system: Vec::new(),
        messages: talk.messages,
        tools: Vec::new(),
        tool_choice: None,
        sampling,
        reading: match stream {
            true => Reading::Along,
            false => Reading::Whole,
        },
        emulated: labels.emulated,
        changed_by_claude: Vec::new(),
        places: Places::default(),
        last_at: "prompt".to_owned(),
        ignored: labels.ignored,
        betas: Vec::new(),
        marks: Vec::new(),
    };
    Ok(Call {
        request,
        stream,
        has_usage: parameter::has_usage(&fields)?,
    })
}

/// The one text.
fn prompt<'a>(fields: &'a Map<String, Value>, path: &Path<'_>) -> Result<&'a str, Fault> {
    let said = required(fields, "prompt", path)?;
    let text = match said {
        Value::Array(texts) => match texts.as_slice() {
            [sole @ Value::String(_)] => string(sole, path)?,
            _ => {
                return Err(path
                    .wrong("this relay goes on with one text a call, and with none of token ids"));
            }
        },
        text => string(text, path)?,
    };
    match text.trim().is_empty() {
        true => Err(path.wrong("Input should be a text that says something")),
        false => Ok(text),
    }
}

/// What would be another answer than the one that was asked for.
fn refused(fields: &Map<String, Value>) -> Result<(), Fault> {
    for name in ["n", "best_of"] {
        let path = Path::Root.field(name);
        let count = present(fields, name).map(|count| whole_number(count, &path));
        if count.transpose()?.is_some_and(|count| count != 1) {
            return Err(path.wrong("this relay gives one answer a call; ask again for another one"));
        }
    }
    for (name, why) in [
        (
            "suffix",
            "no lane of this relay fills a gap; ask a model in words",
        ),
        (
            "logprobs",
            "no lane of this relay tells the chances of its tokens; leave it away",
        ),
    ] {
        let asks = |value: &Value| value.as_str() != Some("");
        if present(fields, name).is_some_and(asks) {
            return Err(Path::Root.field(name).wrong(why));
        }
    }
    match parameter::boolean(fields, "echo")? {
        Some(true) => Err(Path::Root
            .field("echo")
            .wrong("the answer is the answer alone; put the prompt before it yourself")),
        Some(false) | None => Ok(()),
    }
}

/// Writes one answer.
#[derive(Debug)]
pub(crate) struct Writer {
    id: String,
    /// Seconds since 1970.
    created: u64,
    model: String,
    has_usage: bool,
}

impl Writer {
    pub(crate) fn new(id: &str, created: u64, call: &Call) -> Writer {
        Writer {
            id: format!("cmpl-{id}"),
            created,
            model: call.request.model.clone(),
            has_usage: call.has_usage,
        }
    }

    fn told(&self, choices: Value) -> Value {
        json!({"id": self.id, "object": "text_completion", "created": self.created, "model": self.model,
            "choices": choices})
    }

    fn chunk(&self, text: &str, reason: Option<&str>) -> String {
        let choice = json!([{"text": text, "index": 0, "logprobs": null, "finish_reason": reason}]);
        let mut chunk = self.told(choice);
        if self.has_usage {
            chunk["usage"] = Value::Null;
        }
        sse::unnamed(&chunk.to_string())
    }
}

impl AnswerWriter for Writer {
    fn frames(&mut self, event: &Event, stream: &mut String) {
        match event {
            Event::Delta {
                delta: Delta::Text(text),
                ..
            } if !text.is_empty() => stream.push_str(&self.chunk(text, None)),
            Event::End(end) => {
                let reason = Ending::of(&end.stop).finish_reason(None);
                stream.push_str(&self.chunk("", Some(reason)));
                if self.has_usage {
                    let mut told = self.told(json!([]));
                    told["usage"] = usage::chat(&end.usage);
                    stream.push_str(&sse::unnamed(&told.to_string()));
                }
                stream.push_str(&sse::unnamed("[DONE]"));
            }
            Event::Start(_)
            | Event::BlockStart { .. }
            | Event::Delta { .. }
            | Event::BlockStop { .. } => {}
        }
    }

    fn keep_alive(&self) -> String {
        sse::comment("keep-alive") + "\n"
    }

    fn failure(&mut self, fault: &Fault, _: &RequestId) -> String {
        error::frame(fault)
    }

    fn whole(&self, whole: &CompleteAnswer) -> Result<String, &'static str> {
        let texts = whole
            .blocks
            .iter()
            .filter(|block| block.kind == crate::turn::BlockKind::Text);
        let text: String = texts.map(|block| block.text.as_str()).collect();
        let reason = Ending::of(&whole.end.stop).finish_reason(None);
        let mut told = self
            .told(json!([{"text": text, "index": 0, "logprobs": null, "finish_reason": reason}]));
        told["usage"] = usage::chat(&whole.end.usage);
        Ok(told.to_string())
    }
}

/// Fields whose meaning is in the request, and fields that do not change the answer.
const KNOWN: &[&str] = &[
    "model",
    "prompt",
    "stream",
    "stream_options",
    "max_tokens",
    "temperature",
    "top_p",
    "stop",
    "n",
    "best_of",
    "echo",
    "suffix",
    "logprobs",
    "user",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: Value) -> Result<Call, Fault> {
        let mut body = json!({"model": "m", "prompt": "once"});
        for (name, value) in fields.as_object().expect("fields") {
            body[name] = value.clone();
        }
        call(body.to_string().as_bytes())
    }

    #[test]
    fn a_prompt_is_the_users_only_message() {
        for prompt in [json!("once"), json!(["once"])] {
            let call = read(json!({"prompt": prompt, "max_tokens": 9, "seed": 1})).expect("good");
            assert_eq!(
                call.request.messages[0].blocks,
                [Block::Text("once".into())]
            );
            assert_eq!(
                (call.request.emulated, call.request.ignored),
                (vec!["prompt".into()], vec!["seed".into()])
            );
        }
    }

    #[test]
    fn what_cannot_be_had_is_refused_by_name() {
        for (fields, path) in [
            (json!({"n": 2}), "n: "),
            (json!({"best_of": 2}), "best_of: "),
            (json!({"echo": true}), "echo: "),
            (json!({"suffix": "x"}), "suffix: "),
            (json!({"logprobs": 1}), "logprobs: "),
            (json!({"prompt": [1, 2]}), "prompt: "),
            (json!({"prompt": ["a", "b"]}), "prompt: "),
            (json!({"prompt": " "}), "prompt: "),
        ] {
            let fault = read(fields).expect_err("it is refused");
            assert!(fault.public.starts_with(path), "{}", fault.public);
        }
    }
}
