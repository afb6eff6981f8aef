//! What an answer says of itself while its bytes pass: whether it has begun to mean something, its tokens, its end, and
//! its failure. `[pure]`
//!
//! Only lines that can hold one of these are read as JSON; the text of an answer passes unread.

use super::protocol::Protocol;
use crate::turn::BlockKind;
use crate::turn::Event;
use crate::turn::StopReason;
use crate::turn::TOKENS_MAX;
use crate::turn::Usage;
use crate::wire::fields;
use crate::wire::fields::NULL;
use crate::wire::fields::Part;
use crate::wire::fields::Part::First;
use crate::wire::fields::Part::Of;
use crate::wire::fields::fields;
use crate::wire::fields::fields_at;
use crate::wire::fields::inner;
use crate::wire::fields::items;
use crate::wire::openai::chat::incoming;
use crate::wire::reader::Word;
use memchr::memmem::Finder;
use serde_json::Map;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::LazyLock;

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

    /// Whether the answer has begun.
    pub(crate) fn has_seen_data(&self) -> bool {
        self.seen_data
    }

    /// Takes what the next pieces say from whoever has read them: their words, and what was counted and told of the end by
    /// then. Nothing of them failed.
    pub(crate) fn take(&mut self, words: &[Word], usage: Usage, stop: Option<&StopReason>) {
        self.seen_data = true;
        let observed = &mut self.observed;
        observed.usage = usage.bounded();
        if stop.is_some() {
            (observed.stop, observed.is_meaningful) = (stop.cloned(), true);
        }
        for word in words {
            match word {
                Word::Begun(begun) => observed.model = Some(begun.model.clone()),
                Word::Event(Event::BlockStart { kind, .. }) => {
                    let is_text = matches!(kind, BlockKind::Text | BlockKind::Thinking);
                    observed.is_meaningful |= !is_text;
                }
                Word::Event(Event::Delta { .. }) => observed.is_meaningful = true,
                Word::Ended(ended) => {
                    observed.stop = Some(ended.stop.clone());
                    (observed.is_over, observed.is_meaningful) = (true, true);
                }
                Word::Event(Event::Start(_) | Event::BlockStop { .. } | Event::End(_))
                | Word::Failed { .. } => {}
            }
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
        let Ok(event) = Said::of(data) else {
            self.observed.alien = is_first.then(|| super::protocol::looks_like(data));
            return;
        };
        let (object, kind) = (fields::text(event.object), event.kind());
        let other = Protocol::of_event(object.as_deref(), &kind);
        if let Some(other) = other.filter(|found| *found != self.protocol) {
            self.observed.alien = Some(other.words());
            return;
        }
        match self.protocol {
            Protocol::Messages => messages(&mut self.observed, &event),
            Protocol::Chat => chat(&mut self.observed, &event),
            Protocol::Responses => responses(&mut self.observed, &event),
        }
    }

    /// Whether a line holds a piece of content and nothing that must be read.
    fn is_text(&self, data: &[u8]) -> bool {
        match self.protocol {
            Protocol::Messages => self.event.starts_with(b"content_block_"),
            Protocol::Responses => self.event.ends_with(b".delta"),
            Protocol::Chat => {
                let goes_on = GOES_ON.iter().any(|words| words.find(data).is_some());
                goes_on && !tells_counts(data) && ERROR.find(data).is_none()
            }
        }
    }
}

/// What an event of any protocol is looked at for, as it stands there.
#[derive(Default)]
struct Said<'a> {
    json: &'a [u8],
    object: &'a str,
    kind: &'a str,
    message: &'a str,
    block: &'a str,
    delta: &'a str,
    counts: &'a str,
    error: &'a str,
    model: &'a str,
    choices: &'a str,
    response: &'a str,
    item: &'a str,
}

impl<'a> Said<'a> {
    fn of(json: &'a [u8]) -> Result<Said<'a>, serde_json::Error> {
        let mut event = Said {
            json,
            ..Said::default()
        };
        [
            event.object,
            event.kind,
            event.message,
            event.block,
            event.delta,
            event.counts,
            event.error,
            event.model,
            event.choices,
            event.response,
            event.item,
        ] = fields(json, &OF_AN_EVENT)?;
        Ok(event)
    }

    fn kind(&self) -> Cow<'a, str> {
        fields::text(self.kind).unwrap_or_default()
    }
}

const OF_AN_EVENT: [&str; 11] = [
    "object",
    "type",
    "message",
    "content_block",
    "delta",
    "usage",
    "error",
    "model",
    "choices",
    "response",
    "item",
];

/// Whether a chunk has counts; many hosts say of each chunk that it has none.
fn tells_counts(chunk: &[u8]) -> bool {
    USAGE.find_iter(chunk).any(|at| {
        let value = chunk[at + USAGE.needle().len()..].trim_ascii_start();
        let value = value.strip_prefix(b":").map(<[u8]>::trim_ascii_start);
        value.is_some_and(|value| !value.starts_with(b"null"))
    })
}

static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"usage\""));
static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"error\""));
/// What stands in chunks that are not the last.
static GOES_ON: LazyLock<[Finder<'static>; 2]> =
    LazyLock::new(|| ["\"finish_reason\":null", "\"finish_reason\": null"].map(Finder::new));

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
    let read = match protocol {
        Protocol::Messages => fields(body, &OF_A_MESSAGE)
            .map(|[all @ .., reason, sequence]| (all, stop([reason, sequence]))),
        Protocol::Chat => {
            fields_at(body, &OF_A_COMPLETION).map(|[all @ .., reason]| (all, finish_reason(reason)))
        }
        Protocol::Responses => fields(body, &OF_A_RESPONSE)
            .map(|[all @ .., details, output]| (all, Some(ending([details, output])))),
    };
    let Ok(([object, kind, model, counts], stop)) = read else {
        return Observed {
            alien: Some(super::protocol::looks_like(body)),
            ..Observed::default()
        };
    };
    let [object, kind] = [object, kind].map(fields::text);
    let has_choices = || {
        let has_ended = protocol == Protocol::Chat && stop.is_some();
        has_ended || fields(body, &["choices"]).is_ok_and(|[choices]| choices != NULL)
    };
    let alien = match Protocol::of_answer(object.as_deref(), kind.as_deref(), has_choices) {
        Some(found) if found == protocol => None,
        Some(found) => Some(found.words()),
        None => Some("JSON of no protocol that is known"),
    };
    Observed {
        is_meaningful: true,
        is_over: true,
        usage: usage(protocol, counts),
        stop,
        model: fields::owned_text(model),
        alien,
        ..Observed::default()
    }
}

/// What a whole answer is looked at for: what it calls itself, its model, its counts, then why it ended.
const OF_A_MESSAGE: [&str; 6] = [
    "object",
    "type",
    "model",
    "usage",
    "stop_reason",
    "stop_sequence",
];
const OF_A_COMPLETION: [&[Part<'_>]; 5] = [
    &[Of("object")],
    &[Of("type")],
    &[Of("model")],
    &[Of("usage")],
    &[Of("choices"), First, Of("finish_reason")],
];
const OF_A_RESPONSE: [&str; 6] = [
    "object",
    "type",
    "model",
    "usage",
    "incomplete_details",
    "output",
];

/// Reads what an answer of any other route says of its cost.
pub(crate) fn opaque(body: &[u8]) -> Observed {
    let read = fields(body, &["model", "usage"]);
    let alien = read
        .is_err()
        .then(|| super::protocol::looks_like(body))
        .filter(|words| !body.is_empty() && *words != "plain text");
    let [model, counts] = read.unwrap_or([NULL; 2]);
    Observed {
        is_meaningful: true,
        is_over: true,
        usage: usage(Protocol::Responses, counts).over(usage(Protocol::Chat, counts)),
        model: fields::owned_text(model),
        alien,
        ..Observed::default()
    }
}

fn messages(observed: &mut Observed, event: &Said<'_>) {
    match &*event.kind() {
        "message_start" => {
            let [model, counts] = inner(event.message, &["model", "usage"]);
            observed.model = fields::owned_text(model);
            observed.usage = usage(Protocol::Messages, counts);
        }
        "content_block_start" => {
            let is_text = matches!(kind_of(event.block).as_deref(), Some("text" | "thinking"));
            observed.is_meaningful |= !is_text;
        }
        "content_block_delta" => observed.is_meaningful = true,
        "message_delta" => {
            observed.is_meaningful = true;
            observed.usage = usage(Protocol::Messages, event.counts).over(observed.usage);
            observed.stop = stop(inner(event.delta, &["stop_reason", "stop_sequence"]));
        }
        "message_stop" => (observed.is_over, observed.is_meaningful) = (true, true),
        "error" => observed.error = Some(error(event.error, "type", event.json)),
        _ => {}
    }
}

fn chat(observed: &mut Observed, event: &Said<'_>) {
    if event.error != NULL {
        observed.error = Some(error(event.error, "code", event.json));
        return;
    }
    if observed.model.is_none() {
        observed.model = fields::owned_text(event.model);
    }
    observed.usage = usage(Protocol::Chat, event.counts).over(observed.usage);
    for choice in items(event.choices) {
        let [delta, reason] = inner(choice, &["delta", "finish_reason"]);
        observed.is_meaningful |= says_something(delta);
        if let Some(reason) = finish_reason(reason) {
            observed.stop = Some(reason);
            (observed.is_complete, observed.is_meaningful) = (true, true);
        }
    }
}

fn responses(observed: &mut Observed, event: &Said<'_>) {
    let (response, json) = (event.response, event.json);
    match &*event.kind() {
        "error" => observed.error = Some(error(&String::from_utf8_lossy(json), "code", json)),
        "response.failed" => {
            let [told] = inner(response, &["error"]);
            observed.error = Some(error(told, "code", json));
        }
        "response.created" | "response.in_progress" | "response.queued" => {
            let [model] = inner(response, &["model"]);
            observed.model = fields::owned_text(model);
        }
        "response.output_item.added" => {
            observed.is_meaningful |= kind_of(event.item).as_deref() != Some("message");
        }
        "response.content_part.added" => {}
        "response.completed" | "response.incomplete" => {
            let [counts, details, output] =
                inner(response, &["usage", "incomplete_details", "output"]);
            observed.usage = usage(Protocol::Responses, counts);
            observed.stop = Some(ending([details, output]));
            (observed.is_over, observed.is_meaningful) = (true, true);
        }
        _ => observed.is_meaningful = true,
    }
}

/// Whether a piece of an answer holds more than whose it is.
fn says_something(delta: &str) -> bool {
    let delta: Map<String, Value> = serde_json::from_str(delta).unwrap_or_default();
    let mut said = delta.iter().filter(|(name, _)| *name != "role");
    said.any(|(_, value)| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(_) | Value::Bool(_) | Value::Number(_) => true,
    })
}

fn error(told: &str, code: &str, json: &[u8]) -> StreamError {
    let [code, kind, message] = inner(told, &[code, "type", "message"]).map(fields::owned_text);
    StreamError {
        code: code.or(kind).unwrap_or_default(),
        message: message.unwrap_or_default(),
        json: String::from_utf8_lossy(json).into_owned(),
    }
}

fn kind_of(json: &str) -> Option<Cow<'_, str>> {
    let [kind] = inner(json, &["type"]);
    fields::text(kind)
}

/// The reason by Anthropic's name.
fn stop([name, sequence]: [&str; 2]) -> Option<StopReason> {
    fields::text(name).map(|name| StopReason::named(&name, fields::owned_text(sequence)))
}

/// The reason by OpenAI's name.
fn finish_reason(name: &str) -> Option<StopReason> {
    fields::text(name).map(|name| incoming::stop(&name))
}

/// Why a response ends, by its details and its output.
fn ending([details, output]: [&str; 2]) -> StopReason {
    let is_call = |item: &str| {
        let kind = kind_of(item);
        matches!(kind.as_deref(), Some("function_call" | "custom_tool_call"))
    };
    let [reason] = inner(details, &["reason"]);
    match fields::text(reason).as_deref() {
        Some("max_output_tokens") => StopReason::MaxTokens,
        Some("content_filter") => StopReason::Refusal,
        Some(other) => StopReason::Other(other.to_owned()),
        None if items(output).into_iter().any(is_call) => StopReason::ToolUse,
        None => StopReason::EndTurn,
    }
}

/// The counts, made disjoint: OpenAI counts what came from a cache among the input, Anthropic beside it.
fn usage(protocol: Protocol, counts: &str) -> Usage {
    let names = match protocol {
        Protocol::Messages => return usage_of_messages(counts),
        Protocol::Responses => RESPONSES_USAGE,
        Protocol::Chat => CHAT_USAGE,
    };
    let [input, output, cached, reasoning] = fields_at(counts.as_bytes(), &names)
        .unwrap_or([NULL; 4])
        .map(tokens);
    Usage {
        input_tokens: input.map(|all| all.saturating_sub(cached.unwrap_or(0))),
        output_tokens: output,
        cache_creation_input_tokens: None,
        cache_read_input_tokens: cached,
        reasoning_tokens: reasoning,
    }
}

const RESPONSES_USAGE: [&[Part<'_>]; 4] = [
    &[Of("input_tokens")],
    &[Of("output_tokens")],
    &[Of("input_tokens_details"), Of("cached_tokens")],
    &[Of("output_tokens_details"), Of("reasoning_tokens")],
];
const CHAT_USAGE: [&[Part<'_>]; 4] = [
    &[Of("prompt_tokens")],
    &[Of("completion_tokens")],
    &[Of("prompt_tokens_details"), Of("cached_tokens")],
    &[Of("completion_tokens_details"), Of("reasoning_tokens")],
];

/// A count of tokens; unknown where no call can have as many.
fn tokens(json: &str) -> Option<u64> {
    fields::count(json).filter(|count| *count <= TOKENS_MAX)
}

fn usage_of_messages(counts: &str) -> Usage {
    let names = [
        "input_tokens",
        "output_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
    ];
    let [input, output, written, read] = inner(counts, &names).map(tokens);
    Usage {
        input_tokens: input,
        output_tokens: output,
        cache_creation_input_tokens: written,
        cache_read_input_tokens: read,
        reasoning_tokens: None,
    }
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
    fn counts_beside_a_piece_of_text_are_read_however_they_are_spaced() {
        let begin = r#"data: {"choices":[{"delta":{"content":"a"},"finish_reason":null}]}"#;
        for (counts, told) in [
            (r#""usage":{"completion_tokens":3}"#, Some(3)),
            (r#""usage" : {"completion_tokens":3}"#, Some(3)),
            (r#""usage": null"#, None),
            (r#""other":"\"usage\":{}""#, None),
        ] {
            let piece = format!(
                r#"data: {{"choices":[{{"delta":{{"content":"b"}},"finish_reason":null}}],{counts}}}"#
            );
            let end = read(Protocol::Chat, &[begin, &piece]);
            assert_eq!(end.usage.output_tokens, told, "{counts}");
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

    #[test]
    fn an_answer_of_no_protocol_is_told_as_none_whatever_is_spoken() {
        for body in [r#"{"detail":"no"}"#, r#"{"stop_reason":"end_turn"}"#] {
            for protocol in [Protocol::Messages, Protocol::Chat, Protocol::Responses] {
                let alien = whole(protocol, body.as_bytes()).alien;
                assert_eq!(alien, Some("JSON of no protocol that is known"), "{body}");
            }
        }
    }
}
