//! Events as those of a response's stream, and a whole answer as its response.

mod stream;

use super::item;
use super::item::Status;
use super::request::AnswerWish;
use crate::turn::AnswerBlock;
use crate::turn::CompleteAnswer;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::RequestId;
use crate::turn::StopReason;
use crate::wire::openai::error;
use crate::wire::openai::stop::Ending;
use crate::wire::openai::usage;
use crate::wire::sse;
use crate::wire::writer::AnswerWriter;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;
use stream::Stream;

/// Writes one answer. The same answer is written the same by a clone of it.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    head: Arc<Head>,
    stream: Stream,
}

/// What is the same in every telling of a response.
#[derive(Debug, Clone)]
struct Head {
    /// What its id, and those of its items, are made of.
    stem: String,
    /// Seconds since 1970.
    created: u64,
    wish: AnswerWish,
}

impl Writer {
    pub(crate) fn new(stem: &str, created: u64, wish: AnswerWish) -> Writer {
        let head = Head {
            stem: stem.to_owned(),
            created,
            wish,
        };
        Writer {
            head: Arc::new(head),
            stream: Stream::default(),
        }
    }

    /// The response's id.
    pub(crate) fn id(&self) -> String {
        id_of(&self.head.stem)
    }

    /// The whole answer as its response.
    pub(crate) fn response(&self, whole: &CompleteAnswer) -> Value {
        let output = self.head.output(&whole.blocks, &whole.end.stop);
        self.head
            .ended(output, &whole.end.stop, &usage::responses(&whole.end.usage))
    }
}

/// The id of the response whose items have this stem.
pub(crate) fn id_of(stem: &str) -> String {
    format!("resp_{stem}")
}

impl Head {
    /// The items of an answer.
    fn output(&self, blocks: &[AnswerBlock], stop: &StopReason) -> Vec<Value> {
        let told: Vec<&AnswerBlock> = blocks.iter().filter(|block| item::is_told(block)).collect();
        let last = told.len().saturating_sub(1);
        let tools = &self.wish.tools;
        let items = told.iter().enumerate().map(|(index, block)| {
            let id = item::id(&block.kind, tools, &self.stem, index);
            let status = match index == last {
                true => ended(stop),
                false => Status::Completed,
            };
            item::of(block, &id, status, tools)
        });
        items.collect()
    }

    fn ended(&self, output: Vec<Value>, stop: &StopReason, usage: &Value) -> Value {
        let (status, details) = status(stop);
        let mut response = self.response(status, output);
        response.insert("incomplete_details".into(), details);
        response.insert("usage".into(), usage.clone());
        response.into()
    }

    /// A response as a stream tells it: nothing of it is copied before it is written.
    fn told<'a>(&'a self, status: &'a str, output: &'a [Value]) -> Told<'a> {
        Told {
            id: id_of(&self.stem),
            object: "response",
            created_at: self.created,
            status,
            error: Value::Null,
            incomplete_details: Value::Null,
            output,
            usage: Value::Null,
            echo: &self.wish.echo,
        }
    }

    fn response(&self, status: &str, output: Vec<Value>) -> Map<String, Value> {
        let mut response = Map::new();
        let mut put = |name: &str, value: Value| drop(response.insert(name.to_owned(), value));
        put("id", id_of(&self.stem).into());
        put("object", "response".into());
        put("created_at", self.created.into());
        put("status", status.into());
        put("error", Value::Null);
        put("incomplete_details", Value::Null);
        put("output", output.into());
        put("usage", Value::Null);
        response.extend(self.wish.echo.clone());
        response
    }
}

/// A response, as it is written.
#[derive(Serialize)]
struct Told<'a> {
    id: String,
    object: &'static str,
    created_at: u64,
    status: &'a str,
    error: Value,
    incomplete_details: Value,
    output: &'a [Value],
    usage: Value,
    #[serde(flatten)]
    echo: &'a Map<String, Value>,
}

/// The status of an answer that stopped so, and what it says of that.
fn status(stop: &StopReason) -> (&'static str, Value) {
    match Ending::of(stop) {
        Ending::Whole => ("completed", Value::Null),
        Ending::Cut => ("incomplete", json!({"reason": "max_output_tokens"})),
        Ending::Filtered => ("incomplete", json!({"reason": "content_filter"})),
    }
}

/// How the last item of an answer ends that stopped so.
fn ended(stop: &StopReason) -> Status {
    match Ending::of(stop) {
        Ending::Whole => Status::Completed,
        Ending::Cut | Ending::Filtered => Status::Incomplete,
    }
}

/// The code by which clients tell failures of a stream apart.
fn code(kind: &FaultKind) -> &'static str {
    match kind {
        FaultKind::RateLimited | FaultKind::TooManyConcurrent | FaultKind::UpstreamRateLimited => {
            "rate_limit_exceeded"
        }
        FaultKind::UsageLimit | FaultKind::CapExceeded { .. } => "insufficient_quota",
        FaultKind::UpstreamOverloaded | FaultKind::QueueFull | FaultKind::QueueTimeout => {
            "server_is_overloaded"
        }
        FaultKind::InvalidRequest | FaultKind::UpstreamRejected { .. } => "invalid_prompt",
        _ => "server_error",
    }
}

/// Some clients take the wait out of the sentence.
fn sentence(fault: &Fault) -> String {
    match fault.retry_after {
        Some(wait) => format!(
            "{} Please try again in {}s.",
            fault.public,
            wait.as_secs().max(1)
        ),
        None => fault.public.clone(),
    }
}

impl AnswerWriter for Writer {
    fn frames(&mut self, event: &Event) -> String {
        self.stream.event(&self.head, event)
    }

    fn keep_alive(&self) -> String {
        sse::comment("keep-alive") + "\n"
    }

    fn failure(&mut self, fault: &Fault, _: &RequestId) -> String {
        let comment = sse::comment(&format!("x-relay-error: {}", fault.kind.code()));
        comment + &self.stream.failure(&self.head, fault)
    }

    fn whole(&self, whole: &CompleteAnswer) -> Result<Value, &'static str> {
        Ok(self.response(whole))
    }
}

/// The frame of a failure, which two families of clients read in two ways.
fn error_event(fault: &Fault) -> Value {
    let mut error = error::body(fault)["error"].take();
    let flat = |name: &str| error.get(name).cloned().unwrap_or(Value::Null);
    let event = json!({"type": "error", "code": flat("code"), "message": flat("message"), "param": flat("param")});
    let mut event = event;
    event["error"] = error.take();
    event
}

#[cfg(test)]
mod tests;
