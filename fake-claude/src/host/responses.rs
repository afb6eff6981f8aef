//! How OpenAI's Responses say an answer.

use crate::answer::Answer;
use crate::answer::Counts;
use crate::answer::Part;
use crate::answer::Stop;
use crate::api::event;
use serde_json::Value;
use serde_json::json;

pub(crate) fn whole(answer: &Answer) -> Value {
    let mut calls = 0;
    let items = answer
        .parts
        .iter()
        .enumerate()
        .map(|place| item(answer, place, &mut calls));
    ended(answer, items.collect())
}

pub(crate) fn events(answer: &Answer) -> Vec<String> {
    let response = json!({"id": id_of(&answer.stem), "object": "response", "status": "in_progress",
        "model": answer.model, "output": []});
    let mut events = vec![event(
        &json!({"type": "response.created", "response": response}),
    )];
    let (mut output, mut calls) = (Vec::new(), 0);
    for part in &answer.parts {
        let index = output.len();
        let item = item(answer, (index, part), &mut calls);
        events.push(event(
            &json!({"type": "response.output_item.added", "output_index": index, "item": begun(&item)}),
        ));
        events.extend(deltas(part, index, &item));
        events.push(event(
            &json!({"type": "response.output_item.done", "output_index": index, "item": item}),
        ));
        output.push(item);
    }
    let response = ended(answer, output);
    let kind = format!(
        "response.{}",
        response["status"].as_str().unwrap_or_default()
    );
    events.push(event(&json!({"type": kind, "response": response})));
    events
}

/// An answer that failed after it had begun.
pub(crate) fn failed(stem: &str, code: &str, message: &str) -> String {
    let error = json!({"code": code, "message": message});
    let response = json!({"id": id_of(stem), "object": "response", "status": "failed", "output": [], "error": error});
    event(&json!({"type": "response.failed", "response": response}))
}

fn ended(answer: &Answer, output: Vec<Value>) -> Value {
    let mut response = json!({"id": id_of(&answer.stem), "object": "response", "created_at": 1, "status": "completed",
        "model": answer.model, "output": output, "usage": usage(answer.counts)});
    let reason = match answer.stop {
        Stop::MaxTokens => "max_output_tokens",
        Stop::Filter => "content_filter",
        Stop::End | Stop::Tools | Stop::Refusal => return response,
    };
    response["status"] = "incomplete".into();
    response["incomplete_details"] = json!({"reason": reason});
    response
}

fn id_of(stem: &str) -> String {
    format!("resp_{stem}")
}

fn item(answer: &Answer, (index, part): (usize, &Part), calls: &mut usize) -> Value {
    let stem = &answer.stem;
    let status = match answer.stop {
        Stop::MaxTokens | Stop::Filter => "incomplete",
        Stop::End | Stop::Tools | Stop::Refusal => "completed",
    };
    let message = |content: Value| json!({"type": "message", "id": format!("msg_{stem}_{index}"), "role": "assistant", "status": status, "content": [content]});
    match part {
        Part::Think(text) => json!({"type": "reasoning", "id": format!("rs_{stem}_{index}"),
            "summary": [{"type": "summary_text", "text": text}], "encrypted_content": "enc-1"}),
        Part::Say(pieces) => {
            message(json!({"type": "output_text", "annotations": [], "text": pieces.concat()}))
        }
        Part::Refuse(text) => {
            message(json!({"type": "refusal", "annotations": [], "refusal": text}))
        }
        Part::Call {
            id,
            tool,
            arguments,
        } => {
            let place = *calls;
            *calls += 1;
            let id = id.clone().unwrap_or_else(|| format!("call_{stem}_{place}"));
            json!({"type": "function_call", "id": format!("fc_{stem}_{index}"), "call_id": id,
                "name": tool, "arguments": arguments, "status": "completed"})
        }
    }
}

/// An item as its stream begins it.
fn begun(item: &Value) -> Value {
    let mut item = item.clone();
    for list in ["content", "summary"] {
        if item.get(list).is_some() {
            item[list] = json!([]);
        }
    }
    if item["type"] == "function_call" {
        (item["arguments"], item["status"]) = ("".into(), "in_progress".into());
    }
    item
}

fn deltas(part: &Part, index: usize, item: &Value) -> Vec<String> {
    let id = &item["id"];
    let of = |kind: &str, delta: &str| {
        event(
            &json!({"type": format!("response.{kind}.delta"), "item_id": id, "output_index": index,
            "content_index": 0, "delta": delta}),
        )
    };
    match part {
        Part::Think(text) => vec![
            event(
                &json!({"type": "response.reasoning_summary_part.added", "item_id": id, "output_index": index,
                "summary_index": 0, "part": {"type": "summary_text", "text": ""}}),
            ),
            event(
                &json!({"type": "response.reasoning_summary_text.delta", "item_id": id, "output_index": index,
                "summary_index": 0, "delta": text}),
            ),
        ],
        Part::Say(pieces) => pieces
            .iter()
            .map(|piece| of("output_text", piece))
            .collect(),
        Part::Refuse(text) => vec![of("refusal", text)],
        Part::Call { arguments, .. } => vec![of("function_call_arguments", arguments)],
    }
}

fn usage(counts: Counts) -> Value {
    let input = counts.all_input();
    json!({"input_tokens": input, "input_tokens_details": {"cached_tokens": counts.cache_read.unwrap_or(0),
        "cache_write_tokens": counts.cache_write.unwrap_or(0)}, "output_tokens": counts.output,
        "output_tokens_details": {"reasoning_tokens": counts.reasoning}, "total_tokens": input + counts.output})
}
