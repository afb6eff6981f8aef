//! A host that speaks the caller's dialect gets the caller's bytes: also what no other lane of the relay could serve.

use super::support::api_host;
use super::support::api_host::Asked;
use super::support::api_host::Host;
use super::support::client;
use super::support::client::Response;
use super::support::relay::Relay;
use super::support::relay::World;
use super::translation::Rig;
use super::translation::plain;
use super::translation::told;
use fake_host::Answer;
use fake_host::Api;
use serde_json::Value;
use serde_json::json;

const CHAT: &str = "/v1/chat/completions";

fn says(asked: &Asked) -> api_host::Said {
    told(asked, &Answer::text("up", "told", api_host::counts(3, 5)))
}

/// A call with these fields, which are no part of a plain one.
fn with(api: Api, fields: &Value) -> Value {
    let mut body = plain(api, "hi");
    for (name, value) in fields.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body
}

/// Fields that are refused where a call is read, by the dialect that has them.
fn unread() -> Vec<(Api, Value)> {
    let heard = json!([{"role": "user", "content": [
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}]}]);
    vec![
        (Api::Chat, json!({"n": 2})),
        (Api::Chat, json!({"logprobs": true})),
        (
            Api::Chat,
            json!({"modalities": ["text", "audio"], "audio": {"voice": "a", "format": "mp3"}}),
        ),
        (Api::Chat, json!({"messages": heard})),
        (
            Api::Chat,
            json!({"messages": [{"role": "system", "content": "x"}]}),
        ),
        (Api::Responses, json!({"prompt": {"id": "p"}})),
        (Api::Responses, json!({"top_logprobs": 2})),
        (
            Api::Responses,
            json!({"input": [{"type": "item_reference", "id": "msg_of_the_host"}]}),
        ),
        (Api::Messages, json!({"max_tokens": 0})),
        (Api::Messages, json!({"temperature": 2})),
        (Api::Messages, json!({"thread": {"id": "x"}})),
    ]
}

#[test]
fn a_host_of_the_callers_dialect_gets_what_no_reader_takes() {
    let rig = Rig::new(says);
    for (api, fields) in unread() {
        let body = with(api, &fields);
        for is_streamed in [false, true] {
            let answer = rig.ask(api, api, &body, is_streamed);
            assert_eq!(answer.status, 200, "{fields}: {}", answer.body);
            let mut expected = body.clone();
            expected["model"] = "up".into();
            if is_streamed {
                expected["stream"] = true.into();
            }
            assert_eq!(rig.asked(), expected);
        }
        // Another host's dialect has no place for it, and says so as ever.
        let to = match api {
            Api::Chat => Api::Messages,
            Api::Messages | Api::Responses => Api::Chat,
        };
        let refused = rig.ask(api, to, &body, false);
        assert_eq!(refused.status, 400, "{fields}: {}", refused.body);
    }
}

#[test]
fn a_simulated_host_gets_the_bytes_as_well() {
    let relay = World::scripted("").pool("idle = 0").simulated().start();
    for (api, fields) in unread() {
        let mut body = with(api, &fields);
        let name = match api {
            Api::Messages => "claude-simulated",
            Api::Chat => "gpt-simulated",
            Api::Responses => "gpt-simulated-responses",
        };
        body["model"] = name.into();
        let answer = client::post_to(relay.address, api.path(), &body);
        assert_eq!(answer.status, 200, "{fields}: {}", answer.body);
        assert_eq!(answer.header("x-relay-origin"), "upstream", "{fields}");
    }
}

/// A relay whose models go to these lanes in this order; `http:one` by the adapter behind the mark.
fn bound(host: &Host, models: &[(&str, &[&str])]) -> Relay {
    let world = World::scripted("").pool("idle = 0");
    let mut text = String::new();
    for name in ["one", "two"] {
        text.push_str(&format!(
            "---\nkind: Host\nmetadata: {{ name: {name} }}\nspec: {{ url: \"{}\", network: private, auth: none }}\n",
            host.url()
        ));
    }
    for (model, lanes) in models {
        text.push_str(&format!(
            "---\nkind: Model\nmetadata: {{ name: {model} }}\nspec: {{}}\n"
        ));
        for (order, lane) in (1..).zip(*lanes) {
            let way = match lane.split_once('+') {
                Some((lane, adapter)) => format!("lane: \"{lane}\", adapter: {adapter}"),
                None => format!("lane: \"{lane}\""),
            };
            text.push_str(&format!(
                "---\nkind: Binding\nmetadata: {{ name: {model}{order} }}\n\
                 spec: {{ model: {model}, {way}, upstreamName: up, order: {order} }}\n"
            ));
        }
    }
    world.declare(&text);
    world.start()
}

fn several(relay: &Relay, model: &str) -> Response {
    let body = json!({"model": model, "n": 2, "messages": [{"role": "user", "content": "x"}]});
    client::post_to(relay.address, CHAT, &body)
}

#[test]
fn what_one_way_cannot_serve_goes_the_next_and_where_none_can_the_call_is_refused() {
    let host = Host::answering(says);
    let relay = bound(
        &host,
        &[
            ("after-host", &["http:one+anthropic", "http:one+openai"]),
            ("after-claude", &["claude-pty", "http:one+openai"]),
            ("before", &["http:one+openai", "claude-pty"]),
            ("nowhere", &["http:one+anthropic", "claude-pty"]),
        ],
    );
    for model in ["after-host", "after-claude", "before"] {
        let answer = several(&relay, model);
        assert_eq!(answer.status, 200, "{model}: {}", answer.body);
        assert_eq!(host.asked().pop().expect("it was asked").path(), CHAT);
    }
    let asked = host.asked().len();
    let refused = several(&relay, "nowhere");
    assert_eq!(refused.status, 400, "{}", refused.body);
    assert_eq!(refused.json()["error"]["param"], "n");
    let told = refused.json()["error"]["message"].to_string();
    assert!(
        told.contains("only a host of this API gives several answers"),
        "{told}"
    );
    assert_eq!(host.asked().len(), asked, "nobody was asked");
}

#[test]
fn a_host_that_failed_is_told_and_not_that_another_way_could_not_serve_the_call() {
    let host = Host::answering(|_| api_host::chat_fails(500, "", "server_error", "it broke"));
    let ways: &[&str] = &["http:one+openai", "http:two+anthropic"];
    let relay = bound(&host, &[("m", ways)]);
    let answer = several(&relay, "m");
    assert_eq!(
        (answer.status, answer.header("x-relay-error")),
        (500, "upstream_failed"),
        "{}",
        answer.body
    );
}

/// A call with tools that a host runs, which its response is kept of.
fn searching(fields: &Value) -> Value {
    let mut body = json!({"input": "one", "tools": [{"type": "web_search"}, {"type": "mcp", "server_label": "s"}],
        "truncation": "auto", "max_tool_calls": 3, "include": ["web_search_call.action.sources"]});
    for (name, value) in fields.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body
}

/// The response that a call was answered with, whole or at the end of its stream.
fn response(answer: &Response, is_streamed: bool) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("x-relay-origin"), "upstream");
    if !is_streamed {
        return answer.json();
    }
    let mut frames = answer
        .body
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    let last = frames.find(|data| data.contains("\"response.completed\""));
    let mut last: Value = serde_json::from_str(last.expect("it ends")).expect("it is JSON");
    last["response"].take()
}

#[test]
fn a_response_that_is_kept_passes_as_bytes_too_and_is_gone_on_with() {
    let rig = Rig::new(says);
    for is_streamed in [false, true] {
        let body = searching(&json!({}));
        let first = rig.ask(Api::Responses, Api::Responses, &body, is_streamed);
        let first = response(&first, is_streamed);
        let mut expected = body.clone();
        expected["model"] = "up".into();
        if is_streamed {
            expected["stream"] = true.into();
        }
        assert_eq!(rig.asked(), expected);
        let id = first["id"].as_str().expect("the host's id");
        assert_eq!(rig.relay.get(&format!("/v1/responses/{id}")), first);
        let next = searching(&json!({"input": "two", "previous_response_id": id}));
        let next = rig.ask(Api::Responses, Api::Responses, &next, is_streamed);
        let next = response(&next, is_streamed);
        let asked = rig.asked();
        let input = asked["input"].as_array().expect("it is a list");
        let said: Vec<String> = input
            .iter()
            .map(|item| item["content"].to_string())
            .collect();
        assert!(
            said.len() == 3 && said[0].contains("one") && said[1].contains("told"),
            "{asked}"
        );
        assert!(
            said[2].contains("two") && asked.get("previous_response_id").is_none(),
            "{asked}"
        );
        assert_eq!(asked["tools"], body["tools"]);
        let kept = rig.relay.get(&format!(
            "/v1/responses/{}",
            next["id"].as_str().expect("an id")
        ));
        assert_eq!(kept["previous_response_id"], id);
    }
}

#[test]
fn a_conversation_grows_by_what_passes() {
    let rig = Rig::new(says);
    let made = client::post_to(rig.relay.address, "/v1/conversations", &json!({})).json();
    for (prompt, items) in [("one", 1), ("two", 3)] {
        let body = searching(&json!({"input": prompt, "conversation": made["id"], "store": false}));
        let answer = rig.ask(Api::Responses, Api::Responses, &body, false);
        response(&answer, false);
        assert_eq!(rig.asked()["input"].as_array().map(Vec::len), Some(items));
        assert!(rig.asked().get("conversation").is_none());
    }
    let id = made["id"].as_str().expect("an id");
    let items = rig.relay.get(&format!("/v1/conversations/{id}/items"));
    assert_eq!(items["data"].as_array().map(Vec::len), Some(4), "{items}");
}

/// A call of Responses that goes on in the conversation of this name.
fn named(relay: &Relay, name: &str, body: &Value) -> Response {
    let body = body.to_string();
    let request = format!(
        "POST /v1/responses HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         authorization: Bearer any\r\nx-ir-session-id: {name}\r\ncontent-length: {}\r\n\r\n{body}",
        relay.address,
        body.len()
    );
    client::send(relay.address, request.as_bytes()).whole()
}

#[test]
fn what_a_named_conversation_cannot_say_to_a_host_is_labelled() {
    let rig = Rig::new(says);
    let lost = json!({"metadata": {"k": "v"}, "user": "u", "service_tier": "flex", "prompt_cache_key": "p",
        "zeta": 1, "store": false, "model": "m-responses"});
    for is_stored in [true, false] {
        let mut body = searching(&lost);
        body["store"] = is_stored.into();
        let answer = named(&rig.relay, "n", &body);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let asked = rig.asked();
        let ignored = answer.header("x-relay-ignored").to_owned();
        let ignored: Vec<&str> = ignored.split(',').collect();
        for name in body.as_object().expect("it is an object").keys() {
            let is_said = asked.get(name).is_some();
            let is_labelled = ignored
                .iter()
                .any(|path| path.split('.').next() == Some(name.as_str()));
            assert!(is_said || is_labelled, "{name}: {ignored:?}");
        }
        for tool in ["tools.0", "tools.1"] {
            assert!(
                ignored.iter().any(|path| path.starts_with(tool)),
                "{ignored:?}"
            );
        }
    }
}

#[test]
fn a_response_that_goes_on_without_its_caller_passes_as_bytes_and_is_kept() {
    let rig = Rig::new(says);
    for is_streamed in [false, true] {
        let body = searching(&json!({"background": true, "zeta": 1}));
        let answer = rig.ask(Api::Responses, Api::Responses, &body, is_streamed);
        let told = response(&answer, is_streamed);
        let mut expected = body.clone();
        expected["model"] = "up".into();
        if is_streamed {
            expected["stream"] = true.into();
        }
        let fields = expected.as_object_mut().expect("it is an object");
        fields.remove("background");
        fields.insert(
            "input".into(),
            json!([{"type": "message", "role": "user", "content": "one"}]),
        );
        assert_eq!(rig.asked(), expected);
        assert_eq!(answer.header("x-relay-emulated"), "background");
        let path = format!("/v1/responses/{}", told["id"].as_str().expect("an id"));
        assert_eq!(rig.relay.get(&path)["background"], true);
        let cancelled = client::post_to(rig.relay.address, &format!("{path}/cancel"), &json!({}));
        assert_eq!(cancelled.status, 200, "{}", cancelled.body);
    }
}

#[test]
fn a_call_that_refers_to_an_item_of_a_host_goes_to_no_other_where_that_one_fails() {
    let host = Host::answering(|_| api_host::chat_fails(500, "", "server_error", "it broke"));
    let ways: &[&str] = &["claude-pty", "http:one+responses", "http:two+responses"];
    let relay = bound(&host, &[("m", ways)]);
    let ask = |input: Value| {
        let body = json!({"model": "m", "input": input});
        client::post_to(relay.address, "/v1/responses", &body)
    };
    let answer = ask(json!([{"type": "item_reference", "id": "msg_of_the_host"}]));
    assert_eq!(
        (answer.status, answer.header("x-relay-error")),
        (500, "upstream_failed"),
        "{}",
        answer.body
    );
    assert_eq!(answer.header("x-relay-lane"), "http:one");
    assert!(
        answer.body.contains(
            "it broke. No other lane was asked, because `input` refers to an item that a host keeps"
        ),
        "{}",
        answer.body
    );
}
