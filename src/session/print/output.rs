//! What a claude in print mode says, line by line, as far as an answer is made of it. `[pure]`

use crate::session::block;
use crate::session::block::text;
use crate::session::witness::ApiError;
use crate::turn::BlockKind;
use crate::turn::Delta;
use crate::turn::StopReason;
use crate::turn::Usage;
use crate::turn::json;
use crate::turn::json::Replaced;
use crate::turn::token_count;
use serde_json::Value;

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OutputLine {
    /// The model's message begins.
    Started {
        id: String,
        model: String,
        usage: Counts,
    },
    /// A block of it begins, and what of it is there already.
    Opened(BlockKind, Option<Delta>),
    /// A piece of the block, and what of it is not as it was written.
    More(Delta, Replaced),
    Shut,
    Ending {
        stop: Option<StopReason>,
        details: Option<Value>,
        usage: Counts,
    },
    /// The message is whole.
    Over,
    /// Whole blocks, which repeat the stream; they count where there was no stream.
    Said {
        id: String,
        model: String,
        usage: Counts,
        blocks: Vec<Value>,
        /// Something in them is not as it was written.
        replaced: bool,
    },
    /// The result of this tool call is with the turn.
    Used(String),
    /// The turn is over, for the CLI; the error, where it failed.
    Closed {
        stop: Option<StopReason>,
        error: Option<ApiError>,
    },
    /// A control request was answered.
    Answered {
        id: String,
        went_well: bool,
    },
    /// It says what it came up with.
    CameUp,
    /// Nobody can read it: whatever it told is missing.
    Broken,
}

/// Token counts as far as one event tells them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    input: Option<u64>,
    output: Option<u64>,
    cache_creation: Option<u64>,
    cache_read: Option<u64>,
}

impl Counts {
    /// What was known, overlaid with these.
    pub(crate) fn over(self, known: Usage) -> Usage {
        Usage {
            input_tokens: self.input.or(known.input_tokens),
            output_tokens: self.output.or(known.output_tokens),
            cache_creation_input_tokens: self.cache_creation.or(known.cache_creation_input_tokens),
            cache_read_input_tokens: self.cache_read.or(known.cache_read_input_tokens),
            reasoning_tokens: known.reasoning_tokens,
        }
    }
}

/// Reads one line; `None` where it says nothing of an answer.
pub(crate) fn parse(line: &[u8]) -> Option<OutputLine> {
    let Ok((line, replaced)) = json::read(line) else {
        // What is no object is no message, such as a warning of the runtime.
        let is_message = line.trim_ascii_start().first() == Some(&b'{');
        return is_message.then_some(OutputLine::Broken);
    };
    if line
        .get("parent_tool_use_id")
        .is_some_and(|parent| !parent.is_null())
    {
        return None;
    }
    match line.get("type")?.as_str()? {
        "stream_event" => event(line.get("event")?, replaced),
        "assistant" => said(&line, replaced),
        "user" => used(&line),
        "result" => Some(closed(&line)),
        "control_response" => answered(line.get("response")?),
        "system" => Some(OutputLine::CameUp),
        _ => None,
    }
}

/// What an event of the API says; `None` for one of a kind that says nothing of an answer. One of a known kind that has not
/// what this kind has is of a form that is not known: what it says must not be lost unseen.
fn event(event: &Value, replaced: Replaced) -> Option<OutputLine> {
    let word = match event.get("type")?.as_str()? {
        "message_start" => event.get("message").map(|message| OutputLine::Started {
            id: text(message, "id"),
            model: text(message, "model"),
            usage: counts(message.get("usage")),
        }),
        "content_block_start" => event
            .get("content_block")
            .and_then(opened)
            .map(|(kind, first)| OutputLine::Opened(kind, first)),
        "content_block_delta" => event
            .get("delta")
            .and_then(delta)
            .map(|delta| OutputLine::More(delta, replaced)),
        "content_block_stop" => Some(OutputLine::Shut),
        "message_delta" => Some(OutputLine::Ending {
            stop: event.get("delta").and_then(stop),
            details: event.pointer("/delta/stop_details").and_then(details),
            usage: counts(event.get("usage")),
        }),
        "message_stop" => Some(OutputLine::Over),
        _ => return None,
    };
    Some(word.unwrap_or(OutputLine::Broken))
}

/// A block's kind, and what of it is there already; `None` where it has not what its kind has.
pub(crate) fn opened(block: &Value) -> Option<(BlockKind, Option<Delta>)> {
    let kind = block::kind(block)?;
    let first = match &kind {
        BlockKind::Text => Some(Delta::Text(string(block, "text")?)),
        BlockKind::Thinking => Some(Delta::Thinking(string(block, "thinking")?)),
        BlockKind::RedactedThinking { .. } | BlockKind::Foreign(_) => None,
        BlockKind::ToolUse { id, name } if id.is_empty() || name.is_empty() => return None,
        BlockKind::ToolUse { .. } => input(block),
    };
    Some((kind, first))
}

fn string(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(str::to_owned)
}

/// A stream begins a call with an empty input, and tells it in pieces.
fn input(block: &Value) -> Option<Delta> {
    let input = block.get("input")?.as_object()?;
    let is_told = !input.is_empty();
    is_told.then(|| Delta::InputJson(block["input"].to_string()))
}

fn delta(delta: &Value) -> Option<Delta> {
    Some(match delta.get("type")?.as_str()? {
        "text_delta" => Delta::Text(string(delta, "text")?),
        "thinking_delta" => Delta::Thinking(string(delta, "thinking")?),
        "signature_delta" => Delta::Signature(string(delta, "signature")?),
        "input_json_delta" => Delta::InputJson(string(delta, "partial_json")?),
        _ => Delta::Foreign(delta.clone()),
    })
}

fn said(line: &Value, replaced: Replaced) -> Option<OutputLine> {
    let message = line.get("message")?;
    let model = text(message, "model");
    if model == SYNTHETIC {
        return None;
    }
    let blocks = message.get("content").and_then(Value::as_array);
    Some(match blocks {
        Some(blocks) if blocks.iter().all(|block| opened(block).is_some()) => OutputLine::Said {
            id: text(message, "id"),
            model,
            usage: counts(message.get("usage")),
            blocks: blocks.clone(),
            replaced: replaced.is_any(),
        },
        _ => OutputLine::Broken,
    })
}

fn used(line: &Value) -> Option<OutputLine> {
    let blocks = line.get("message")?.get("content")?.as_array()?;
    let id = |block: &Value| Some(block.get("tool_use_id")?.as_str()?.to_owned());
    blocks.iter().find_map(id).map(OutputLine::Used)
}

fn closed(line: &Value) -> OutputLine {
    let failed = line.get("is_error").and_then(Value::as_bool) == Some(true);
    let status = line.get("api_error_status").and_then(Value::as_u64);
    let error = || ApiError {
        error: String::new(),
        status: status.and_then(|status| u16::try_from(status).ok()),
        text: text(line, "result"),
        refusal: None,
        stop_reason: line
            .get("stop_reason")
            .and_then(Value::as_str)
            .map(str::to_owned),
        retry_after: None,
    };
    OutputLine::Closed {
        stop: stop(line),
        error: failed.then(error),
    }
}

fn answered(response: &Value) -> Option<OutputLine> {
    let failures = response
        .pointer("/response/errors")
        .and_then(Value::as_object);
    Some(OutputLine::Answered {
        id: response.get("request_id")?.as_str()?.to_owned(),
        went_well: text(response, "subtype") == "success"
            && failures.is_none_or(serde_json::Map::is_empty),
    })
}

fn stop(holder: &Value) -> Option<StopReason> {
    let name = holder.get("stop_reason")?.as_str()?;
    let sequence = holder.get("stop_sequence").and_then(Value::as_str);
    Some(StopReason::named(name, sequence.map(str::to_owned)))
}

fn details(details: &Value) -> Option<Value> {
    (!details.is_null()).then(|| details.clone())
}

fn counts(usage: Option<&Value>) -> Counts {
    let count = |name| token_count(usage?.get(name)?);
    Counts {
        input: count("input_tokens"),
        output: count("output_tokens"),
        cache_creation: count("cache_creation_input_tokens"),
        cache_read: count("cache_read_input_tokens"),
    }
}

/// The model of messages that no model wrote.
const SYNTHETIC: &str = "<synthetic>";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_the_api_keeps_its_bytes() {
        let line = r#"{"type":"stream_event","event":{"type":"content_block_delta","index":0,
            "delta":{"type":"text_delta","text":"a\tb\r\n\u2028"}},"parent_tool_use_id":null}"#;
        let told = Delta::Text("a\tb\r\n\u{2028}".into());
        assert_eq!(
            parse(line.as_bytes()),
            Some(OutputLine::More(told, Replaced::default()))
        );
    }

    #[test]
    fn a_call_comes_under_the_callers_name() {
        let line = r#"{"type":"stream_event","event":{"type":"content_block_start","index":1,
            "content_block":{"type":"tool_use","id":"t","name":"mcp__relay__f","input":{}}}}"#;
        let kind = BlockKind::ToolUse {
            id: "t".into(),
            name: "f".into(),
        };
        assert_eq!(parse(line.as_bytes()), Some(OutputLine::Opened(kind, None)));
    }

    #[test]
    fn a_failed_turn_tells_the_upstreams_status() {
        let line = r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":529,
            "result":"API Error: 529 busy","stop_reason":"stop_sequence"}"#;
        let Some(OutputLine::Closed {
            error: Some(error), ..
        }) = parse(line.as_bytes())
        else {
            panic!("the turn failed")
        };
        assert_eq!(
            (error.status, error.text.as_str()),
            (Some(529), "API Error: 529 busy")
        );
    }

    #[test]
    fn tools_that_could_not_be_listed_did_not_go_well() {
        let line = |errors: &str| {
            let line = r#"{"type":"control_response","response":{"subtype":"success","request_id":"tools",
                "response":{"added":["relay"],"errors":ERRORS}}}"#;
            parse(line.replace("ERRORS", errors).as_bytes())
        };
        let answered = |went_well| {
            Some(OutputLine::Answered {
                id: "tools".into(),
                went_well,
            })
        };
        assert_eq!(line("{}"), answered(true));
        assert_eq!(line(r#"{"relay":"refused"}"#), answered(false));
    }

    #[test]
    fn what_has_a_form_that_is_not_known_is_not_passed_over() {
        let stream =
            |event: &str| parse(format!(r#"{{"type":"stream_event","event":{event}}}"#).as_bytes());
        for odd in [
            r#"{"type":"message_start"}"#,
            r#"{"type":"content_block_start","index":0}"#,
            r#"{"type":"content_block_start","content_block":{"text":"a"}}"#,
            r#"{"type":"content_block_start","content_block":{"type":"text","body":"a"}}"#,
            r#"{"type":"content_block_start","content_block":{"type":"tool_use","call":"t","name":"f"}}"#,
            r#"{"type":"content_block_delta","piece":{"type":"text_delta","text":"a"}}"#,
            r#"{"type":"content_block_delta","delta":{"text":"a"}}"#,
            r#"{"type":"content_block_delta","delta":{"type":"text_delta","chunks":["a"]}}"#,
            r#"{"type":"content_block_delta","delta":{"type":"input_json_delta","partial":"a"}}"#,
        ] {
            assert_eq!(stream(odd), Some(OutputLine::Broken), "{odd}");
        }
        let said = |content: &str| {
            let line = r#"{"type":"assistant","message":{"id":"m","model":"x","content":CONTENT}}"#;
            parse(line.replace("CONTENT", content).as_bytes())
        };
        for odd in ["\"a\"", "[{\"text\":\"a\"}]", "[{\"type\":\"text\"}]"] {
            assert_eq!(said(odd), Some(OutputLine::Broken), "{odd}");
        }
        // New kinds and new fields are none of it.
        assert_eq!(stream(r#"{"type":"ping"}"#), None);
        assert_eq!(stream(r#"{"type":"context_edited","edits":[]}"#), None);
        assert!(matches!(
            stream(
                r#"{"index":0,"delta":{"n":1,"type":"future_delta"},"type":"content_block_delta"}"#
            ),
            Some(OutputLine::More(Delta::Foreign(_), _))
        ));
        let new = r#"[{"type":"hologram","data":1},{"type":"text","text":"a","tone":"b"}]"#;
        assert!(matches!(said(new), Some(OutputLine::Said { .. })));
    }

    #[test]
    fn what_another_agent_says_is_not_the_answer() {
        let line =
            r#"{"type":"stream_event","event":{"type":"message_stop"},"parent_tool_use_id":"t"}"#;
        assert_eq!(parse(line.as_bytes()), None);
        assert_eq!(parse(b"\xff"), None);
        assert_eq!(parse(b"{\"type\":"), Some(OutputLine::Broken));
        let init = br#"{"type":"system","subtype":"init"}"#;
        assert_eq!(parse(init), Some(OutputLine::CameUp));
    }
}
