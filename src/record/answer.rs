//! What the recorder's upstream says, in the API's own words. `[pure]`

use super::case::Answer;
use super::case::ApiError;
use serde_json::Value;
use serde_json::json;

/// One event of a stream, and how long to wait before it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Piece {
    pub(crate) wait_ms: u64,
    pub(crate) event: Value,
}

/// A stream in two parts: the second may have to wait.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stream {
    pub(crate) head: Vec<Piece>,
    pub(crate) tail: Vec<Piece>,
}

impl Piece {
    /// The piece as it goes over the wire.
    pub(crate) fn written(&self) -> String {
        let name = self.event["type"].as_str().unwrap_or_default();
        format!("event: {name}\ndata: {}\n\n", self.event)
    }
}

/// The stream of an answer; `number` is the request's, from which its ids are made.
pub(crate) fn stream(answer: &Answer, model: &str, number: usize) -> Stream {
    let mut head = vec![now(json!({
        "type": "message_start",
        "message": message(model, number, &json!([]), &Value::Null, 1),
    }))];
    let blocks = blocks(answer, number);
    for (index, block) in blocks.iter().enumerate() {
        head.extend(block_pieces(
            index,
            block,
            answer.pace_ms.unwrap_or_default(),
        ));
        // What is held is held within the last block.
        if index + 1 < blocks.len() || !answer.hold {
            head.push(now(json!({"type": "content_block_stop", "index": index})));
        }
    }
    let mut tail = Vec::new();
    if answer.hold && !blocks.is_empty() {
        tail.push(now(
            json!({"type": "content_block_stop", "index": blocks.len() - 1}),
        ));
    }
    tail.push(now(json!({
        "type": "message_delta",
        "delta": {"stop_reason": stop(answer), "stop_sequence": null},
        "usage": {"output_tokens": OUTPUT_TOKENS},
    })));
    tail.push(now(json!({"type": "message_stop"})));
    Stream { head, tail }
}

/// The answer as one message.
pub(crate) fn whole(answer: &Answer, model: &str, number: usize) -> Value {
    let stop = Value::from(stop(answer));
    message(
        model,
        number,
        &Value::from(blocks(answer, number)),
        &stop,
        OUTPUT_TOKENS,
    )
}

pub(crate) fn error(error: &ApiError) -> Value {
    json!({"type": "error", "error": {"type": error.kind, "message": error.message}})
}

fn message(model: &str, number: usize, content: &Value, stop: &Value, output: u64) -> Value {
    json!({
        "id": format!("msg_record{number:04}"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": null,
        "usage": {
            "input_tokens": INPUT_TOKENS,
            "output_tokens": output,
            "cache_read_input_tokens": CACHE_READ_TOKENS,
            "cache_creation_input_tokens": CACHE_CREATION_TOKENS,
        },
    })
}

fn stop(answer: &Answer) -> &str {
    let usual = if answer.tools.is_empty() {
        "end_turn"
    } else {
        "tool_use"
    };
    answer.stop.as_deref().unwrap_or(usual)
}

fn blocks(answer: &Answer, number: usize) -> Vec<Value> {
    let mut blocks = Vec::new();
    if let Some(think) = &answer.think {
        blocks.push(json!({"type": "thinking", "thinking": think, "signature": "c2ln"}));
    }
    if let Some(say) = &answer.say {
        blocks.push(json!({"type": "text", "text": say.written()}));
    }
    for (index, call) in answer.tools.iter().enumerate() {
        blocks.push(json!({
            "type": "tool_use",
            "id": format!("toolu_record{number:02}{index:02}"),
            "name": format!("mcp__{SERVER}__{}", call.tool),
            "input": {"city": call.city},
        }));
    }
    blocks
}

fn block_pieces(index: usize, block: &Value, pace_ms: u64) -> Vec<Piece> {
    let start = |block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let delta =
        |delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let said = |name: &str| block[name].as_str().unwrap_or_default().to_owned();
    match block["type"].as_str() {
        Some("thinking") => vec![
            now(start(
                json!({"type": "thinking", "thinking": "", "signature": ""}),
            )),
            now(delta(
                json!({"type": "thinking_delta", "thinking": said("thinking")}),
            )),
            now(delta(
                json!({"type": "signature_delta", "signature": said("signature")}),
            )),
        ],
        Some("tool_use") => {
            let mut opened = block.clone();
            opened["input"] = json!({});
            let input = block["input"].to_string();
            vec![
                now(start(opened)),
                now(delta(
                    json!({"type": "input_json_delta", "partial_json": input}),
                )),
            ]
        }
        _ => {
            let mut pieces = vec![now(start(json!({"type": "text", "text": ""})))];
            let text: Vec<char> = said("text").chars().collect();
            pieces.extend(text.chunks(DELTA_CHARACTERS).map(|chunk| Piece {
                wait_ms: pace_ms,
                event: delta(
                    json!({"type": "text_delta", "text": chunk.iter().collect::<String>()}),
                ),
            }));
            pieces
        }
    }
}

fn now(event: Value) -> Piece {
    Piece { wait_ms: 0, event }
}

/// The name of the recorder's MCP server.
pub(crate) const SERVER: &str = "relay";
/// About a token or two.
const DELTA_CHARACTERS: usize = 8;
/// Four numbers that cannot be mistaken for one another.
const INPUT_TOKENS: u64 = 1001;
const OUTPUT_TOKENS: u64 = 102;
const CACHE_READ_TOKENS: u64 = 7;
const CACHE_CREATION_TOKENS: u64 = 3;

#[cfg(test)]
mod tests {
    use super::super::case::Text;
    use super::*;

    fn types(pieces: &[Piece]) -> Vec<&str> {
        pieces
            .iter()
            .filter_map(|piece| piece.event["type"].as_str())
            .collect()
    }

    #[test]
    fn a_held_answer_keeps_its_last_block_open() {
        let answer = Answer {
            say: Some(Text::Plain("ten letters".into())),
            hold: true,
            ..Answer::default()
        };
        let stream = stream(&answer, "m", 1);
        assert_eq!(
            types(&stream.head),
            [
                "message_start",
                "content_block_start",
                "content_block_delta",
                "content_block_delta"
            ]
        );
        assert_eq!(
            types(&stream.tail),
            ["content_block_stop", "message_delta", "message_stop"]
        );
    }

    #[test]
    fn an_answer_without_anything_is_a_message_without_blocks() {
        let stream = stream(&Answer::default(), "m", 1);
        assert_eq!(types(&stream.head), ["message_start"]);
        assert_eq!(types(&stream.tail), ["message_delta", "message_stop"]);
    }

    #[test]
    fn a_piece_is_written_as_an_event() {
        let piece = now(json!({"type": "message_stop"}));
        assert_eq!(
            piece.written(),
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
        );
    }
}
