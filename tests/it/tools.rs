//! The caller's tools: offered to the model, called by it, answered by the caller, in whatever way it comes back.

use super::support::client;
use super::support::client::Response;
use super::support::client::conversation;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::upstream;
use super::support::upstream::Answer;
use super::support::upstream::Upstream;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

/// A model that calls two tools until it has results; then it says that it has.
fn calling() -> Upstream {
    Upstream::answering(|body| {
        let last = upstream::messages(body)
            .pop()
            .expect("a request has messages");
        let has_results = last.1.iter().any(|block| block["type"] == "tool_result");
        if has_results {
            return Answer::Say("Thank you.".to_owned());
        }
        let name = |plain: &str| {
            let tools = body["tools"].as_array().expect("the request has tools");
            let names = tools.iter().filter_map(|tool| tool["name"].as_str());
            let mut fitting = names.filter(|name| name.ends_with(plain));
            fitting.next().expect("the tool is offered").to_owned()
        };
        let calls = [
            (
                "toolu_a",
                "weather",
                json!({"city": "Paris", "deep": {"n": [1, null]}}),
            ),
            ("toolu_b", "time", json!({"zone": "\tUTC\n"})),
        ];
        let calls = calls.map(|(id, plain, input)| (id.to_owned(), name(plain), input));
        Answer::Call("Let me look.\n".to_owned(), calls.into())
    })
}

fn tools() -> Value {
    json!([
        {"name": "weather", "description": "Weather of a city\twith tabs\n", "input_schema": {"type": "object",
            "properties": {"city": {"$ref": "#/$defs/City"}, "a": {}}, "$defs": {"City": {"type": "string"}}}},
        {"name": "time", "description": "The time", "input_schema": {"type": "object"}},
    ])
}

fn call(messages: &Value) -> Value {
    let mut body = conversation(messages);
    body["tools"] = tools();
    body
}

/// The conversation with the model's calls and these results.
fn follow_up(question: &str, answer: &Response, results: Value) -> Value {
    let content = answer.json()["content"].clone();
    json!([
        {"role": "user", "content": question},
        {"role": "assistant", "content": content},
        {"role": "user", "content": results},
    ])
}

fn results() -> Value {
    json!([
        {"type": "tool_result", "tool_use_id": "toolu_a", "content": "sunny\t21 C\n"},
        {"type": "tool_result", "tool_use_id": "toolu_b", "content": "noon"},
    ])
}

fn asked_for_tools(relay: &Relay, question: &str) -> Response {
    let answer = relay.post(&call(&json!([{"role": "user", "content": question}])));
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer
}

/// What the model got last of the user, as ids and texts.
fn results_upstream(upstream: &Upstream) -> Vec<(String, String)> {
    let bodies = upstream.bodies();
    let last = bodies.last().expect("the model was asked");
    let (_, blocks) = upstream::messages(last)
        .pop()
        .expect("a request has messages");
    let text = |content: &Value| match content {
        Value::String(text) => text.clone(),
        blocks => blocks[0]["text"].as_str().unwrap_or_default().to_owned(),
    };
    let pair = |block: &Value| {
        let id = block["tool_use_id"].as_str().unwrap_or_default().to_owned();
        let content = match block["type"].as_str() {
            Some("tool_result") => &block["content"],
            _ => &block["text"],
        };
        (id, text(content))
    };
    blocks.iter().map(pair).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(id, text): &(&str, &str)| ((*id).to_owned(), (*text).to_owned());
    pairs.iter().map(owned).collect()
}

#[test]
fn a_tool_is_called_and_its_result_goes_on_in_the_same_session() {
    let upstream = calling();
    let relay = World::upstream(&upstream).start();
    let answer = asked_for_tools(&relay, "Which weather?");
    let message = answer.json();
    assert_eq!(message["stop_reason"], "tool_use");
    assert_eq!(message["usage"]["output_tokens"], 42);
    let content = json!([
        {"type": "text", "text": "Let me look.\n"},
        {"type": "tool_use", "id": "toolu_a", "name": "weather", "input": {"city": "Paris", "deep": {"n": [1, null]}}},
        {"type": "tool_use", "id": "toolu_b", "name": "time", "input": {"zone": "\tUTC\n"}},
    ]);
    assert_eq!(message["content"], content);
    let next = relay.post(&call(&follow_up("Which weather?", &answer, results())));
    assert_eq!(next.text(), "Thank you.", "{}", next.body);
    assert_eq!(next.header("x-relay-session"), "live");
    let told = pairs(&[("toolu_a", "sunny\t21 C\n"), ("toolu_b", "noon")]);
    assert_eq!(results_upstream(&upstream), told);
    assert_eq!(upstream.bodies().len(), 2);
}

#[test]
fn the_model_gets_the_tools_as_they_were_written() {
    let upstream = calling();
    let relay = World::upstream(&upstream).start();
    asked_for_tools(&relay, "Which tools?");
    let bodies = upstream.bodies();
    let got = bodies[0]["tools"]
        .as_array()
        .expect("the request has tools");
    for tool in tools().as_array().expect("tools are a list") {
        let name = tool["name"].as_str().expect("a tool has a name");
        let mut fitting = got.iter().filter(|got| {
            let seen = got["name"].as_str().unwrap_or_default();
            seen.strip_prefix("mcp__relay__") == Some(name)
        });
        let seen = fitting.next().expect("the tool reached the model");
        assert_eq!(seen["description"], tool["description"]);
        assert_eq!(seen["input_schema"], tool["input_schema"]);
    }
    assert_eq!(got.len(), 2);
}

#[test]
fn a_call_without_tools_sees_none_of_the_call_before() {
    let upstream = Upstream::echo();
    let relay = World::upstream(&upstream)
        .pool("idle = 1\nmax = 1\n")
        .start();
    let with = relay.post(&call(&json!([{"role": "user", "content": "With tools"}])));
    assert_eq!(with.text(), "With tools");
    assert_eq!(relay.ask("Without").text(), "Without");
    assert_eq!(
        upstream.asked("With tools")["tools"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    let without = upstream.asked("Without")["tools"].clone();
    assert!(without.is_null() || without == json!([]), "{without}");
}

#[test]
fn a_stream_tells_the_calls_as_blocks_after_the_text() {
    let upstream = calling();
    let relay = World::upstream(&upstream).start();
    let mut body = call(&json!([{"role": "user", "content": "Which stream?"}]));
    body["stream"] = true.into();
    let events = relay.stream(&body).rest();
    let starts: Vec<&Value> = events
        .iter()
        .filter(|event| event.name == "content_block_start")
        .map(|event| &event.data["content_block"]["type"])
        .collect();
    assert_eq!(starts, ["text", "tool_use", "tool_use"]);
    let input: String = events
        .iter()
        .filter(|event| event.data["index"] == 1)
        .filter_map(|event| event.data["delta"]["partial_json"].as_str())
        .collect();
    let input: Value = serde_json::from_str(&input).expect("the input is JSON");
    assert_eq!(input["city"], "Paris");
    let end = events.iter().find(|event| event.name == "message_delta");
    let end = end.expect("the stream ended");
    assert_eq!(end.data["delta"]["stop_reason"], "tool_use");
}

/// Over a second on a busy machine: two sessions, one of them launched for the call.
#[test]
fn results_in_another_order_and_with_a_text_after_them_are_exact() {
    let upstream = calling();
    let relay = World::upstream(&upstream).start();
    let answer = asked_for_tools(&relay, "Which order?");
    let mixed = json!([
        {"type": "tool_result", "tool_use_id": "toolu_b", "content": "noon"},
        {"type": "tool_result", "tool_use_id": "toolu_a", "content": "rain", "is_error": true},
        {"type": "text", "text": "and now?"},
    ]);
    let next = relay.post(&call(&follow_up("Which order?", &answer, mixed)));
    assert_eq!(next.text(), "Thank you.", "{}", next.body);
    assert_eq!(next.header("x-relay-session"), "resumed");
    let told = pairs(&[("toolu_b", "noon"), ("toolu_a", "rain"), ("", "and now?")]);
    assert_eq!(results_upstream(&upstream), told);
}

/// Over a second: the daemon is started twice.
#[test]
fn a_daemon_that_was_restarted_takes_the_results_up() {
    let upstream = calling();
    let mut relay = World::upstream(&upstream).start();
    let answer = asked_for_tools(&relay, "Which daemon?");
    relay.signal(Signal::KILL);
    relay.ended();
    let relay = Relay::start(Arc::clone(&relay.world));
    let next = relay.post(&call(&follow_up("Which daemon?", &answer, results())));
    assert_eq!(next.text(), "Thank you.", "{}", next.body);
    assert_eq!(next.header("x-relay-session"), "cold");
    let told = pairs(&[("toolu_a", "sunny\t21 C\n"), ("toolu_b", "noon")]);
    assert_eq!(results_upstream(&upstream), told);
}

/// Where it waited for their results, the second call would wait for ten seconds, and these are three.
#[test]
fn a_session_is_not_held_for_results_of_a_tool_that_the_call_forced() {
    let upstream = calling();
    let relay = World::upstream(&upstream)
        .pool("idle = 1\nmax = 1\nqueue_wait_max = \"3s\"\n")
        .start();
    for question in ["Which form?", "Which other form?", "Which last form?"] {
        let mut body = call(&json!([{"role": "user", "content": question}]));
        body["tool_choice"] = json!({"type": "tool", "name": "weather"});
        let answer = relay.post(&body);
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.json()["stop_reason"], "tool_use");
    }
    assert_eq!(upstream.bodies().len(), 3);
    let mut body = call(&json!([{"role": "user", "content": "Which form?"}]));
    body["tool_choice"] = json!({"type": "tool", "name": "weather"});
    let answer = relay.post(&body);
    let next = relay.post(&call(&follow_up("Which form?", &answer, results())));
    assert_eq!(next.text(), "Thank you.", "{}", next.body);
    let told = pairs(&[("toolu_a", "sunny\t21 C\n"), ("toolu_b", "noon")]);
    assert_eq!(results_upstream(&upstream), told);
}

#[test]
fn another_conversation_with_the_same_ids_is_not_the_parked_one() {
    let upstream = calling();
    let relay = World::upstream(&upstream).start();
    let answer = asked_for_tools(&relay, "Which caller?");
    let next = relay.post(&call(&follow_up("Whose caller?", &answer, results())));
    assert_eq!(next.text(), "Thank you.", "{}", next.body);
    assert_ne!(next.header("x-relay-session"), "live");
    let bodies = upstream.bodies();
    let last = bodies.last().expect("the model was asked").to_string();
    assert!(
        last.contains("Whose caller?") && !last.contains("Which caller?"),
        "{last:.2000}"
    );
}

#[test]
fn what_the_lane_cannot_offer_is_named() {
    let upstream = Upstream::echo();
    let relay = World::upstream(&upstream).start();
    let mut body = conversation(&json!([{"role": "user", "content": "Which label?"}]));
    body["tools"] = json!([
        {"name": "exact", "input_schema": {"type": "object", "maxProperties": 9_007_199_254_740_993_u64}},
        {"type": "web_search_20250305", "name": "web_search"},
    ]);
    let answer = relay.post(&body);
    assert_eq!(answer.text(), "Which label?", "{}", answer.body);
    let ignored = answer.header("x-relay-ignored");
    assert_eq!(ignored, "tools.1.web_search_20250305,tools.0.input_schema");
}

/// The CLI would cut, rewrite, take apart or leave out each of these, were they listed.
#[test]
fn what_claude_would_change_of_tools_reaches_the_model_as_it_was_written() {
    for driver in ["pty", "print"] {
        let driver = format!("x-relay-driver: {driver}");
        let upstream = calling();
        let relay = World::upstream(&upstream).start();
        let mut body = call(&json!([{"role": "user", "content": "Which words?"}]));
        let tools = json!([
            {"name": "weather", "description": "d".repeat(5000), "input_schema": {"type": "object",
                "oneOf": [{"required": ["Größe"]}], "properties": {"Größe": {"type": "string"}}}},
            {"name": "time", "description": "and so on…", "input_schema": {"type": "object"}},
        ]);
        body["tools"] = tools.clone();
        let answer = client::post_with(relay.address, &body, &driver);
        assert_eq!(answer.json()["stop_reason"], "tool_use", "{}", answer.body);
        assert_eq!(answer.header("x-relay-ignored"), "none");
        let mut asked = upstream.bodies()[0]["tools"].clone();
        for tool in asked.as_array_mut().expect("a list") {
            let name = tool["name"].as_str().unwrap_or_default();
            tool["name"] = name.trim_start_matches("mcp__relay__").into();
        }
        assert_eq!(asked, tools);
        let mut next = call(&follow_up("Which words?", &answer, results()));
        next["tools"] = tools;
        let next = client::post_with(relay.address, &next, &driver);
        assert_eq!(next.text(), "Thank you.", "{}", next.body);
    }
}

/// Beside tools the last text is typed, where the CLI ends the text before it with a newline.
#[test]
fn two_texts_beside_tools_reach_the_model_as_they_were_written() {
    for (version, first, emulated) in [
        ("2.1.329", "one", "none"),
        ("2.1.329", "one\n", "none"),
        ("2.1.197", "one", "messages.0.content"),
        ("2.1.197", "one\n", "none"),
    ] {
        let upstream = calling();
        let relay = World::upstream(&upstream)
            .env("FAKE_CLAUDE_VERSION", version)
            .start();
        let texts = json!([{"type": "text", "text": first}, {"type": "text", "text": "two"}]);
        let answer = relay.post(&call(&json!([{"role": "user", "content": texts}])));
        assert_eq!(answer.json()["stop_reason"], "tool_use", "{}", answer.body);
        assert_eq!(
            answer.header("x-relay-emulated"),
            emulated,
            "{version} {first:?}"
        );
        let asked = upstream::messages(&upstream.bodies()[0]);
        let said: Vec<&str> = asked[0]
            .1
            .iter()
            .filter_map(|block| block["text"].as_str())
            .collect();
        let exact = [first, "two"];
        assert_eq!(said.ends_with(&exact), emulated == "none", "{said:?}");
    }
}

/// The older family takes nothing but keystrokes together with tools; its editor keeps what the prompt box would not.
#[test]
fn the_older_family_takes_unseen_characters_beside_tools() {
    let upstream = calling();
    let relay = World::upstream(&upstream)
        .env("FAKE_CLAUDE_VERSION", "2.1.197")
        .start();
    let prompt = "a\u{200b}b, 👩\u{200d}👧 and no\u{a0}break";
    let answer = relay.post(&call(&json!([{"role": "user", "content": prompt}])));
    assert_eq!(answer.json()["stop_reason"], "tool_use", "{}", answer.body);
    let asked = upstream::messages(&upstream.bodies()[0]);
    assert_eq!(asked[0].1[0]["text"], prompt);
}
