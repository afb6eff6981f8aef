//! Events as those of a response's stream, and a whole answer as its response.

mod stream;
mod written;

use super::item;
use super::item::Status;
use super::request::AnswerWish;
use crate::quote::around;
use crate::quote::count;
use crate::turn::AnswerBlock;
use crate::turn::CompleteAnswer;
use crate::turn::End;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::Reading;
use crate::turn::RequestId;
use crate::turn::StopReason;
use crate::turn::Usage;
use crate::wire::openai::error;
use crate::wire::openai::stop::Ending;
use crate::wire::openai::usage;
use crate::wire::sse;
use crate::wire::writer::AnswerWriter;
use serde_json::Value;
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
}

/// The id of the response whose items have this stem.
pub(crate) fn id_of(stem: &str) -> String {
    ["resp_", stem].concat()
}

impl Head {
    /// The items of an answer, in JSON.
    fn items(&self, whole: &CompleteAnswer) -> Vec<String> {
        let blocks = whole.blocks.iter();
        let told: Vec<&AnswerBlock> = blocks.filter(|block| item::is_told(block)).collect();
        let last = told.len().saturating_sub(1);
        let tools = &self.wish.tools;
        let items = told.iter().enumerate().map(|(index, block)| {
            let id = item::id(&block.kind, tools, &self.stem, index);
            let status = match index == last {
                true => ended(&whole.end.stop),
                false => Status::Completed,
            };
            item::written(block, &id, status, tools)
        });
        items.collect()
    }

    /// A response that has ended so; its items are JSON.
    fn ended(&self, output: &[String], end: &End) -> String {
        let (status, incomplete_details) = status(&end.stop);
        self.told(&Telling {
            status,
            error: None,
            incomplete_details,
            output,
            usage: Some(&end.usage),
        })
    }

    /// A response as it is written: its own fields, and those that say again what was asked for.
    fn told(&self, telling: &Telling<'_>) -> String {
        let (echo, output) = (self.wish.echo.written(), telling.output);
        let bytes: usize = output.iter().map(String::len).sum();
        let mut json = String::with_capacity(bytes + echo.len() + OWN_BYTES_EXPECTED);
        let id = id_of(&self.stem);
        around(
            r#"{"id":"#,
            &id,
            r#","object":"response","created_at":"#,
            &mut json,
        );
        count(self.created, &mut json);
        let error = telling.error.as_deref().unwrap_or("null");
        for piece in [r#","status":""#, telling.status, r#"","error":"#, error] {
            json.push_str(piece);
        }
        json.push_str(r#","incomplete_details":"#);
        match telling.incomplete_details {
            Some(reason) => around(r#"{"reason":"#, reason, "}", &mut json),
            None => json.push_str("null"),
        }
        json.push_str(r#","output":["#);
        for (index, item) in output.iter().enumerate() {
            json.push_str(if index == 0 { "" } else { "," });
            json.push_str(item);
        }
        json.push_str(r#"],"usage":"#);
        match telling.usage {
            Some(usage) => usage::write_response(usage, &mut json),
            None => json.push_str("null"),
        }
        json.push_str(echo);
        json.push('}');
        json
    }
}

/// What is told of a response beside what is the same in every telling.
struct Telling<'a> {
    status: &'a str,
    /// JSON.
    error: Option<String>,
    /// Why it is not complete.
    incomplete_details: Option<&'static str>,
    /// The items, in JSON.
    output: &'a [String],
    usage: Option<&'a Usage>,
}

/// Bytes of a response beside its items and what is said again.
const OWN_BYTES_EXPECTED: usize = 512;

/// The status of an answer that stopped so, and what it says of that.
fn status(stop: &StopReason) -> (&'static str, Option<&'static str>) {
    match Ending::of(stop) {
        Ending::Whole => ("completed", None),
        Ending::Cut => ("incomplete", Some("max_output_tokens")),
        Ending::Filtered => ("incomplete", Some("content_filter")),
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
    fn prepare(&mut self, reading: Reading) {
        if let Some(head) = Arc::get_mut(&mut self.head) {
            head.wish.echo.write();
        }
        if reading == Reading::Along {
            self.stream.prepare(&self.head);
        }
    }

    fn frames(&mut self, event: &Event, stream: &mut String) {
        self.stream.event(&self.head, event, stream);
    }

    fn keep_alive(&self) -> String {
        sse::comment("keep-alive") + "\n"
    }

    fn failure(&mut self, fault: &Fault, _: &RequestId) -> String {
        let comment = sse::comment(&format!("x-relay-error: {}", fault.kind.code()));
        comment + &self.stream.failure(&self.head, fault)
    }

    fn whole(&self, whole: &CompleteAnswer) -> Result<String, &'static str> {
        let output = self.head.items(whole);
        Ok(self.head.ended(&output, &whole.end))
    }

    /// The last event of a stream is its whole response.
    fn holds_answer(&self) -> bool {
        true
    }

    fn told_whole(&mut self) -> Option<String> {
        self.stream.told()
    }
}

/// The frame of a failure, which two families of clients read in two ways.
fn error_event(fault: &Fault) -> Value {
    let mut error = error::body(fault)["error"].take();
    let flat = |name: &str| error.get(name).cloned().unwrap_or(Value::Null);
    let mut event = serde_json::json!({"type": "error", "code": flat("code"), "message": flat("message"),
        "param": flat("param")});
    event["error"] = error.take();
    event
}

#[cfg(test)]
mod tests;
