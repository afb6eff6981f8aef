//! One call, as it is recorded. `[pure]`

use crate::turn::LaneId;
use crate::turn::Usage;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;

/// A call that is over.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct CallRecord {
    /// The call's `request-id`.
    pub(crate) id: String,
    /// When it came, in RFC 3339.
    pub(crate) at: String,
    /// The name that the caller gave, as far as a line takes it.
    pub(crate) model: String,
    pub(crate) stream: bool,
    /// The model that answered, where that is known.
    pub(crate) answered_by: Option<String>,
    /// The API's id of the answer, or the one that it went by.
    pub(crate) message: Option<String>,
    /// Why the model stopped.
    pub(crate) stop: Option<String>,
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
    pub(crate) usage: Option<Usage>,
    /// Requests that went to the upstream, as far as they were seen.
    pub(crate) questions: u32,
    pub(crate) spans: Spans,
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

impl CallRecord {
    pub(crate) fn json(&self) -> Value {
        json!({
            "id": self.id,
            "at": self.at,
            "model": self.model,
            "stream": self.stream,
            "status": self.status,
            "code": self.code,
            "left": self.is_left,
            "lane": self.lane.as_ref().map(LaneId::name),
            "text": self.text,
            "session": self.session,
            "stop": self.stop,
            "key": self.key,
            "usage": self.usage.map(usage),
            "upstream_requests": self.questions,
            "ms": {
                "queue": ms(self.spans.queue),
                "delivery": ms(self.spans.delivery),
                "first_byte": ms(self.spans.first_byte),
                "end": ms(self.spans.end),
                "total": ms(Some(self.spans.total)),
                "overhead": ms(self.spans.overhead),
            },
        })
    }
}

fn usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_creation_input_tokens": usage.cache_creation_input_tokens,
        "cache_read_input_tokens": usage.cache_read_input_tokens,
    })
}

/// Milliseconds to a tenth: a warm delivery takes a few.
fn ms(span: Option<Duration>) -> Option<f64> {
    span.map(|span| (span.as_secs_f64() * 10_000.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let line = entry.json().to_string();
        assert_eq!(line.lines().count(), 1);
        assert!(line.contains(r#""model":"a\nb\"c""#), "{line}");
        assert!(line.contains(r#""queue":1.4,"#), "{line}");
    }
}
