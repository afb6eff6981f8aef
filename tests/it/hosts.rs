//! Calls that HTTP hosts serve: bytes both ways, keys that fail and take over, and the change between hosts and claude.

use super::door;
use super::support::api_host;
use super::support::api_host::Asked;
use super::support::api_host::Host;
use super::support::api_host::Said;
use super::support::api_host::fails;
use super::support::api_host::fails_with;
use super::support::api_host::says;
use super::support::client;
use super::support::client::Response;
use super::support::client::call;
use super::support::client::text_of;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::wait;
use super::usage;
use fake_host::Answer;
use fake_host::Api;
use fake_host::Counts;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;

const ECHO: &str = "[[rule]]\nany = true\n[[rule.step]]\necho = true\n";

/// A model `m` at this host, with two keys, and at claude behind it where that is wanted.
pub(crate) fn catalog(host: &Host, lanes: &[&str]) -> String {
    let mut text = format!(
        "kind: Host\nmetadata: {{ name: one }}\nspec: {{ url: \"{}\", network: private, timeouts: {{ firstEvent: 2s, total: 2s }} }}\n\
         ---\nkind: HostKey\nmetadata: {{ name: a }}\nspec: {{ host: one, order: 1, value: {{ file: key-a }} }}\n\
         ---\nkind: HostKey\nmetadata: {{ name: b }}\nspec: {{ host: one, order: 2, value: {{ file: key-b }} }}\n\
         ---\nkind: Model\nmetadata: {{ name: m }}\nspec: {{ aliases: [alias], price: {{ currency: USD, input: 2.5, output: 10 }} }}\n",
        host.url()
    );
    for (order, lane) in (1..).zip(lanes) {
        let adapter = if lane.starts_with("http:") {
            ", adapter: anthropic"
        } else {
            ""
        };
        text.push_str(&format!(
            "---\nkind: Binding\nmetadata: {{ name: b{order} }}\n\
             spec: {{ model: m, lane: \"{lane}\"{adapter}, upstreamName: up, order: {order} }}\n"
        ));
    }
    text
}

/// A relay with this catalog.
pub(crate) fn relay(host: &Host, lanes: &[&str]) -> Relay {
    let world = World::scripted(ECHO).pool("idle = 0");
    world.credential("key-a", "sk-a");
    world.credential("key-b", "sk-b");
    world.declare(&catalog(host, lanes));
    world.start()
}

/// A relay whose only host has no key, and asks for one.
pub(crate) fn keyless(host: &Host) -> Relay {
    let world = World::scripted(ECHO).pool("idle = 0");
    let rows = catalog(host, HOST);
    let rows = rows.split("---\n").filter(|row| !row.contains("HostKey"));
    world.declare(&rows.collect::<Vec<_>>().join("---\n"));
    world.start()
}

const HOST: &[&str] = &["http:one"];

pub(crate) fn asking(prompt: &str) -> Value {
    let mut body = call(prompt);
    body["model"] = "m".into();
    body
}

fn streaming(prompt: &str) -> Value {
    let mut body = asking(prompt);
    body["stream"] = true.into();
    body
}

/// Answers well with the second key, and as told with the first.
fn first_key(said: impl Fn(&Asked) -> Said + Send + Sync + 'static) -> Host {
    Host::answering(move |asked| match asked.key() {
        "sk-a" => said(asked),
        _ => says(asked, "from b"),
    })
}

#[test]
fn a_body_passes_byte_for_byte_but_for_the_models_name() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let relay = relay(&host, HOST);
    for body in [
        r#"{"model":"m","max_tokens":1,"messages":[]}"#,
        "{ \"x\" : 1e+2,\t\"a\\u00e9\":\"\\ud83d\\ude00\\/\", \"max_tokens\":1.0 ,\n\"model\" : \"alias\", \"x\":[ ] }",
    ] {
        let request = format!(
            "POST /v1/messages?beta=true HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             anthropic-beta: some-beta\r\nx-api-key: mine\r\ncontent-length: {}\r\n\r\n{body}",
            relay.address,
            body.len()
        );
        let answer = client::send(relay.address, request.as_bytes()).whole();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let asked = host.asked().pop().expect("the host was asked");
        let expected = body
            .replace("\"m\"", "\"up\"")
            .replace("\"alias\"", "\"up\"");
        assert_eq!(String::from_utf8_lossy(&asked.body), expected);
        assert_eq!(asked.header("anthropic-beta"), Some("some-beta"));
        assert_eq!(asked.key(), "sk-a");
        assert!(asked.head[0].starts_with("POST /v1/messages?beta=true "));
        assert_eq!(answer.header("x-relay-lane"), "http:one");
        assert_eq!(answer.json()["content"][0]["text"], "hi");
    }
}

/// Has a running relay serve this model from the host at this address.
fn lead(relay: &Relay, model: &str, address: &str) {
    relay.world.declare(&format!(
        "kind: Host\nmetadata: {{ name: one }}\nspec: {{ url: \"http://{address}\", network: private, auth: none }}\n\
         ---\nkind: Model\nmetadata: {{ name: {model} }}\nspec: {{}}\n\
         ---\nkind: Binding\nmetadata: {{ name: b }}\nspec: {{ model: {model}, lane: \"http:one\", adapter: anthropic }}\n"
    ));
    wait::until("that the catalog is in force", || {
        let models = relay.get("/v1/models").to_string();
        models.contains(&format!("\"{model}\"")).then_some(())
    });
}

#[test]
fn a_call_that_comes_back_to_its_relay_ends_and_one_that_another_relay_serves_does_not() {
    let start = || World::scripted(ECHO).pool("idle = 0").start();
    let (first, second) = (start(), start());
    let of_model = |model: &str| {
        let mut body = call("hi");
        body["model"] = model.into();
        body
    };
    let at = |relay: &Relay| relay.address.to_string();
    lead(&first, "itself", &at(&first));
    let ends = |model: &str| {
        let mut body = of_model(model);
        for is_streamed in [false, true] {
            body["stream"] = is_streamed.into();
            for path in ["/v1/messages", "/v1/chat/completions"] {
                let answer = client::post_to(first.address, path, &body);
                let told = (answer.status, answer.header("x-relay-error"));
                assert_eq!(told, (508, "loop_detected"), "{path}: {}", answer.body);
            }
        }
    };
    ends("itself");
    lead(&second, "circle", &at(&first));
    lead(&first, "circle", &at(&second));
    ends("circle");
    // A chain that ends is none.
    let host = Host::answering(|asked| says(asked, "hi"));
    lead(&second, "chain", host.url().trim_start_matches("http://"));
    lead(&first, "chain", &at(&second));
    let served = first.post(&of_model("chain"));
    assert_eq!((served.status, served.text().as_str()), (200, "hi"));
    let asked = host.asked().pop().expect("the host was asked");
    let marks = asked.header("cdn-loop").unwrap_or_default();
    assert_eq!(marks.matches("inference-relay;i=").count(), 2, "{marks}");
}

#[test]
fn a_host_whose_keys_rest_is_degraded_in_health_until_one_is_good() {
    let host = Host::answering(|asked| fails(401, asked.key(), "no"));
    let relay = relay(&host, HOST);
    let lane = || {
        let health = relay.get("/v1/health");
        let lanes = health["lanes"].as_array().into_iter().flatten();
        let mut own = lanes.filter(|lane| lane["lane"] == "http:one");
        own.next().cloned().unwrap_or_default()
    };
    assert_eq!(
        (&lane()["state"], &lane()["why"]),
        (&json!("ready"), &Value::Null)
    );
    assert_ne!(relay.post(&asking("hi")).status, 200);
    let told = lane();
    assert_eq!(told["state"], "degraded", "{told}");
    let why = told["why"].as_str().unwrap_or_default();
    assert!(why.contains("its breaker is open"), "{told}");
    let ended = relay.world.run(&["breaker", "reset"]);
    assert!(ended.status.success());
    assert_eq!(lane()["state"], "ready");
}

#[test]
fn a_host_is_added_with_its_waits() {
    let relay = World::scripted(ECHO).pool("idle = 0").start();
    let line = "host add slow --url http://127.0.0.1:1 --network private --auth none --connect-timeout 1s \
                --first-event-timeout 3s --idle-timeout 4s --total-timeout 5s";
    let words: Vec<&str> = line.split_whitespace().collect();
    let added = relay.world.run(&words);
    let told = String::from_utf8_lossy(&added.stderr);
    assert!(added.status.success(), "{told}");
    let rows = relay.world.run(&["catalog", "export"]);
    let rows = String::from_utf8_lossy(&rows.stdout).into_owned();
    for wait in [
        "connect: \"1s\"",
        "firstEvent: \"3s\"",
        "idle: \"4s\"",
        "total: \"5s\"",
    ] {
        assert!(rows.contains(wait), "{wait}: {rows}");
    }
}

#[test]
fn every_lane_says_itself_what_becomes_of_each_field() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let relay = relay(&host, &["http:one", "claude-pty"]);
    let told = relay.get("/v1/capabilities");
    let of = |field: &str, lane: &str, version: &str| {
        let mut fields = told["fields"].as_array().into_iter().flatten();
        let row = fields.find(|row| row["field"] == field);
        let standing = row.and_then(|row| row[lane][version].as_str());
        standing.unwrap_or("no column").to_owned()
    };
    // Its bytes pass, whatever they ask for.
    for field in [
        "temperature",
        "metadata",
        "thread",
        "messages.-1.role: assistant",
    ] {
        assert_eq!(of(field, "http:one", "2026-10-21"), "honoured", "{field}");
    }
    // What the claude lanes say is what their table says of them.
    let table: Value = serde_json::from_slice(&relay.world.run(&["capabilities", "--json"]).stdout)
        .expect("--json must print JSON");
    for row in table["fields"].as_array().into_iter().flatten() {
        let field = row["field"].as_str().unwrap_or_default();
        for lane in ["claude-pty", "claude-print"] {
            for version in ["2023-06-01", "2026-10-21"] {
                let standing = row[lane][version].as_str().unwrap_or("no column");
                assert_eq!(
                    of(field, lane, version),
                    standing,
                    "{field} on {lane} in {version}"
                );
            }
        }
    }
}

#[test]
fn a_host_of_another_dialect_says_what_it_has_no_place_for() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let world = World::scripted(ECHO).pool("idle = 0");
    world.credential("key-a", "sk-a");
    world.credential("key-b", "sk-b");
    world.declare(&catalog(&host, HOST).replace("adapter: anthropic", "adapter: openai"));
    let relay = world.start();
    let told = relay.get("/v1/capabilities");
    let of = |field: &str| {
        let mut fields = told["fields"].as_array().into_iter().flatten();
        let row = fields.find(|row| row["field"] == field);
        row.map_or(Value::Null, |row| row["http:one"]["2023-06-01"].clone())
    };
    assert_eq!(of("temperature"), "honoured");
    assert_eq!(of("top_k"), "ignored");
    assert_eq!(of("metadata"), "ignored");
    assert_eq!(of("thread"), "rejected");
    relay.world.declare(&catalog(&host, HOST));
    wait::until("what the host says by its other adapter", || {
        let told = relay.get("/v1/capabilities");
        let mut fields = told["fields"].as_array()?.iter();
        let row = fields.find(|row| row["field"] == "top_k")?;
        (row["http:one"]["2023-06-01"] == "honoured").then_some(())
    });
}

#[test]
fn a_key_that_fails_rests_and_the_next_one_serves() {
    for (said, class) in [
        (fails(401, "authentication_error", "no"), "auth"),
        (fails(402, "billing_error", "no"), "quota"),
        (fails(403, "permission_error", "no"), "forbidden"),
        (
            fails_with(429, "retry-after: 60\r\n", "rate_limit_error", "slow"),
            "rate_limit",
        ),
        (
            fails(
                400,
                "invalid_request_error",
                "Your credit balance is too low",
            ),
            "quota",
        ),
    ] {
        let host = first_key(move |_| said.clone());
        let relay = relay(&host, HOST);
        for _ in 0..2 {
            let answer = relay.post(&asking("x"));
            assert_eq!(answer.status, 200, "{class}: {}", answer.text());
            assert_eq!(answer.json()["content"][0]["text"], "from b");
        }
        let keys: Vec<String> = host
            .asked()
            .iter()
            .map(|asked| asked.key().to_owned())
            .collect();
        assert_eq!(keys, ["sk-a", "sk-b", "sk-b"], "{class}");
    }
}

#[test]
fn a_spent_account_is_told_so_that_no_client_asks_again_by_itself() {
    let quota = "insufficient_quota";
    for (said, told, types) in [
        (
            fails(
                400,
                "invalid_request_error",
                "Your credit balance is too low",
            ),
            (400, "upstream_rejected"),
            ["invalid_request_error", "invalid_request_error"],
        ),
        (
            fails(402, "billing_error", "pay"),
            (402, "upstream_rejected"),
            ["billing_error", quota],
        ),
        (
            fails(429, quota, "pay"),
            (429, "usage_limit"),
            ["rate_limit_error", quota],
        ),
    ] {
        for (path, kind) in ["/v1/messages", "/v1/chat/completions"].iter().zip(types) {
            let refused = said.clone();
            let host = Host::answering(move |_| refused.clone());
            let relay = relay(&host, HOST);
            let answer = client::post_to(relay.address, path, &asking("x"));
            assert_eq!((answer.status, answer.header("x-relay-error")), told);
            assert_eq!(answer.header("x-should-retry"), "false", "{path} {told:?}");
            assert_eq!(answer.json()["error"]["type"], kind, "{path} {told:?}");
            assert_eq!(host.asked().len(), 2, "each key was tried");
            let next = client::post_to(relay.address, path, &asking("x"));
            assert_eq!(next.header("x-relay-error"), "no_healthy_keys");
            assert!(next.body.contains("a: quota"), "{}", next.body);
            assert_eq!(host.asked().len(), 2, "and each rests");
        }
    }
}

#[test]
fn a_failure_inside_a_stream_before_its_content_is_no_answer() {
    let quota =
        json!({"type": "error", "error": {"type": "insufficient_quota", "message": "no more"}});
    let host =
        first_key(move |_| Said::Stream(vec![api_host::preamble(), api_host::event(&quota)]));
    let relay = relay(&host, HOST);
    let answer = relay.stream(&streaming("x"));
    assert_eq!(answer.status, 200);
    let events = answer.rest();
    assert_eq!(text_of(&events), "from b");
    let starts = events.iter().filter(|event| event.name == "message_start");
    assert_eq!(starts.count(), 1, "nothing of the first try was told");
}

#[test]
fn what_was_cut_after_its_content_began_ends_in_an_error_and_is_not_tried_again() {
    let host = first_key(|_| {
        let mut pieces = api_host::stream("half");
        pieces.truncate(3);
        Said::Cut(pieces)
    });
    let relay = relay(&host, HOST);
    let events = relay.stream(&streaming("x")).rest();
    assert_eq!(text_of(&events), "half");
    let last = events.last().expect("there are events");
    assert_eq!(
        (last.name.as_str(), &last.data["error"]["type"]),
        ("error", &json!("api_error"))
    );
    assert_eq!(host.asked().len(), 1);
}

#[test]
fn a_callers_own_mistake_comes_back_as_the_host_said_it() {
    let said = fails(
        400,
        "invalid_request_error",
        "prompt is too long: 5 tokens > 4 maximum",
    );
    let Said::Whole(_, _, _, words) = said.clone() else {
        panic!("it is whole");
    };
    let host = Host::answering(move |_| said.clone());
    let relay = relay(&host, HOST);
    let answer = relay.post(&asking("x"));
    assert_eq!((answer.status, &answer.body), (400, &words));
    assert_eq!(answer.header("x-relay-origin"), "upstream");
    assert_eq!(host.asked().len(), 1);
    assert_eq!(relay.post(&asking("x")).status, 400, "nothing rests");
}

#[test]
fn a_host_that_stalls_after_its_head_is_given_up_in_time() {
    let host = Host::answering(|_| Said::Stall(vec![api_host::preamble()]));
    let relay = relay(&host, &["http:one", "claude-pty"]);
    let events = relay.stream(&streaming("to claude")).rest();
    assert_eq!(text_of(&events), "to claude");
}

#[test]
fn claude_serves_where_the_host_cannot_and_the_label_says_so() {
    let host = Host::answering(|_| Said::Nothing);
    let relay = relay(&host, &["http:one", "claude-pty"]);
    let answer = relay.post(&asking("hello"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["content"][0]["text"], "hello");
    assert_eq!(answer.header("x-relay-lane"), "claude-pty");
    assert_eq!(
        answer.header("x-relay-attempts"),
        "http:one=upstream_unreachable"
    );
}

#[test]
fn a_host_serves_while_claude_is_at_its_limit_and_claude_again_once_that_is_over() {
    let limit = "[[rule]]\nmatch = \"asked\"\ntimes = 2\n[[rule.step]]\n\
                 limit = \"You've hit your session limit · resets 7pm (UTC)\"\n";
    let host = Host::answering(|asked| says(asked, "from the host"));
    let world = World::scripted(&format!("{limit}{ECHO}")).pool("idle = 0\nmax = 1");
    world.credential("key-a", "sk-a");
    world.credential("key-b", "sk-b");
    world.declare(&catalog(&host, &["claude-pty", "http:one"]));
    let relay = world.start();
    let mut lanes = Vec::new();
    for is_streamed in [false, true, false, true] {
        let answer = match is_streamed {
            true => relay.stream(&streaming("asked")).whole(),
            false => relay.post(&asking("asked")),
        };
        assert_eq!(answer.status, 200, "{}", answer.body);
        let is_hosts = answer.header("x-relay-lane") == "http:one";
        let (text, attempts, origin) = match is_hosts {
            true => ("from the host", "claude-pty=usage_limit", "upstream"),
            false => ("asked", "", ""),
        };
        assert!(answer.body.contains(text), "{}", answer.body);
        assert_eq!(answer.header("x-relay-attempts"), attempts);
        assert_eq!(answer.header("x-relay-origin"), origin);
        lanes.push(answer.header("x-relay-lane").to_owned());
    }
    assert_eq!(lanes, ["http:one", "http:one", "claude-pty", "claude-pty"]);
}

#[test]
fn a_change_of_the_catalog_is_in_force_without_a_restart() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let relay = relay(&host, HOST);
    assert_eq!(relay.post(&asking("x")).status, 200);
    let without =
        catalog(&host, HOST).replace("upstreamName: up", "upstreamName: up, enabled: false");
    relay.world.declare(&without);
    wait::until("the binding's end", || {
        (relay.post(&asking("x")).status == 404).then_some(())
    });
    assert_eq!(
        relay.post(&asking("x")).header("x-relay-error"),
        "model_unbound"
    );
    relay.world.declare(&catalog(&host, HOST));
    wait::until("the binding's return", || {
        (relay.post(&asking("x")).status == 200).then_some(())
    });
}

#[test]
fn a_lane_behind_a_declared_models_name_that_is_none_is_told_with_those_that_are() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let relay = relay(&host, &["http:one", "claude-pty"]);
    let none = "the catalog has no model of that name";
    for (model, status, code, words) in [
        (
            "m@cluade-pty",
            400,
            "invalid_request",
            "http:one, claude-pty",
        ),
        (
            "alias@cluade-pty",
            400,
            "invalid_request",
            "http:one, claude-pty",
        ),
        ("other@cluade-pty", 404, "model_unknown", none),
        ("m@latest", 404, "model_unknown", none),
        ("m@20250514", 404, "model_unknown", none),
    ] {
        let mut body = asking("x");
        body["model"] = model.into();
        let answer = relay.post(&body);
        assert_eq!(
            (answer.status, answer.header("x-relay-error")),
            (status, code),
            "{model}: {}",
            answer.body
        );
        assert!(answer.body.contains(words), "{model}: {}", answer.body);
    }
    assert!(host.asked().is_empty());
}

#[test]
fn a_lane_that_is_none_tells_a_key_of_no_lane_that_it_may_not_have() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let world = World::scripted(ECHO).pool("idle = 0");
    world.credential("key-a", "sk-a");
    world.credential("key-b", "sk-b");
    let policies = "---\nkind: Policy\nmetadata: { name: part }\nspec: { models: [m], lanes: [\"http:one\"] }\n\
                    ---\nkind: Policy\nmetadata: { name: other }\nspec: { models: [], lanes: [\"http:one\"] }\n";
    world.declare(&(catalog(&host, &["http:one", "claude-pty"]) + policies));
    let relay = world.start();
    for (policy, status, code) in [
        ("part", 400, "invalid_request"),
        ("other", 403, "model_not_granted"),
    ] {
        let key = door::key(&relay, &["create", policy, "--policy", policy]);
        let mut body = asking("x");
        body["model"] = "m@typo".into();
        let answer = wait::until("the key", || {
            let answer = client::post_as(relay.address, &key, &body);
            (answer.status != 401).then_some(answer)
        });
        assert_eq!(
            (answer.status, answer.header("x-relay-error")),
            (status, code)
        );
        assert_eq!(answer.body.contains("http:one"), policy == "part");
        assert!(!answer.body.contains("claude-pty"), "{}", answer.body);
    }
}

/// Counts the tokens of a call in a relay of this catalog.
fn counted(relay: &Relay, body: &Value) -> Response {
    client::post_to(relay.address, "/v1/messages/count_tokens", body)
}

#[test]
fn a_host_of_messages_counts_tokens_itself_and_where_none_does_the_count_is_an_estimate() {
    let host = Host::answering(|asked| match asked.path().contains("/count_tokens") {
        true => api_host::answered(&json!({"input_tokens": 4242})),
        false => says(asked, "hi"),
    });
    let relay = relay(&host, &["claude-pty", "http:one"]);
    let mut body = asking("x");
    let told = counted(&relay, &body);
    assert_eq!(
        (told.status, told.json()),
        (200, json!({"input_tokens": 4242}))
    );
    assert_eq!(told.header("x-relay-lane"), "http:one");
    assert_eq!(told.header("x-relay-estimate"), "");
    let asked = host.asked().pop().expect("the host was asked");
    assert!(
        asked.head[0].starts_with("POST /v1/messages/count_tokens "),
        "{:?}",
        asked.head
    );
    assert_eq!(asked.key(), "sk-a");
    body["model"] = "up".into();
    assert_eq!(asked.json(), body);
    for (model, is_known) in [("m@claude-pty", false), ("nobody", false), ("alias", true)] {
        body["model"] = model.into();
        let told = counted(&relay, &body);
        assert_eq!(told.status, 200, "{model}: {}", told.body);
        let label = if is_known { "" } else { "input_tokens" };
        assert_eq!(told.header("x-relay-estimate"), label, "{model}");
    }
    assert_eq!(host.asked().len(), 2);
}

#[test]
fn a_count_that_a_host_does_not_give_is_an_estimate() {
    let host = Host::answering(|_| fails(404, "not_found_error", "no such route"));
    let relay = relay(&host, HOST);
    let told = counted(&relay, &asking("x"));
    assert_eq!(told.status, 200, "{}", told.body);
    assert_eq!(told.header("x-relay-estimate"), "input_tokens");
    assert_eq!(host.asked().len(), 1);
}

/// An answer that takes twice as long as `timeouts.total`, told in a stream.
fn dripping() -> Said {
    let events = api_host::stream("drip");
    let (begin, rest) = events.split_at(3);
    let at_once = |event: &String| (Duration::ZERO, event.clone());
    let drops = (0..16).map(|_| (Duration::from_millis(250), begin[2].clone()));
    let pieces = begin.iter().map(at_once).chain(drops);
    Said::Slow(pieces.chain(rest.iter().map(at_once)).collect())
}

#[test]
fn an_answer_that_is_read_whole_is_over_at_its_total_however_the_host_tells_it() {
    let host = Host::answering(|_| dripping());
    let relay = relay(&host, HOST);
    let messages = json!([{"role": "user", "content": "x"}]);
    let chat = json!({"model": "m", "messages": messages});
    let translated = client::post_to(relay.address, "/v1/chat/completions", &chat);
    assert_eq!(
        (translated.status, translated.header("x-relay-error")),
        (504, "upstream_timeout")
    );
    assert!(
        translated.body.contains("`timeouts.total`"),
        "{}",
        translated.body
    );
    // What passes has begun by then, and ends as a failure.
    let passed = relay.post(&asking("x"));
    assert!(passed.body.contains("`timeouts.total`"), "{}", passed.body);
    assert!(!passed.body.contains("message_stop"), "{}", passed.body);
}

#[test]
fn a_stream_that_is_read_as_it_comes_has_no_total() {
    let host = Host::answering(|_| dripping());
    let relay = relay(&host, HOST);
    let passed = client::stream(relay.address, &asking("x")).rest();
    assert_eq!(text_of(&passed), "drip".repeat(17));
    assert_eq!(
        passed.last().map(|event| event.name.as_str()),
        Some("message_stop")
    );
    let chat = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
    let translated = client::stream_to(relay.address, "/v1/chat/completions", &chat).whole();
    assert_eq!(
        translated.body.matches("drip").count(),
        17,
        "{}",
        translated.body
    );
    assert!(translated.body.contains("[DONE]"), "{}", translated.body);
}

#[test]
fn a_key_has_what_its_policy_grants() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let world = World::scripted(ECHO).pool("idle = 0");
    world.credential("key-a", "sk-a");
    world.credential("key-b", "sk-b");
    let policies = "---\nkind: Policy\nmetadata: { name: all }\nspec: { models: [m], lanes: [\"http:one\"] }\n\
                    ---\nkind: Policy\nmetadata: { name: other }\nspec: { models: [], lanes: [\"http:one\"] }\n\
                    ---\nkind: Policy\nmetadata: { name: elsewhere }\nspec: { models: [m], lanes: [codex] }\n\
                    ---\nkind: Policy\nmetadata: { name: off }\nspec: { models: [m], lanes: [\"http:one\"], enabled: false }\n\
                    ---\nkind: Policy\nmetadata: { name: gone }\nspec: { models: [m] }\n";
    world.declare(&(catalog(&host, HOST) + policies));
    let relay = world.start();
    for (policy, status, code) in [
        ("all", 200, ""),
        ("other", 403, "model_not_granted"),
        ("elsewhere", 403, "lane_not_granted"),
        ("off", 403, "policy_disabled"),
        ("gone", 403, "policy_disabled"),
    ] {
        let key = door::key(&relay, &["create", policy, "--policy", policy]);
        if policy == "gone" {
            let removed = relay.world.run(&["policy", "remove", policy, "--force"]);
            assert!(removed.status.success());
        }
        let answer = wait::until("the key", || {
            let answer = client::post_as(relay.address, &key, &asking("x"));
            (answer.status != 401).then_some(answer)
        });
        assert_eq!(
            (answer.status, answer.header("x-relay-error")),
            (status, code),
            "{policy}"
        );
    }
}

/// A host of Chat Completions that says this, streamed, whatever it is asked.
fn chat_host(text: &'static str) -> Host {
    let counts = Counts {
        input: 4,
        cache_read: Some(6),
        output: 4,
        ..Counts::default()
    };
    let told = Answer::text("up", text, counts);
    Host::answering(move |_| Said::Stream(Api::Chat.events(&told, true)))
}

#[test]
fn a_messages_call_is_served_by_a_host_of_chat_completions() {
    let host = chat_host("bonjour");
    let world = World::scripted(ECHO).pool("idle = 0");
    world.credential("key-a", "sk-a");
    world.credential("key-b", "sk-b");
    world.declare(&catalog(&host, HOST).replace("adapter: anthropic", "adapter: openai"));
    let relay = world.start();
    let mut body = asking("hello");
    body["system"] = "be brief".into();
    let answer = relay.post(&body);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let told = answer.json();
    assert_eq!(
        told["content"],
        json!([{"type": "text", "text": "bonjour"}])
    );
    assert_eq!(told["stop_reason"], "end_turn");
    assert_eq!(
        (
            &told["usage"]["input_tokens"],
            &told["usage"]["cache_read_input_tokens"]
        ),
        (&json!(4), &json!(6))
    );
    assert_eq!(answer.header("x-relay-lane"), "http:one");
    let asked = host.asked().pop().expect("the host was asked");
    assert!(asked.head[0].starts_with("POST /v1/chat/completions "));
    assert_eq!(asked.header("authorization"), Some("Bearer sk-a"));
    assert_eq!(
        asked.json()["messages"][0],
        json!({"role": "system", "content": "be brief"})
    );
    let events = relay.stream(&{
        let mut body = body.clone();
        body["stream"] = true.into();
        body
    });
    assert_eq!(text_of(&events.rest()), "bonjour");
}

#[test]
fn what_a_policy_limits_is_refused_with_its_wait_and_settled_by_the_true_count() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let world = World::scripted(ECHO).pool("idle = 0");
    world.credential("key-a", "sk-a");
    world.credential("key-b", "sk-b");
    let policy = "---\nkind: Policy\nmetadata: { name: two }\n\
                  spec: { models: [m], lanes: [\"http:one\"], limits: { requestsPerMinute: 2 } }\n";
    world.declare(&(catalog(&host, HOST) + policy));
    // Until a relay knows of its first key it asks for none, so the key is there before it starts.
    let key = usage::key(&world, &["k", "--policy", "two"]);
    let relay = world.start();
    let ask = || client::post_as(relay.address, &key, &asking("x"));
    assert_eq!((ask().status, ask().status), (200, 200));
    let refused = ask();
    assert_eq!(
        (refused.status, refused.header("x-relay-error")),
        (429, "rate_limited")
    );
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(refused.header("anthropic-ratelimit-requests-limit"), "2");
    assert_eq!(
        refused.header("anthropic-ratelimit-requests-remaining"),
        "0"
    );
    assert_eq!(host.asked().len(), 2);
}
