//! What becomes of each field and each item of a call of Responses.

use super::*;
use crate::turn::Block;
use crate::turn::Role;
use serde_json::json;

fn echo(call: &Call) -> Value {
    let written = call.wish.echo.written();
    serde_json::from_str(&format!("{{{}}}", &written[1..])).expect("JSON")
}

fn draft(fields: Value) -> Draft {
    let mut body = json!({"model": "m", "input": "hi"});
    for (name, value) in fields.as_object().expect("fields") {
        body[name] = value.clone();
    }
    Draft::read(body.to_string().as_bytes()).expect("the body is good")
}

fn read(fields: Value) -> Result<Call, Fault> {
    draft(fields).call(&[], false)
}

fn request(fields: Value) -> Request {
    read(fields).expect("the call is good").request
}

fn refusal(fields: Value) -> String {
    read(fields).expect_err("it is refused").public
}

#[test]
fn a_text_and_instructions_are_a_call() {
    let call = read(
        json!({"instructions": "Be terse.", "max_output_tokens": 400, "metadata": {"k": "v"}}),
    )
    .expect("good");
    assert_eq!(call.request.system, ["Be terse."]);
    assert_eq!(call.request.messages[0].blocks, [Block::Text("hi".into())]);
    assert_eq!(call.request.sampling.max_tokens, Some(400));
    assert_eq!(echo(&call)["metadata"], json!({"k": "v"}));
    assert_eq!(echo(&call)["text"], json!({"format": {"type": "text"}}));
    assert!(call.request.ignored.is_empty() && call.request.emulated.is_empty());
}

#[test]
fn the_last_message_is_known_by_its_place_in_the_call() {
    assert_eq!(request(json!({})).last_at, "input");
    let items = json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]);
    assert_eq!(request(json!({ "input": items })).last_at, "input.1");
}

#[test]
fn items_are_a_conversation_with_calls_and_results() {
    let request = request(json!({"input": [
        {"role": "developer", "content": "a"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Looking."}]},
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{\"a\":1}"},
        {"type": "function_call", "call_id": "c2", "name": "f", "arguments": ""},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_image", "image_url": "https://example.com/a"}]},
        {"type": "function_call_output", "call_id": "c1", "output": "1"},
    ]}));
    assert_eq!(request.system, ["a"]);
    let roles: Vec<Role> = request
        .messages
        .iter()
        .map(|message| message.role)
        .collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::User]);
    let call = request.messages[1].blocks[1].call().expect("a call");
    assert_eq!(
        (call.id, call.name, call.input),
        ("c1", "f", &json!({"a": 1}))
    );
    let results = &request.messages[2].blocks;
    assert_eq!(
        (results[0].result_of(), results[1].result_of()),
        (Some("c1"), Some("c2"))
    );
    assert_eq!(
        results[1].json().expect("a result")["content"][0]["type"],
        "image"
    );
}

#[test]
fn thinking_goes_back_whole_and_foreign_thinking_does_not() {
    let block = json!({"type": "thinking", "thinking": "", "signature": "s"});
    let kept = crate::wire::openai::responses::thought::wrap(&block);
    let with = |reasoning: Value| {
        request(json!({"input": [
            {"role": "user", "content": "a"}, reasoning,
            {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]}))
    };
    let ours =
        with(json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": kept}));
    assert_eq!(
        ours.messages[1].blocks,
        [Block::of(block), Block::Text("b".into())]
    );
    let foreign = with(
        json!({"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}],
        "encrypted_content": "gAAAA"}),
    );
    assert_eq!(foreign.messages[1].blocks, [Block::Text("b".into())]);
    assert_eq!(foreign.ignored, ["input.1.encrypted_content"]);
    assert_eq!(
        with(json!({"type": "reasoning", "summary": []})).ignored,
        ["input.1.reasoning"]
    );
}

#[test]
fn free_text_namespaces_and_the_shell_come_back_under_their_tools_names() {
    let request = request(json!({"input": [
        {"role": "user", "content": "go"},
        {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": "a\nb"},
        {"type": "function_call", "call_id": "c2", "name": "spawn", "namespace": "agents", "arguments": "{}"},
        {"type": "local_shell_call", "call_id": "c3", "status": "completed",
         "action": {"type": "exec", "command": ["ls"], "env": {}, "user": null}},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "ok"},
        {"type": "function_call_output", "call_id": "c2", "output": "ok"},
        {"type": "local_shell_call_output", "id": "c3", "output": "ok"},
    ]}));
    let calls: Vec<_> = request.messages[1]
        .blocks
        .iter()
        .filter_map(Block::call)
        .collect();
    assert_eq!(calls[0].input, &json!({"input": "a\nb"}));
    assert_eq!(calls[1].name, "agents__spawn");
    assert_eq!(
        (calls[2].name, calls[2].input),
        ("local_shell", &json!({"command": ["ls"], "env": {}}))
    );
}

#[test]
fn what_a_host_did_is_left_out_and_told_and_an_unknown_item_is_refused() {
    let request = request(
        json!({"input": [{"role": "user", "content": "a"}, {"type": "web_search_call", "id": "ws_1"}]}),
    );
    assert_eq!(request.ignored, ["input.1.web_search_call"]);
    assert!(refusal(json!({"input": [{"type": "new_item"}]})).starts_with("input.0.type: "));
}

#[test]
fn what_was_said_before_stands_before() {
    let before = [
        json!({"role": "user", "content": "a"}),
        json!({"role": "assistant", "content": "b"}),
    ];
    let draft = draft(json!({"previous_response_id": "resp_1"}));
    assert_eq!(draft.before(), Ok(Before::Response("resp_1".into())));
    let call = draft.call(&before, false).expect("good");
    assert_eq!(call.request.messages.len(), 3);
    assert_eq!(echo(&call)["previous_response_id"], "resp_1");
    assert!(!draft.is_alone());
}

#[test]
fn a_call_leans_on_one_thing_at_most() {
    let both = draft(json!({"previous_response_id": "resp_1", "conversation": "conv_1"}));
    assert!(both.before().is_err());
    let conversation = draft(json!({"conversation": {"id": "conv_1"}}));
    assert_eq!(
        conversation.before(),
        Ok(Before::Conversation("conv_1".into()))
    );
    assert_eq!(draft(json!({})).before(), Ok(Before::Nothing));
}

#[test]
fn a_reference_becomes_its_item_or_is_refused() {
    let mut draft =
        draft(json!({"input": [{"type": "item_reference", "id": "msg_1"}, {"id": "msg_2"}]}));
    assert_eq!(draft.references(), ["msg_1", "msg_2"]);
    let found = draft.resolve(|id| Some(json!({"role": "user", "content": id})));
    assert_eq!(found, Ok(()));
    assert_eq!(draft.into_input()[1]["content"], "msg_2");
    let mut unknown =
        super::tests::draft(json!({"input": [{"type": "item_reference", "id": "x"}]}));
    let fault = unknown.resolve(|_| None).expect_err("nobody knows it");
    assert!(fault.public.starts_with("input.0: "), "{}", fault.public);
}

#[test]
fn answers_are_kept_unless_somebody_says_otherwise() {
    assert_eq!(draft(json!({})).is_stored(), Ok(true));
    assert_eq!(draft(json!({"store": false})).is_stored(), Ok(false));
    assert!(draft(json!({"store": 1})).is_stored().is_err());
}

#[test]
fn forms_effort_and_tools_are_read() {
    let schema = json!({"type": "object", "additionalProperties": false});
    let request = request(json!({
        "text": {"format": {"type": "json_schema", "name": "n", "schema": schema}, "verbosity": "low"},
        "reasoning": {"effort": "low", "summary": "auto"},
        "tools": [{"type": "function", "name": "f"}, {"type": "web_search"}],
        "tool_choice": "auto",
        "parallel_tool_calls": false,
    }));
    let config = &request.sampling.verbatim["output_config"];
    assert_eq!(
        (&config["effort"], &config["format"]["schema"]),
        (&json!("low"), &schema)
    );
    assert_eq!(
        request.tool_choice.expect("one at a time").one_at_a_time,
        Some(true)
    );
    assert_eq!(request.ignored, ["tools.1.web_search", "text.verbosity"]);
}

#[test]
fn a_wish_to_read_along_is_a_wish_for_thought() {
    let thinks = |fields| request(fields).sampling.thinks();
    assert!(thinks(json!({"reasoning": {"summary": "auto"}})));
    assert!(!thinks(json!({"reasoning": {"effort": null}})));
    assert!(!thinks(
        json!({"reasoning": {"effort": "none", "summary": "auto"}})
    ));
}

#[test]
fn what_cannot_be_had_is_refused_by_name_and_what_nobody_hears_is_told() {
    assert!(refusal(json!({"top_logprobs": 2})).starts_with("top_logprobs: "));
    assert!(refusal(json!({"prompt": {"id": "p"}})).starts_with("prompt: "));
    assert!(refusal(json!({"input": []})).starts_with("input: "));
    let told = request(
        json!({"truncation": "auto", "background": true, "include": ["message.output_text.logprobs"],
        "max_tool_calls": 3, "user": "u", "prompt_cache_key": "k", "service_tier": "flex"}),
    );
    assert_eq!(told.ignored, ["truncation", "include", "max_tool_calls"]);
    assert_eq!(told.emulated, ["background"]);
}

#[test]
fn what_include_asks_for_and_is_not_given_is_told() {
    let told =
        |wish: &str| request(json!({"include": ["reasoning.encrypted_content", wish]})).ignored;
    for wish in [
        "message.output_text.logprobs",
        "web_search_call.action.sources",
        "file_search_call.results",
        "code_interpreter_call.outputs",
        "computer_call_output.output.image_url",
        "whatever_comes",
    ] {
        assert_eq!(told(wish), ["include"], "{wish}");
    }
    assert_eq!(told("message.input_image.image_url"), [""; 0]);
}

#[test]
fn a_call_alone_says_what_it_leaned_on() {
    let ours = super::super::thought::wrap(&json!({"type": "redacted_thinking", "data": "d"}));
    let before = [
        json!({"id": "msg_1", "type": "message", "role": "user", "content": "one"}),
        json!({"id": "rs_1", "type": "reasoning", "summary": []}),
        json!({"id": "rs_2", "type": "reasoning", "summary": [], "encrypted_content": ours}),
        json!({"id": "rs_3", "type": "reasoning", "summary": [], "encrypted_content": "gA"}),
        json!({"id": "ws_1", "type": "web_search_call", "status": "completed"}),
        json!({"id": "fc_1", "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}),
        json!({"id": "mcpr_1", "type": "mcp_approval_request", "name": "f"}),
    ];
    let draft = draft(json!({
        "previous_response_id": "resp_1", "truncation": "auto", "tools": [{"type": "web_search"}],
        "input": [{"type": "item_reference", "id": "msg_of_the_host"}, {"role": "user", "content": "two"}],
    }));
    let alone: Value = serde_json::from_str(&draft.alone(&before)).expect("it is JSON");
    assert_eq!(
        alone,
        json!({"model": "m", "truncation": "auto", "tools": [{"type": "web_search"}], "input": [
            {"type": "message", "role": "user", "content": "one"},
            {"type": "reasoning", "summary": [], "encrypted_content": "gA"},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"id": "mcpr_1", "type": "mcp_approval_request", "name": "f"},
            {"type": "item_reference", "id": "msg_of_the_host"},
            {"role": "user", "content": "two"},
        ]})
    );
}
