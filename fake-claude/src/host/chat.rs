//! How OpenAI's Chat Completions say an answer.

use crate::answer::Answer;
use crate::answer::Counts;
use crate::answer::Part;
use crate::answer::Stop;
use serde_json::Value;
use serde_json::json;

pub(crate) fn whole(answer: &Answer) -> Value {
    let mut place = 0;
    let calls = answer.parts.iter().filter_map(|part| match part {
        Part::Call {
            id,
            tool,
            arguments,
        } => {
            place += 1;
            Some(
                json!({"id": call_id(answer, id.as_ref(), place), "type": "function",
                "function": {"name": tool, "arguments": arguments}}),
            )
        }
        Part::Think(_) | Part::Say(_) | Part::Refuse(_) => None,
    });
    let calls: Vec<Value> = calls.collect();
    let said = |kind: fn(&Part) -> Option<String>| {
        let found: Vec<String> = answer.parts.iter().filter_map(kind).collect();
        (!found.is_empty()).then(|| found.concat())
    };
    let mut message = json!({"role": "assistant", "content": said(text_of)});
    if let Some(refusal) = said(refusal_of) {
        message["refusal"] = refusal.into();
    }
    if let Some(thought) = said(thought_of) {
        message["reasoning_content"] = thought.into();
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    json!({"id": format!("chatcmpl-{}", answer.stem), "object": "chat.completion", "created": 1, "model": answer.model, "choices": [{"index": 0,
        "message": message, "finish_reason": stop(answer.stop)}], "usage": usage(answer.counts)})
}

pub(crate) fn events(answer: &Answer, counts: bool) -> Vec<String> {
    let chunk = |choices: Value, usage: Value| {
        let chunk = json!({"id": format!("chatcmpl-{}", answer.stem), "object": "chat.completion.chunk", "created": 1, "model": answer.model,
            "choices": choices, "usage": usage});
        format!("data: {chunk}\n\n")
    };
    let choice =
        |delta: Value, end: Value| json!([{"index": 0, "delta": delta, "finish_reason": end}]);
    let mut place = 0;
    let role = json!({"role": "assistant", "content": ""});
    let mut events = vec![chunk(choice(role, Value::Null), Value::Null)];
    for delta in answer
        .parts
        .iter()
        .flat_map(|part| deltas(answer, part, &mut place))
    {
        events.push(chunk(choice(delta, Value::Null), Value::Null));
    }
    events.push(chunk(
        choice(json!({}), json!(stop(answer.stop))),
        Value::Null,
    ));
    if counts {
        events.push(chunk(json!([]), usage(answer.counts)));
    }
    events.push("data: [DONE]\n\n".to_owned());
    events
}

fn deltas(answer: &Answer, part: &Part, place: &mut usize) -> Vec<Value> {
    match part {
        // As hosts of open models tell it; OpenAI's own does not.
        Part::Think(text) => vec![json!({"reasoning_content": text})],
        Part::Say(pieces) => pieces.iter().map(|text| json!({"content": text})).collect(),
        Part::Refuse(text) => vec![json!({"refusal": text})],
        Part::Call {
            id,
            tool,
            arguments,
        } => {
            let index = *place;
            *place += 1;
            let begun = json!({"index": index, "id": call_id(answer, id.as_ref(), *place), "type": "function",
                "function": {"name": tool, "arguments": ""}});
            let rest = json!({"index": index, "function": {"arguments": arguments}});
            vec![
                json!({"tool_calls": [begun]}),
                json!({"tool_calls": [rest]}),
            ]
        }
    }
}

fn text_of(part: &Part) -> Option<String> {
    match part {
        Part::Say(pieces) => Some(pieces.concat()),
        Part::Think(_) | Part::Refuse(_) | Part::Call { .. } => None,
    }
}

fn thought_of(part: &Part) -> Option<String> {
    match part {
        Part::Think(text) => Some(text.clone()),
        Part::Say(_) | Part::Refuse(_) | Part::Call { .. } => None,
    }
}

fn refusal_of(part: &Part) -> Option<String> {
    match part {
        Part::Refuse(text) => Some(text.clone()),
        Part::Think(_) | Part::Say(_) | Part::Call { .. } => None,
    }
}

/// `number`: from 1 on.
fn call_id(answer: &Answer, id: Option<&String>, number: usize) -> String {
    id.map_or_else(|| format!("call_{}_{number}", answer.stem), Clone::clone)
}

fn stop(stop: Stop) -> &'static str {
    match stop {
        Stop::End | Stop::Refusal => "stop",
        Stop::MaxTokens => "length",
        Stop::Tools => "tool_calls",
        Stop::Filter => "content_filter",
    }
}

/// Here what was cached is a part of what was read.
fn usage(counts: Counts) -> Value {
    let input = counts.all_input();
    let mut usage = json!({"prompt_tokens": input, "completion_tokens": counts.output,
        "total_tokens": input + counts.output});
    if let Some(cached) = counts.cache_read {
        usage["prompt_tokens_details"] = json!({"cached_tokens": cached});
    }
    if counts.reasoning > 0 {
        usage["completion_tokens_details"] = json!({"reasoning_tokens": counts.reasoning});
    }
    usage
}
