//! A call as a span: its name, its attributes, its phases. `[pure]`

use crate::calls::CallRecord;
use crate::turn::Usage;
use opentelemetry::Array;
use opentelemetry::KeyValue;
use opentelemetry::StringValue;
use opentelemetry::Value;
use std::time::Duration;
use std::time::SystemTime;

/// What is told of a call.
#[derive(Debug)]
pub(super) struct CallSpan {
    pub(super) name: String,
    pub(super) began: SystemTime,
    pub(super) ended: SystemTime,
    pub(super) attributes: Vec<KeyValue>,
    /// In order; each begins where the one before ended.
    pub(super) phases: Vec<Phase>,
    /// The code of the failure, where it is not the client's own.
    pub(super) failure: Option<&'static str>,
}

/// A phase that the call reached.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Phase {
    pub(super) name: &'static str,
    pub(super) began: SystemTime,
    pub(super) ended: SystemTime,
}

/// Makes a span of a call that ended then.
pub(super) fn told(entry: &CallRecord, ended: SystemTime) -> CallSpan {
    let began = ended.checked_sub(entry.spans.total).unwrap_or(ended);
    let is_ours = entry
        .status
        .is_none_or(|status| !(400..500).contains(&status));
    CallSpan {
        name: format!("chat {}", entry.model),
        began,
        ended,
        attributes: attributes(entry),
        phases: phases(entry, began),
        failure: entry.code.filter(|_| is_ours),
    }
}

fn phases(entry: &CallRecord, began: SystemTime) -> Vec<Phase> {
    let spans = &entry.spans;
    let mut at = began + spans.reading.unwrap_or_default();
    let mut phases = Vec::new();
    let mut reached = |name, span: Option<Duration>| {
        if let Some(span) = span {
            let began = at;
            at += span;
            phases.push(Phase {
                name,
                began,
                ended: at,
            });
        }
    };
    reached("queue", spans.queue);
    reached("delivery", spans.delivery);
    reached("first_byte", spans.first_byte);
    reached("end", spans.end);
    phases
}

fn attributes(entry: &CallRecord) -> Vec<KeyValue> {
    let mut list = List::default();
    list.put("gen_ai.operation.name", Some("chat"));
    list.put("gen_ai.provider.name", Some("anthropic"));
    list.put("gen_ai.request.model", Some(entry.model.clone()));
    list.put("gen_ai.response.model", entry.answered_by.clone());
    list.put("gen_ai.response.id", entry.message.clone());
    let reason = |stop: String| Value::Array(Array::String(vec![StringValue::from(stop)]));
    list.put(
        "gen_ai.response.finish_reasons",
        entry
            .stop
            .as_ref()
            .map(|stop| reason(stop.name().to_owned())),
    );
    if let Some(usage) = entry.usage {
        list.count(usage);
    }
    list.put("http.response.status_code", entry.status.map(i64::from));
    list.put("error.type", entry.code);
    list.put("inference_relay.request.id", Some(entry.id.to_string()));
    list.put("inference_relay.key.id", entry.key.clone());
    let lane = entry.lane.as_ref().map(ToString::to_string);
    list.put("inference_relay.lane", lane);
    list.put("inference_relay.text", entry.text);
    list.put("inference_relay.session", entry.session);
    list.put("inference_relay.stream", Some(entry.stream));
    list.put("inference_relay.client_left", Some(entry.is_left));
    list.0
}

#[derive(Default)]
struct List(Vec<KeyValue>);

impl List {
    /// What is not known has no attribute.
    fn put(&mut self, name: &'static str, value: Option<impl Into<Value>>) {
        self.0
            .extend(value.map(|value| KeyValue::new(name, value.into())));
    }

    /// The convention counts cached tokens among those of the input, and the API does not.
    fn count(&mut self, usage: Usage) {
        let (written, read) = (
            usage.cache_creation_input_tokens,
            usage.cache_read_input_tokens,
        );
        let cached = written.unwrap_or(0) + read.unwrap_or(0);
        let count = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
        self.put(
            "gen_ai.usage.input_tokens",
            usage.input_tokens.map(|input| count(input + cached)),
        );
        self.put("gen_ai.usage.output_tokens", usage.output_tokens.map(count));
        self.put(
            "gen_ai.usage.cache_creation.input_tokens",
            written.map(count),
        );
        self.put("gen_ai.usage.cache_read.input_tokens", read.map(count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::StopReason;
    use std::time::UNIX_EPOCH;

    fn at(ms: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(ms)
    }

    fn entry() -> CallRecord {
        let mut entry = CallRecord {
            model: "claude-opus-4-8".into(),
            status: Some(200),
            stop: Some(StopReason::EndTurn),
            usage: Some(Usage {
                input_tokens: Some(5),
                output_tokens: Some(7),
                cache_read_input_tokens: Some(100),
                ..Usage::default()
            }),
            ..CallRecord::default()
        };
        let ms = |ms| Some(Duration::from_millis(ms));
        entry.spans.total = Duration::from_millis(100);
        (entry.spans.reading, entry.spans.queue) = (ms(1), ms(9));
        (entry.spans.first_byte, entry.spans.end) = (ms(40), ms(50));
        entry
    }

    fn attribute(told: &CallSpan, name: &str) -> Option<String> {
        let mut all = told.attributes.iter();
        let found = all.find(|attribute| attribute.key.as_str() == name);
        found.map(|attribute| attribute.value.as_str().into_owned())
    }

    #[test]
    fn phases_follow_one_another_and_those_not_reached_are_not_told() {
        let told = told(&entry(), at(1100));
        assert_eq!(
            (told.name.as_str(), told.began),
            ("chat claude-opus-4-8", at(1000))
        );
        let phase = |name, began, ended| Phase {
            name,
            began: at(began),
            ended: at(ended),
        };
        let expected = [
            phase("queue", 1001, 1010),
            phase("first_byte", 1010, 1050),
            phase("end", 1050, 1100),
        ];
        assert_eq!(told.phases, expected);
    }

    #[test]
    fn attributes_have_the_conventions_names_and_meanings() {
        let told = told(&entry(), at(0));
        for (name, value) in [
            ("gen_ai.operation.name", Some("chat")),
            ("gen_ai.request.model", Some("claude-opus-4-8")),
            ("gen_ai.response.finish_reasons", Some("[\"end_turn\"]")),
            ("gen_ai.usage.input_tokens", Some("105")),
            ("gen_ai.usage.output_tokens", Some("7")),
            ("gen_ai.usage.cache_read.input_tokens", Some("100")),
            ("gen_ai.usage.cache_creation.input_tokens", None),
            ("error.type", None),
        ] {
            assert_eq!(attribute(&told, name).as_deref(), value, "{name}");
        }
    }

    #[test]
    fn a_clients_own_mistake_is_told_and_is_no_failure_of_the_span() {
        for (status, code, failure) in [
            (Some(200), None, None),
            (Some(400), Some("invalid_request"), None),
            (Some(529), Some("queue_full"), Some("queue_full")),
            (Some(200), Some("session_lost"), Some("session_lost")),
        ] {
            let call = CallRecord {
                status,
                code,
                ..entry()
            };
            let told = told(&call, at(0));
            assert_eq!(told.failure, failure, "{status:?}");
            assert_eq!(attribute(&told, "error.type").as_deref(), code);
        }
    }
}
