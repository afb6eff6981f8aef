//! The hosts that stand beside a simulated relay: what a newcomer sees of them, and what they do by their script.

use super::support::client;
use super::support::client::Response;
use super::support::relay::Relay;
use super::support::relay::World;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::fs;

const ECHO: &str = "[[rule]]\nany = true\n[[rule.step]]\necho = true\n";

fn ask(relay: &Relay, path: &str, model: &str, prompt: &str) -> Response {
    let mut body = json!({"model": model, "max_tokens": 99});
    match path {
        "/v1/responses" => body = json!({"model": model, "input": prompt}),
        _ => body["messages"] = json!([{"role": "user", "content": prompt}]),
    }
    client::post_to(relay.address, path, &body)
}

#[test]
fn a_newcomer_finds_a_host_of_each_api_in_the_list_of_models_and_asks_it_in_any() {
    let mut relay = World::scripted(ECHO).pool("idle = 0").simulated().start();
    let list = relay.get("/v1/models");
    let ids: Vec<&str> = list["data"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|model| model["id"].as_str())
        .collect();
    for (model, lane) in [
        ("claude-simulated", "http:simulated-anthropic"),
        ("gpt-simulated", "http:simulated-openai"),
        ("gpt-simulated-responses", "http:simulated-openai"),
    ] {
        assert!(ids.contains(&model), "{model}: {ids:?}");
        for path in ["/v1/messages", "/v1/chat/completions", "/v1/responses"] {
            let answer = ask(&relay, path, model, "What is a relay?");
            assert_eq!(answer.status, 200, "{model} {path}: {}", answer.body);
            assert!(answer.body.contains("answer from fake-host"), "{path}");
            assert_eq!(answer.header("x-relay-lane"), lane);
        }
    }
    assert!(ids.iter().any(|id| id.starts_with("claude-opus")));
    let answer = relay.ask("hello");
    assert_eq!(answer.header("x-relay-lane"), "claude-pty");
    relay.signal(Signal::TERM);
    relay.ended();
    assert_eq!(relay.world.pids(), [] as [u32; 0], "they end with it");
}

#[test]
fn each_answer_of_a_simulated_host_has_ids_of_its_own_by_its_count() {
    let relay = World::scripted(ECHO).pool("idle = 0").simulated().start();
    for count in 1..=2 {
        let path = "/v1/responses";
        let told = ask(
            &relay,
            path,
            "gpt-simulated-responses",
            &format!("ask {count}"),
        );
        let told = told.json();
        assert_eq!(told["id"], format!("resp_{count}"));
        assert_eq!(told["output"][0]["id"], format!("msg_{count}_0"));
    }
    let kept = ["resp_1", "resp_2"].map(|id| relay.get(&format!("/v1/responses/{id}")));
    assert_eq!(kept.map(|kept| kept["id"].clone()), ["resp_1", "resp_2"]);
    for (path, model) in [
        ("/v1/chat/completions", "gpt-simulated"),
        ("/v1/messages", "claude-simulated"),
    ] {
        let ids = [(); 2].map(|()| ask(&relay, path, model, "x").json()["id"].clone());
        assert_ne!(ids[0], ids[1], "{path}");
    }
}

const SCRIPT: &str = r#"
[[rule]]
match = "gzip"
[[rule.step]]
gzip = true
say = "packed"
[[rule]]
match = "page"
[[rule.step]]
html = true
[[rule]]
match = "other"
[[rule.step]]
as = "chat"
say = "x"
[[rule]]
match = "cut"
[[rule.step]]
say = "a text that is cut"
chunk = 2
cut = true
[[rule]]
match = "endless"
[[rule.step]]
say = "again "
endless = true
[[rule]]
match = "broken"
times = 1
[[rule.step]]
failed = { type = "overloaded_error", message = "x" }
[[rule]]
match = "limit"
times = 1
[[rule.step]]
fail = { status = 429, type = "rate_limit_error", message = "slow", headers = ["retry-after-ms: 30"] }
[[rule]]
match = "quota"
[[rule.step]]
fail = { status = 429, type = "insufficient_quota", message = "no more" }
"#;

#[test]
fn the_hosts_misbehave_by_their_script_and_the_relay_tells_of_it() {
    let world = World::scripted(ECHO).pool("idle = 0").simulated();
    fs::create_dir_all(world.path("state/simulated")).expect("a folder must be made");
    fs::write(world.path("state/simulated/host.toml"), SCRIPT).expect("it is written");
    let relay = world.start();
    let post = |prompt: &str| ask(&relay, "/v1/messages", "claude-simulated", prompt);
    let packed = ask(&relay, "/v1/chat/completions", "claude-simulated", "gzip");
    assert!(packed.body.contains("packed"), "{}", packed.body);
    for prompt in ["page", "other"] {
        let answer = post(prompt);
        let told = (answer.status, answer.header("x-relay-error"));
        assert_eq!(told, (502, "adapter_mismatch"), "{prompt}");
    }
    let stream = |prompt: &str| {
        let body = json!({"model": "claude-simulated", "max_tokens": 9, "stream": true,
            "messages": [{"role": "user", "content": prompt}]});
        relay.stream(&body)
    };
    let told = stream("cut").rest();
    let last = told.last().map(|event| event.name.as_str());
    assert_eq!(last, Some("error"), "what was cut is no end");
    let mut endless = stream("endless");
    assert!((0..50).all(|_| endless.next().is_some()));
    drop(endless);
    for prompt in ["broken", "limit"] {
        let answer = client::text_of(&stream(prompt).rest());
        assert!(
            answer.contains("answer from fake-host"),
            "{prompt}: {answer}"
        );
    }
    assert_eq!(post("quota").header("x-relay-error"), "usage_limit");
    let rests: Value = relay.get("/v1/breakers");
    assert!(rests.to_string().contains("\"quota\""), "{rests}");
    assert_eq!(post("hello").header("x-relay-error"), "no_healthy_keys");
}
