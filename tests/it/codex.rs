//! The Codex CLI as a lane, by its stand-in: what reaches the model, what comes back, and how each thing fails.

use super::support::client;
use super::support::client::Response;
use super::support::client::text_of;
use super::support::codex;
use super::support::process;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::wait;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::fs;

const ECHO: &str = "[[rule]]\nany = true\n[[rule.step]]\necho = true\nchunk = 7\n";
const MODEL: &str = "gpt-5.5@codex";
const DIALECTS: [&str; 3] = ["/v1/messages", "/v1/chat/completions", "/v1/responses"];

/// A call of a dialect that asks one thing of the lane.
fn body(path: &str, prompt: &str) -> Value {
    match path {
        "/v1/responses" => json!({"model": MODEL, "input": prompt, "store": false}),
        _ => {
            let messages = json!([{"role": "user", "content": prompt}]);
            json!({"model": MODEL, "max_tokens": 100, "messages": messages})
        }
    }
}

fn post(relay: &Relay, path: &str, body: &Value) -> Response {
    client::post_to(relay.address, path, body)
}

fn ask(relay: &Relay, prompt: &str) -> Response {
    post(relay, "/v1/messages", &body("/v1/messages", prompt))
}

fn conversation(relay: &Relay, messages: &Value, tools: &Value) -> Response {
    let body = json!({"model": MODEL, "max_tokens": 100, "messages": messages, "tools": tools});
    post(relay, "/v1/messages", &body)
}

/// The text of a whole answer, in any dialect.
fn text(answer: &Response) -> String {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let json = answer.json();
    let places = [
        &json["content"][0]["text"],
        &json["choices"][0]["message"]["content"],
        &json["output"][0]["content"][0]["text"],
    ];
    let text = places.into_iter().find_map(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// The text of a stream, in any dialect.
fn streamed(relay: &Relay, path: &str, prompt: &str) -> String {
    let stream = client::stream_to(relay.address, path, &body(path, prompt));
    assert_eq!(stream.status, 200);
    let whole = stream.whole().body;
    let frames = whole.lines().filter_map(|line| line.strip_prefix("data: "));
    let frames = frames.filter_map(|frame| serde_json::from_str::<Value>(frame).ok());
    let piece = |frame: Value| {
        let is_text = frame["type"] == "response.output_text.delta";
        let places = [
            frame["delta"]["text"].as_str(),
            frame["choices"][0]["delta"]["content"].as_str(),
            frame["delta"].as_str().filter(|_| is_text),
        ];
        places
            .into_iter()
            .flatten()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    frames.map(piece).collect()
}

#[test]
fn a_text_goes_and_comes_back_as_it_is_in_every_dialect_whole_and_in_pieces() {
    let relay = codex::scripted(ECHO, "").start();
    let prompt = "a\tb \r\n\u{2028}é😀 /clear !ls \\n";
    for path in DIALECTS {
        let answer = post(&relay, path, &body(path, prompt));
        assert_eq!(text(&answer), prompt, "{path}");
        assert_eq!(answer.header("x-relay-lane"), "codex", "{path}");
        assert_eq!(streamed(&relay, path, prompt), prompt, "{path}");
    }
    let asked = codex::asked(&relay.world);
    assert_eq!(asked.len(), 2 * DIALECTS.len());
    for asked in asked {
        assert_eq!(asked["model"], "gpt-5.5");
        assert_eq!(asked["instructions"], json!(["", ""]));
        assert_eq!(asked["input"][0]["content"][0]["text"], prompt);
    }
}

#[test]
fn a_model_of_the_catalog_leads_to_the_lane_and_its_name_is_translated() {
    let world = codex::scripted(ECHO, "");
    world.declare(
        "kind: Model\nmetadata: { name: mine }\nspec: {}\n---\nkind: Binding\nmetadata: { name: mine-codex }\n\
         spec: { model: mine, lane: codex, upstreamName: gpt-theirs }\n",
    );
    let relay = world.start();
    let mut call = body("/v1/messages", "x");
    call["model"] = "mine".into();
    let answer = relay.post(&call);
    assert_eq!(text(&answer), "x");
    assert_eq!(answer.header("x-relay-lane"), "codex");
    assert_eq!(codex::asked(&relay.world)[0]["model"], "gpt-theirs");
    let models = relay.get("/v1/models");
    assert_eq!(models["data"][0]["id"], "mine", "{models}");
}

#[test]
fn a_long_history_and_a_long_result_arrive_whole_in_one_request() {
    let relay = codex::scripted(ECHO, "").start();
    let mut messages = Vec::new();
    for number in 0..100 {
        messages
            .push(json!({"role": "user", "content": format!("u{number} {}", "x".repeat(5000))}));
        messages.push(
            json!({"role": "assistant", "content": format!("a{number} {}", "y".repeat(5000))}),
        );
    }
    let long = "z".repeat(200_000);
    let call = json!([{"type": "tool_use", "id": "c1", "name": "look", "input": {"q": 1}}]);
    let result = json!([{"type": "tool_result", "tool_use_id": "c1", "content": long}, {"type": "text", "text": "end"}]);
    messages.push(json!({"role": "user", "content": "look"}));
    messages.push(json!({"role": "assistant", "content": call}));
    messages.push(json!({"role": "user", "content": result}));
    let tools = json!([{"name": "look", "description": "d", "input_schema": {"type": "object"}}]);
    let answer = conversation(&relay, &Value::from(messages), &tools);
    assert_eq!(text(&answer), "end");
    let asked = codex::asked(&relay.world);
    assert_eq!(asked.len(), 1);
    let input = asked[0]["input"].as_array().expect("a list");
    assert_eq!(input.len(), 204);
    assert_eq!(
        input[198]["content"][0]["text"],
        format!("u99 {}", "x".repeat(5000))
    );
    assert_eq!(input[202]["output"], long);
}

#[test]
fn calls_of_tools_are_the_callers_and_keep_their_order_and_their_names() {
    let script = "[[rule]]\nexact = \"go\"\n[[rule.step]]\nsay = \"well\"\n[[rule.step]]\n\
                  call = [{ tool = \"alpha\", input = { q = 1 } }, { tool = \"t_mcp__beta\", input = { q = 2 } }]\n\
                  [[rule]]\nmatch = \"on\"\nafter = \"result\"\n[[rule.step]]\nsay = \"done\"\n";
    let relay = codex::scripted(script, "").start();
    let tool = |name: &str| json!({"name": name, "description": "d", "input_schema": {"type": "object", "title": "T"}});
    let tools = json!([tool("alpha"), tool("mcp__beta")]);
    let mut messages = json!([{"role": "user", "content": "go"}]);
    let answer = conversation(&relay, &messages, &tools);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(
        answer.header("x-relay-emulated"),
        "tools.0.input_schema,tools.1.name,tools.1.input_schema"
    );
    let said = answer.json();
    assert_eq!(said["stop_reason"], "tool_use");
    let names: Vec<&Value> = (1..3)
        .map(|place| &said["content"][place]["name"])
        .collect();
    assert_eq!(names, ["alpha", "mcp__beta"]);
    assert_eq!(said["content"][2]["input"], json!({"q": 2}));
    let results: Vec<Value> = (1..3)
        .map(|place| json!({"type": "tool_result", "tool_use_id": said["content"][place]["id"], "content": "result"}))
        .chain([json!({"type": "text", "text": "on"})])
        .collect();
    let list = messages.as_array_mut().expect("a list");
    list.push(json!({"role": "assistant", "content": said["content"]}));
    list.push(json!({"role": "user", "content": results}));
    assert_eq!(text(&conversation(&relay, &messages, &tools)), "done");
    let asked = codex::asked(&relay.world);
    assert_eq!(asked[1]["input"][3]["name"], "t_mcp__beta");
    assert_eq!(asked.len(), 2);
}

/// What is said to the lane, what the API behind it does, and what the caller gets: status and code.
const FAILURES: &[(&str, &str, u16, &str)] = &[
    (
        "unauthorized",
        "fail = { status = 401, message = \"bad key\" }",
        502,
        "upstream_auth",
    ),
    (
        "forbidden",
        "fail = { status = 403, message = \"not for you\" }",
        403,
        "upstream_rejected",
    ),
    (
        "unknown",
        "fail = { status = 404, code = \"model_not_found\", message = \"no such model\" }",
        404,
        "upstream_rejected",
    ),
    (
        "wrong",
        "fail = { status = 400, code = \"invalid_value\", message = \"bad input\" }",
        400,
        "upstream_rejected",
    ),
    (
        "long",
        "fail = { status = 400, code = \"context_length_exceeded\" }",
        400,
        "upstream_rejected",
    ),
    (
        "used",
        "fail = { status = 429, code = \"usage_limit_reached\", resets_in = 3000 }",
        429,
        "usage_limit",
    ),
    (
        "quick",
        "fail = { status = 429, message = \"slow\" }",
        429,
        "upstream_rate_limited",
    ),
    (
        "broken",
        "fail = { status = 500, message = \"oops\" }",
        500,
        "upstream_failed",
    ),
    (
        "down",
        "fail = { status = 503, message = \"no\" }",
        529,
        "upstream_overloaded",
    ),
    (
        "full",
        "failed = { code = \"server_is_overloaded\" }",
        529,
        "upstream_overloaded",
    ),
    (
        "refresh",
        "fail = { status = 401, code = \"refresh_token_reused\" }",
        503,
        "token_refresh_failed",
    ),
    (
        "cut",
        "say = \"half a\"\ncut = true",
        502,
        "upstream_incomplete",
    ),
    ("crash", "crash = true", 502, "session_lost"),
];

#[test]
fn each_failure_is_told_by_its_own_status_and_code_in_every_dialect() {
    let rule = |(prompt, step, _, _): &(&str, &str, u16, &str)| {
        format!("[[rule]]\nexact = \"{prompt}\"\n[[rule.step]]\n{step}\n")
    };
    let script: String = FAILURES.iter().map(rule).collect();
    let relay = codex::scripted(&(script + ECHO), "").start();
    for (prompt, _, status, code) in FAILURES {
        for path in DIALECTS {
            let answer = post(&relay, path, &body(path, prompt));
            let told = (answer.status, answer.header("x-relay-error"));
            assert_eq!(told, (*status, *code), "{prompt} {path}: {}", answer.body);
            assert!(!answer.body.contains("127.0.0.1"), "{}", answer.body);
        }
        assert_eq!(text(&ask(&relay, "still here")), "still here", "{prompt}");
    }
}

#[test]
fn a_used_up_plan_says_when_it_begins_anew_and_the_relay_tells_its_windows() {
    let script = "[[rule]]\nany = true\n[[rule.step]]\n\
                  fail = { status = 429, code = \"usage_limit_reached\", resets_in = 3000 }\n";
    let relay = codex::scripted(script, "").start();
    let answer = ask(&relay, "x");
    let wait: u64 = answer.header("retry-after").parse().expect("seconds");
    assert!((2900..=3000).contains(&wait), "{wait}");
    let primary = about(&relay)["windows"]["primary"].clone();
    assert_eq!(primary["used_percent"], 100.0, "{primary}");
    assert!(primary["resets_at"].is_u64(), "{primary}");
}

#[test]
fn a_length_stop_and_a_refusal_are_answers_and_an_answer_that_was_changed_is_none() {
    let script = "[[rule]]\nexact = \"length\"\n[[rule.step]]\nsay = \"partial\"\nstop = \"max_tokens\"\n\
                  [[rule]]\nexact = \"refuse\"\n[[rule.step]]\nstop = \"refusal\"\n\
                  [[rule]]\nexact = \"think\"\n[[rule.step]]\nthink = \"hard\"\n[[rule.step]]\nsay = \"done\"\n\
                  [[rule]]\nexact = \"eat\"\n[[rule.step]]\nsay = \"a <oai-mem-citation>x</oai-mem-citation> b\"\n";
    let relay = codex::scripted(script, "").start();
    let length = ask(&relay, "length");
    assert_eq!(text(&length), "partial");
    assert_eq!(length.json()["stop_reason"], "max_tokens");
    let usage = &length.json()["usage"];
    assert!(usage["output_tokens"].as_u64() > Some(100), "{usage}");
    assert_eq!(ask(&relay, "refuse").json()["stop_reason"], "refusal");
    let mut thinking = body("/v1/messages", "think");
    thinking["thinking"] = json!({"type": "adaptive"});
    let thought = relay_post(&relay, &thinking);
    assert_eq!(thought["content"][0]["thinking"], "hard");
    assert_eq!(thought["content"][1]["text"], "done");
    assert_eq!(
        text(&ask(&relay, "eat")),
        "a <oai-mem-citation>x</oai-mem-citation> b"
    );
    let events =
        client::stream_to(relay.address, "/v1/messages", &body("/v1/messages", "eat")).rest();
    assert_eq!(
        events.last().map(|event| event.name.as_str()),
        Some("error")
    );
}

fn relay_post(relay: &Relay, body: &Value) -> Value {
    post(relay, "/v1/messages", body).json()
}

#[test]
fn an_answer_that_breaks_off_ends_a_stream_with_an_error() {
    let script =
        "[[rule]]\nany = true\n[[rule.step]]\nsay = \"half an answer\"\nchunk = 4\ncut = true\n";
    let relay = codex::scripted(script, "").start();
    let events =
        client::stream_to(relay.address, "/v1/messages", &body("/v1/messages", "x")).rest();
    assert_eq!(text_of(&events), "half an answer");
    let last = events.last().expect("there are events");
    assert_eq!(last.name, "error");
}

#[test]
fn what_cannot_be_passed_is_named_or_refused_before_anybody_is_asked() {
    let relay = codex::scripted(ECHO, "").start();
    let mut warm = body("/v1/messages", "x");
    warm["temperature"] = 0.5.into();
    let answer = post(&relay, "/v1/messages", &warm);
    assert_eq!(answer.header("x-relay-ignored"), "max_tokens,temperature");
    let chat = json!({"model": MODEL, "messages": [{"role": "user", "content": "x"}], "stop": "y",
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "title": "T"}}}],
        "parallel_tool_calls": false});
    let answer = post(&relay, "/v1/chat/completions", &chat);
    assert_eq!(
        (
            answer.header("x-relay-ignored"),
            answer.header("x-relay-emulated")
        ),
        ("parallel_tool_calls,stop", "tools.0.function.parameters")
    );
    let strict = client::post_with(relay.address, &warm, "x-relay-strict: true");
    assert_eq!(strict.status, 400, "{}", strict.body);
    let picture =
        json!({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}});
    let file = json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "eA=="}});
    let orphan = json!({"type": "tool_result", "tool_use_id": "nobody", "content": "x"});
    for block in [picture, file, orphan] {
        let messages = json!([{"role": "user", "content": [block]}]);
        let answer = conversation(&relay, &messages, &json!([]));
        assert_eq!(answer.status, 400, "{}", answer.body);
    }
    assert_eq!(codex::asked(&relay.world).len(), 2);
}

#[test]
fn a_caller_that_hangs_up_has_its_turn_interrupted() {
    let script = "[[rule]]\nexact = \"long\"\n[[rule.step]]\nsay = \"word word word word word\"\nchunk = 1\ndelay_ms = 5000\n";
    let relay = codex::scripted(&(script.to_owned() + ECHO), "").start();
    let mut stream =
        client::stream_to(relay.address, "/v1/messages", &body("/v1/messages", "long"));
    while stream
        .next()
        .is_some_and(|event| event.name != "content_block_delta")
    {}
    drop(stream);
    wait::until("the interrupt", || {
        let log = codex::log(&relay.world);
        log.iter()
            .any(|line| line["ended"] == "interrupted")
            .then_some(())
    });
    assert_eq!(text(&ask(&relay, "next")), "next");
}

#[test]
fn many_calls_at_once_share_two_processes_and_none_gets_anothers_words() {
    let relay = codex::scripted(ECHO, "").start();
    assert_eq!(text(&ask(&relay, "first")), "first");
    at_once(&relay, 64);
    assert_eq!(relay.world.pids().len(), 2);
}

/// So many calls at once, each with its own words back.
fn at_once(relay: &Relay, count: usize) {
    std::thread::scope(|scope| {
        for number in 0..count {
            scope.spawn(move || {
                let words = format!("number {number} of many");
                assert_eq!(text(&ask(relay, &words)), words);
            });
        }
    });
}

#[test]
fn a_process_that_is_killed_fails_its_call_and_no_other_and_leaves_nothing() {
    let script = "[[rule]]\nexact = \"hang\"\n[[rule.step]]\nhang = true\n";
    let mut relay = codex::scripted(&(script.to_owned() + ECHO), "").start();
    let address = relay.address;
    let call = std::thread::spawn(move || {
        client::post_to(address, "/v1/messages", &body("/v1/messages", "hang"))
    });
    wait::until("the call at the model", || {
        (!codex::asked(&relay.world).is_empty()).then_some(())
    });
    let [pid] = relay.world.pids()[..] else {
        panic!("one process serves one call")
    };
    process::signal(pid, Signal::KILL);
    let answer = call.join().expect("a call must not panic");
    assert_eq!(
        (answer.status, answer.header("x-relay-error")),
        (502, "session_lost")
    );
    assert_eq!(
        text(&ask(&relay, "a marker of this prompt")),
        "a marker of this prompt"
    );
    let files = relay
        .world
        .files("state")
        .into_iter()
        .chain(relay.world.files("codex-home"));
    for file in files {
        let bytes = fs::read(&file).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("a marker of this"), "{}", file.display());
    }
    assert!(!relay.log().contains("a marker of this"));
    let pids = relay.world.pids();
    relay.signal(Signal::KILL);
    relay.ended();
    for pid in pids {
        wait::until("the end of what the daemon left", || {
            (!process::is_alive(pid)).then_some(())
        });
    }
}

#[test]
fn a_login_that_comes_or_goes_while_the_daemon_runs_is_noticed() {
    let relay = codex::scripted(ECHO, "FAKE_CODEX_NEEDS_LOGIN = \"1\"").start();
    let code = |relay: &Relay| ask(relay, "x").header("x-relay-error").to_owned();
    assert_eq!(code(&relay), "login_required");
    let config = relay.world.path("relay.toml");
    let config = config.to_string_lossy();
    let run = |words: &[&str]| {
        let output = relay.world.run(&[words, &["--config", &config]].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = run(&["login", "codex", "--device"]);
    assert!(said.contains("one-time code"), "{said}");
    assert_eq!(code(&relay), "");
    let login = |relay: &Relay| about(relay)["login"].clone();
    assert_eq!(login(&relay), "logged in");
    at_once(&relay, 16);
    assert_eq!(relay.world.pids().len(), 1);
    run(&["logout", "codex"]);
    assert_eq!(code(&relay), "login_required");
    assert_eq!(login(&relay), "logged out");
    assert!(!relay.get("/v1/health").to_string().contains("example.com"));
}

/// What the lane says of a field, in the older version.
fn says_of(relay: &Relay, field: &str, lane: &str) -> String {
    let told = relay.get("/v1/capabilities");
    let mut fields = told["fields"].as_array().expect("a list").iter();
    let row = fields.find(|row| row["field"] == field);
    let standing = &row.expect("the table has it")[lane]["2023-06-01"];
    standing.as_str().unwrap_or("no column").to_owned()
}

#[test]
fn the_lane_says_itself_what_becomes_of_each_field() {
    let relay = codex::scripted("", "").start();
    let of = |field: &str| says_of(&relay, field, "codex");
    assert_eq!(of("system"), "honoured");
    assert_eq!(of("tools"), "honoured");
    assert_eq!(of("temperature"), "ignored");
    assert_eq!(of("metadata"), "moot");
    assert_eq!(of("thread"), "rejected");
    assert_eq!(of("messages.-1.role: assistant"), "rejected");
    assert_eq!(says_of(&relay, "temperature", "claude-pty"), "honoured");
}

/// What the lane tells of itself.
fn about(relay: &Relay) -> Value {
    let told = relay.get("/v1/capabilities");
    let mut lanes = told["lanes"].as_array().expect("a list").iter();
    let lane = lanes.find(|lane| lane["lane"] == "codex");
    lane.expect("it is a lane")["about"].clone()
}

#[test]
fn the_simulated_relay_offers_the_lane() {
    let world = World::scripted("").pool("idle = 0").simulated();
    let relay = world.without_claude().start();
    let answer = ask(&relay, "x");
    assert!(text(&answer).contains("simulated"), "{}", answer.body);
    assert_eq!(answer.header("x-relay-lane"), "codex");
}

#[test]
fn a_cli_that_is_not_there_or_does_not_start_is_told_before_anything_else() {
    let relay = codex::running(World::scripted(""), "/nowhere/codex", "").start();
    let answer = ask(&relay, "x");
    assert_eq!(
        (answer.status, answer.header("x-relay-error")),
        (503, "codex_not_found")
    );
    let script = "nonsense = true";
    let relay = codex::scripted(script, "").start();
    assert_eq!(ask(&relay, "x").header("x-relay-error"), "codex_not_found");
}
