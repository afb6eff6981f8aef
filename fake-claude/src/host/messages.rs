//! How Anthropic's Messages API says an answer.

use crate::answer::Answer;
use crate::answer::Counts;
use crate::answer::Part;
use crate::answer::Stop;
use crate::answer::object;
use crate::api::event;
use serde_json::Value;
use serde_json::json;

pub(crate) fn whole(answer: &Answer) -> Value {
    let mut calls = 0;
    let content: Vec<Value> = answer
        .parts
        .iter()
        .map(|part| block(answer, part, &mut calls))
        .collect();
    json!({"id": format!("msg_{}", answer.stem), "type": "message", "role": "assistant", "model": answer.model, "content": content,
        "stop_reason": stop(answer.stop), "stop_sequence": null, "usage": usage(answer.counts, answer.counts.output)})
}

pub(crate) fn events(answer: &Answer) -> Vec<String> {
    let mut calls = 0;
    let mut events = vec![start(answer)];
    for (index, part) in answer.parts.iter().enumerate() {
        let block = block(answer, part, &mut calls);
        let empty = emptied(block.clone());
        events.push(event(
            &json!({"type": "content_block_start", "index": index, "content_block": empty}),
        ));
        let deltas = deltas(part).into_iter();
        events.extend(deltas.map(|delta| {
            event(&json!({"type": "content_block_delta", "index": index, "delta": delta}))
        }));
        events.push(event(
            &json!({"type": "content_block_stop", "index": index}),
        ));
    }
    let delta = json!({"stop_reason": stop(answer.stop), "stop_sequence": null});
    let usage = json!({"output_tokens": answer.counts.output});
    events.push(event(
        &json!({"type": "message_delta", "delta": delta, "usage": usage}),
    ));
    events.push(event(&json!({"type": "message_stop"})));
    events
}

/// What a stream begins with before it says anything.
fn start(answer: &Answer) -> String {
    let message = json!({"id": format!("msg_{}", answer.stem), "type": "message", "role": "assistant", "model": answer.model, "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": usage(answer.counts, 1)});
    event(&json!({"type": "message_start", "message": message}))
}

fn block(answer: &Answer, part: &Part, calls: &mut usize) -> Value {
    match part {
        Part::Think(text) => {
            json!({"type": "thinking", "thinking": text, "signature": SIGNATURE})
        }
        Part::Say(pieces) => json!({"type": "text", "text": pieces.concat()}),
        Part::Refuse(text) => json!({"type": "text", "text": text}),
        Part::Call {
            id,
            tool,
            arguments,
        } => {
            *calls += 1;
            let id = id
                .clone()
                .unwrap_or_else(|| format!("toolu_{}_{calls}", answer.stem));
            json!({"type": "tool_use", "id": id, "name": tool, "input": object(arguments)})
        }
    }
}

/// A block as its stream begins it.
fn emptied(mut block: Value) -> Value {
    for field in ["thinking", "signature", "text"] {
        if block.get(field).is_some() {
            block[field] = "".into();
        }
    }
    if block["type"] == "tool_use" {
        block["input"] = json!({});
    }
    block
}

fn deltas(part: &Part) -> Vec<Value> {
    let text = |text: &String| json!({"type": "text_delta", "text": text});
    match part {
        Part::Think(thought) => vec![
            json!({"type": "thinking_delta", "thinking": thought}),
            json!({"type": "signature_delta", "signature": SIGNATURE}),
        ],
        Part::Say(pieces) => pieces.iter().map(text).collect(),
        Part::Refuse(words) => vec![text(words)],
        Part::Call { arguments, .. } => {
            vec![json!({"type": "input_json_delta", "partial_json": arguments})]
        }
    }
}

fn stop(stop: Stop) -> &'static str {
    match stop {
        Stop::End => "end_turn",
        Stop::MaxTokens => "max_tokens",
        Stop::Tools => "tool_use",
        Stop::Refusal | Stop::Filter => "refusal",
    }
}

fn usage(counts: Counts, output: u64) -> Value {
    let mut usage = json!({"input_tokens": counts.input, "output_tokens": output});
    for (name, count) in [
        ("cache_read_input_tokens", counts.cache_read),
        ("cache_creation_input_tokens", counts.cache_write),
    ] {
        if let Some(count) = count {
            usage[name] = count.into();
        }
    }
    usage
}

/// Signs what was thought, so that it can be shown to the same host again.
const SIGNATURE: &str = "sig-of-fake-host";
