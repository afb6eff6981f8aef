//! What the played API says to a case, in the words of OpenAI's Responses. `[pure]`

use super::case::Case;
use super::case::Fail;
use super::case::Limit;
use super::case::Step;
use serde_json::Value;
use serde_json::json;

/// An answer of the API.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Body,
}

#[derive(Debug, PartialEq)]
pub(super) enum Body {
    Json(Value),
    Events {
        events: Vec<String>,
        /// Whether the connection breaks behind them.
        is_cut: bool,
    },
}

/// The answer to the case.
pub(super) fn answer(case: &Case) -> Answer {
    let steps = &case.steps;
    if let Some(fail) = steps.iter().find_map(|step| step.fail.as_ref()) {
        return refused(fail);
    }
    let mut headers = Vec::new();
    if let Some(model) = steps.iter().find_map(|step| step.reroute.clone()) {
        headers.push(("openai-model", model));
    }
    if let Some(limit) = steps.iter().find_map(|step| step.limit) {
        headers.extend(window(limit));
    }
    let is_cut = steps.iter().any(|step| step.cut);
    Answer {
        status: 200,
        headers,
        body: Body::Events {
            events: events(steps),
            is_cut,
        },
    }
}

fn refused(fail: &Fail) -> Answer {
    let kind = match fail.code.as_str() {
        "usage_limit_reached" => fail.code.as_str(),
        _ => "invalid_request_error",
    };
    let error = json!({"message": fail.message, "type": kind, "param": null, "code": fail.code});
    let limit = fail.resets_in.map(|_| window(Limit::FULL));
    let wait = fail
        .retry_after
        .map(|wait| ("retry-after", wait.to_string()));
    Answer {
        status: fail.status,
        headers: limit.into_iter().flatten().chain(wait).collect(),
        body: Body::Json(json!({ "error": error })),
    }
}

/// The plan's window, as the headers of an answer tell it.
fn window(limit: Limit) -> [(&'static str, String); 3] {
    [
        ("x-codex-primary-used-percent", limit.used.to_string()),
        ("x-codex-primary-window-minutes", limit.minutes.to_string()),
        ("x-codex-primary-reset-at", FAR_RESET.to_owned()),
    ]
}

fn events(steps: &[Step]) -> Vec<String> {
    let created = response("in_progress", &[]);
    let mut events = vec![event(
        &json!({"type": "response.created", "response": created}),
    )];
    let mut output = Vec::new();
    for step in steps {
        for item in items(step, output.len()) {
            events.extend(told(&item, step, output.len()));
            output.push(item);
        }
    }
    let failure = |step: &Step| step.failed.clone().map(|fail| failed(&fail));
    let error = |step: &Step| step.error.clone().map(|fail| broken(&fail));
    let breaks = |step: &Step| step.cut || step.close;
    if let Some(end) = steps.iter().find_map(|step| failure(step).or(error(step))) {
        events.push(end);
    } else if steps.iter().any(breaks) {
        events.pop(); // The last item never becomes whole.
    } else {
        events.push(ended(steps, &output));
    }
    events
}

/// The items of a step; `place` is how many there are before.
fn items(step: &Step, place: usize) -> Vec<Value> {
    let status = match stop(step) {
        Some(_) => "incomplete",
        None => "completed",
    };
    let message = |part: Value| json!({"type": "message", "id": "msg_1", "role": "assistant", "status": status, "content": [part]});
    let mut items = Vec::new();
    items.extend(step.think.iter().map(|text| {
        json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": text}],
            "encrypted_content": "enc-1"})
    }));
    items.extend(
        step.say
            .iter()
            .map(|text| message(json!({"type": "output_text", "annotations": [], "text": text}))),
    );
    if step.stop.as_deref() == Some("refusal") {
        items.push(message(
            json!({"type": "refusal", "annotations": [], "refusal": "no"}),
        ));
    }
    items.extend(step.call.iter().enumerate().map(|(number, call)| {
        let number = place + number;
        let arguments = call.arguments.clone();
        json!({"type": "function_call", "id": format!("fc_{number}"), "call_id": format!("call_{number}"),
            "name": call.tool, "arguments": arguments.unwrap_or_else(|| call.input.to_string()), "status": "completed"})
    }));
    items
}

/// An item as it comes: begun, in pieces, whole.
fn told(item: &Value, step: &Step, index: usize) -> Vec<String> {
    let mut begun = item.clone();
    for list in ["content", "summary"] {
        if item.get(list).is_some() {
            begun[list] = json!([]);
        }
    }
    if item["type"] == "function_call" {
        (begun["arguments"], begun["status"]) = ("".into(), "in_progress".into());
    }
    let mut events = vec![event(
        &json!({"type": "response.output_item.added", "output_index": index, "item": begun}),
    )];
    let of = |kind: &str, place: &str, delta: &str| {
        let mut told =
            json!({"type": kind, "item_id": item["id"], "output_index": index, "delta": delta});
        told[place] = 0.into();
        event(&told)
    };
    if let Some(text) = item["summary"][0]["text"].as_str() {
        events.push(event(
            &json!({"type": "response.reasoning_summary_part.added", "item_id": item["id"], "output_index": index,
            "summary_index": 0, "part": {"type": "summary_text", "text": ""}}),
        ));
        let kind = "response.reasoning_summary_text.delta";
        events.push(of(kind, "summary_index", text));
    }
    if let Some(text) = item["content"][0]["text"].as_str() {
        let piece = |piece: &String| of("response.output_text.delta", "content_index", piece);
        events.extend(pieces(text, step.chunk).iter().map(piece));
    }
    if let Some(text) = item["content"][0]["refusal"].as_str() {
        events.push(of("response.refusal.delta", "content_index", text));
    }
    if let Some(text) = item["arguments"].as_str() {
        let kind = "response.function_call_arguments.delta";
        events.push(of(kind, "content_index", text));
    }
    events.push(event(
        &json!({"type": "response.output_item.done", "output_index": index, "item": item}),
    ));
    events
}

fn pieces(text: &str, chunk: Option<usize>) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let pieces = letters.chunks(chunk.unwrap_or(letters.len()).max(1));
    pieces.map(|piece| piece.iter().collect()).collect()
}

/// Why an answer is not whole.
fn stop(step: &Step) -> Option<&'static str> {
    match step.stop.as_deref() {
        Some("max_tokens") => Some("max_output_tokens"),
        Some("content_filter") => Some("content_filter"),
        _ => None,
    }
}

fn ended(steps: &[Step], output: &[Value]) -> String {
    let reason = steps.iter().find_map(stop);
    let status = match reason {
        Some(_) => "incomplete",
        None => "completed",
    };
    let mut response = response(status, output);
    response["usage"] = json!({"input_tokens": INPUT_TOKENS, "input_tokens_details": {"cached_tokens": CACHED_TOKENS,
        "cache_write_tokens": 0}, "output_tokens": OUTPUT_TOKENS, "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS});
    if let Some(reason) = reason {
        response["incomplete_details"] = json!({ "reason": reason });
    }
    event(&json!({"type": format!("response.{status}"), "response": response}))
}

fn failed(fail: &Fail) -> String {
    let mut response = response("failed", &[]);
    response["error"] = json!({"code": fail.code, "message": fail.message});
    event(&json!({"type": "response.failed", "response": response}))
}

fn broken(fail: &Fail) -> String {
    event(
        &json!({"type": "error", "code": fail.code, "message": fail.message, "param": null, "sequence_number": 1}),
    )
}

fn response(status: &str, output: &[Value]) -> Value {
    json!({"id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "played", "output": output})
}

fn event(data: &Value) -> String {
    let kind = data["type"].as_str().unwrap_or_default();
    format!("event: {kind}\ndata: {data}\n\n")
}

/// Far enough away for every run, in seconds since 1970.
const FAR_RESET: &str = "4102444800";
const INPUT_TOKENS: u64 = 1001;
/// Among those of the input.
const CACHED_TOKENS: u64 = 7;
const OUTPUT_TOKENS: u64 = 101;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::codex::case::cases;

    fn of(name: &str) -> Answer {
        let case = cases().into_iter().find(|case| case.name == name);
        answer(&case.expect("there is such a case"))
    }

    #[test]
    fn an_answer_ends_as_its_case_says() {
        let last = |name: &str| match of(name).body {
            Body::Events { mut events, .. } => events.pop().unwrap_or_default(),
            Body::Json(json) => json.to_string(),
        };
        assert!(last("a text").contains("response.completed"));
        assert!(last("length").contains("max_output_tokens"));
        assert!(last("overloaded").contains("response.failed"));
        assert!(last("event").contains("event: error"));
        assert!(last("cut").contains("output_text.delta"));
        assert!(last("closed").contains("output_text.delta"));
        assert!(last("400").contains("bad input"));
    }

    #[test]
    fn a_window_comes_with_a_failure_and_with_a_good_answer() {
        for name in ["usage", "window"] {
            assert_eq!(of(name).headers.len(), 3, "{name}");
        }
        assert_eq!(
            of("rerouted").headers,
            [("openai-model", "gpt-other".to_owned())]
        );
    }
}
