//! Routes of OpenAI's API that are no turn: their bytes pass to a host that has them, under the same rules as a turn.

use super::support::api_host;
use super::support::api_host::Asked;
use super::support::api_host::Host;
use super::support::api_host::Said;
use super::support::client;
use super::support::client::Response;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::wait;
use super::translation::Rig;
use super::usage;
use serde_json::Value;
use serde_json::json;

const ROUTES: [&str; 5] = [
    "/v1/embeddings",
    "/v1/moderations",
    "/v1/images/generations",
    "/v1/audio/speech",
    "/v1/rerank",
];

/// What a host says on these routes: numbers, or for speech what is no JSON.
fn rule(asked: &Asked) -> Said {
    if asked.path() == "/v1/audio/speech" {
        return Said::Whole(
            200,
            "".into(),
            "audio/mpeg",
            "ID3\u{0}\u{1}sound".to_owned(),
        );
    }
    Said::Whole(200, "".into(), "application/json", numbers())
}

fn numbers() -> String {
    "{ \"object\":\"list\", \"data\":[{\"embedding\":[1.0e-3,-2]}],\"model\":\"up\",\
     \"usage\":{\"prompt_tokens\":9,\"total_tokens\":9}}"
        .to_owned()
}

/// Posts these bytes with this key.
fn post(relay: &Relay, path: &str, key: &str, body: &str) -> Response {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         authorization: Bearer {key}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    client::send(relay.address, &[head.as_bytes(), body.as_bytes()].concat()).whole()
}

#[test]
fn bytes_pass_both_ways_but_for_the_models_name() {
    let rig = Rig::new(rule);
    for model in ["m-chat", "m-responses"] {
        for route in ROUTES {
            let written = |model: &str| {
                format!(
                    "{{ \"input\": [\"a\\u00e9\", 1.50],\"model\" :\"{model}\", \"input\":2, \"file_id\":\"file_x\"}}"
                )
            };
            let told = post(&rig.relay, route, "any", &written(model));
            assert_eq!(told.status, 200, "{route}: {}", told.body);
            assert_eq!(told.header("x-relay-lane"), "http:one");
            let asked = rig.host.asked().pop().expect("the host was asked");
            assert_eq!((asked.path(), asked.key()), (route, "sk-a"));
            assert_eq!(String::from_utf8_lossy(&asked.body), written("up"));
            match route {
                "/v1/audio/speech" => {
                    assert_eq!(told.header("content-type"), "audio/mpeg");
                    assert_eq!(told.body, "ID3\u{0}\u{1}sound");
                }
                _ => assert_eq!(told.body, numbers()),
            }
        }
    }
}

/// Posts a form of these parts, each its headers' parameters and what it holds.
fn form(relay: &Relay, path: &str, parts: &[(&str, &[u8])]) -> Response {
    let body = written(parts);
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer any\r\n\
         content-type: multipart/form-data; boundary=edge\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    client::send(relay.address, &[head.as_bytes(), &body].concat()).whole()
}

fn written(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let part = |(name, held): &(&str, &[u8])| {
        let head = format!("--edge\r\nContent-Disposition: form-data; {name}\r\n\r\n");
        [head.as_bytes(), held, b"\r\n"].concat()
    };
    let parts: Vec<u8> = parts.iter().flat_map(part).collect();
    [&parts[..], b"--edge--\r\n"].concat()
}

const FORMS: [&str; 4] = [
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
    "/v1/images/edits",
    "/v1/images/variations",
];

#[test]
fn a_form_passes_with_its_files_byte_for_byte_but_for_the_models_name() {
    let rig = Rig::new(rule);
    let sound: Vec<u8> = (0..=250).cycle().take(200_000).collect();
    let of = |model: &'static str| -> [(&'static str, &[u8]); 3] {
        [
            ("name=\"file\"; filename=\"a b.wav\"", &sound),
            ("name=\"model\"", model.as_bytes()),
            ("name=\"prompt\"", b"m-chat"),
        ]
    };
    for route in FORMS {
        let told = form(&rig.relay, route, &of("m-chat"));
        assert_eq!(
            (told.status, &told.body),
            (200, &numbers()),
            "{route}: {}",
            told.body
        );
        let asked = rig.host.asked().pop().expect("the host was asked");
        assert_eq!((asked.path(), asked.key()), (route, "sk-a"));
        assert!(asked.body == written(&of("up")), "{route}");
        assert_eq!(
            asked.header("content-type"),
            Some("multipart/form-data; boundary=edge")
        );
    }
    let body = written(&of("m-chat"));
    let kinds = "content-type: multipart/form-data; boundary=edge\r\n";
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer any\r\n{kinds}{kinds}content-length: {}\r\n\r\n",
        FORMS[0],
        body.len()
    );
    let two = client::send(rig.relay.address, &[head.as_bytes(), &body].concat()).whole();
    assert_eq!(
        (two.status, two.header("x-relay-error")),
        (400, "invalid_request")
    );
    let nameless = form(&rig.relay, FORMS[0], &of("m-chat")[..1]);
    assert_eq!(
        (nameless.status, nameless.header("x-relay-error")),
        (400, "invalid_request")
    );
    let unknown = form(&rig.relay, FORMS[0], &of("nobody"));
    assert_eq!(
        (unknown.status, unknown.header("x-relay-error")),
        (404, "model_unknown")
    );
    let elsewhere = form(&rig.relay, FORMS[0], &of("m-messages"));
    assert_eq!(
        (elsewhere.status, elsewhere.header("x-relay-error")),
        (501, "unsupported_error")
    );
    let misplaced = form(&rig.relay, "/v1/embeddings", &of("m-chat"));
    assert_eq!(misplaced.status, 415);
}

#[test]
fn the_bytes_of_a_file_are_no_tokens_of_its_hosts_key() {
    let host = Host::answering(rule);
    let world = World::scripted("").pool("idle = 0");
    world.credential("key-a", "sk-a");
    world.declare(&format!(
        "kind: Host\nmetadata: {{ name: one }}\nspec: {{ url: \"{}\", network: private }}\n\
         ---\nkind: HostKey\nmetadata: {{ name: a }}\nspec: {{ host: one, value: {{ file: key-a }}, limits: {{ tokensPerMinute: 100000 }} }}\n\
         ---\nkind: Model\nmetadata: {{ name: m }}\nspec: {{}}\n\
         ---\nkind: Binding\nmetadata: {{ name: m }}\nspec: {{ model: m, lane: \"http:one\", adapter: openai, upstreamName: up }}\n",
        host.url()
    ));
    let relay = world.start();
    let sound = vec![7; 1_000_000];
    let parts: [(&str, &[u8]); 2] = [
        ("name=\"file\"; filename=\"a.wav\"", &sound),
        ("name=\"model\"", b"m"),
    ];
    for _ in 0..3 {
        let told = form(&relay, FORMS[0], &parts);
        assert_eq!(told.status, 200, "{}", told.body);
    }
}

#[test]
fn what_no_host_has_is_a_501_and_what_is_wrong_is_told_as_of_a_turn() {
    let rig = Rig::new(rule);
    for (body, status, code) in [
        (
            r#"{"model":"m-messages","input":"x"}"#,
            501,
            "unsupported_error",
        ),
        (
            r#"{"model":"m-chat@claude-pty","input":"x"}"#,
            400,
            "invalid_request",
        ),
        (r#"{"model":"nobody","input":"x"}"#, 404, "model_unknown"),
        (r#"{"input":"x"}"#, 400, "invalid_request"),
        (
            r#"{"model":"m-chat","model":"m-chat"}"#,
            400,
            "invalid_request",
        ),
        (r#"{"model":"#, 400, "invalid_request"),
    ] {
        let told = post(&rig.relay, "/v1/embeddings", "any", body);
        assert_eq!(
            (told.status, told.header("x-relay-error")),
            (status, code),
            "{body}: {}",
            told.body
        );
        assert_eq!(told.json()["error"]["code"], code);
    }
    assert_eq!(rig.host.asked().len(), 0);
    let alone = World::scripted("").start();
    for route in ROUTES.iter().chain(&[
        "/v1/images/edits",
        "/v1/audio/transcriptions",
        "/v1/realtime",
    ]) {
        let told = post(&alone, route, "any", r#"{"model":"m","input":"x"}"#);
        assert_eq!(
            (told.status, told.header("x-relay-error")),
            (501, "unsupported_error"),
            "{route}"
        );
    }
}

#[test]
fn a_key_that_fails_rests_and_the_next_one_serves_and_a_hosts_own_refusal_is_passed_on() {
    let rig = Rig::new(|asked| match (asked.key(), asked.prompt().as_str()) {
        (_, "refuse") => api_host::chat_fails(400, "", "bad_input", "input is wrong"),
        ("sk-a", _) => {
            api_host::chat_fails(429, "retry-after: 60\r\n", "rate_limit_exceeded", "slow")
        }
        _ => rule(asked),
    });
    let refused = post(
        &rig.relay,
        "/v1/embeddings",
        "any",
        r#"{"model":"m-chat","input":"refuse"}"#,
    );
    assert_eq!(
        (refused.status, &refused.json()["error"]["message"]),
        (400, &json!("input is wrong"))
    );
    let told = post(
        &rig.relay,
        "/v1/embeddings",
        "any",
        r#"{"model":"m-chat","input":"x"}"#,
    );
    assert_eq!((told.status, told.body), (200, numbers()));
    let page = Rig::new(|_| api_host::page("<html>hello"));
    let told = post(
        &page.relay,
        "/v1/embeddings",
        "any",
        r#"{"model":"m-chat","input":"x"}"#,
    );
    assert_eq!(
        (told.status, told.header("x-relay-error")),
        (502, "adapter_mismatch")
    );
}

/// A relay with a key whose policy grants the model of the adapter openai, two calls a minute and some money.
fn governed(host: &Host) -> (Relay, String) {
    let world = World::scripted("").pool("idle = 0");
    world.credential("key-a", "sk-a");
    world.declare(&format!(
        "kind: Host\nmetadata: {{ name: one }}\nspec: {{ url: \"{}\", network: private }}\n\
         ---\nkind: HostKey\nmetadata: {{ name: a }}\nspec: {{ host: one, value: {{ file: key-a }} }}\n\
         ---\nkind: Model\nmetadata: {{ name: m }}\nspec: {{ price: {{ currency: USD, input: 2, output: 3 }} }}\n\
         ---\nkind: Model\nmetadata: {{ name: other }}\nspec: {{}}\n\
         ---\nkind: Binding\nmetadata: {{ name: m }}\nspec: {{ model: m, lane: \"http:one\", adapter: openai, upstreamName: up }}\n\
         ---\nkind: Binding\nmetadata: {{ name: other }}\nspec: {{ model: other, lane: \"http:one\", adapter: openai }}\n\
         ---\nkind: Policy\nmetadata: {{ name: p }}\n\
         spec: {{ models: [m], lanes: [\"http:one\"], limits: {{ requestsPerMinute: 2 }}, budget: {{ amount: 1, per: month }} }}\n",
        host.url()
    ));
    let key = usage::key(&world, &["k", "--policy", "p"]);
    (world.start(), key)
}

#[test]
fn policies_limits_and_budgets_hold_and_each_call_leaves_its_record() {
    let host = Host::answering(rule);
    let (relay, key) = governed(&host);
    let body = r#"{"model":"m","input":"x"}"#;
    let ask = |key: &str, body: &str| post(&relay, "/v1/embeddings", key, body);
    assert_eq!(ask("any", body).status, 401);
    let denied = ask(&key, r#"{"model":"other","input":"x"}"#);
    assert_eq!(
        (denied.status, denied.header("x-relay-error")),
        (403, "model_not_granted")
    );
    let told = [ask(&key, body), ask(&key, body)];
    assert_eq!(told[0].status, 200, "{}", told[0].body);
    assert_eq!(told[0].header("x-ratelimit-limit-requests"), "2");
    let over = ask(&key, body);
    assert_eq!(
        (over.status, over.header("x-relay-error")),
        (429, "rate_limited")
    );
    assert!(!over.header("retry-after").is_empty());
    let head = format!(
        "GET /v1/recent-calls HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-api-key: {key}\r\n\r\n"
    );
    let record = wait::until("the record", || {
        let calls = client::send(relay.address, head.as_bytes()).whole().json();
        let calls = calls["calls"].as_array().cloned().unwrap_or_default();
        calls
            .into_iter()
            .find(|call: &Value| !call["usage"].is_null())
    });
    assert_eq!(record["usage"]["input_tokens"], 9, "{record}");
    assert_eq!(host.asked().len(), 2);
}
