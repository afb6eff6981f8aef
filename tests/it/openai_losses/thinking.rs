//! Thinking, whole and in its place, on both ways.

use super::answering;
use super::ask;
use super::call;
use super::hello;
use super::of_kind;
use super::plain;
use super::redacted;
use super::stream;
use super::text;
use super::thought;
use super::told_to_host;
use fake_host::Api;
use serde_json::Value;
use serde_json::json;

/// The items of an answer, and a call that goes on with them.
fn going_on(items: &[Value], more: &[Value]) -> Value {
    let mut input = vec![json!({"role": "user", "content": "hello"})];
    input.extend(items.iter().chain(more).cloned());
    json!({"store": false, "include": ["reasoning.encrypted_content"], "input": input})
}

fn items(answer: &Value) -> Vec<Value> {
    answer["output"].as_array().cloned().unwrap_or_default()
}

fn output() -> Value {
    json!({"type": "function_call_output", "call_id": "toolu_1", "output": "1"})
}

/// Row 19.
#[test]
fn thinking_without_words_keeps_its_signature() {
    let rig = answering(
        &[thought("", "sig+/=é"), call("toolu_1", &["{}"])],
        "tool_use",
    );
    let first = ask(&rig, Api::Responses, &hello(Api::Responses)).json();
    let told = told_to_host(&rig, Api::Responses, &going_on(&items(&first), &[output()]));
    let block = &told["messages"][1]["content"][0];
    assert_eq!(
        *block,
        json!({"type": "thinking", "thinking": "", "signature": "sig+/=é"})
    );
}

/// Row 19.
#[test]
fn a_chat_client_that_keeps_only_its_calls_gets_its_thinking_back() {
    let rig = answering(
        &[thought("why", "sig"), call("toolu_1", &["{}"])],
        "tool_use",
    );
    let first = ask(&rig, Api::Chat, &hello(Api::Chat)).json();
    let calls = first["choices"][0]["message"]["tool_calls"].clone();
    let fields = json!({"messages": [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": null, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "toolu_1", "content": "1"},
    ]});
    let told = told_to_host(&rig, Api::Chat, &fields);
    assert_eq!(told["messages"][1]["content"][0]["signature"], "sig");
}

/// Rows 20 and 22.
#[test]
fn several_blocks_of_thinking_come_back_as_they_were_and_where_they_were() {
    let said = [
        thought("one", "s1"),
        redacted("hidden"),
        thought("two", "s2"),
        text("so"),
        call("toolu_1", &["{}"]),
    ];
    let rig = answering(&said, "tool_use");
    let first = ask(&rig, Api::Responses, &hello(Api::Responses)).json();
    let told = told_to_host(&rig, Api::Responses, &going_on(&items(&first), &[output()]));
    assert_eq!(
        told["messages"][1]["content"],
        json!([
            {"type": "thinking", "thinking": "one", "signature": "s1"},
            {"type": "redacted_thinking", "data": "hidden"},
            {"type": "thinking", "thinking": "two", "signature": "s2"},
            {"type": "text", "text": "so"},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
        ])
    );
}

/// Rows 21 and 23.
#[test]
fn thinking_of_another_maker_is_neither_sent_nor_said() {
    let rig = plain();
    for item in [
        json!({"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAAAAB", "summary": [{"type": "summary_text", "text": "SECRET"}]}),
        json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "SECRET"}]}),
    ] {
        let fields = going_on(&[item], &[json!({"role": "user", "content": "go on"})]);
        let answer = ask(&rig, Api::Responses, &fields);
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(
            answer.header("x-relay-ignored").contains("input.1."),
            "{}",
            answer.header("x-relay-ignored")
        );
        assert!(!rig.asked().to_string().contains("SECRET"));
    }
}

/// Row 24.
#[test]
fn an_item_with_its_content_needs_nobody_who_knows_its_id() {
    let rig = answering(&[thought("why", "sig"), text("so")], "end_turn");
    let first = ask(&rig, Api::Responses, &hello(Api::Responses)).json();
    let mut kept = items(&first);
    kept[0]["id"] = "rs_nobody_knows_it".into();
    let fields = going_on(&kept, &[json!({"role": "user", "content": "go on"})]);
    let told = told_to_host(&rig, Api::Responses, &fields);
    assert_eq!(told["messages"][1]["content"][0]["signature"], "sig");
}

/// Rows 25, 45 and 46.
#[test]
fn items_are_open_one_at_a_time_and_keep_their_place_and_id() {
    let said = [
        thought("why", "s"),
        text("so"),
        call("toolu_1", &["{}"]),
        call("toolu_2", &["{}"]),
    ];
    let events = stream(
        &answering(&said, "tool_use"),
        Api::Responses,
        &hello(Api::Responses),
    );
    let mut open: Option<(Value, Value)> = None;
    let (mut places, mut ids) = (Vec::new(), Vec::new());
    for event in &events {
        match event["type"].as_str().expect("a type") {
            "response.output_item.added" => {
                assert_eq!(open, None, "one at a time");
                places.push(event["output_index"].clone());
                ids.push(event["item"]["id"].clone());
                open = Some((event["output_index"].clone(), event["item"]["id"].clone()));
            }
            "response.output_item.done" => {
                let (place, id) = open.take().expect("it was added");
                assert_eq!(
                    (&event["output_index"], &event["item"]["id"]),
                    (&place, &id)
                );
            }
            _ if event.get("item_id").is_some() => {
                let (place, id) = open.clone().expect("it is within an item");
                assert_eq!((&event["output_index"], &event["item_id"]), (&place, &id));
            }
            _ => {}
        }
    }
    assert_eq!(places, [json!(0), json!(1), json!(2), json!(3)]);
    let whole = &of_kind(&events, "response.completed")[0]["response"]["output"];
    let told: Vec<Value> = whole
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| item["id"].clone())
        .collect();
    assert_eq!(told, ids);
}

/// Row 27.
#[test]
fn thinking_is_told_to_chat_by_the_name_that_most_clients_read() {
    let rig = answering(&[thought("why", "s"), text("so")], "end_turn");
    let chunks = stream(&rig, Api::Chat, &hello(Api::Chat));
    assert_eq!(super::deltas(&chunks, "reasoning_content"), [&json!("why")]);
    let whole = ask(&rig, Api::Chat, &hello(Api::Chat)).json();
    assert_eq!(whole["choices"][0]["message"]["reasoning_content"], "why");
    for name in ["reasoning_content", "reasoning"] {
        let fields = json!({"messages": [{"role": "user", "content": "a"},
            {"role": "assistant", "content": "b", name: "why"}, {"role": "user", "content": "c"}]});
        let told = told_to_host(&rig, Api::Chat, &fields);
        assert!(
            !told.to_string().contains("why"),
            "words alone are no thinking: {told}"
        );
    }
}
