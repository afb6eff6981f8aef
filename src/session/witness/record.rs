//! Lines of claude's transcript, as far as a turn's end is told there. `[pure]`

use super::request_sign::Refusal;
use crate::session::attachment::Attachment;
use crate::turn::Usage;
use crate::turn::json;
use serde_json::Value;
use std::time::Duration;

/// One line of a transcript.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Record {
    /// One content block of the model's message.
    Assistant(AssistantMessage),
    /// The CLI's own message about a failed request.
    Error(ApiError),
    /// A user message: the caller's, or one that the CLI wrote by itself.
    Asked,
    /// The turn is closed: everything before is in the file.
    Closed,
    /// Something that the CLI tells the model beside the caller's words.
    Attached(Attachment),
    Other,
    /// A line that nobody can read: whatever it told is missing.
    Broken,
}

/// One content block, with what the message says of itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AssistantMessage {
    pub(crate) message: String,
    pub(crate) model: String,
    pub(crate) blocks: Vec<Value>,
    /// `None` while the message is not ended.
    pub(crate) stop_reason: Option<String>,
    pub(crate) stop_sequence: Option<String>,
    /// What the API says beside the reason.
    pub(crate) details: Option<Value>,
    pub(crate) usage: Usage,
    /// Something in it could not be read as it was written.
    pub(crate) replaced: bool,
}

impl Record {
    /// Whether the model calls a tool in it.
    pub(crate) fn has_calls(&self) -> bool {
        matches!(self, Record::Assistant(said) if said.calls() > 0)
    }
}

impl AssistantMessage {
    /// Whether there is nothing in it that a person could see.
    pub(crate) fn is_blank(&self) -> bool {
        self.blocks.iter().all(|block| match kind(block) {
            "thinking" | "redacted_thinking" => true,
            "text" => string(block, "text").is_none_or(|text| text.trim().is_empty()),
            _ => false,
        })
    }

    /// How many tools the model calls in it.
    pub(crate) fn calls(&self) -> usize {
        let calls = self.blocks.iter().filter(|block| kind(block) == "tool_use");
        calls.count()
    }

    /// Whether the CLI asks the model again by itself after it. Where there are calls, who answers them decides.
    pub(crate) fn is_asked_on_after(&self) -> bool {
        match self.stop_reason.as_deref() {
            Some("max_tokens" | "model_context_window_exceeded") => self.calls() == 0,
            Some("end_turn" | "stop_sequence") => self.is_blank(),
            _ => false,
        }
    }
}

fn kind(block: &Value) -> &str {
    block
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// A failed request, as the CLI tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// `rate_limit`, `authentication_failed`, `unknown` …
    pub(crate) error: String,
    /// The upstream's status, where the CLI says it.
    pub(crate) status: Option<u16>,
    pub(crate) text: String,
    /// What the upstream refused the last request with, where the CLI told it.
    pub(crate) refusal: Option<Refusal>,
    pub(crate) stop_reason: Option<String>,
    /// How long to wait, where the upstream says it.
    pub(crate) retry_after: Option<Duration>,
}

/// Reads one line.
pub(crate) fn parse_record(line: &[u8]) -> Record {
    if line.trim_ascii().is_empty() {
        return Record::Other;
    }
    let Ok((record, replaced)) = json::read(line) else {
        return Record::Broken;
    };
    match read(&record) {
        Record::Assistant(said) => Record::Assistant(AssistantMessage {
            replaced: replaced.is_any(),
            ..said
        }),
        other => other,
    }
}

fn read(record: &Value) -> Record {
    if record.get("isSidechain").and_then(Value::as_bool) == Some(true) {
        return Record::Other;
    }
    match record.get("type").and_then(Value::as_str) {
        Some("assistant") => assistant(record).unwrap_or(Record::Other),
        Some("user") => Record::Asked,
        Some("system")
            if record.get("subtype").and_then(Value::as_str) == Some("turn_duration") =>
        {
            Record::Closed
        }
        Some("attachment") => Attachment::of(record).map_or(Record::Other, Record::Attached),
        _ => Record::Other,
    }
}

fn assistant(record: &Value) -> Option<Record> {
    let message = record.get("message")?;
    let blocks = message.get("content")?.as_array()?;
    if record.get("isApiErrorMessage").and_then(Value::as_bool) == Some(true) {
        return Some(Record::Error(ApiError {
            error: string(record, "error").unwrap_or_default(),
            status: record
                .get("apiErrorStatus")
                .and_then(Value::as_u64)
                .and_then(|s| u16::try_from(s).ok()),
            text: blocks
                .iter()
                .filter_map(|block| string(block, "text"))
                .collect(),
            refusal: None,
            stop_reason: string(message, "stop_reason"),
            retry_after: None,
        }));
    }
    said(message).map(Record::Assistant)
}

/// A message of the API, or as much of it as one record has; `None` for one that no model wrote.
pub(super) fn said(message: &Value) -> Option<AssistantMessage> {
    let model = string(message, "model").filter(|model| model != SYNTHETIC)?;
    Some(AssistantMessage {
        message: string(message, "id")?,
        model,
        blocks: message.get("content")?.as_array()?.clone(),
        stop_reason: string(message, "stop_reason"),
        stop_sequence: string(message, "stop_sequence"),
        details: message
            .get("stop_details")
            .filter(|details| !details.is_null())
            .cloned(),
        replaced: false,
        usage: usage(message.get("usage")),
    })
}

fn usage(usage: Option<&Value>) -> Usage {
    let count = |name| {
        usage
            .and_then(|usage| usage.get(name))
            .and_then(Value::as_u64)
    };
    Usage {
        input_tokens: count("input_tokens"),
        output_tokens: count("output_tokens"),
        cache_creation_input_tokens: count("cache_creation_input_tokens"),
        cache_read_input_tokens: count("cache_read_input_tokens"),
        reasoning_tokens: None,
    }
}

fn string(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// The model of messages that no model wrote.
const SYNTHETIC: &str = "<synthetic>";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_tells_its_message() {
        let line = r#"{"type":"assistant","isSidechain":false,"message":{"id":"msg_1","model":"m","content":
            [{"type":"text","text":"a\n"}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":7,
            "cache_read_input_tokens":1}}}"#;
        let Record::Assistant(said) = parse_record(line.as_bytes()) else {
            panic!("the line is the model's")
        };
        assert_eq!(
            (said.message.as_str(), said.stop_reason.as_deref()),
            ("msg_1", Some("end_turn"))
        );
        assert_eq!(
            (said.usage.input_tokens, said.usage.output_tokens),
            (Some(5), Some(7))
        );
        assert_eq!(said.usage.cache_creation_input_tokens, None);
    }

    #[test]
    fn a_failed_request_tells_its_status() {
        let line = r#"{"type":"assistant","message":{"id":"x","model":"<synthetic>","content":[{"type":"text",
            "text":"API Error: 529 busy"}]},"isApiErrorMessage":true,"error":"server_error","apiErrorStatus":529}"#;
        let Record::Error(error) = parse_record(line.as_bytes()) else {
            panic!("the line is an error")
        };
        assert_eq!(
            (error.status, error.error.as_str()),
            (Some(529), "server_error")
        );
    }

    #[test]
    fn a_turns_close_is_seen_and_noise_is_not() {
        assert_eq!(
            parse_record(br#"{"type":"system","subtype":"turn_duration"}"#),
            Record::Closed
        );
        assert_eq!(parse_record(b"  "), Record::Other);
        assert_eq!(
            parse_record(br#"{"type":"assistant","isSidechain":true}"#),
            Record::Other
        );
    }

    #[test]
    fn a_line_that_cannot_be_read_is_not_passed_over() {
        assert_eq!(parse_record(b"{"), Record::Broken);
        let line =
            br#"{"type":"assistant","message":{"id":"m","model":"m","content":[{"type":"text",
            "text":"a\ud99c"}],"stop_details":{"type":"refusal"}}}"#;
        let Record::Assistant(said) = parse_record(line) else {
            panic!("half a pair can be read")
        };
        assert_eq!(said.blocks[0]["text"], "a\u{fffd}");
        assert!(said.replaced && said.details.is_some());
    }
}
