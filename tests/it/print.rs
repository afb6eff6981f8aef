//! The same claude without a screen: chosen by the caller or the configuration, exact, and gone when its call is over.

use super::support::client;
use super::support::client::Response;
use super::support::client::call;
use super::support::client::conversation;
use super::support::process;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::upstream;
use super::support::upstream::Answer;
use super::support::upstream::Upstream;
use super::support::upstream::last_text;
use super::support::wait;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

const BOTH: [&str; 2] = ["2.1.197", "2.1.329"];
const PRINT: &str = "driver = \"print\"";
/// A picture of one pixel.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn relay(upstream: &Upstream, version: &str) -> Relay {
    World::upstream(upstream)
        .env("FAKE_CLAUDE_VERSION", version)
        .claude(PRINT)
        .start()
}

/// What the model was asked, as role and blocks.
fn asked(upstream: &Upstream) -> Vec<(String, Vec<Value>)> {
    let bodies = upstream.bodies();
    upstream::messages(bodies.last().expect("the model was asked"))
}

#[test]
fn an_answer_is_the_apis_own_message() {
    for version in BOTH {
        let upstream = Upstream::echo();
        let relay = relay(&upstream, version);
        let answer = relay.ask("a\tb \r\n\u{2028}é😀\n");
        assert_eq!(answer.text(), "a\tb \r\n\u{2028}é😀\n");
        assert_eq!(answer.header("x-relay-lane"), "claude-print");
        assert_eq!(answer.header("x-relay-text"), "exact");
        let message = answer.json();
        assert_eq!(message["id"], "msg_upstream");
        assert_eq!(message["stop_reason"], "end_turn");
        let usage = json!({"input_tokens": 21, "cache_creation_input_tokens": null, "cache_read_input_tokens": 7,
            "output_tokens": 42});
        assert_eq!(message["usage"], usage);
    }
}

#[test]
fn pieces_are_told_while_the_model_speaks() {
    let upstream = Upstream::answering(|_| Answer::Begin("half of an answer".to_owned()));
    let relay = relay(&upstream, "2.1.329");
    let mut stream = relay.stream(&call("Say it slowly."));
    assert_eq!(stream.header("x-relay-lane"), "claude-print");
    let start = stream.next().expect("it begins");
    assert_eq!(start.data["message"]["id"], "msg_upstream");
    assert_eq!(start.data["message"]["usage"]["input_tokens"], 21);
    assert_eq!(stream.next().expect("a block").name, "content_block_start");
    let delta = stream.next().expect("a piece").data;
    assert_eq!(delta["delta"]["text"], "half of an answer");
}

#[test]
fn what_looks_like_a_command_is_a_text() {
    for version in BOTH {
        let upstream = Upstream::echo();
        let relay = relay(&upstream, version);
        for text in ["/clear", "/model opus", "/nosuch", "!ls", "exit"] {
            assert_eq!(relay.ask(text).text(), text);
            let alone = (
                "user".to_owned(),
                vec![json!({"type": "text", "text": text})],
            );
            assert_eq!(asked(&upstream), [alone]);
        }
    }
}

#[test]
fn a_history_and_a_picture_go_in_block_by_block() {
    for version in BOTH {
        let upstream = Upstream::echo();
        let relay = relay(&upstream, version);
        let turns = json!([
            {"role": "user", "content": [{"type": "text", "text": "one\t"}, {"type": "text", "text": "/clear"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "two\n"}]},
            {"role": "user", "content": [
                {"type": "text", "text": "/clear"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
            ]},
        ]);
        let answer = relay.post(&conversation(&turns));
        assert_eq!(answer.text(), "/clear", "{}", answer.body);
        let expected: Vec<(String, Vec<Value>)> = turns
            .as_array()
            .expect("turns are a list")
            .iter()
            .map(|turn| {
                let role = turn["role"].as_str().expect("a turn has a role").to_owned();
                (role, turn["content"].as_array().expect("blocks").clone())
            })
            .collect();
        assert_eq!(asked(&upstream), expected);
    }
}

#[test]
fn the_caller_chooses_and_the_answer_says_so() {
    let upstream = Upstream::echo();
    let relay = World::upstream(&upstream).start();
    let ask = |header: &str| client::post_with(relay.address, &call("hello"), header);
    assert_eq!(relay.ask("hello").header("x-relay-lane"), "claude-pty");
    let print = ask("x-relay-driver: print");
    assert_eq!(print.text(), "hello");
    assert_eq!(print.header("x-relay-lane"), "claude-print");
    let wrong = ask("x-relay-driver: prnt");
    assert_eq!(
        (wrong.status, wrong.header("x-relay-error")),
        (400, "invalid_request")
    );
}

#[test]
fn a_client_that_hangs_up_ends_the_process_and_the_next_call_is_clean() {
    let upstream = Upstream::answering(|body| match last_text(body) {
        text if text.contains("begin") => Answer::Begin("half".to_owned()),
        text => Answer::Say(text),
    });
    let relay = World::upstream(&upstream)
        .claude(PRINT)
        .pool("idle = 1\nmax = 1")
        .start();
    let pids = relay.idle(1);
    let mut stream = relay.stream(&call("begin canary"));
    while stream.next().expect("it goes on").name != "content_block_delta" {}
    drop(stream);
    wait::until("the process's end", || {
        (!process::is_alive(pids[0])).then_some(())
    });
    assert_eq!(relay.ask("And now?").text(), "And now?");
    assert!(!upstream.asked("And now?").to_string().contains("canary"));
}

#[test]
fn a_process_that_dies_before_the_first_byte_is_replaced_and_after_it_is_an_error() {
    let upstream = Upstream::answering(|body| match last_text(body) {
        text if text.contains("begin") => Answer::Begin("half".to_owned()),
        text if text.contains("hold") => Answer::Hold,
        text => Answer::Say(text),
    });
    let relay = World::upstream(&upstream)
        .claude(PRINT)
        .pool("idle = 1\nmax = 1")
        .start();
    let mut stream = relay.stream(&call("begin"));
    while stream.next().expect("it goes on").name != "content_block_delta" {}
    process::signal(relay.busy(), Signal::KILL);
    let events = stream.rest();
    assert_eq!(events.last().expect("it ends").name, "error");
    let held = client::begin(relay.address, &call("hold"));
    let asked = |count: usize| {
        wait::until("a request", || {
            (upstream.bodies().len() == count).then_some(())
        });
    };
    asked(2);
    process::signal(relay.busy(), Signal::KILL);
    asked(3);
    drop(held);
    assert_eq!(relay.ask("And now?").text(), "And now?");
}

#[test]
fn a_failure_of_the_upstream_keeps_its_status() {
    let mut script = String::new();
    for status in [400, 401, 429, 529] {
        script.push_str(&format!(
            "[[rule]]\nmatch = \"fail {status}\"\n[[rule.step]]\n\
             fail = {{ status = {status}, type = \"any_error\", message = \"in words\" }}\n"
        ));
    }
    let relay = World::scripted(&script)
        .env("ANTHROPIC_AUTH_TOKEN", "any")
        .claude(PRINT)
        .start();
    for (status, code) in [
        (400, "upstream_rejected"),
        (401, "upstream_rejected"),
        (429, "upstream_rate_limited"),
        (529, "upstream_overloaded"),
    ] {
        let answer = relay.ask(&format!("fail {status}"));
        assert_eq!(
            (answer.status, answer.header("x-relay-error")),
            (status, code)
        );
        let streamed = relay.stream(&call(&format!("fail {status}")));
        assert_eq!(streamed.status, status);
    }
}

/// A model that calls a tool until it has a result; then it says what it was given.
fn calling() -> Upstream {
    Upstream::answering(|body| {
        let (_, blocks) = upstream::messages(body).pop().expect("there are messages");
        match blocks.iter().find(|block| block["type"] == "tool_result") {
            Some(result) => Answer::Say(format!("{}{}", result["content"], last_text(body))),
            None => {
                let name = body["tools"][0]["name"]
                    .as_str()
                    .expect("a tool is offered");
                let input = json!({"city": "Paris", "deep": {"n": [1, null]}});
                let call = ("toolu_a".to_owned(), name.to_owned(), input);
                Answer::Call("Let me look.\n".to_owned(), vec![call])
            }
        }
    })
}

fn with_tools(messages: &Value) -> Value {
    let mut body = conversation(messages);
    body["tools"] =
        json!([{"name": "weather", "description": "a\tb", "input_schema": {"type": "object"}}]);
    body
}

fn first_round(relay: &Relay) -> Response {
    let answer = relay.post(&with_tools(&json!([{"role": "user", "content": "Which?"}])));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let content = json!([
        {"type": "text", "text": "Let me look.\n"},
        {"type": "tool_use", "id": "toolu_a", "name": "weather", "input": {"city": "Paris", "deep": {"n": [1, null]}}},
    ]);
    assert_eq!(answer.json()["content"], content);
    answer
}

fn second_round(answer: &Response, more: &[Value]) -> Value {
    let mut content =
        vec![json!({"type": "tool_result", "tool_use_id": "toolu_a", "content": "sunny\t"})];
    content.extend_from_slice(more);
    with_tools(&json!([
        {"role": "user", "content": "Which?"},
        {"role": "assistant", "content": answer.json()["content"]},
        {"role": "user", "content": content},
    ]))
}

#[test]
fn a_tool_is_called_and_its_result_goes_on_in_the_same_process() {
    for version in BOTH {
        let upstream = calling();
        let relay = relay(&upstream, version);
        let answer = first_round(&relay);
        assert_eq!(answer.json()["stop_reason"], "tool_use");
        let next = relay.post(&second_round(&answer, &[]));
        assert!(next.text().contains("sunny\\t"), "{}", next.body);
        assert_eq!(next.header("x-relay-session"), "live");
        assert_eq!(next.header("x-relay-lane"), "claude-print");
        assert_eq!(upstream.bodies().len(), 2);
    }
}

/// Over a second: the daemon is started twice for each version.
#[test]
fn results_whose_process_is_gone_are_taken_up_with_their_tools() {
    for version in BOTH {
        let upstream = calling();
        let mut first = relay(&upstream, version);
        let answer = first_round(&first);
        first.signal(Signal::KILL);
        first.ended();
        let relay = Relay::start(Arc::clone(&first.world));
        let more = [json!({"type": "text", "text": "/clear"})];
        let next = relay.post(&second_round(&answer, &more));
        assert!(next.text().ends_with("/clear"), "{}", next.body);
        assert_eq!(next.header("x-relay-session"), "cold");
        let bodies = upstream.bodies();
        let last = bodies.last().expect("the model was asked");
        assert_eq!(last["tools"].as_array().map(Vec::len), Some(1));
        let messages = upstream::messages(last);
        assert_eq!(messages.len(), 3);
        assert_eq!(messages[2].1.len(), 2, "{messages:?}");
    }
}

/// Over a second: the daemon is started twice.
#[test]
fn print_mode_takes_what_a_screen_cannot_carry_where_it_may() {
    let upstream = calling();
    let world = World::upstream(&upstream)
        .env("FAKE_CLAUDE_VERSION", "2.1.197")
        .claude("fallback = \"print\"");
    let mut first = world.start();
    let answer = first_round(&first);
    assert_eq!(answer.header("x-relay-lane"), "claude-pty");
    first.signal(Signal::KILL);
    first.ended();
    let relay = Relay::start(Arc::clone(&first.world));
    let body = second_round(&answer, &[]);
    let refused = client::post_with(relay.address, &body, "x-relay-driver: pty");
    assert_eq!(
        (refused.status, refused.header("x-relay-error")),
        (503, "claude_unsupported")
    );
    let taken = relay.post(&body);
    assert!(taken.text().contains("sunny\\t"), "{}", taken.body);
    assert_eq!(taken.header("x-relay-lane"), "claude-print");
}
