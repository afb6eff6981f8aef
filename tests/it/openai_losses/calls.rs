//! Calls of tools and their results.

use super::answering;
use super::ask;
use super::call;
use super::deltas;
use super::function;
use super::hello;
use super::of_kind;
use super::plain;
use super::stream;
use super::text;
use super::thought;
use super::told_to_host;
use crate::translation::Rig;
use fake_host::Api;
use serde_json::Value;
use serde_json::json;

/// A call whose tools these are.
fn with_tools(api: Api, tools: Value) -> Value {
    let mut fields = hello(api);
    fields["tools"] = tools;
    fields
}

/// What each call of a stream was told to have as arguments, by its index.
fn arguments(chunks: &[Value]) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for delta in deltas(chunks, "tool_calls") {
        let call = &delta[0];
        let index = usize::try_from(call["index"].as_u64().expect("an index")).expect("small");
        if call.get("id").is_some() {
            assert_eq!(told.len(), index, "each begins one further");
            told.push(String::new());
        }
        told[index].push_str(call["function"]["arguments"].as_str().unwrap_or_default());
    }
    told
}

/// A conversation of chat in which the assistant made these calls.
fn called(ids: &[&str], after: &[Value]) -> Value {
    let call = |id: &&str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": ""}});
    let calls: Vec<Value> = ids.iter().map(call).collect();
    let mut messages = vec![
        json!({"role": "user", "content": "go"}),
        json!({"role": "assistant", "content": null, "tool_calls": calls}),
    ];
    messages.extend(after.iter().cloned());
    json!({ "messages": messages, "tools": [function("f")] })
}

fn result(id: &str, said: &str) -> Value {
    json!({"role": "tool", "tool_call_id": id, "content": said})
}

fn blocks(message: &Value) -> &[Value] {
    message["content"].as_array().map_or(&[], Vec::as_slice)
}

fn kinds(message: &Value) -> Vec<&str> {
    let kinds = blocks(message).iter();
    kinds.filter_map(|block| block["type"].as_str()).collect()
}

fn parallel() -> Rig {
    let first = call("toolu_1", &["{\"a\"", ":1}"]);
    let second = call("toolu_2", &["{\"b\":2}"]);
    answering(
        &[thought("hm", "s"), text("both"), first, second],
        "tool_use",
    )
}

/// Row 1.
#[test]
fn parallel_calls_have_indexes_of_their_own() {
    let chunks = stream(
        &parallel(),
        Api::Chat,
        &with_tools(Api::Chat, json!([function("f")])),
    );
    assert_eq!(arguments(&chunks), ["{\"a\":1}", "{\"b\":2}"]);
}

/// Row 2.
#[test]
fn an_index_counts_calls_and_not_blocks() {
    let chunks = stream(
        &parallel(),
        Api::Chat,
        &with_tools(Api::Chat, json!([function("f")])),
    );
    assert_eq!(deltas(&chunks, "tool_calls")[0][0]["index"], 0);
}

/// Row 3.
#[test]
fn a_call_without_parameters_has_an_empty_object_both_ways() {
    let rig = answering(&[call("toolu_1", &[])], "tool_use");
    let chunks = stream(&rig, Api::Chat, &hello(Api::Chat));
    assert_eq!(arguments(&chunks), ["{}"]);
    let events = stream(&rig, Api::Responses, &hello(Api::Responses));
    let done = of_kind(&events, "response.function_call_arguments.done");
    assert_eq!(done[0]["arguments"], "{}");
    let told = told_to_host(&rig, Api::Chat, &called(&["c"], &[result("c", "1")]));
    assert_eq!(blocks(&told["messages"][1])[0]["input"], json!({}));
}

/// Row 4.
#[test]
fn the_input_of_a_block_that_begins_is_not_told() {
    let rig = answering(&[call("toolu_1", &["{\"a\":1}"])], "tool_use");
    let chunks = stream(&rig, Api::Chat, &hello(Api::Chat));
    assert_eq!(arguments(&chunks), ["{\"a\":1}"]);
    assert_eq!(
        deltas(&chunks, "tool_calls")[0][0]["function"]["arguments"],
        ""
    );
}

/// Row 5.
#[test]
fn ids_of_other_makers_are_replaced_alike_on_call_and_result() {
    let (rig, long) = (plain(), "x".repeat(85));
    for (id, is_kept) in [
        ("call_A-1", true),
        ("Bash:0", false),
        ("a\nb", false),
        (&long, false),
    ] {
        let told = told_to_host(&rig, Api::Chat, &called(&[id], &[result(id, "1")]));
        let given = blocks(&told["messages"][1])[0]["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        assert_eq!(blocks(&told["messages"][2])[0]["tool_use_id"], given);
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        assert!(given.chars().all(fits) && given.len() <= 64, "{given}");
        assert_eq!(given == id, is_kept, "{id}");
    }
}

/// Row 6.
#[test]
fn results_are_one_message_and_stand_before_its_words() {
    let after = [
        result("b", "2"),
        result("a", "1"),
        json!({"role": "user", "content": "and?"}),
    ];
    let told = told_to_host(&plain(), Api::Chat, &called(&["a", "b"], &after));
    assert_eq!(told["messages"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        kinds(&told["messages"][2]),
        ["tool_result", "tool_result", "text"]
    );
}

/// Row 7.
#[test]
fn a_host_of_chat_gets_results_before_the_users_words() {
    let rig = Rig::new(|asked| {
        super::super::translation::told(asked, &fake_host::Answer::text("up", "x", <_>::default()))
    });
    let said = json!([{"type": "tool_result", "tool_use_id": "t", "content": "1"}, {"type": "text", "text": "and?"}]);
    let body = json!({"max_tokens": 9, "tools": [{"name": "f", "input_schema": {"type": "object"}}], "messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
        {"role": "user", "content": said}]});
    assert_eq!(rig.ask(Api::Messages, Api::Chat, &body, false).status, 200);
    let asked = rig.asked();
    let roles: Vec<&Value> = asked["messages"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|m| &m["role"])
        .collect();
    assert_eq!(roles, ["user", "assistant", "tool", "user"]);
}

/// Row 8.
#[test]
fn each_choice_of_tools_has_its_own_word() {
    let rig = plain();
    for (choice, several, expected) in [
        (
            json!("auto"),
            Some(false),
            json!({"type": "auto", "disable_parallel_tool_use": true}),
        ),
        (json!("none"), None, json!({"type": "none"})),
        (json!("required"), None, json!({"type": "any"})),
        (
            json!({"type": "function", "function": {"name": "f"}}),
            None,
            json!({"type": "tool", "name": "f"}),
        ),
    ] {
        let mut fields = with_tools(Api::Chat, json!([function("f")]));
        fields["tool_choice"] = choice;
        if let Some(several) = several {
            fields["parallel_tool_calls"] = several.into();
        }
        assert_eq!(
            told_to_host(&rig, Api::Chat, &fields)["tool_choice"],
            expected
        );
    }
    let mut fields = with_tools(Api::Chat, json!([function("f")]));
    fields["tool_choice"] = json!({"type": "function", "function": {"name": "g"}});
    assert_eq!(ask(&rig, Api::Chat, &fields).status, 400);
}

/// Row 9.
#[test]
fn an_answer_that_calls_ends_in_calls_whatever_its_host_says() {
    let rig = answering(&[call("toolu_1", &["{}"])], "end_turn");
    let whole = ask(&rig, Api::Chat, &hello(Api::Chat)).json();
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
    let chunks = stream(&rig, Api::Chat, &hello(Api::Chat));
    let last = chunks.last().expect("there are chunks");
    assert_eq!(last["choices"][0]["finish_reason"], "tool_calls");
}

/// Row 10.
#[test]
fn the_role_stands_in_the_first_chunk_and_nowhere_else() {
    let chunks = stream(&parallel(), Api::Chat, &hello(Api::Chat));
    let first = &chunks[0]["choices"][0]["delta"];
    assert_eq!(
        (&first["role"], &first["content"]),
        (&json!("assistant"), &json!(""))
    );
    assert_eq!(deltas(&chunks, "role").len(), 1);
}

/// Row 47.
#[test]
fn free_text_goes_to_the_model_as_a_function_and_comes_back_as_it_is() {
    let patch = "*** Begin Patch\n+\"é\"\t\\n\n";
    let input = json!({ "input": patch }).to_string();
    let (first, rest) = input.split_at(30);
    let rig = answering(&[call("toolu_1", &[first, rest])], "tool_use");
    let grammar = json!({"type": "grammar", "syntax": "lark", "definition": "start: LINE"});
    let tool = json!({"type": "custom", "name": "f", "description": "Edits.", "format": grammar});
    let mut fields = with_tools(Api::Responses, json!([tool]));
    let events = stream(&rig, Api::Responses, &fields);
    let pieces = of_kind(&events, "response.custom_tool_call_input.delta");
    let told: String = pieces
        .iter()
        .filter_map(|event| event["delta"].as_str())
        .collect();
    assert_eq!(told, patch);
    let done = of_kind(&events, "response.output_item.done")[0]["item"].clone();
    assert_eq!(
        (&done["type"], &done["input"]),
        (&json!("custom_tool_call"), &json!(patch))
    );
    let offered = rig.asked()["tools"][0].clone();
    assert!(
        offered["description"]
            .as_str()
            .is_some_and(|words| words.contains("start: LINE"))
    );
    fields["input"] = json!([{"role": "user", "content": "go"}, done,
        {"type": "custom_tool_call_output", "call_id": "toolu_1", "output": "Done"}]);
    let told = told_to_host(&rig, Api::Responses, &fields);
    assert_eq!(
        blocks(&told["messages"][1])[0]["input"],
        json!({ "input": patch })
    );
    assert_eq!(kinds(&told["messages"][2]), ["tool_result"]);
}

/// Row 48.
#[test]
fn tools_of_a_namespace_reach_the_model_and_are_called_by_their_own_name() {
    let start = json!({"type": "tool_use", "id": "toolu_1", "name": "files__read", "input": {}});
    let rig = answering(&[(start, vec![])], "tool_use");
    let inner = json!({"type": "function", "name": "read", "parameters": {"type": "object"}});
    let tools =
        json!([{"type": "namespace", "name": "files", "description": "d", "tools": [inner]}]);
    let events = stream(&rig, Api::Responses, &with_tools(Api::Responses, tools));
    assert_eq!(rig.asked()["tools"][0]["name"], "files__read");
    let item = &of_kind(&events, "response.output_item.done")[0]["item"];
    assert_eq!(
        (&item["name"], &item["namespace"]),
        (&json!("read"), &json!("files"))
    );
}

/// Row 50.
#[test]
fn a_hosted_tool_is_left_out_with_its_label_and_refused_where_it_must_be_called() {
    let rig = plain();
    let mut fields = with_tools(Api::Responses, json!([{"type": "web_search"}]));
    let answer = ask(&rig, Api::Responses, &fields);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.header("x-relay-ignored").contains("web_search"));
    assert_eq!(rig.asked().get("tools"), None);
    fields["tool_choice"] = json!({"type": "web_search"});
    let refused = ask(&rig, Api::Responses, &fields);
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["error"]["param"], "tool_choice");
}
