//! The tap: what passes through it is equal to the last byte, and what it hears is told at once.

use super::support::client::Event;
use super::support::client::call;
use super::support::client::conversation;
use super::support::client::text_of;
use super::support::recorder::Recorder;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::upstream;
use super::support::upstream::Answer;
use super::support::upstream::Upstream;
use super::support::wait;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;

/// A credential that must be nowhere but on its way.
const CANARY: &str = "canary-credential-5f1e";

/// A relay with the tap on, whose sessions ask the recorder; one session, so that a request is the next one's.
fn tapped(recorder: &Recorder) -> Relay {
    World::asking(&recorder.url())
        .claude("tap = true")
        .pool("idle = 1\nmax = 1")
        .start()
}

/// The address that the one idle session takes for the API's.
fn address_in(relay: &Relay) -> String {
    let pid = relay.idle(1)[0];
    let env = fs::read(format!("/proc/{pid}/environ")).expect("a session's environment is there");
    let env = String::from_utf8_lossy(&env).into_owned();
    let mut variables = env.split('\0');
    let found = variables.find_map(|pair| pair.strip_prefix("ANTHROPIC_BASE_URL="));
    found.expect("the session has an address").to_owned()
}

/// Sends bytes to a session's address, below which the path is, and reads until the other end closes.
fn exchange(url: &str, head: &str, body: &[u8]) -> Vec<u8> {
    let rest = url.strip_prefix("http://").expect("the address is plain");
    let (host, secret) = rest.split_once('/').expect("the address has a secret");
    let head = head.replace("HOST", host).replace("SECRET", secret);
    let mut socket = TcpStream::connect(host).expect("the tap accepts");
    let timeout = socket.set_read_timeout(Some(wait::DEADLINE));
    timeout.expect("a socket takes a timeout");
    // In pieces, as a client may: the tap passes them on as they come.
    for piece in [head.as_bytes(), body].concat().chunks(97) {
        socket.write_all(piece).expect("the tap reads");
    }
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("the tap answers");
    answer
}

fn start() -> Value {
    json!({"type": "message_start", "message": {"id": "msg_true", "type": "message", "role": "assistant",
        "model": "claude-opus-4-8", "content": [], "usage": {"input_tokens": 21, "cache_read_input_tokens": 7,
        "output_tokens": 1}}})
}

fn open(index: u64, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: u64, delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn text(more: &str) -> Value {
    delta(0, json!({"type": "text_delta", "text": more}))
}

fn end(stop: &str) -> [Value; 2] {
    let last = json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null},
        "usage": {"output_tokens": 42}});
    [last, json!({"type": "message_stop"})]
}

/// Says a whole answer of one text.
fn say(recorder: &Recorder, words: &str, stop: &str) {
    recorder.begin();
    recorder.event(&start());
    recorder.event(&open(0, json!({"type": "text", "text": ""})));
    recorder.event(&text(words));
    recorder.event(&json!({"type": "content_block_stop", "index": 0}));
    end(stop).iter().for_each(|event| recorder.event(event));
    recorder.end();
}

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

#[test]
fn what_passes_is_equal_to_the_last_byte() {
    let recorder = Recorder::start();
    let relay = tapped(&recorder);
    let url = address_in(&relay);
    let body = format!(
        "{{\"model\":\"claude-opus-4-8\",\n \"x\": \"\\u00e9é\t\",\"y\":{:?}}}",
        "z".repeat(70_000)
    );
    let head = format!(
        "POST PATH/v1/messages?beta=true&q=%2F%20+ HTTP/1.1\r\nAccept: application/json\r\nX-StainLESS-Lang: js\r\n\
         anthropic-beta: a,b\r\nx-api-key: {CANARY}\r\nAUTHORIZATION: Bearer {CANARY}\r\nConnection: keep-alive\r\n\
         Host: HOST\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nx-twice: 1\r\nx-empty:\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let said = "HTTP/1.1 200 OK\r\nContent-TYPE: application/json\r\nRequest-Id: req_1\r\nx-Odd: a  b\r\n\
                anthropic-ratelimit-requests-remaining: 7\r\ncontent-length: 9\r\nConnection: close\r\n\r\n{\"a\": 1}\n";
    recorder.say(said);
    recorder.end();
    let answer = exchange(&url, &head.replace("PATH", "/SECRET"), body.as_bytes());
    assert_eq!(String::from_utf8_lossy(&answer), said);
    let host = recorder.address().to_string();
    let sent = head.replace("PATH", "").replace("HOST", &host) + &body;
    let came = recorder.request(1);
    assert!(
        came == sent.as_bytes(),
        "there came:\n{:.1200}",
        String::from_utf8_lossy(&came)
    );
}

#[test]
fn an_address_without_its_secret_leads_nowhere() {
    let recorder = Recorder::start();
    let relay = tapped(&recorder);
    let url = address_in(&relay);
    let head = "POST /0123456789abcdef/v1/messages HTTP/1.1\r\nHost: HOST\r\nconnection: close\r\ncontent-length: 2\r\n\r\n";
    let answer = exchange(&url, head, b"{}");
    assert!(answer.starts_with(b"HTTP/1.1 404 "));
    assert_eq!(recorder.requests().len(), 0);
}

#[test]
fn a_credential_is_in_no_log_and_in_no_file() {
    let recorder = Recorder::start();
    let relay = tapped(&recorder);
    say(&recorder, "hello", "end_turn");
    assert_eq!(relay.ask("PROMPT-canary-77").text(), "hello");
    let url = address_in(&relay);
    recorder.say("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    recorder.end();
    let head = format!(
        "POST /SECRET/v1/messages?key={CANARY} HTTP/1.1\r\nHost: HOST\r\nx-api-key: {CANARY}\r\n\
         Authorization: Bearer {CANARY}\r\nContent-Length: 22\r\n\r\n"
    );
    exchange(&url, &head, CANARY.as_bytes());
    let came = |number, canary: &str| {
        let request = recorder.request(number);
        assert!(String::from_utf8_lossy(&request).contains(canary));
    };
    came(1, "PROMPT-canary-77");
    came(2, CANARY);
    relay.idle(1);
    for canary in [CANARY, "PROMPT-canary-77"] {
        assert!(!relay.log().contains(canary), "the log tells {canary}");
        for file in relay.world.files("state") {
            let text = fs::read(&file).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            assert!(!text.contains(canary), "{} tells {canary}", file.display());
        }
    }
}

#[test]
fn without_the_switch_sessions_ask_the_api_themselves() {
    let recorder = Recorder::start();
    let relay = World::asking(&recorder.url())
        .pool("idle = 1\nmax = 1")
        .start();
    assert_eq!(address_in(&relay), recorder.url());
}

#[test]
fn tokens_are_told_as_they_are_said() {
    let recorder = Recorder::start();
    let relay = tapped(&recorder);
    recorder.begin();
    recorder.event(&start());
    recorder.event(&open(0, json!({"type": "text", "text": ""})));
    recorder.event(&text("Hel"));
    let mut stream = relay.stream(&call("hi"));
    let mut until = |wanted: &str| {
        let mut events = Vec::new();
        while text_of(&events) != wanted {
            events.push(stream.next().expect("the answer goes on"));
        }
        events
    };
    let first = until("Hel");
    let head = &first[0].data["message"];
    assert_eq!(head["id"], "msg_true");
    assert_eq!(head["usage"]["input_tokens"], 21);
    for word in ["lo", ", ", "world"] {
        recorder.event(&text(word));
        until(word);
    }
    recorder.event(&json!({"type": "content_block_stop", "index": 0}));
    end("end_turn")
        .iter()
        .for_each(|event| recorder.event(event));
    recorder.end();
    let rest = stream.rest();
    assert_eq!(
        names(&rest),
        ["content_block_stop", "message_delta", "message_stop"]
    );
    assert_eq!(rest[1].data["usage"]["output_tokens"], 42);
    assert_eq!(rest[1].data["usage"]["cache_read_input_tokens"], 7);
    relay.idle(1);
    say(&recorder, "again", "end_turn");
    assert_eq!(relay.ask("and again").text(), "again");
}

#[test]
fn thinking_is_told_along_and_blocks_are_the_apis() {
    let recorder = Recorder::start();
    let relay = tapped(&recorder);
    recorder.begin();
    recorder.event(&start());
    recorder.event(&open(
        0,
        json!({"type": "thinking", "thinking": "", "signature": ""}),
    ));
    recorder.event(&delta(
        0,
        json!({"type": "thinking_delta", "thinking": "Let me"}),
    ));
    let mut asked = call("think");
    asked["max_tokens"] = 4096.into();
    asked["thinking"] = json!({"type": "enabled", "budget_tokens": 1024});
    let mut stream = relay.stream(&asked);
    let mut events = Vec::new();
    while names(&events).last() != Some(&"content_block_delta") {
        events.push(stream.next().expect("the answer goes on"));
    }
    assert_eq!(
        events.last().expect("one came").data["delta"]["thinking"],
        "Let me"
    );
    recorder.event(&delta(
        0,
        json!({"type": "signature_delta", "signature": "c2ln"}),
    ));
    recorder.event(&json!({"type": "content_block_stop", "index": 0}));
    for (index, words) in [(1, "one"), (2, "two")] {
        recorder.event(&open(index, json!({"type": "text", "text": ""})));
        recorder.event(&delta(index, json!({"type": "text_delta", "text": words})));
        recorder.event(&json!({"type": "content_block_stop", "index": index}));
    }
    end("end_turn")
        .iter()
        .for_each(|event| recorder.event(event));
    recorder.end();
    let rest = stream.rest();
    assert_eq!(rest[0].data["delta"]["signature"], "c2ln");
    assert_eq!(text_of(&rest), "onetwo");
    let starts = names(&rest)
        .iter()
        .filter(|name| **name == "content_block_start")
        .count();
    assert_eq!(starts, 2);
}

#[test]
fn an_answer_that_is_cut_costs_one_request() {
    let recorder = Recorder::start();
    let relay = tapped(&recorder);
    say(&recorder, "cut o", "max_tokens");
    let answer = relay.ask("tell me much").json();
    assert_eq!(answer["stop_reason"], "max_tokens");
    assert_eq!(answer["content"][0]["text"], "cut o");
    relay.idle(1);
    assert_eq!(recorder.requests().len(), 1);
    say(&recorder, "next", "end_turn");
    assert_eq!(relay.ask("next").text(), "next");
    assert_eq!(recorder.requests().len(), 2);
}

#[test]
fn tools_are_called_and_answered_with_one_request_each() {
    let upstream = Upstream::answering(|body| {
        let last = upstream::messages(body)
            .pop()
            .expect("a request has messages");
        if last.1.iter().any(|block| block["type"] == "tool_result") {
            return Answer::Say("Thank you.".to_owned());
        }
        let name = body["tools"][0]["name"]
            .as_str()
            .expect("a tool is offered")
            .to_owned();
        let input = json!({"city": "Paris", "n": [1, null]});
        Answer::Call(
            "Let me look.".to_owned(),
            vec![("toolu_a".to_owned(), name, input)],
        )
    });
    let relay = World::upstream(&upstream).claude("tap = true").start();
    let ask = |messages: Value| {
        let mut body = conversation(&messages);
        body["tools"] = json!([{"name": "weather", "description": "Weather", "input_schema": {"type": "object"}}]);
        relay.stream(&body)
    };
    let question = json!({"role": "user", "content": "And Paris?"});
    let events = ask(json!([question])).rest();
    let call = events
        .iter()
        .find(|event| event.data["content_block"]["type"] == "tool_use");
    assert_eq!(
        call.expect("a call came").data["content_block"]["name"],
        "weather"
    );
    assert_eq!(
        events[events.len() - 2].data["delta"]["stop_reason"],
        "tool_use"
    );
    let said = json!([{"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "toolu_a", "name": "weather", "input": {"n": [1, null], "city": "Paris"}}]);
    let result = json!([{"type": "tool_result", "tool_use_id": "toolu_a", "content": "sunny"}]);
    let stream = ask(
        json!([question, {"role": "assistant", "content": said}, {"role": "user", "content": result}]),
    );
    assert_eq!(stream.header("x-relay-session"), "live");
    assert_eq!(text_of(&stream.rest()), "Thank you.");
    assert_eq!(upstream.bodies().len(), 2);
}

#[test]
fn an_upstream_that_dies_in_the_middle_is_an_error_and_no_end() {
    let recorder = Recorder::start();
    let relay = tapped(&recorder);
    recorder.begin();
    recorder.event(&start());
    recorder.event(&open(0, json!({"type": "text", "text": ""})));
    recorder.event(&text("half a wo"));
    let mut stream = relay.stream(&call("hi"));
    let mut events = Vec::new();
    while text_of(&events).is_empty() {
        events.push(stream.next().expect("the answer goes on"));
    }
    recorder.end();
    let rest = stream.rest();
    assert_eq!(names(&rest), ["error"], "{rest:?}");
    assert_eq!(rest[0].data["error"]["type"], "api_error");
    assert_eq!(recorder.requests().len(), 1);
}

#[test]
fn an_error_in_the_middle_keeps_its_kind() {
    let recorder = Recorder::start();
    let relay = tapped(&recorder);
    recorder.begin();
    recorder.event(&start());
    recorder.event(&json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded, really"}}));
    recorder.end();
    let answer = relay.ask("hi");
    assert_eq!(
        (answer.status, answer.header("x-relay-error")),
        (529, "upstream_overloaded")
    );
    assert!(
        answer.body.contains("Overloaded, really"),
        "{}",
        answer.body
    );
}

#[test]
fn a_rate_limit_comes_with_the_upstreams_own_wait() {
    let recorder = Recorder::start();
    let relay = tapped(&recorder);
    let body = r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}"#;
    recorder.say(format!(
        "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nretry-after: 17\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    ));
    recorder.end();
    let answer = relay.ask("hi");
    assert_eq!(
        (answer.status, answer.header("x-relay-error")),
        (429, "upstream_rate_limited")
    );
    assert_eq!(answer.header("retry-after"), "17");
    assert_eq!(answer.header("x-relay-retry-after"), "");
}

#[test]
fn an_api_that_cannot_be_reached_is_told_to_the_caller_and_to_the_log() {
    // Nobody listens there. A port that was free a moment ago may be another test's by now.
    let relay = World::asking("http://127.0.0.1:1")
        .claude("tap = true")
        .pool("idle = 1\nmax = 1")
        .start();
    let answer = relay.ask("hi");
    assert_eq!(
        (answer.status, answer.header("x-relay-error")),
        (502, "upstream_failed")
    );
    let log = relay.log();
    assert!(log.contains("the tap cannot reach the API") && log.contains("refused"));
}

#[test]
fn an_answer_that_cannot_be_read_is_told_by_the_others() {
    let recorder = Recorder::start();
    let relay = tapped(&recorder);
    // The session does not care what the head says of its coding; the tap believes it.
    recorder.say(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: zstd\r\nconnection: close\r\n\r\n",
    );
    recorder.event(&start());
    recorder.event(&open(0, json!({"type": "text", "text": ""})));
    recorder.event(&text("all the same"));
    recorder.event(&json!({"type": "content_block_stop", "index": 0}));
    end("end_turn")
        .iter()
        .for_each(|event| recorder.event(event));
    recorder.end();
    assert_eq!(relay.ask("hi").text(), "all the same");
}
