//! A mock of the Messages API: answers in the order the test queued them, and keeps every request.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc;

use serde_json::Value;
use serde_json::json;

use crate::support::http;
use crate::support::http::Response;
use crate::support::watch::Watch;

/// The mock.
pub(crate) struct Upstream {
    pub(crate) url: String,
    state: Arc<Watch<State>>,
}

#[derive(Default)]
struct State {
    answers: VecDeque<Answer>,
    requests: Vec<Value>,
}

/// One answer.
enum Answer {
    Blocks(Vec<Value>, &'static str),
    Error(u16, Value),
}

impl Upstream {
    pub(crate) fn new() -> Upstream {
        let state = Arc::new(Watch::<State>::default());
        let shared = Arc::clone(&state);
        let url = http::serve(move |request| {
            if !request.path.starts_with("/v1/messages") {
                return Response::empty(200);
            }
            let body = serde_json::from_str(&request.body).expect("a request is JSON");
            let answer = shared.change(|state| {
                state.requests.push(body);
                state.answers.pop_front()
            });
            match answer.expect("the test must queue an answer for every request") {
                Answer::Blocks(blocks, stop) => stream(&blocks, stop),
                Answer::Error(status, body) => Response::Whole {
                    status,
                    headers: vec![("content-type", "application/json".to_owned())],
                    body: body.to_string(),
                },
            }
        });
        Upstream { url, state }
    }

    pub(crate) fn say(&self, text: &str) {
        let block = json!({ "type": "text", "text": text });
        self.queue(Answer::Blocks(vec![block], "end_turn"));
    }

    /// Calls of tools, by full name, with what each is given.
    pub(crate) fn call(&self, calls: &[(&str, Value)]) {
        let block = |(at, (name, input)): (usize, &(&str, Value))| json!({ "type": "tool_use", "id": format!("toolu_{at}"), "name": name, "input": input });
        let blocks = calls.iter().enumerate().map(block).collect();
        self.queue(Answer::Blocks(blocks, "tool_use"));
    }

    pub(crate) fn fail(&self, status: u16, kind: &str, message: &str) {
        let body = json!({ "type": "error", "error": { "type": kind, "message": message } });
        self.queue(Answer::Error(status, body));
    }

    /// The `nth` request, from 1.
    pub(crate) fn nth(&self, nth: usize) -> Value {
        let found = self
            .state
            .wait(|state| state.requests.get(nth - 1).cloned());
        found.unwrap_or_else(|| panic!("no request number {nth}"))
    }

    pub(crate) fn count(&self) -> usize {
        self.state.lock().requests.len()
    }

    fn queue(&self, answer: Answer) {
        self.state.change(|state| state.answers.push_back(answer));
    }
}

fn stream(blocks: &[Value], stop: &str) -> Response {
    let (pieces, body) = mpsc::channel();
    let send = |kind: &str, mut event: Value| {
        event["type"] = json!(kind);
        let _ = pieces.send(format!("event: {kind}\ndata: {event}\n\n"));
    };
    let usage = json!({ "input_tokens": 9, "output_tokens": 1 });
    send(
        "message_start",
        json!({ "message": { "id": "msg_test", "model": "m", "usage": usage } }),
    );
    for (at, block) in blocks.iter().enumerate() {
        let (empty, delta) = match block["type"].as_str() {
            Some("tool_use") => (
                json!({ "type": "tool_use", "id": block["id"], "name": block["name"], "input": {} }),
                json!({ "type": "input_json_delta", "partial_json": block["input"].to_string() }),
            ),
            _ => (
                json!({ "type": "text", "text": "" }),
                json!({ "type": "text_delta", "text": block["text"] }),
            ),
        };
        send(
            "content_block_start",
            json!({ "index": at, "content_block": empty }),
        );
        send(
            "content_block_delta",
            json!({ "index": at, "delta": delta }),
        );
        send("content_block_stop", json!({ "index": at }));
    }
    let delta = json!({ "stop_reason": stop, "stop_sequence": null });
    send(
        "message_delta",
        json!({ "delta": delta, "usage": { "output_tokens": 7 } }),
    );
    send("message_stop", json!({}));
    Response::Stream(body)
}
