//! What an answer says of itself while its bytes pass: whether it has begun to mean something, its tokens, its end, and
//! its failure. `[pure]`
//!
//! Only lines that can hold one of these are read as JSON; the text of an answer passes unread.

use super::protocol::Protocol;
use crate::turn::StopReason;
use crate::turn::Usage;
use memchr::memmem;
use serde_json::Value;

/// What is known of an answer so far.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Observed {
    /// Content, a call of a tool or an end came: the answer is one.
    pub(crate) is_meaningful: bool,
    pub(crate) usage: Usage,
    pub(crate) stop: Option<StopReason>,
    pub(crate) model: Option<String>,
    pub(crate) error: Option<StreamError>,
    /// The stream said that it is over.
    pub(crate) is_over: bool,
    /// All of the answer came, though the mark of its end did not: some hosts send none.
    pub(crate) is_complete: bool,
    /// It speaks another protocol than the binding says: what it looks like.
    pub(crate) alien: Option<&'static str>,
}

/// A failure that a host tells inside an answer of status 200.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamError {
    /// The host's own name of it.
    pub(crate) code: String,
    pub(crate) message: String,
    /// The JSON object of the event.
    pub(crate) json: String,
}

/// Reads the lines of a stream.
#[derive(Debug)]
pub(crate) struct StreamReader {
    protocol: Protocol,
    /// The name that the event's own line gave.
    event: Vec<u8>,
    seen_data: bool,
    pub(crate) observed: Observed,
}

impl StreamReader {
    pub(crate) fn new(protocol: Protocol) -> StreamReader {
        StreamReader {
            protocol,
            event: Vec::new(),
            seen_data: false,
            observed: Observed::default(),
        }
    }

    /// Takes the next line, without its end.
    pub(crate) fn handle(&mut self, line: &[u8]) {
        if let Some(name) = field(line, b"event") {
            self.event.clear();
            self.event.extend_from_slice(name);
        } else if let Some(data) = field(line, b"data") {
            self.data(data);
            self.event.clear();
        } else if !self.seen_data && !line.is_empty() && !line.starts_with(b":") {
            let is_other = field(line, b"id").is_none() && field(line, b"retry").is_none();
            self.observed.alien = is_other.then(|| super::protocol::looks_like(line));
        }
    }

    fn data(&mut self, data: &[u8]) {
        if data == b"[DONE]" {
            self.observed.is_over = true;
            self.observed.is_meaningful = true;
            return;
        }
        let is_first = !std::mem::replace(&mut self.seen_data, true);
        if !is_first && self.observed.is_meaningful && self.is_text(data) {
            return;
        }
        let Ok(json) = serde_json::from_slice::<Value>(data) else {
            self.observed.alien = is_first.then(|| super::protocol::looks_like(data));
            return;
        };
        let other = Protocol::of_event(&json).filter(|found| *found != self.protocol);
        if let Some(other) = other {
            self.observed.alien = Some(other.words());
            return;
        }
        match self.protocol {
            Protocol::Messages => messages(&mut self.observed, &json),
            Protocol::Chat => chat(&mut self.observed, &json),
            Protocol::Responses => responses(&mut self.observed, &json),
        }
    }

    /// Whether a line holds a piece of content and nothing that must be read.
    fn is_text(&self, data: &[u8]) -> bool {
        match self.protocol {
            Protocol::Messages => self.event.starts_with(b"content_block_"),
            Protocol::Responses => self.event.ends_with(b".delta"),
            Protocol::Chat => {
                let holds = |word: &[u8]| memmem::find(data, word).is_some();
                !holds(b"\"usage\":{")
                    && !holds(b"\"usage\": {")
                    && !holds(b"\"error\"")
                    && (holds(b"\"finish_reason\":null") || holds(b"\"finish_reason\": null"))
            }
        }
    }
}

/// Whether a line holds a piece of JSON that ends before its end: something on the way has spoiled it.
pub(super) fn is_spoiled(line: &[u8]) -> bool {
    let data = field(line, b"data").map(<[u8]>::trim_ascii);
    data.is_some_and(|data| data.starts_with(b"{") && !data.ends_with(b"}"))
}

/// The value of a line's field; `None` where the line is of another field.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = line.strip_prefix(name)?.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

/// Reads a whole answer that was not streamed.
pub(crate) fn whole(protocol: Protocol, body: &[u8]) -> Observed {
    let mut observed = Observed::default();
    let Ok(json) = serde_json::from_slice::<Value>(body) else {
        observed.alien = Some(super::protocol::looks_like(body));
        return observed;
    };
    observed.alien = match Protocol::of_answer(&json) {
        Some(found) if found == protocol => None,
        Some(found) => Some(found.words()),
        None => Some("JSON of no protocol that is known"),
    };
    observed.model = text(&json["model"]);
    observed.usage = usage(protocol, &json["usage"]);
    observed.stop = match protocol {
        Protocol::Messages => text(&json["stop_reason"])
            .map(|name| StopReason::named(&name, text(&json["stop_sequence"]))),
        Protocol::Chat => text(&json["choices"][0]["finish_reason"]).map(|name| finish(&name)),
        Protocol::Responses => Some(ending(&json)),
    };
    observed.is_meaningful = true;
    observed.is_over = true;
    observed
}

/// Reads what an answer of any other route says of its cost.
pub(crate) fn opaque(body: &[u8]) -> Observed {
    let json = serde_json::from_slice::<Value>(body);
    let alien = json
        .is_err()
        .then(|| super::protocol::looks_like(body))
        .filter(|words| !body.is_empty() && *words != "plain text");
    let json = json.unwrap_or_default();
    let counts = usage(Protocol::Chat, &json["usage"]);
    Observed {
        is_meaningful: true,
        is_over: true,
        usage: usage(Protocol::Responses, &json["usage"]).over(counts),
        model: text(&json["model"]),
        alien,
        ..Observed::default()
    }
}

fn messages(observed: &mut Observed, json: &Value) {
    match json["type"].as_str() {
        Some("message_start") => {
            observed.model = text(&json["message"]["model"]);
            observed.usage = usage(Protocol::Messages, &json["message"]["usage"]);
        }
        Some("content_block_start") => {
            let kind = json["content_block"]["type"].as_str();
            observed.is_meaningful |= !matches!(kind, Some("text" | "thinking"));
        }
        Some("content_block_delta") => observed.is_meaningful = true,
        Some("message_delta") => {
            let delta = &json["delta"];
            observed.is_meaningful = true;
            observed.usage = usage(Protocol::Messages, &json["usage"]).over(observed.usage);
            let stop = text(&delta["stop_reason"]);
            observed.stop =
                stop.map(|name| StopReason::named(&name, text(&delta["stop_sequence"])));
        }
        Some("message_stop") => (observed.is_over, observed.is_meaningful) = (true, true),
        Some("error") => observed.error = Some(error(&json["error"], "type", json)),
        _ => {}
    }
}

fn chat(observed: &mut Observed, json: &Value) {
    if json.get("error").is_some_and(|error| !error.is_null()) {
        observed.error = Some(error(&json["error"], "code", json));
        return;
    }
    if observed.model.is_none() {
        observed.model = text(&json["model"]);
    }
    let counts = usage(Protocol::Chat, &json["usage"]);
    observed.usage = counts.over(observed.usage);
    for choice in json["choices"].as_array().into_iter().flatten() {
        let delta = choice["delta"].as_object().into_iter().flatten();
        let mut content = delta.filter(|(name, _)| *name != "role");
        observed.is_meaningful |= content.any(|(_, value)| says_something(value));
        if let Some(name) = text(&choice["finish_reason"]) {
            observed.stop = Some(finish(&name));
            (observed.is_complete, observed.is_meaningful) = (true, true);
        }
    }
}

fn responses(observed: &mut Observed, json: &Value) {
    match json["type"].as_str().unwrap_or_default() {
        "error" => observed.error = Some(error(json, "code", json)),
        "response.failed" => {
            observed.error = Some(error(&json["response"]["error"], "code", json));
        }
        "response.created" | "response.in_progress" | "response.queued" => {
            observed.model = text(&json["response"]["model"]);
        }
        "response.output_item.added" => {
            observed.is_meaningful |= json["item"]["type"] != "message";
        }
        "response.content_part.added" => {}
        "response.completed" | "response.incomplete" => {
            let response = &json["response"];
            observed.usage = usage(Protocol::Responses, &response["usage"]);
            observed.stop = Some(ending(response));
            (observed.is_over, observed.is_meaningful) = (true, true);
        }
        _ => observed.is_meaningful = true,
    }
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(_) | Value::Bool(_) | Value::Number(_) => true,
    }
}

fn error(error: &Value, code: &str, json: &Value) -> StreamError {
    let name = text(&error[code]).or_else(|| text(&error["type"]));
    StreamError {
        code: name.unwrap_or_default(),
        message: text(&error["message"]).unwrap_or_default(),
        json: json.to_string(),
    }
}

/// The reason by OpenAI's name.
fn finish(name: &str) -> StopReason {
    match name {
        "stop" => StopReason::EndTurn,
        "length" => StopReason::MaxTokens,
        "tool_calls" | "function_call" => StopReason::ToolUse,
        "content_filter" => StopReason::Refusal,
        other => StopReason::Other(other.to_owned()),
    }
}

fn ending(response: &Value) -> StopReason {
    let calls =
        |item: &Value| item["type"] == "function_call" || item["type"] == "custom_tool_call";
    match response["incomplete_details"]["reason"].as_str() {
        Some("max_output_tokens") => StopReason::MaxTokens,
        Some("content_filter") => StopReason::Refusal,
        Some(other) => StopReason::Other(other.to_owned()),
        None if response["output"]
            .as_array()
            .is_some_and(|all| all.iter().any(calls)) =>
        {
            StopReason::ToolUse
        }
        None => StopReason::EndTurn,
    }
}

/// The counts, made disjoint: OpenAI counts what came from a cache among the input, Anthropic beside it.
pub(crate) fn usage(protocol: Protocol, json: &Value) -> Usage {
    let count = |value: &Value| value.as_u64();
    if protocol == Protocol::Messages {
        return Usage {
            input_tokens: count(&json["input_tokens"]),
            output_tokens: count(&json["output_tokens"]),
            cache_creation_input_tokens: count(&json["cache_creation_input_tokens"]),
            cache_read_input_tokens: count(&json["cache_read_input_tokens"]),
            reasoning_tokens: None,
        };
    }
    let [input, output] = match protocol {
        Protocol::Responses => ["input_tokens", "output_tokens"],
        Protocol::Messages | Protocol::Chat => ["prompt_tokens", "completion_tokens"],
    };
    let details = |of: &str, name: &str| count(&json[format!("{of}_details").as_str()][name]);
    let cached = details(input, "cached_tokens");
    Usage {
        input_tokens: count(&json[input]).map(|all| all.saturating_sub(cached.unwrap_or(0))),
        output_tokens: count(&json[output]),
        cache_creation_input_tokens: None,
        cache_read_input_tokens: cached,
        reasoning_tokens: details(output, "reasoning_tokens"),
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(protocol: Protocol, lines: &[&str]) -> Observed {
        let mut reader = StreamReader::new(protocol);
        for line in lines {
            reader.handle(line.as_bytes());
        }
        reader.observed
    }

    #[test]
    fn a_preamble_means_nothing_yet() {
        for (protocol, preamble, content) in [
            (
                Protocol::Messages,
                r#"data: {"type":"message_start","message":{"model":"m","usage":{"input_tokens":3}}}"#,
                r#"data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}"#,
            ),
            (
                Protocol::Chat,
                r#"data: {"object":"chat.completion.chunk","choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
                r#"data: {"object":"chat.completion.chunk","choices":[{"delta":{"content":"a"},"finish_reason":null}]}"#,
            ),
            (
                Protocol::Responses,
                r#"data: {"type":"response.created","response":{"model":"m"}}"#,
                r#"data: {"type":"response.output_text.delta","delta":"a"}"#,
            ),
        ] {
            assert!(!read(protocol, &[preamble, ": ping", ""]).is_meaningful);
            let begun = read(protocol, &[preamble, "", content]);
            assert!(begun.is_meaningful && begun.alien.is_none() && begun.error.is_none());
        }
    }

    #[test]
    fn tokens_and_the_end_are_read_and_kept_apart() {
        let end = read(
            Protocol::Messages,
            &[
                r#"data: {"type":"message_start","message":{"usage":{"input_tokens":3,"cache_read_input_tokens":5}}}"#,
                r#"data: {"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":7}}"#,
                r#"data: {"type":"message_stop"}"#,
            ],
        );
        let counts = (
            end.usage.input_tokens,
            end.usage.cache_read_input_tokens,
            end.usage.output_tokens,
        );
        assert_eq!(counts, (Some(3), Some(5), Some(7)));
        assert_eq!((end.stop, end.is_over), (Some(StopReason::MaxTokens), true));
        let end = read(
            Protocol::Chat,
            &[
                r#"data: {"choices":[{"delta":{"content":"a"},"finish_reason":"tool_calls"}]}"#,
                r#"data: {"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":6}}}"#,
                "data: [DONE]",
            ],
        );
        assert_eq!(
            (end.usage.input_tokens, end.usage.cache_read_input_tokens),
            (Some(4), Some(6))
        );
        assert_eq!((end.stop, end.is_over), (Some(StopReason::ToolUse), true));
    }

    #[test]
    fn a_failure_inside_a_stream_and_another_protocol_are_seen() {
        let failed = read(
            Protocol::Responses,
            &[
                r#"data: {"type":"response.failed","response":{"error":{"code":"insufficient_quota","message":"no"}}}"#,
            ],
        );
        assert_eq!(
            failed.error.map(|error| error.code).as_deref(),
            Some("insufficient_quota")
        );
        assert!(!failed.is_meaningful);
        let alien = read(
            Protocol::Messages,
            &[r#"data: {"object":"chat.completion.chunk","choices":[]}"#],
        );
        assert!(alien.alien.is_some_and(|words| words.contains("openai")));
        let page = read(Protocol::Chat, &["<!doctype html>"]);
        assert!(page.alien.is_some_and(|words| words.contains("HTML")));
    }

    #[test]
    fn a_whole_answer_tells_its_tokens() {
        let body = br#"{"object":"response","model":"m","output":[],"usage":{"input_tokens":8,"input_tokens_details":{"cached_tokens":2},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":3}}}"#;
        let observed = whole(Protocol::Responses, body);
        assert_eq!(observed.alien, None);
        assert_eq!(observed.usage.input_tokens, Some(6));
        assert_eq!(observed.usage.reasoning_tokens, Some(3));
        assert!(whole(Protocol::Chat, body).alien.is_some());
    }
}
