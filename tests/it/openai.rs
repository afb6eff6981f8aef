//! OpenAI's dialects over the claude lanes: what reaches the model, what comes back, and what is remembered for whom.

use super::door;
use super::hosts;
use super::support::api_host;
use super::support::client;
use super::support::client::Response;
use super::support::client::Stream;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::upstream;
use super::support::upstream::Answer;
use super::support::upstream::Upstream;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";

fn chat(relay: &Relay, fields: Value) -> Response {
    client::post_to(relay.address, CHAT, &with_model(fields))
}

fn respond(relay: &Relay, fields: Value) -> Response {
    client::post_to(relay.address, RESPONSES, &with_model(fields))
}

fn with_model(mut fields: Value) -> Value {
    fields["model"] = "claude-opus-4-8".into();
    fields
}

fn said(prompt: &str) -> Value {
    json!([{"role": "user", "content": prompt}])
}

/// The data of a stream's frames.
fn frames(stream: Stream) -> Vec<String> {
    let body = stream.whole().body;
    let lines = body.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.map(str::to_owned).collect()
}

fn text_of(response: &Response) -> String {
    assert_eq!(response.status, 200, "{}", response.body);
    let json = response.json();
    let text = match json.get("choices") {
        Some(choices) => &choices[0]["message"]["content"],
        None => &json["output"][0]["content"][0]["text"],
    };
    text.as_str().unwrap_or_default().to_owned()
}

/// A model that tells how many texts it was told.
fn counting() -> Upstream {
    Upstream::answering(|body| {
        let texts = upstream::messages(body)
            .into_iter()
            .flat_map(|(_, blocks)| blocks);
        let texts: Vec<String> = texts
            .filter_map(|block| block["text"].as_str().map(str::to_owned))
            .collect();
        Answer::Say(format!("{} texts", texts.len()))
    })
}

#[test]
fn a_text_reaches_the_model_and_comes_back_as_it_was_written() {
    let upstream = Upstream::echo();
    let relay = World::upstream(&upstream).start();
    for prompt in [
        "!touch owned",
        "\ttabs\tand\r\nline ends\n",
        "漢字 🎉 e\u{301}",
    ] {
        assert_eq!(
            text_of(&chat(&relay, json!({"messages": said(prompt)}))),
            prompt
        );
        assert_eq!(
            text_of(&respond(&relay, json!({ "input": prompt }))),
            prompt
        );
    }
    let answer = chat(&relay, json!({"messages": said("labels"), "seed": 7}));
    assert_eq!(answer.header("x-relay-lane"), "claude-pty");
    assert_eq!(answer.header("x-relay-ignored"), "seed");
    assert_eq!(answer.header("x-request-id"), answer.header("request-id"));
}

#[test]
fn a_stream_ends_once_and_tells_its_usage_where_it_is_asked() {
    let relay = World::scripted("[[rule]]\nany = true\n[[rule.step]]\necho = true\n").start();
    let body = with_model(
        json!({"messages": said("one\ntwo"), "stream_options": {"include_usage": true}}),
    );
    let told = frames(client::stream_to(relay.address, CHAT, &body));
    let [first, .., usage, done] = told.as_slice() else {
        panic!("too few frames: {told:?}")
    };
    assert_eq!(done, "[DONE]");
    assert!(first.contains("\"role\":\"assistant\""));
    let roles = told.iter().filter(|frame| frame.contains("\"role\""));
    assert_eq!(roles.count(), 1);
    let usage: Value = serde_json::from_str(usage).expect("it is JSON");
    assert_eq!(usage["choices"], json!([]));
    assert!(usage["usage"]["total_tokens"].is_u64());
}

#[test]
fn a_model_may_name_its_lane() {
    let upstream = Upstream::echo();
    let relay = World::upstream(&upstream).start();
    let body = json!({"model": "claude-opus-4-8@claude-print", "messages": said("pinned")});
    let answer = client::post_to(relay.address, CHAT, &body);
    assert_eq!(text_of(&answer), "pinned");
    assert_eq!(answer.header("x-relay-lane"), "claude-print");
    assert_eq!(upstream.asked("pinned")["model"], "claude-opus-4-8");
}

#[test]
fn instructions_without_anything_to_answer_are_refused_and_what_is_missing_is_told() {
    for driver in ["pty", "print"] {
        let upstream = Upstream::echo();
        let relay = World::upstream(&upstream)
            .claude(&format!("driver = \"{driver}\""))
            .start();
        let system = json!([{"role": "system", "content": "Be brief."}, {"role": "developer", "content": "Always."}]);
        let model = "claude-opus-4-8";
        for (path, body) in [
            (CHAT, json!({"model": model, "messages": system})),
            (
                "/v1/responses",
                json!({"model": model, "instructions": "Be brief."}),
            ),
            ("/v1/responses", json!({"model": model, "input": system})),
        ] {
            let answer = client::post_to(relay.address, path, &body);
            assert_eq!(
                (answer.status, answer.header("x-relay-error")),
                (400, "invalid_request"),
                "{driver} {path}: {}",
                answer.body
            );
            let told = answer.json()["error"]["message"].to_string();
            assert!(told.contains("add a message of the user"), "{told}");
        }
        assert!(upstream.bodies().is_empty());
    }
}

#[test]
fn a_lane_behind_a_models_name_that_is_none_is_told_and_a_version_is_no_lane() {
    let upstream = Upstream::echo();
    let relay = World::upstream(&upstream).start();
    let ask = |model: &str| {
        let body = json!({"model": model, "messages": said(model)});
        client::post_to(relay.address, CHAT, &body)
    };
    for typo in ["claude-opus-4-8@claude-pirnt", "claude-opus-4-8@bogus"] {
        let answer = ask(typo);
        assert_eq!(answer.status, 400, "{}", answer.body);
        let told = answer.json()["error"]["message"].to_string();
        for word in [
            "no lane of that name",
            "claude-pty",
            "claude-print",
            &typo[16..],
        ] {
            assert!(told.contains(word), "{told}");
        }
    }
    let version = "claude-sonnet-4@20250514";
    assert_eq!(text_of(&ask(version)), version);
    assert_eq!(upstream.asked(version)["model"], version);
}

#[test]
fn a_call_is_strict_by_any_word_for_yes_and_what_is_no_word_for_it_is_refused() {
    let relay = World::scripted("[[rule]]\nany = true\n[[rule.step]]\necho = true\n").start();
    let mut body = client::call("x");
    body["inference_geo"] = "us".into();
    for (word, status) in [
        ("true", 400),
        ("True", 400),
        ("1", 400),
        ("YES", 400),
        ("on", 400),
        ("false", 200),
        ("0", 200),
        ("Off", 200),
    ] {
        let answer = client::post_with(relay.address, &body, &format!("x-relay-strict: {word}"));
        assert_eq!(answer.status, status, "{word}: {}", answer.body);
    }
    let answer = client::post_with(relay.address, &client::call("x"), "x-relay-strict: ture");
    assert_eq!(answer.status, 400);
    assert!(
        answer.body.contains("x-relay-strict: Input should be"),
        "{}",
        answer.body
    );
}

#[test]
fn strict_mode_refuses_what_nobody_hears() {
    let relay = World::scripted("[[rule]]\nany = true\n[[rule.step]]\necho = true\n")
        .server("strict = true")
        .start();
    let answer = chat(&relay, json!({"messages": said("x"), "seed": 7}));
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["param"], "seed");
    assert_eq!(chat(&relay, json!({"messages": said("x")})).status, 200);
}

#[test]
fn a_failure_in_the_middle_is_an_error_and_no_end() {
    let script = "[[rule]]\nany = true\n[[rule.step]]\nsay = \"one line\\nand another\\nand a third\"\nchunk = 9\n\
                  delay_ms = 60\n[[rule.step]]\ncrash = \"kill\"\n";
    let relay = World::scripted(script).start();
    let told = frames(client::stream_to(
        relay.address,
        CHAT,
        &with_model(json!({"messages": said("x")})),
    ));
    let last: Value =
        serde_json::from_str(told.last().expect("there are frames")).expect("it is JSON");
    assert_eq!(last["error"]["code"], "session_lost");
    assert!(
        !told
            .iter()
            .any(|frame| frame == "[DONE]" || frame.contains("\"finish_reason\":\""))
    );
    let told = frames(client::stream_to(
        relay.address,
        RESPONSES,
        &with_model(json!({"input": "x"})),
    ));
    let events: Vec<Value> = told
        .iter()
        .filter_map(|frame| serde_json::from_str(frame).ok())
        .collect();
    let kinds: Vec<&str> = events
        .iter()
        .filter_map(|event| event["type"].as_str())
        .collect();
    assert_eq!(kinds[kinds.len() - 2..], ["error", "response.failed"]);
    assert_eq!(
        events.last().expect("there are events")["response"]["error"]["code"],
        "server_error"
    );
}

#[test]
fn a_response_is_gone_on_with_after_a_restart() {
    let upstream = counting();
    let mut relay = World::upstream(&upstream).start();
    let first = respond(&relay, json!({"input": "one"})).json();
    let world = Arc::clone(&relay.world);
    relay.signal(Signal::TERM);
    relay.ended();
    let relay = Relay::start(world);
    let next = respond(
        &relay,
        json!({"input": "two", "previous_response_id": first["id"]}),
    );
    assert_eq!(text_of(&next), "3 texts");
    for file in relay.world.files("state/archive") {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    let path = format!("{RESPONSES}/{}", first["id"].as_str().expect("an id"));
    assert_eq!(client::bare(relay.address, "DELETE", &path).status, 200);
    let gone = respond(
        &relay,
        json!({"input": "two", "previous_response_id": first["id"]}),
    );
    assert_eq!(gone.json()["error"]["code"], "previous_response_not_found");
}

#[test]
fn a_streamed_response_outlives_a_kill_at_the_moment_its_end_is_told() {
    let upstream = counting();
    let mut relay = World::upstream(&upstream).start();
    let body = with_model(json!({"input": "one"}));
    let mut told = client::stream_to(relay.address, RESPONSES, &body);
    let end = std::iter::from_fn(|| told.next()).find(|event| event.name == "response.completed");
    let world = Arc::clone(&relay.world);
    relay.signal(Signal::KILL);
    relay.ended();
    let relay = Relay::start(world);
    let id = end.expect("it ends").data["response"]["id"].clone();
    let next = respond(&relay, json!({"input": "and", "previous_response_id": id}));
    assert_eq!(text_of(&next), "3 texts");
}

#[test]
fn a_response_outlives_a_kill_and_one_that_was_cut_short_by_it_is_dropped_and_said() {
    let upstream = counting();
    let mut relay = World::upstream(&upstream).start();
    let kept = respond(&relay, json!({"input": "one"})).json();
    let cut = respond(&relay, json!({"input": "two"})).json();
    let world = Arc::clone(&relay.world);
    relay.signal(Signal::KILL);
    relay.ended();
    let mut files = world.files("state/archive/responses");
    files.retain(|file| file.extension().is_some_and(|end| end == "records"));
    let [file] = files.as_slice() else {
        panic!("one file of both: {files:?}")
    };
    let bytes = std::fs::read(file).expect("it is there");
    std::fs::write(file, &bytes[..bytes.len() - 10]).expect("it is cut");
    let relay = Relay::start(world);
    let go_on = |response: &Value| {
        let body = json!({"input": "and", "previous_response_id": response["id"]});
        respond(&relay, body)
    };
    assert_eq!(text_of(&go_on(&kept)), "3 texts");
    assert_eq!(
        go_on(&cut).json()["error"]["code"],
        "previous_response_not_found"
    );
    assert!(relay.log().contains("was cut short and is dropped"));
}

fn as_key(address: SocketAddr, method: &str, path: &str, key: &str, body: &Value) -> Response {
    let body = body.to_string();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         authorization: Bearer {key}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    client::send(address, &[head.as_bytes(), body.as_bytes()].concat()).whole()
}

#[test]
fn two_keys_do_not_see_what_is_kept_for_the_other() {
    let relay = door::world().start();
    let mine = door::key(&relay, &["create", "mine"]);
    let theirs = door::key(&relay, &["create", "theirs"]);
    door::becomes(&relay, &theirs, "");
    let at = |method: &str, path: &str, key: &str, body: Value| {
        as_key(relay.address, method, path, key, &body)
    };
    let first = at(
        "POST",
        RESPONSES,
        &mine,
        with_model(json!({"input": "one"})),
    )
    .json();
    let path = format!("{RESPONSES}/{}", first["id"].as_str().expect("an id"));
    let conversation = at("POST", "/v1/conversations", &mine, json!({})).json();
    let thread = format!(
        "/v1/conversations/{}",
        conversation["id"].as_str().expect("an id")
    );
    for path in [&path, &thread] {
        assert_eq!(at("GET", path, &mine, json!({})).status, 200);
        assert_eq!(at("GET", path, &theirs, json!({})).status, 404);
        assert_eq!(at("DELETE", path, &theirs, json!({})).status, 404);
    }
    let next = with_model(json!({"input": "two", "previous_response_id": first["id"]}));
    assert_eq!(at("POST", RESPONSES, &theirs, next.clone()).status, 400);
    assert_eq!(at("POST", RESPONSES, &mine, next).status, 200);
}

#[test]
fn two_keys_do_not_see_each_others_files() {
    let relay = door::world().start();
    let mine = door::key(&relay, &["create", "mine"]);
    let theirs = door::key(&relay, &["create", "theirs"]);
    door::becomes(&relay, &theirs, "");
    let form = "--x\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nuser_data\r\n--x\r\n\
                content-disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nwords\r\n--x--\r\n";
    let head = format!(
        "POST /v1/files HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer {mine}\r\n\
         content-type: multipart/form-data; boundary=x\r\ncontent-length: {}\r\n\r\n{form}",
        relay.address,
        form.len()
    );
    let file = client::send(relay.address, head.as_bytes()).whole().json();
    let id = file["id"].as_str().expect("an id").to_owned();
    let at = |method: &str, path: &str, key: &str, body: Value| {
        as_key(relay.address, method, path, key, &body)
    };
    let path = format!("/v1/files/{id}");
    let content = format!("{path}/content");
    for (key, status, count) in [(&theirs, 404, 0), (&mine, 200, 1)] {
        let list = at("GET", "/v1/files", key, json!({})).json();
        assert_eq!(list["data"].as_array().map(Vec::len), Some(count));
        assert_eq!(at("GET", &path, key, json!({})).status, status);
        assert_eq!(at("GET", &content, key, json!({})).status, status);
        let parts =
            json!([{"type": "input_file", "file_id": id}, {"type": "input_text", "text": "one"}]);
        let input = json!([{"role": "user", "content": parts}]);
        let told = at("POST", RESPONSES, key, with_model(json!({"input": input})));
        assert_eq!(told.status, status, "{}", told.body);
        assert_eq!(at("DELETE", &path, key, json!({})).status, status);
    }
}

#[test]
fn a_conversation_that_would_be_larger_than_one_may_be_is_refused_and_stays_as_it_was() {
    let relay = World::scripted("").start();
    let at =
        |method: &str, path: &str, body: Value| as_key(relay.address, method, path, "any", &body);
    let made = at("POST", "/v1/conversations", json!({})).json();
    let id = made["id"].as_str().expect("an id").to_owned();
    let items = format!("/v1/conversations/{id}/items");
    let large = json!({"items": [{"role": "user", "content": "x".repeat(17 << 20)}]});
    assert_eq!(at("POST", &items, large.clone()).status, 200);
    let told = at("POST", &items, large);
    assert_eq!(
        (told.status, told.header("x-relay-error")),
        (413, "request_too_large"),
        "{}",
        &told.body[..200.min(told.body.len())]
    );
    assert!(told.body.contains("POST /v1/conversations"));
    let list = at("GET", &format!("{items}?limit=10"), json!({})).json();
    assert_eq!(list["data"].as_array().map(Vec::len), Some(1));
}

/// Over a second on a busy machine: some hundred calls, most of them refused.
#[test]
fn hostile_bodies_get_documented_statuses_and_nothing_else() {
    let relay = World::scripted("[[rule]]\nany = true\n[[rule.step]]\necho = true\n").start();
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e308),
        json!(""),
        json!("\u{0}"),
        json!([]),
        json!([[]]),
        json!([null]),
        json!({}),
        json!({"type": "x"}),
        json!([{"type": 7}]),
        json!([{"role": "user"}]),
        json!([{"content": "x"}]),
        json!({"type": "function", "function": 7}),
        json!([{"type": "function", "function": {"name": "é"}}]),
    ];
    let fields = [
        "messages",
        "input",
        "model",
        "tools",
        "tool_choice",
        "response_format",
        "text",
        "reasoning",
        "reasoning_effort",
        "stop",
        "stream",
        "stream_options",
        "n",
        "functions",
        "previous_response_id",
        "conversation",
        "instructions",
        "temperature",
        "max_tokens",
        "store",
        "include",
        "parallel_tool_calls",
    ];
    for (route, prompt) in [
        (CHAT, json!({"messages": said("x")})),
        (RESPONSES, json!({"input": "x"})),
    ] {
        for field in fields {
            for value in &values {
                let mut body = with_model(prompt.clone());
                body[field] = value.clone();
                let answer = client::post_to(relay.address, route, &body);
                // What the lane makes of a good call is not what is held here.
                let is_known = matches!(answer.status, 200 | 400 | 404 | 413 | 415 | 422 | 502);
                assert!(
                    is_known,
                    "{route} {field} {value}: {} {}",
                    answer.status, answer.body
                );
                if answer.status != 200 {
                    let error = &answer.json()["error"];
                    assert!(!answer.header("x-relay-error").is_empty(), "{error}");
                    let all = ["message", "type", "param", "code"];
                    assert!(all.iter().all(|name| error.get(name).is_some()), "{error}");
                }
            }
        }
    }
}

#[test]
fn a_host_of_another_dialect_is_asked_in_its_own_and_answers_in_the_callers() {
    let host = api_host::Host::answering(|asked| api_host::says(asked, "hi"));
    let relay = hosts::relay(&host, &["http:one"]);
    let chat = json!({"model": "m", "messages": said("one"), "seed": 7});
    let respond = json!({"model": "m", "input": "one", "seed": 7});
    for (route, body) in [(CHAT, chat), (RESPONSES, respond)] {
        let answer = client::post_to(relay.address, route, &body);
        assert_eq!(text_of(&answer), "hi", "{route}");
        assert_eq!(answer.header("x-relay-lane"), "http:one");
        assert_eq!(answer.header("x-relay-ignored"), "seed");
        let asked = host.asked().pop().expect("the host was asked");
        assert!(
            asked.head[0].starts_with("POST /v1/messages "),
            "{:?}",
            asked.head
        );
        let body: Value = serde_json::from_slice(&asked.body).expect("it is JSON");
        assert_eq!(
            (&body["model"], &body["stream"]),
            (&json!("up"), &json!(true))
        );
        assert_eq!(upstream::messages(&body)[0].1[0]["text"], "one");
        let told = frames(client::stream_to(
            relay.address,
            route,
            &json!({"model": "m", "messages": said("one"), "input": "one"}),
        ));
        assert!(told.len() > 3, "{told:?}");
    }
}

#[test]
fn what_a_host_of_another_dialect_refuses_is_told_in_the_callers() {
    let host = api_host::Host::answering(|_| {
        api_host::fails(400, "invalid_request_error", "prompt is too long")
    });
    let relay = hosts::relay(&host, &["http:one"]);
    let answer = client::post_to(
        relay.address,
        CHAT,
        &json!({"model": "m", "messages": said("one")}),
    );
    let error = &answer.json()["error"];
    assert_eq!(
        (answer.status, &error["message"]),
        (400, &json!("prompt is too long"))
    );
    assert_eq!(error["code"], "upstream_rejected");
}
