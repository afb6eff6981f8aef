//! One call, as it is recorded. `[pure]`

use super::json_text::JsonText;
use super::time::stamp;
use crate::turn::LaneId;
use crate::turn::StopReason;
use crate::turn::Usage;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// A call that is over.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(test, derive(Default))]
pub(crate) struct CallRecord {
    /// The call's `request-id`.
    pub(crate) id: Arc<str>,
    /// When it came, in milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// The name that the caller gave, as far as a line takes it.
    pub(crate) model: String,
    pub(crate) stream: bool,
    /// The model that answered, where that is known.
    pub(crate) answered_by: Option<String>,
    /// The API's id of the answer, or the one that it went by.
    pub(crate) message: Option<String>,
    /// Why the model stopped.
    pub(crate) stop: Option<StopReason>,
    /// `None`: the client went away before there was one.
    pub(crate) status: Option<u16>,
    /// The code of the error contract, where it failed.
    pub(crate) code: Option<&'static str>,
    /// The client went away before the end.
    pub(crate) is_left: bool,
    pub(crate) lane: Option<LaneId>,
    pub(crate) text: Option<&'static str>,
    /// How its session was found.
    pub(crate) session: Option<&'static str>,
    /// The id of the relay's key that it came with.
    pub(crate) key: Option<String>,
    /// The policy of that key.
    pub(crate) policy: Option<Arc<str>>,
    /// The name of the host's key that served it, or was tried last.
    pub(crate) host_key: Option<Arc<str>>,
    pub(crate) tries: Vec<CallTry>,
    /// All of them, those beyond the ones that are kept as well.
    pub(crate) tries_count: u32,
    /// `None`: the model has no price, or nothing was served.
    pub(crate) charge: Option<Charge>,
    /// What of the answer is not as the model wrote it, by path.
    pub(crate) emulated: Vec<String>,
    pub(crate) bytes_in: Option<u64>,
    pub(crate) bytes_out: u64,
    pub(crate) usage: Option<Usage>,
    /// Requests that went to the upstream, as far as they were seen.
    pub(crate) questions: u32,
    pub(crate) spans: Spans,
}

/// One try of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallTry {
    pub(crate) lane: LaneId,
    pub(crate) key: Option<Arc<str>>,
    pub(crate) outcome: &'static str,
    /// Since the request's head.
    pub(crate) after: Duration,
    /// Until it failed, or its answer began.
    pub(crate) took: Duration,
}

/// What a call cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Charge {
    /// Nano-units of the currency.
    pub(crate) nanos: u64,
    pub(crate) currency: String,
    /// The upstream told no count, so this is what was reserved.
    pub(crate) is_estimate: bool,
}

/// How long each phase took; `None` for one that was not reached, or cannot be told apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Spans {
    /// From the request's head to the turn that was made of it.
    pub(crate) reading: Option<Duration>,
    /// Waiting for a session, and for earlier calls of its conversation.
    pub(crate) queue: Option<Duration>,
    /// From the session to the prompt on its way to the model.
    pub(crate) delivery: Option<Duration>,
    /// From there to the answer's first byte.
    pub(crate) first_byte: Option<Duration>,
    /// From there to its last.
    pub(crate) end: Option<Duration>,
    /// All of it, from the request's head to the response's last byte.
    pub(crate) total: Duration,
    /// What the relay itself added before the model was asked: reading the request, and the delivery.
    pub(crate) overhead: Option<Duration>,
}

/// A call as its line of `recent-calls.jsonl` and a caller's page tell it.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    at: String,
    model: &'a str,
    stream: bool,
    status: Option<u16>,
    code: Option<&'static str>,
    left: bool,
    lane: Option<&'a str>,
    text: Option<&'static str>,
    session: Option<&'static str>,
    stop: Option<&'a str>,
    key: Option<&'a str>,
    usage: Option<Tokens>,
    upstream_requests: u32,
    ms: Phases,
}

/// Milliseconds.
#[derive(Serialize)]
struct Phases {
    queue: Option<f64>,
    delivery: Option<f64>,
    first_byte: Option<f64>,
    end: Option<f64>,
    total: f64,
    overhead: Option<f64>,
}

#[derive(Serialize)]
struct Tokens {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
}

impl CallRecord {
    /// One of which no more is known. Not by way of the default, whose empty id is counted by all threads in one place.
    pub(super) fn new(id: Arc<str>, at_ms: u64) -> CallRecord {
        CallRecord {
            id,
            at_ms,
            model: String::new(),
            stream: false,
            answered_by: None,
            message: None,
            stop: None,
            status: None,
            code: None,
            is_left: false,
            lane: None,
            text: None,
            session: None,
            key: None,
            policy: None,
            host_key: None,
            tries: Vec::new(),
            tries_count: 0,
            charge: None,
            emulated: Vec::new(),
            bytes_in: None,
            bytes_out: 0,
            usage: None,
            questions: 0,
            spans: Spans::default(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::to_value(self.as_line()).expect(WRITABLE)
    }

    /// The same as a text without a line break.
    pub(super) fn line(&self) -> String {
        serde_json::to_string(&self.as_line()).expect(WRITABLE)
    }

    /// What of a call is told to who asks for this one, beside its numbers, as JSON: its phases, its tries, its labels. Every
    /// call has one made and kept, so it is written as it is and not by way of a tree or a serializer, and leaves out what
    /// is not there; [`whole_story`] has it.
    pub(crate) fn story(&self) -> String {
        let mut story = JsonText::object();
        story.text("session", self.session);
        story.text("text", self.text);
        story.text("stop", self.stop.as_ref().map(StopReason::name));
        story.text("message", self.message.as_deref());
        story.list("emulated", &self.emulated, |text, path| text.value(path));
        story.number("upstream_requests", self.questions);
        story.name("ms");
        story.nested(|ms| self.spans.tell(ms));
        story.list("tries", &self.tries, |text, tried| {
            text.nested(|text| tried.tell(text))
        });
        story.ended()
    }

    fn as_line(&self) -> Line<'_> {
        Line {
            id: &self.id,
            at: stamp(self.at_ms),
            model: &self.model,
            stream: self.stream,
            status: self.status,
            code: self.code,
            left: self.is_left,
            lane: self.lane.as_ref().map(LaneId::name),
            text: self.text,
            session: self.session,
            stop: self.stop.as_ref().map(StopReason::name),
            key: self.key.as_deref(),
            usage: self.usage.map(tokens),
            upstream_requests: self.questions,
            ms: self.spans.phases(),
        }
    }
}

impl CallTry {
    fn tell(&self, text: &mut JsonText) {
        text.text("lane", Some(self.lane.name()));
        text.text("key", self.key.as_deref());
        text.text("outcome", Some(self.outcome));
        text.span("after_ms", Some(self.after));
        text.span("took_ms", Some(self.took));
    }
}

impl Spans {
    fn tell(&self, text: &mut JsonText) {
        text.span("queue", self.queue);
        text.span("delivery", self.delivery);
        text.span("first_byte", self.first_byte);
        text.span("end", self.end);
        text.span("total", Some(self.total));
        text.span("overhead", self.overhead);
    }

    fn phases(&self) -> Phases {
        Phases {
            queue: self.queue.map(ms),
            delivery: self.delivery.map(ms),
            first_byte: self.first_byte.map(ms),
            end: self.end.map(ms),
            total: ms(self.total),
            overhead: self.overhead.map(ms),
        }
    }
}

/// A story with a null, a zero or an empty list for what its text leaves out.
pub(crate) fn whole_story(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(kept @ Value::Object(_)) => whole(story_shape(), kept),
        Ok(other) => other,
        Err(_) => Value::Null,
    }
}

fn story_shape() -> Value {
    json!({
        "session": null,
        "text": null,
        "stop": null,
        "message": null,
        "emulated": [],
        "upstream_requests": 0,
        "ms": {
            "queue": null, "delivery": null, "first_byte": null, "end": null, "total": null, "overhead": null,
        },
        "tries": [{ "lane": null, "key": null, "outcome": null, "after_ms": null, "took_ms": null }],
    })
}

/// What was kept in the order of a shape, which says what is told where nothing was. A list's shape is that of each of its
/// entries.
fn whole(shape: Value, kept: Value) -> Value {
    match (shape, kept) {
        (Value::Object(shape), Value::Object(mut kept)) => {
            let members = shape.into_iter().map(|(name, shape)| {
                let value = kept.shift_remove(&name).unwrap_or_default();
                (name, whole(shape, value))
            });
            let mut told: Map<String, Value> = members.collect();
            told.extend(kept);
            Value::Object(told)
        }
        (Value::Array(shape), Value::Array(kept)) => {
            let shape = shape.into_iter().next().unwrap_or_default();
            let entries = kept.into_iter().map(|entry| whole(shape.clone(), entry));
            Value::Array(entries.collect())
        }
        (Value::Array(_), Value::Null) => Value::Array(Vec::new()),
        (shape, Value::Null) => shape,
        (_, kept) => kept,
    }
}

fn tokens(usage: Usage) -> Tokens {
    Tokens {
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        cache_creation_input_tokens: usage.cache_creation_input_tokens,
        cache_read_input_tokens: usage.cache_read_input_tokens,
    }
}

const WRITABLE: &str = "texts and numbers must have a form in JSON";

/// Milliseconds to a tenth: a warm delivery takes a few.
fn ms(span: Duration) -> f64 {
    (span.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_is_json_whatever_stands_in_it() {
        let entry = CallRecord {
            stop: Some(StopReason::Other("end\n\"x\"".to_owned())),
            emulated: vec!["a".to_owned(), "b\\".to_owned()],
            questions: 2,
            tries: vec![CallTry {
                lane: LaneId::new("http:one"),
                key: None,
                outcome: "answered",
                after: Duration::from_micros(1_449),
                took: Duration::from_millis(12),
            }],
            spans: Spans {
                total: Duration::from_micros(999_960),
                ..Spans::default()
            },
            ..CallRecord::default()
        };
        let text = entry.story();
        assert!(!text.contains("null") && !text.contains("key"), "{text}");
        let story = whole_story(&text);
        let expected = json!({
            "session": null,
            "text": null,
            "stop": "end\n\"x\"",
            "message": null,
            "emulated": ["a", "b\\"],
            "upstream_requests": 2,
            "ms": {
                "queue": null, "delivery": null, "first_byte": null, "end": null, "total": 1000.0, "overhead": null,
            },
            "tries": [{
                "lane": "http:one", "key": null, "outcome": "answered", "after_ms": 1.4, "took_ms": 12.0,
            }],
        });
        // In this order as well, and so is what an earlier relay kept whole.
        assert_eq!(story.to_string(), expected.to_string());
        assert_eq!(
            whole_story(&expected.to_string()).to_string(),
            expected.to_string()
        );
        let nothing = whole_story(&CallRecord::default().story());
        assert_eq!(
            (&nothing["tries"], &nothing["upstream_requests"]),
            (&json!([]), &json!(0))
        );
        assert_eq!(whole_story("no story"), Value::Null);
    }

    #[test]
    fn an_entry_is_one_line_whatever_a_model_is_called() {
        let entry = CallRecord {
            model: "a\nb\"c".into(),
            spans: Spans {
                queue: Some(Duration::from_micros(1_449)),
                ..Spans::default()
            },
            ..CallRecord::default()
        };
        let line = entry.line();
        assert_eq!(line.lines().count(), 1);
        assert!(line.contains(r#""model":"a\nb\"c""#), "{line}");
        assert!(line.contains(r#""queue":1.4,"#), "{line}");
    }
}
