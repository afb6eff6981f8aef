//! The Responses API behind a real Codex CLI: it answers by the steps of a script of fake-codex.

use super::api_host::Said;
use super::api_host::event;
use serde_json::Value;
use serde_json::json;
use toml::Table;

/// Answers as these steps say, as `fake-codex` would.
pub(crate) fn answer(steps: &[Table]) -> Said {
    let failure = steps.iter().find_map(|step| step.get("fail"));
    if let Some(fail) = failure {
        return fails(&Value::deserialize_from(fail));
    }
    let mut writer = Writer::begun();
    for step in steps {
        writer.step(&Value::deserialize_from(&toml::Value::Table(step.clone())));
    }
    writer.said()
}

/// What TOML says, in JSON.
trait FromToml {
    fn deserialize_from(value: &toml::Value) -> Self;
}

impl FromToml for Value {
    fn deserialize_from(value: &toml::Value) -> Value {
        serde_json::to_value(value).unwrap_or_default()
    }
}

fn fails(fail: &Value) -> Said {
    let status = fail["status"]
        .as_u64()
        .and_then(|status| u16::try_from(status).ok());
    let code = fail["code"].as_str().unwrap_or("invalid_value");
    let kind = match code {
        "usage_limit_reached" => code,
        _ => "invalid_request_error",
    };
    let body = json!({"error": {"message": fail["message"].as_str().unwrap_or("x"), "type": kind, "param": null, "code": code}});
    // The reset is far enough away for every run.
    let headers = match fail["resets_in"].is_null() {
        true => "",
        false => {
            "x-codex-primary-used-percent: 100\r\nx-codex-primary-window-minutes: 300\r\n\
                  x-codex-primary-reset-at: 4102444800\r\n"
        }
    };
    Said::Whole(
        status.unwrap_or(500),
        headers,
        "application/json",
        body.to_string(),
    )
}

/// A stream that is being written.
struct Writer {
    events: Vec<String>,
    output: Vec<Value>,
    is_cut: bool,
    /// The last event, where it is not the usual one.
    end: Option<Value>,
}

impl Writer {
    fn begun() -> Writer {
        let response =
            json!({"id": "resp_1", "object": "response", "status": "in_progress", "output": []});
        Writer {
            events: vec![event(
                &json!({"type": "response.created", "response": response}),
            )],
            output: Vec::new(),
            is_cut: false,
            end: None,
        }
    }

    fn step(&mut self, step: &Value) {
        if let Some(text) = step["think"].as_str() {
            self.think(text);
        }
        let is_refusal = step["stop"] == "refusal";
        if let Some(text) = step["say"].as_str().or(is_refusal.then_some("no")) {
            self.say(text, step);
        }
        for (place, call) in step["call"].as_array().into_iter().flatten().enumerate() {
            self.call(call, place);
        }
        if let Some(failed) = step["failed"].as_object() {
            let response = json!({"id": "resp_1", "object": "response", "status": "failed", "output": [], "error": failed});
            self.end = Some(json!({"type": "response.failed", "response": response}));
        }
        let reason = match step["stop"].as_str() {
            Some("max_tokens") => "max_output_tokens",
            Some("content_filter") => "content_filter",
            _ => return,
        };
        let details = json!({"reason": reason});
        let response = json!({"id": "resp_1", "object": "response", "status": "incomplete", "incomplete_details": details,
            "output": self.output, "usage": usage()});
        self.end = Some(json!({"type": "response.incomplete", "response": response}));
    }

    fn think(&mut self, text: &str) {
        let item = |summary: Value| json!({"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "enc-1"});
        let (index, id) = (self.output.len(), "rs_1");
        let part = json!({"type": "summary_text", "text": text});
        self.events.extend([
            added(index, &item(json!([]))),
            event(&json!({"type": "response.reasoning_summary_part.added", "item_id": id, "output_index": index,
                "summary_index": 0, "part": {"type": "summary_text", "text": ""}})),
            event(&json!({"type": "response.reasoning_summary_text.delta", "item_id": id, "output_index": index,
                "summary_index": 0, "delta": text})),
        ]);
        self.done(item(json!([part])));
    }

    fn say(&mut self, text: &str, step: &Value) {
        let kind = match step["stop"] == "refusal" {
            true => ("refusal", "refusal"),
            false => ("output_text", "text"),
        };
        let status = match step["stop"].as_str() {
            Some("max_tokens" | "content_filter") => "incomplete",
            _ => "completed",
        };
        let item = |content: Value| json!({"type": "message", "id": "msg_1", "role": "assistant", "status": status, "content": content});
        let index = self.output.len();
        self.events.push(added(index, &item(json!([]))));
        let letters: Vec<char> = text.chars().collect();
        let chunk = step["chunk"]
            .as_u64()
            .and_then(|chunk| usize::try_from(chunk).ok());
        for piece in letters.chunks(chunk.unwrap_or(letters.len()).max(1)) {
            let delta: String = piece.iter().collect();
            self.events.push(event(
                &json!({"type": format!("response.{}.delta", kind.0), "item_id": "msg_1",
                "output_index": index, "content_index": 0, "delta": delta}),
            ));
        }
        if step["cut"] == true {
            self.is_cut = true;
            return;
        }
        let mut part = json!({"type": kind.0, "annotations": []});
        part[kind.1] = text.into();
        self.done(item(json!([part])));
    }

    fn call(&mut self, call: &Value, place: usize) {
        let input = match &call["input"] {
            Value::Null => json!({}),
            input => input.clone(),
        };
        let arguments = call["arguments"]
            .as_str()
            .map_or_else(|| input.to_string(), str::to_owned);
        let item = json!({"type": "function_call", "id": format!("fc_{place}"), "call_id": format!("call_{place}"),
            "name": call["tool"], "arguments": arguments, "status": "completed"});
        self.events.push(added(self.output.len(), &item));
        self.done(item);
    }

    fn done(&mut self, item: Value) {
        let index = self.output.len();
        self.events.push(event(
            &json!({"type": "response.output_item.done", "output_index": index, "item": item}),
        ));
        self.output.push(item);
    }

    fn said(mut self) -> Said {
        if self.is_cut {
            return Said::Cut(self.events);
        }
        let response = json!({"id": "resp_1", "object": "response", "status": "completed", "output": self.output, "usage": usage()});
        let usual = || json!({"type": "response.completed", "response": response});
        self.events
            .push(event(&self.end.take().unwrap_or_else(usual)));
        Said::Stream(self.events)
    }
}

fn added(index: usize, item: &Value) -> String {
    event(&json!({"type": "response.output_item.added", "output_index": index, "item": item}))
}

fn usage() -> Value {
    json!({"input_tokens": 1001, "input_tokens_details": {"cached_tokens": 7, "cache_write_tokens": 0},
        "output_tokens": 101, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 1102})
}
