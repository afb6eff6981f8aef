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
    let mut text = format!(
        "kind: Host\nmetadata: {{ name: one }}\nspec: {{ url: \"{}\", network: private, auth: none }}\n",
        host.url()
    );
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
        told.contains("this relay gives one answer a call"),
        "{told}"
    );
    assert_eq!(host.asked().len(), asked, "nobody was asked");
}
