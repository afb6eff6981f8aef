//! Events as the Messages API's stream, and a whole answer as its message.

use super::error;
use super::foreign;
use crate::turn::AnswerBlock;
use crate::turn::BlockKind;
use crate::turn::CompleteAnswer;
use crate::turn::Delta;
use crate::turn::End;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::RequestId;
use crate::turn::Start;
use crate::turn::StopReason;
use crate::turn::Usage;
use crate::turn::json;
use crate::wire::sse;
use crate::wire::writer::AnswerWriter;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// The Messages API's way to write an answer.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    /// Input tokens that the call may cost: what a stream's beginning says where the lane does not know better yet.
    pub(crate) estimate: u64,
}

impl AnswerWriter for Writer {
    fn frames(&mut self, event: &Event, stream: &mut String) {
        stream.push_str(&match event {
            Event::Start(start) if start.usage.input_tokens.is_none() => {
                let mut start = start.clone();
                start.usage.input_tokens = Some(self.estimate);
                frames(&Event::Start(start))
            }
            event => frames(event),
        });
    }

    fn keep_alive(&self) -> String {
        ping()
    }

    fn failure(&mut self, fault: &Fault, request_id: &RequestId) -> String {
        error::frame(fault, request_id)
    }

    fn whole(&self, whole: &CompleteAnswer) -> Result<String, &'static str> {
        message(whole).map(|message| message.to_string())
    }

    fn changed(&self, whole: &CompleteAnswer) -> Vec<String> {
        changed(whole)
    }

    fn usage_at_head(&self) -> Option<&'static str> {
        Some("estimated-at-start")
    }
}

/// The frames of one event, as bytes of the stream. An end is two of them.
pub(crate) fn frames(event: &Event) -> String {
    match event {
        Event::Start(start) => frame(&json!({ "type": "message_start", "message": head(start) })),
        Event::BlockStart { index, kind } => frame(&json!({
            "type": "content_block_start",
            "index": index,
            "content_block": empty_block(kind),
        })),
        // Nearly all events are one of these two, and a tree for each is most of what an event costs.
        Event::Delta {
            index,
            delta: Delta::Text(text),
        } => delta_frame(*index, "text_delta", "text", text),
        Event::Delta {
            index,
            delta: Delta::InputJson(piece),
        } => delta_frame(*index, "input_json_delta", "partial_json", piece),
        Event::Delta { index, delta } => frame(&json!({
            "type": "content_block_delta",
            "index": index,
            "delta": delta_value(delta),
        })),
        Event::BlockStop { index } => format!(
            "event: content_block_stop\ndata: {{\"type\":\"content_block_stop\",\"index\":{index}}}\n\n"
        ),
        Event::End(end) => frame(&tail(end)) + STOP,
    }
}

/// The last frame of every answer.
const STOP: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

/// A delta of one text, as [`frame`] writes it.
fn delta_frame(index: usize, kind: &str, field: &str, text: &str) -> String {
    let text = written(text);
    let index = index.to_string();
    [
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":",
        &index,
        ",\"delta\":{\"type\":\"",
        kind,
        "\",\"",
        field,
        "\":",
        &text,
        "}}\n\n",
    ]
    .concat()
}

/// Says that the stream is alive.
pub(crate) fn ping() -> String {
    frame(&json!({ "type": "ping" }))
}

/// The buffered answer.
///
/// # Errors
/// Says what cannot be written: the input of a tool call that is not JSON.
pub(crate) fn message(whole: &CompleteAnswer) -> Result<Value, &'static str> {
    let blocks = whole
        .blocks
        .iter()
        .map(block)
        .collect::<Result<Vec<_>, _>>()?;
    let id = whole.end.id.as_ref().unwrap_or(&whole.start.id);
    let model = whole.end.model.as_ref().unwrap_or(&whole.start.model);
    let (reason, sequence) = stop(&whole.end.stop);
    let mut message = json!({
        "id": id.0,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": blocks,
        "stop_reason": reason,
        "stop_sequence": sequence,
        "usage": usage(&whole.end.usage),
    });
    if let Some(details) = &whole.end.details {
        message["stop_details"] = details.clone();
    }
    Ok(message)
}

/// What of the buffered answer is not as the model wrote it, by path: the input of a call in which a text holds half of
/// a pair, or a number is larger than anybody reads.
pub(crate) fn changed(whole: &CompleteAnswer) -> Vec<String> {
    let calls = whole.blocks.iter().zip(0..);
    let calls = calls.filter(|(block, _)| matches!(block.kind, BlockKind::ToolUse { .. }));
    let changed = calls.filter(|(block, _)| json::changes(&block.text));
    changed
        .map(|(_, index): (_, usize)| format!("content.{index}.input"))
        .collect()
}

/// Every event's name is its `type`.
fn frame(value: &Value) -> String {
    let name = value["type"].as_str().unwrap_or_default();
    sse::encode(name, &written(value))
}

/// As JSON, without the detour of a formatter.
fn written(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("texts and trees must have a form in JSON")
}

fn head(start: &Start) -> Value {
    json!({
        "id": start.id.0,
        "type": "message",
        "role": "assistant",
        "model": start.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": usage(&start.usage),
    })
}

fn tail(end: &End) -> Value {
    let (reason, sequence) = stop(&end.stop);
    let mut delta = json!({ "stop_reason": reason, "stop_sequence": sequence });
    if let Some(details) = &end.details {
        delta["stop_details"] = details.clone();
    }
    json!({ "type": "message_delta", "delta": delta, "usage": usage(&end.usage) })
}

/// A count of the cache that the upstream did not say is `null`. The API's schema wants numbers for the other two: where
/// they are not known, the response says so in a header.
fn usage(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.input_tokens.unwrap_or(0),
        "cache_creation_input_tokens": usage.cache_creation_input_tokens,
        "cache_read_input_tokens": usage.cache_read_input_tokens,
        "output_tokens": usage.output_tokens.unwrap_or(0),
    })
}

fn stop(reason: &StopReason) -> (&str, Option<&str>) {
    let sequence = match reason {
        StopReason::StopSequence(sequence) => sequence.as_deref(),
        StopReason::EndTurn
        | StopReason::MaxTokens
        | StopReason::ToolUse
        | StopReason::PauseTurn
        | StopReason::Refusal
        | StopReason::ContextWindow
        | StopReason::Other(_) => None,
    };
    (reason.name(), sequence)
}

fn empty_block(kind: &BlockKind) -> Value {
    match kind {
        BlockKind::Text => json!({ "type": "text", "text": "" }),
        BlockKind::Thinking => json!({ "type": "thinking", "thinking": "", "signature": "" }),
        BlockKind::RedactedThinking { data } => {
            json!({ "type": "redacted_thinking", "data": data })
        }
        BlockKind::ToolUse { id, name } => {
            json!({ "type": "tool_use", "id": id, "name": name, "input": {} })
        }
        BlockKind::Foreign(block) => block.clone(),
    }
}

fn delta_value(delta: &Delta) -> Value {
    match delta {
        Delta::Text(text) => json!({ "type": "text_delta", "text": text }),
        Delta::Thinking(text) => json!({ "type": "thinking_delta", "thinking": text }),
        Delta::Signature(signature) => json!({ "type": "signature_delta", "signature": signature }),
        Delta::InputJson(piece) => json!({ "type": "input_json_delta", "partial_json": piece }),
        Delta::Foreign(piece) => piece.clone(),
    }
}

fn block(built: &AnswerBlock) -> Result<Value, &'static str> {
    let whole = match &built.kind {
        BlockKind::Text => json!({ "type": "text", "text": built.text }),
        BlockKind::Thinking => {
            json!({ "type": "thinking", "thinking": built.text, "signature": built.signature })
        }
        BlockKind::RedactedThinking { data } => {
            json!({ "type": "redacted_thinking", "data": data })
        }
        BlockKind::ToolUse { id, name } => {
            let input = input(&built.text)?;
            json!({ "type": "tool_use", "id": id, "name": name, "input": input })
        }
        BlockKind::Foreign(block) => block.clone(),
    };
    foreign::with_pieces(whole, &built.foreign)
}

fn input(text: &str) -> Result<Value, &'static str> {
    if text.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let (input, _) =
        json::read(text.as_bytes()).map_err(|_| "the input of a tool call is not JSON")?;
    Ok(input)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::AnswerBuilder;
    use crate::turn::Labels;
    use crate::turn::LaneId;
    use crate::turn::MessageId;

    #[test]
    fn a_delta_is_written_as_a_tree_is() {
        for text in ["", "a \"b\" \\ \n\r\t\u{1}\u{2028}é😀", "{\"a\":"] {
            for delta in [
                Delta::Text(text.to_owned()),
                Delta::InputJson(text.to_owned()),
            ] {
                let tree = json!({
                    "type": "content_block_delta",
                    "index": 3,
                    "delta": delta_value(&delta),
                });
                assert_eq!(frames(&Event::Delta { index: 3, delta }), frame(&tree));
            }
        }
    }

    fn events() -> Vec<Event> {
        let labels = Labels::exact(LaneId::new("test"));
        let start = Usage {
            input_tokens: Some(9),
            output_tokens: Some(1),
            ..Usage::default()
        };
        let usage = Usage {
            input_tokens: Some(10),
            output_tokens: Some(20),
            cache_creation_input_tokens: Some(0),
            cache_read_input_tokens: Some(5),
            ..Usage::default()
        };
        let open = |index, kind| Event::BlockStart { index, kind };
        let more = |index, delta| Event::Delta { index, delta };
        let close = |index| Event::BlockStop { index };
        let call = BlockKind::ToolUse {
            id: "toolu_1".into(),
            name: "t".into(),
        };
        vec![
            Event::Start(Box::new(Start {
                id: MessageId("msg_1".into()),
                model: "m".into(),
                usage: start,
                labels,
            })),
            open(0, BlockKind::Thinking),
            more(0, Delta::Thinking("hm".into())),
            more(0, Delta::Signature("sig".into())),
            close(0),
            open(1, BlockKind::RedactedThinking { data: "x".into() }),
            close(1),
            open(2, BlockKind::Text),
            more(2, Delta::Text("a\tb\n\u{1F600}".into())),
            close(2),
            open(3, call),
            more(3, Delta::InputJson("{\"b\":1,".into())),
            more(3, Delta::InputJson("\"a\":2}".into())),
            close(3),
            Event::End(Box::new(End {
                stop: StopReason::StopSequence(Some("END".into())),
                details: None,
                usage,
                id: Some(MessageId("msg_true".into())),
                model: Some("m-1".into()),
            })),
        ]
    }

    #[test]
    fn a_stream_is_the_apis() {
        let stream: String = events().iter().map(frames).collect();
        insta::assert_snapshot!(stream + &ping(), @r#"
        event: message_start
        data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"cache_creation_input_tokens":null,"cache_read_input_tokens":null,"output_tokens":1}}}

        event: content_block_start
        data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

        event: content_block_delta
        data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}

        event: content_block_delta
        data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}}

        event: content_block_stop
        data: {"type":"content_block_stop","index":0}

        event: content_block_start
        data: {"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"x"}}

        event: content_block_stop
        data: {"type":"content_block_stop","index":1}

        event: content_block_start
        data: {"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}

        event: content_block_delta
        data: {"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"a\tb\n😀"}}

        event: content_block_stop
        data: {"type":"content_block_stop","index":2}

        event: content_block_start
        data: {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_1","name":"t","input":{}}}

        event: content_block_delta
        data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{\"b\":1,"}}

        event: content_block_delta
        data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"\"a\":2}"}}

        event: content_block_stop
        data: {"type":"content_block_stop","index":3}

        event: message_delta
        data: {"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"END"},"usage":{"input_tokens":10,"cache_creation_input_tokens":0,"cache_read_input_tokens":5,"output_tokens":20}}

        event: message_stop
        data: {"type":"message_stop"}

        event: ping
        data: {"type":"ping"}
        "#);
    }

    #[test]
    fn a_whole_answer_is_the_apis() {
        let mut builder = AnswerBuilder::default();
        for event in events() {
            builder
                .push(&event)
                .expect("the events must fit the grammar");
        }
        let whole = builder.finish().expect("the end came");
        insta::assert_snapshot!(message(&whole).expect("the tool's input is JSON"), @r#"{"id":"msg_true","type":"message","role":"assistant","model":"m-1","content":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"redacted_thinking","data":"x"},{"type":"text","text":"a\tb\n😀"},{"type":"tool_use","id":"toolu_1","name":"t","input":{"b":1,"a":2}}],"stop_reason":"stop_sequence","stop_sequence":"END","usage":{"input_tokens":10,"cache_creation_input_tokens":0,"cache_read_input_tokens":5,"output_tokens":20}}"#);
    }

    #[test]
    fn a_tool_call_without_input_has_an_empty_object_and_broken_input_is_refused() {
        assert_eq!(input(""), Ok(json!({})));
        assert!(input("{\"a\":").is_err());
    }
}
