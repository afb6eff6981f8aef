//! What a call says, on its way to the model.

use super::answering;
use super::ask;
use super::function;
use super::hello;
use super::plain;
use super::stream;
use super::text;
use super::told_to_host;
use fake_host::Api;
use serde_json::Value;
use serde_json::json;

const PICTURE: &str = "data:image/png;base64,aGVsbG8=";
const PAPER: &str = "data:application/pdf;base64,aGVsbG8=";

fn chat(messages: Value) -> Value {
    json!({"messages": messages, "tools": [function("f")]})
}

fn user(content: Value) -> Value {
    json!({"messages": [{"role": "user", "content": content}]})
}

/// Items in which a tool said this.
fn output(output: Value) -> Value {
    json!({"store": false, "input": [
        {"role": "user", "content": "look"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": output},
    ]})
}

fn kinds(content: &Value) -> Vec<&str> {
    let blocks = content.as_array().into_iter().flatten();
    blocks.filter_map(|block| block["type"].as_str()).collect()
}

/// Row 11.
#[test]
fn a_picture_that_a_tool_gives_stands_in_its_result() {
    let rig = plain();
    let given = json!([{"type": "input_image", "image_url": PICTURE}]);
    let told = told_to_host(&rig, Api::Responses, &output(given));
    let result = &told["messages"][2]["content"][0];
    assert_eq!(
        (&result["type"], kinds(&result["content"])),
        (&json!("tool_result"), vec!["image"])
    );
    let call =
        json!([{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
    let told = told_to_host(
        &rig,
        Api::Chat,
        &chat(json!([
            {"role": "user", "content": "look"},
            {"role": "assistant", "tool_calls": call},
            {"role": "tool", "tool_call_id": "c", "content": [{"type": "image_url", "image_url": {"url": PICTURE}}]},
        ])),
    );
    assert_eq!(
        kinds(&told["messages"][2]["content"][0]["content"]),
        ["image"]
    );
}

/// Row 12.
#[test]
fn an_output_is_a_text_or_a_list_of_parts() {
    let rig = plain();
    let told = told_to_host(&rig, Api::Responses, &output("words".into()));
    assert_eq!(told["messages"][2]["content"][0]["content"], "words");
    let parts = json!([{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": PICTURE},
        {"type": "input_file", "filename": "a.pdf", "file_data": PAPER}]);
    let told = told_to_host(&rig, Api::Responses, &output(parts));
    let content = &told["messages"][2]["content"][0]["content"];
    assert_eq!(kinds(content), ["text", "image", "document"]);
}

/// Row 13.
#[test]
fn a_picture_is_a_picture_and_an_address_of_no_kind_is_refused_by_its_field() {
    let rig = plain();
    let picture = |url: &str| user(json!([{"type": "image_url", "image_url": {"url": url}}]));
    let told = told_to_host(&rig, Api::Chat, &picture(PICTURE));
    assert_eq!(
        told["messages"][0]["content"][0]["source"]["data"],
        "aGVsbG8="
    );
    let refused = ask(&rig, Api::Chat, &picture("ftp://a/b.png"));
    assert_eq!(refused.status, 400);
    let param = refused.json()["error"]["param"].as_str().map(str::to_owned);
    assert!(
        param.is_some_and(|path| path.starts_with("messages.0.content.0.image_url")),
        "{}",
        refused.body
    );
}

/// Row 14.
#[test]
fn a_file_is_a_document_with_its_title_and_others_are_refused_by_their_field() {
    let rig = plain();
    let file = |data: &str| {
        user(json!([{"type": "file", "file": {"filename": "a.pdf", "file_data": data}}]))
    };
    let told = told_to_host(&rig, Api::Chat, &file(PAPER));
    let block = &told["messages"][0]["content"][0];
    assert_eq!(
        (&block["type"], &block["title"]),
        (&json!("document"), &json!("a.pdf"))
    );
    let refused = ask(
        &rig,
        Api::Chat,
        &file("data:application/zip;base64,aGVsbG8="),
    );
    assert_eq!(
        (refused.status, &refused.json()["error"]["param"]),
        (400, &json!("messages.0.content.0.file.file_data"))
    );
}

/// The messages of a conversation in which the assistant said this beside a call.
fn beside_a_call(content: &Value) -> Value {
    let call =
        json!([{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
    chat(json!([
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": content, "tool_calls": call},
        {"role": "tool", "tool_call_id": "c", "content": "1"},
    ]))
}

/// Row 15.
#[test]
fn blank_text_is_left_out_and_nothing_is_put_in_its_place() {
    let rig = plain();
    for blank in [
        json!(""),
        json!(" \n"),
        json!([{"type": "text", "text": ""}]),
    ] {
        let told = told_to_host(&rig, Api::Chat, &beside_a_call(&blank));
        assert_eq!(
            kinds(&told["messages"][1]["content"]),
            ["tool_use"],
            "{blank}"
        );
    }
}

/// Row 16.
#[test]
fn instructions_at_the_head_are_the_systems_and_later_ones_stay_where_they_are() {
    let told = told_to_host(
        &plain(),
        Api::Chat,
        &chat(json!([
            {"role": "system", "content": "one"},
            {"role": "developer", "content": "two"},
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"role": "system", "content": "now"},
            {"role": "user", "content": "c"},
        ])),
    );
    let system: Vec<&Value> = told["system"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|block| &block["text"])
        .collect();
    assert_eq!(system, ["one", "two"]);
    let later = &told["messages"][2]["content"];
    assert!(
        later[0]["text"]
            .as_str()
            .is_some_and(|words| words.contains("now")),
        "{later}"
    );
    assert_eq!(later[1]["text"], "c");
}

/// Row 17.
#[test]
fn neighbours_of_one_role_are_one_message_of_several_blocks() {
    let told = told_to_host(
        &plain(),
        Api::Chat,
        &chat(json!([
            {"role": "user", "content": "a"},
            {"role": "user", "content": "b"},
        ])),
    );
    assert_eq!(told["messages"].as_array().map(Vec::len), Some(1));
    assert_eq!(kinds(&told["messages"][0]["content"]), ["text", "text"]);
}

/// Row 18.
#[test]
fn no_content_beside_calls_is_no_text_however_it_is_written() {
    let rig = plain();
    for nothing in [json!(null), json!([])] {
        let told = told_to_host(&rig, Api::Chat, &beside_a_call(&nothing));
        assert_eq!(
            kinds(&told["messages"][1]["content"]),
            ["tool_use"],
            "{nothing}"
        );
    }
}

/// Row 39.
#[test]
fn marks_of_the_cache_reach_a_host_that_keeps_one_and_are_told_where_none_does() {
    let rig = plain();
    let mark = json!({"type": "ephemeral", "ttl": "1h"});
    let mut tool = function("f");
    tool["cache_control"] = mark.clone();
    let fields = json!({"tools": [function("g"), tool], "messages": [
        {"role": "system", "content": [{"type": "text", "text": "be kind", "cache_control": mark}]},
        {"role": "user", "content": [
            {"type": "text", "text": "a"},
            {"type": "text", "text": "b", "cache_control": mark},
            {"type": "image_url", "image_url": {"url": PICTURE}, "cache_control": mark}]},
        {"role": "assistant", "tool_calls": [
            {"id": "c:1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c:1", "content": "r", "cache_control": mark},
    ]});
    let answer = ask(&rig, Api::Chat, &fields);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("x-relay-ignored"), "none");
    let asked = rig.asked();
    let marked = [
        &asked["tools"][1],
        &asked["system"][0],
        &asked["messages"][0]["content"][1],
        &asked["messages"][0]["content"][2],
        &asked["messages"][2]["content"][0],
    ];
    assert_eq!(
        marked.map(|block| &block["cache_control"]),
        [&mark; 5],
        "{asked}"
    );
    let count = asked.to_string().matches("cache_control").count();
    assert_eq!(count, 5, "no mark of ours: {asked}");
    let fields = json!({"store": false, "input": [{"role": "user", "content": [
        {"type": "input_text", "text": "b", "cache_control": mark}]}]});
    let asked = told_to_host(&rig, Api::Responses, &fields);
    assert_eq!(asked["messages"][0]["content"][0]["cache_control"], mark);
    let lost = json!({"messages": [
        {"role": "user", "content": [{"type": "text", "text": " ", "cache_control": mark},
            {"type": "text", "text": "b"}]}]});
    let answer = ask(&rig, Api::Chat, &lost);
    assert_eq!(answer.header("x-relay-ignored"), "cache_control");
}

/// Row 40.
#[test]
fn an_answer_may_be_as_long_as_its_model_can_unless_somebody_says_less() {
    let rig = plain();
    assert_eq!(
        told_to_host(&rig, Api::Chat, &hello(Api::Chat))["max_tokens"],
        64_000
    );
    for (api, name) in [
        (Api::Chat, "max_tokens"),
        (Api::Chat, "max_completion_tokens"),
        (Api::Responses, "max_output_tokens"),
    ] {
        let mut fields = hello(api);
        fields[name] = 77.into();
        assert_eq!(told_to_host(&rig, api, &fields)["max_tokens"], 77, "{name}");
    }
}

/// Row 41.
#[test]
fn blank_stops_are_left_out_and_told() {
    let rig = plain();
    let mut fields = hello(Api::Chat);
    fields["stop"] = json!(["END", " ", ""]);
    let answer = ask(&rig, Api::Chat, &fields);
    assert!(
        answer.header("x-relay-ignored").contains("stop"),
        "{}",
        answer.body
    );
    assert_eq!(rig.asked()["stop_sequences"], json!(["END"]));
    fields["stop"] = "END".into();
    assert_eq!(
        told_to_host(&rig, Api::Chat, &fields)["stop_sequences"],
        json!(["END"])
    );
}

/// Row 42.
#[test]
fn a_schema_and_tools_stand_in_one_call_and_the_answer_is_its_content() {
    let rig = answering(&[text("{\"a\":1}")], "end_turn");
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
    let mut fields = hello(Api::Chat);
    fields["tools"] = json!([function("f")]);
    fields["response_format"] =
        json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}});
    let chunks = stream(&rig, Api::Chat, &fields);
    let told: String = super::deltas(&chunks, "content")
        .into_iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(told, "{\"a\":1}");
    assert_eq!(
        chunks.last().expect("chunks")["choices"][0]["finish_reason"],
        "stop"
    );
    let asked = rig.asked();
    let format = &asked["output_config"]["format"];
    assert_eq!(
        (&format["type"], &format["schema"]["additionalProperties"]),
        (&json!("json_schema"), &json!(false))
    );
    assert_eq!(asked["tools"][0]["name"], "f");
}

/// Row 43.
#[test]
fn what_cannot_be_had_is_refused_and_what_nobody_hears_is_told() {
    let rig = plain();
    for (name, value) in [("n", json!(2)), ("logprobs", json!(true))] {
        let mut fields = hello(Api::Chat);
        fields[name] = value;
        let refused = ask(&rig, Api::Chat, &fields);
        assert_eq!(
            (refused.status, &refused.json()["error"]["param"]),
            (400, &json!(name))
        );
    }
    let mut fields = hello(Api::Chat);
    fields["seed"] = 7.into();
    assert_eq!(
        ask(&rig, Api::Chat, &fields).header("x-relay-ignored"),
        "seed"
    );
}

/// Row 44.
#[test]
fn the_answer_names_the_model_that_was_asked_for_and_an_unknown_one_is_a_404() {
    let rig = plain();
    for api in [Api::Chat, Api::Responses] {
        assert_eq!(ask(&rig, api, &hello(api)).json()["model"], "m-messages");
    }
    let mut fields = hello(Api::Chat);
    fields["model"] = "nobody".into();
    let refused =
        super::super::support::client::post_to(rig.relay.address, Api::Chat.path(), &fields);
    assert_eq!(
        (refused.status, &refused.json()["error"]["code"]),
        (404, &json!("model_unknown"))
    );
}
