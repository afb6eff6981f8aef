//! The API's rules, one by one, and that nothing a caller sends can make them panic.

use super::*;
use crate::turn::Block;
use crate::turn::FaultKind;
use crate::turn::Message;
use crate::turn::ToolRule;
use proptest::prelude::*;
use serde_json::json;

const OLD: Version = Version::V2023_06_01;
const NEW: Version = Version::V2026_10_21;

fn read(value: &Value) -> Result<Call, Fault> {
    call(value.to_string().as_bytes(), OLD)
}

/// A good call with some fields set; a field set to `"-"` is taken out.
fn with(fields: &Value) -> Value {
    let mut body = json!({ "model": "m", "max_tokens": 10, "messages": [{ "role": "user", "content": "hi" }] });
    for (name, value) in fields.as_object().expect("fields are an object") {
        if value == "-" {
            body.as_object_mut()
                .expect("a body is an object")
                .remove(name);
        } else {
            body[name.as_str()] = value.clone();
        }
    }
    body
}

fn refusal(version: Version, fields: Value) -> String {
    let fault =
        call(with(&fields).to_string().as_bytes(), version).expect_err("this call is wrong");
    assert_eq!(fault.kind, FaultKind::InvalidRequest);
    fault.public
}

/// The refusal of a call whose messages are these.
fn talk(messages: Value) -> String {
    refusal(OLD, json!({ "messages": messages }))
}

/// The refusal of a call whose only message has this block.
fn user_block(block: Value) -> String {
    talk(json!([{ "role": "user", "content": [block] }]))
}

#[test]
fn results_may_come_alone_where_their_calls_are_known() {
    let result = json!({"type": "tool_result", "tool_use_id": "t"});
    let body = |messages: Value| {
        let fields = json!({"model": "m", "max_tokens": 9, "messages": messages});
        fields.to_string().into_bytes()
    };
    let alone = body(json!([{"role": "user", "content": [result]}]));
    assert!(call(&alone, OLD).is_err());
    assert!(call_going_on(&alone, OLD).is_ok());
    let late = body(json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": [result]},
    ]));
    assert!(call_going_on(&late, OLD).is_err());
}

#[test]
fn a_plain_call_is_read() {
    let body = json!({
        "model": "claude-x", "max_tokens": 5, "stream": true, "system": [{ "type": "text", "text": "be brief",
        "cache_control": { "type": "ephemeral" } }], "temperature": 0.5, "top_p": 1, "top_k": 3,
        "stop_sequences": ["END"], "metadata": { "user_id": "u" },
        "messages": [{ "role": "user", "content": "\thi\u{1b}[0m\n" }],
    });
    let call = read(&body).expect("the call is good");
    assert!(call.stream);
    assert_eq!(call.request.model, "claude-x");
    assert_eq!(call.request.system, ["be brief"]);
    assert_eq!(
        call.request.prompt().and_then(Message::sole_text),
        Some("\thi\u{1b}[0m\n")
    );
    assert_eq!(
        call.request.sampling,
        Sampling {
            max_tokens: Some(5),
            stop_sequences: vec!["END".into()],
            temperature: Some(0.5),
            top_p: Some(1.0),
            top_k: Some(3),
            thinking: None,
            verbatim: Map::new(),
        }
    );
    assert!(call.request.ignored.is_empty());
}

#[test]
fn what_is_missing_or_of_another_kind_is_named_by_its_path() {
    let cases = [
        (json!({ "model": "-" }), "model: Field required"),
        (
            json!({ "model": 3 }),
            "model: Input should be a valid string",
        ),
        (
            json!({ "model": "" }),
            "model: String should have at least 1 character",
        ),
        (json!({ "max_tokens": "-" }), "max_tokens: Field required"),
        (
            json!({ "max_tokens": 0 }),
            "max_tokens: Input should be greater than or equal to 1",
        ),
        (
            json!({ "max_tokens": -5 }),
            "max_tokens: Input should be greater than or equal to 0",
        ),
        (
            json!({ "max_tokens": 1.0 }),
            "max_tokens: Input should be a valid integer",
        ),
        (
            json!({ "max_tokens": 1e300 }),
            "max_tokens: Input should be a valid integer",
        ),
        (
            json!({ "max_tokens": "10" }),
            "max_tokens: Input should be a valid integer",
        ),
        (json!({ "messages": "-" }), "messages: Field required"),
        (
            json!({ "messages": {} }),
            "messages: Input should be a valid list",
        ),
        (
            json!({ "messages": [] }),
            "messages: at least one message is required",
        ),
        (
            json!({ "messages": ["hi"] }),
            "messages.0: Input should be an object",
        ),
        (
            json!({ "stream": "yes" }),
            "stream: Input should be a valid boolean",
        ),
        (
            json!({ "temperature": 1.1 }),
            "temperature: Input should be less than or equal to 1",
        ),
        (
            json!({ "temperature": -0.1 }),
            "temperature: Input should be greater than or equal to 0",
        ),
        (
            json!({ "top_p": "1" }),
            "top_p: Input should be a valid number",
        ),
        (
            json!({ "top_k": -1 }),
            "top_k: Input should be greater than or equal to 0",
        ),
        (
            json!({ "stop_sequences": "END" }),
            "stop_sequences: Input should be a valid list",
        ),
        (
            json!({ "stop_sequences": [1] }),
            "stop_sequences.0: Input should be a valid string",
        ),
        (
            json!({ "stop_sequences": ["a", " \n"] }),
            "stop_sequences: each stop sequence must contain non-whitespace",
        ),
        (
            json!({ "system": 1 }),
            "system: Input should be a valid string or a list of text blocks",
        ),
        (
            json!({ "system": [{ "type": "text" }] }),
            "system.0.text: Field required",
        ),
        (
            json!({ "system": [{ "type": "image" }] }),
            "system.0.type: Input should be 'text'",
        ),
        (
            json!({ "system": [{ "type": "text", "text": "" }] }),
            "system: text content blocks must be non-empty",
        ),
        (
            json!({ "tools": {} }),
            "tools: Input should be a valid list",
        ),
    ];
    for (fields, sentence) in cases {
        assert_eq!(refusal(OLD, fields.clone()), sentence, "{fields}");
    }
}

#[test]
fn messages_are_refused_with_the_apis_sentences() {
    let cases = [
        (
            json!([{ "content": "hi" }]),
            "messages.0.role: Field required",
        ),
        (
            json!([{ "role": "user" }]),
            "messages.0.content: Field required",
        ),
        (
            json!([{ "role": "tool", "content": "hi" }]),
            "messages.0.role: Input should be 'user', 'assistant' or 'system'",
        ),
        (
            json!([{ "role": "user", "content": "" }]),
            "messages.0: user messages must have non-empty content",
        ),
        (
            json!([{ "role": "user", "content": [] }]),
            "messages.0: user messages must have non-empty content",
        ),
        (
            json!([{ "role": "user", "content": " \n" }]),
            "messages: text content blocks must contain non-whitespace text",
        ),
        (
            json!([{ "role": "user", "content": [{ "type": "text", "text": "" }] }]),
            "messages: text content blocks must be non-empty",
        ),
        (
            json!([{ "role": "user", "content": 1 }]),
            "messages.0.content: Input should be a valid string or a list of content blocks",
        ),
        (
            json!([{ "role": "assistant", "content": "hi" }]),
            "messages: first message must use the \"user\" role",
        ),
        (
            json!([{ "role": "user", "content": "a" }, { "role": "assistant", "content": "" },
            { "role": "user", "content": "b" }]),
            "messages.1: all messages must have non-empty content except for the optional final assistant message",
        ),
        (
            json!([{ "role": "user", "content": [{ "type": "text", "text": "a" }, { "type": "text" }] }]),
            "messages.0.content.1.text: Field required",
        ),
        (
            json!([{ "role": "user", "content": [{ "text": "a" }] }]),
            "messages.0.content.0.type: Field required",
        ),
    ];
    for (messages, sentence) in cases {
        assert_eq!(talk(messages.clone()), sentence, "{messages}");
    }
    let system = talk(json!([{ "role": "system", "content": "x" }]));
    assert!(
        system.starts_with("messages.0.role: Unexpected role \"system\""),
        "{system}"
    );
    let unknown = user_block(json!({ "type": "hologram" }));
    assert!(
        unknown.starts_with("messages.0.content.0.type: Input tag 'hologram' found"),
        "{unknown}"
    );
}

#[test]
fn a_prefill_is_read_as_the_message_that_it_is() {
    let messages = json!([{ "role": "user", "content": "a" }, { "role": "assistant", "content": "The answer is" }]);
    let body = with(&json!({ "messages": messages })).to_string();
    let request = call(body.as_bytes(), OLD).expect("a lane decides").request;
    let last = request.prompt().map(|message| message.role);
    assert_eq!(last, Some(crate::turn::Role::Assistant));
}

#[test]
fn blocks_are_checked_in_what_matters() {
    let source = |source: Value| json!({ "type": "image", "source": source });
    let cases = [
        (
            json!({ "type": "image" }),
            "messages.0.content.0.source: Field required",
        ),
        (
            source(json!({ "type": "base64", "media_type": "image/png", "data": "" })),
            "messages.0.content.0.source.data: String should have at least 1 character",
        ),
        (
            source(json!({ "type": "base64", "media_type": "image/png", "data": "{}" })),
            "messages.0.content.0.source.data: Input should be base64-encoded data",
        ),
        (
            source(json!({ "type": "base64", "media_type": "image/png" })),
            "messages.0.content.0.source.data: Field required",
        ),
        (
            json!({ "type": "tool_result" }),
            "messages.0.content.0.tool_use_id: Field required",
        ),
        (
            json!({ "type": "tool_use", "id": "a", "name": "b", "input": {} }),
            "messages.0.content.0: `tool_use` blocks can only be in `assistant` messages",
        ),
        (
            json!({ "type": "document" }),
            "messages.0.content.0.source: Field required",
        ),
    ];
    for (block, sentence) in cases {
        assert_eq!(user_block(block.clone()), sentence, "{block}");
    }
    let image = json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "iVBO" },
        "cache_control": { "type": "ephemeral" }, "new": 1 });
    let body = with(
        &json!({ "messages": [{ "role": "user", "content": [image, { "type": "text", "text": "x",
        "citations": [], "cache_control": null }] }] }),
    );
    let call = read(&body).expect("the blocks are good");
    assert_eq!(
        call.request.messages[0].blocks,
        [Block::Image(image), Block::Text("x".into())]
    );
}

#[test]
fn citations_are_not_passed_on_and_named() {
    let cited = json!({ "type": "text", "text": "b", "citations": [{ "type": "char_location" }] });
    let body = with(&json!({ "messages": [
        { "role": "user", "content": "a" }, { "role": "assistant", "content": [cited] },
        { "role": "user", "content": "c" }] }));
    let request = read(&body).expect("the call is good").request;
    assert_eq!(request.messages[1].blocks, [Block::Text("b".into())]);
    assert_eq!(request.ignored, ["messages.1.content.0.citations"]);
}

#[test]
fn a_mark_of_byte_order_alone_is_no_text() {
    assert_eq!(
        talk(json!([{ "role": "user", "content": "\u{feff} " }])),
        "messages: text content blocks must contain non-whitespace text"
    );
    let marked = with(&json!({ "messages": [{ "role": "user", "content": "\u{feff}a" }] }));
    assert!(read(&marked).is_ok());
}

#[test]
fn what_a_claude_rounds_is_named() {
    let called = |input: Value| {
        json!([{ "role": "user", "content": "a" },
            { "role": "assistant", "content": [{ "type": "tool_use", "id": "t", "name": "f", "input": input }] },
            { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "t" }] }])
    };
    let emulated = |input: Value| {
        let body = with(&json!({ "messages": called(input) }));
        read(&body).expect("the call is good").request.emulated
    };
    assert_eq!(emulated(json!({ "a": 1.5, "b": [1] })), [""; 0]);
    assert_eq!(
        emulated(json!({ "a": [12_345_678_901_234_567_890_u64] })),
        ["messages.1.content.0.input"]
    );
}

#[test]
fn tool_calls_and_results_go_together() {
    let used = json!({ "role": "assistant", "content": [
        { "type": "tool_use", "id": "t1", "name": "f", "input": {} },
        { "type": "tool_use", "id": "t2", "name": "f", "input": { "a": 1 } }] });
    let result = |id: &str| json!({ "role": "user", "content": [{ "type": "tool_result", "tool_use_id": id }] });
    let ask = json!({ "role": "user", "content": "go" });
    let good = json!({ "messages": [ask, used, result("t1"), result("t2")] });
    assert_eq!(
        read(&with(&good))
            .expect("every call has its result")
            .request
            .messages
            .len(),
        3
    );
    let open = talk(json!([ask, used, result("t1")]));
    assert!(
        open.starts_with("messages.1: `tool_use` ids were found without `tool_result`"),
        "{open}"
    );
    let stray = talk(json!([ask, used, result("t1"), result("t9")]));
    assert!(
        stray.starts_with("messages.3.content.0: unexpected `tool_use_id`"),
        "{stray}"
    );
    assert_eq!(
        refusal(
            OLD,
            json!({ "messages": [ask, { "role": "assistant", "content":
        [{ "type": "tool_use", "id": "t", "name": "f", "input": "{}" }] }] })
        ),
        "messages.1.content.0.input: Input should be an object"
    );
}

#[test]
fn an_id_names_one_call_and_a_call_has_one_result() {
    let used = json!({ "role": "assistant", "content": [{ "type": "tool_use", "id": "t1", "name": "f", "input": {} }] });
    let result = json!({ "type": "tool_result", "tool_use_id": "t1" });
    let answered = json!({ "role": "user", "content": [result] });
    let ask = json!({ "role": "user", "content": "go" });
    let twice = json!({ "role": "user", "content": [result, result] });
    assert_eq!(
        talk(json!([ask, used, twice])),
        "messages.2.content.1: each tool_use must have a single result. Found multiple `tool_result` blocks with id: t1"
    );
    for again in [
        json!([ask, used, used, answered]),
        json!([ask, used, answered, used, answered]),
    ] {
        let told = talk(again);
        assert!(
            told.ends_with(".content.0: `tool_use` ids must be unique: t1"),
            "{told}"
        );
    }
}

#[test]
fn blocks_that_claude_puts_in_another_order_are_told() {
    let call = |id: &str| json!({ "type": "tool_use", "id": id, "name": "f", "input": {} });
    let result = |id: &str| json!({ "type": "tool_result", "tool_use_id": id });
    let text = json!({ "type": "text", "text": "so" });
    let reordered = |said: Value, answer: Value, then: &[Value]| {
        let mut messages = vec![
            json!({ "role": "user", "content": "go" }),
            json!({ "role": "assistant", "content": said }),
            json!({ "role": "user", "content": answer }),
        ];
        messages.extend_from_slice(then);
        let read = read(&with(&json!({ "messages": messages })));
        read.expect("the call is good").request.changed_by_claude
    };
    let both = json!([result("a"), result("b")]);
    let between = json!([result("a"), text, result("b")]);
    let calls = json!([text, call("a"), call("b")]);
    assert_eq!(reordered(calls.clone(), both.clone(), &[]), [""; 0]);
    assert_eq!(
        reordered(json!([call("a"), text, call("b")]), both, &[]),
        ["messages.1.content.0"]
    );
    assert_eq!(
        reordered(calls.clone(), between.clone(), &[]),
        ["messages.2.content.1"]
    );
    let on = [
        json!({ "role": "assistant", "content": "x" }),
        json!({ "role": "user", "content": "y" }),
    ];
    assert_eq!(reordered(calls.clone(), between, &on), [""; 0]);
    assert_eq!(
        reordered(calls, json!([text, result("a"), result("b")]), &[]),
        [""; 0]
    );
}

#[test]
fn neighbours_of_one_role_become_one_message() {
    let body = with(&json!({ "messages": [
        { "role": "user", "content": "a" }, { "role": "user", "content": "b" },
        { "role": "assistant", "content": "c" }, { "role": "user", "content": "d" }] }));
    let messages = read(&body).expect("the call is good").request.messages;
    let texts: Vec<usize> = messages
        .iter()
        .map(|message| message.blocks.len())
        .collect();
    assert_eq!(texts, [2, 1, 1]);
}

#[test]
fn thinking_is_checked_and_goes_on_as_it_is() {
    let wish = |thinking: Value| with(&json!({ "max_tokens": 2000, "thinking": thinking }));
    let read_wish = |thinking| read(&wish(thinking)).map(|call| call.request.sampling.thinking);
    let off = json!({ "type": "disabled" });
    assert_eq!(read_wish(off.clone()), Ok(Some(off)));
    let enabled = json!({ "type": "enabled", "budget_tokens": 1024 });
    assert_eq!(read_wish(enabled.clone()), Ok(Some(enabled)));
    assert!(read_wish(json!({ "type": "adaptive" })).is_ok_and(|wish| wish.is_some()));
    for (thinking, start) in [
        (
            json!({ "type": "enabled" }),
            "thinking.budget_tokens: Field required",
        ),
        (
            json!({ "type": "enabled", "budget_tokens": 1023 }),
            "thinking.budget_tokens: Input should be greater",
        ),
        (
            json!({ "type": "enabled", "budget_tokens": 2000 }),
            "thinking.budget_tokens: `max_tokens` must be greater",
        ),
        (
            json!({ "type": "often" }),
            "thinking.type: Input tag 'often'",
        ),
        (json!("on"), "thinking: Input should be an object"),
    ] {
        let sentence = read_wish(thinking).expect_err("the wish is wrong").public;
        assert!(sentence.starts_with(start), "{sentence}");
    }
}

#[test]
fn what_no_lane_honours_is_named_and_what_changes_nothing_is_not() {
    let body = with(&json!({
        "metadata": {}, "service_tier": "auto", "container": null, "mcp_servers": [], "inference_geo": null,
        "tools": [], "output_config": {}, "speed": "fast", "brand_new": 1,
    }));
    let ignored = read(&body).expect("the call is good").request.ignored;
    assert_eq!(ignored, ["speed", "brand_new"]);
}

#[test]
fn what_the_models_api_takes_as_it_is_goes_on_as_it_is() {
    let format = json!({ "type": "json_schema", "schema": { "type": "object" } });
    let management = json!({ "edits": [{ "type": "clear_thinking_20251015", "keep": "all" }] });
    let body = with(&json!({
        "output_config": { "effort": "low", "format": format }, "context_management": management,
    }));
    let request = read(&body).expect("the call is good").request;
    let verbatim = Value::Object(request.sampling.verbatim);
    let expected = json!({ "output_config": { "effort": "low", "format": format }, "context_management": management });
    assert_eq!(verbatim, expected);
    assert!(request.ignored.is_empty() && request.emulated.is_empty());
    let old = read(&with(&json!({ "output_format": format }))).expect("the call is good");
    assert_eq!(
        old.request.sampling.verbatim["output_config"],
        json!({ "format": format })
    );
    assert_eq!(old.request.emulated, ["output_format"]);
    for (fields, start) in [
        (
            json!({ "output_config": 1 }),
            "output_config: Input should be an object",
        ),
        (
            json!({ "output_config": { "effort": 1 } }),
            "output_config.effort: Input should be a valid string",
        ),
        (
            json!({ "output_config": { "format": { "type": "xml" } } }),
            "output_config.format.type: Input tag 'xml'",
        ),
        (
            json!({ "output_format": { "type": "json_schema" } }),
            "output_format.schema: Field required",
        ),
        (
            json!({ "context_management": [] }),
            "context_management: Input should be an object",
        ),
    ] {
        let sentence = refusal(OLD, fields);
        assert!(sentence.starts_with(start), "{sentence}");
    }
}

/// The conversation as roles and blocks, and what of it is emulated.
fn heard(messages: &Value) -> (Value, Vec<String>) {
    let request = read(&with(&json!({ "messages": messages })))
        .expect("the call is good")
        .request;
    let block = |block: &Block| match block {
        Block::Text(text) => json!(text),
        other => other
            .json()
            .map(|json| json["type"].clone())
            .unwrap_or_default(),
    };
    let turn = |message: &Message| {
        let blocks: Vec<Value> = message.blocks.iter().map(block).collect();
        json!([format!("{:?}", message.role), blocks])
    };
    (
        request.messages.iter().map(turn).collect(),
        request.emulated,
    )
}

#[test]
fn a_system_message_is_a_reminder_in_the_users_turn() {
    let (after, emulated) = heard(&json!([
        { "role": "user", "content": "a" },
        { "role": "system", "content": [{ "type": "text", "text": "b" }, { "type": "text", "text": "c" }] },
    ]));
    let reminders = [
        "<system-reminder>\nb\n</system-reminder>",
        "<system-reminder>\nc\n</system-reminder>",
        "a",
    ];
    assert_eq!(after, json!([["User", reminders]]));
    assert_eq!(emulated, ["messages.1.role"]);
    let (before, _) = heard(&json!([
        { "role": "user", "content": "a" },
        { "role": "assistant", "content": [{ "type": "tool_use", "id": "t", "name": "f", "input": {} }] },
        { "role": "system", "content": "b" },
        { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "t" }, { "type": "text", "text": "c" }] },
    ]));
    let last = json!([
        "User",
        [
            "tool_result",
            "<system-reminder>\nb\n</system-reminder>",
            "c"
        ]
    ]);
    assert_eq!(
        before,
        json!([["User", ["a"]], ["Assistant", ["tool_use"]], last])
    );
    let (last, _) = heard(&json!([
        { "role": "user", "content": "a" }, { "role": "assistant", "content": "b" },
        { "role": "system", "content": "c" },
    ]));
    assert_eq!(
        last[2],
        json!(["User", ["<system-reminder>\nc\n</system-reminder>"]])
    );
    let wrong = talk(
        json!([{ "role": "user", "content": "a" }, { "role": "system", "content": [{ "type": "image" }] }]),
    );
    assert!(
        wrong.starts_with("messages.1.content.0.type: Input tag 'image'"),
        "{wrong}"
    );
}

#[test]
fn what_a_system_message_sets_for_its_turn_is_named_unless_the_call_sets_the_same() {
    let messages = |config: Value| {
        json!([{ "role": "user", "content": "a" },
        { "role": "system", "content": [{ "type": "tool_removal" }], "output_config": config }])
    };
    let read = |effort| {
        let set = json!({ "effort": effort });
        let body =
            with(&json!({ "messages": messages(set), "output_config": { "effort": "low" } }));
        read(&body).expect("the call is good").request
    };
    assert_eq!(read("low").ignored, ["messages.1.content.0.tool_removal"]);
    assert_eq!(read("high").ignored[1], "messages.1.output_config");
    assert!(read("low").emulated.is_empty());
}

#[test]
fn media_of_another_type_and_files_are_refused_by_their_path() {
    let of = |kind: &str, source: Value| {
        let block = json!({ "type": kind, "source": source });
        let body = with(&json!({ "messages": [{ "role": "user", "content": [block] }] }));
        read(&body).expect_err("it cannot be read")
    };
    let tiff = of(
        "image",
        json!({ "type": "base64", "media_type": "image/tiff", "data": "AA==" }),
    );
    assert_eq!(tiff.kind, FaultKind::UnsupportedMediaType);
    assert!(
        tiff.public.starts_with(
            "messages.0.content.0.source.media_type: Input should be 'image/jpeg' or "
        )
    );
    let word = of(
        "document",
        json!({ "type": "base64", "media_type": "application/msword", "data": "AA==" }),
    );
    assert_eq!(word.kind, FaultKind::UnsupportedMediaType);
    let file = of("image", json!({ "type": "file", "file_id": "file_1" }));
    assert_eq!(file.kind, FaultKind::FileUnknown);
    assert!(
        file.public
            .starts_with("messages.0.content.0.source.file_id: no file of yours")
    );
}

#[test]
fn a_thread_is_refused_for_its_history_is_not_there() {
    let body = with(&json!({ "thread": { "type": "continue", "previous_message_id": "msg_1" } }));
    let fault = read(&body).expect_err("there are no threads");
    assert_eq!(fault.kind, FaultKind::ThreadUnsupported);
}

#[test]
fn a_reference_to_a_tool_becomes_a_text() {
    let body = with(&json!({ "messages": [
        { "role": "user", "content": "a" },
        { "role": "assistant", "content": [{ "type": "tool_use", "id": "t", "name": "f", "input": {} }] },
        { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "t",
            "content": [{ "type": "tool_reference", "tool_name": "g" }] }] },
    ]}));
    let request = read(&body).expect("the call is good").request;
    assert_eq!(request.emulated, ["messages.2.content.0.content"]);
    let Some(Block::ToolResult(result)) = request.prompt().and_then(|prompt| prompt.blocks.first())
    else {
        panic!("the result is there");
    };
    assert_eq!(
        result["content"],
        json!([{ "type": "text", "text": "The tool g is loaded." }])
    );
}

fn schema() -> Value {
    json!({ "type": "object", "properties": { "b": {}, "a": {} } })
}

#[test]
fn tools_are_read_and_what_does_not_reach_the_model_is_named() {
    let body = with(&json!({
        "tools": [
            { "name": "f", "description": "d", "input_schema": schema(), "cache_control": { "type": "ephemeral" } },
            { "type": "web_search_20250305", "name": "web_search" },
            { "type": "custom", "name": "g-1", "input_schema": { "type": "object" }, "strict": true },
        ],
        "tool_choice": { "type": "tool", "name": "f", "disable_parallel_tool_use": true },
    }));
    let request = read(&body).expect("the call is good").request;
    let names: Vec<&str> = request
        .tools
        .iter()
        .map(|tool| tool.name.as_str())
        .collect();
    assert_eq!(names, ["f", "g-1"]);
    assert_eq!(
        request.tools[0].input_schema.to_string(),
        schema().to_string()
    );
    assert_eq!(
        request.ignored,
        ["tools.1.web_search_20250305", "tools.2.strict"]
    );
    let choice = request.tool_choice.expect("a choice was made");
    assert_eq!(choice.rule, ToolRule::Named("f".into()));
    assert_eq!(choice.one_at_a_time, Some(true));
}

#[test]
fn a_tool_that_the_caller_runs_is_offered_and_one_that_the_api_runs_cannot_be_forced() {
    let tools = json!([
        { "type": "bash_20250124", "name": "bash" },
        { "type": "web_search_20250305", "name": "web_search" },
    ]);
    let choosing = |name: &str| {
        read(&with(&json!({
            "tools": tools, "tool_choice": { "type": "tool", "name": name },
        })))
    };
    let request = choosing("bash").expect("the call is good").request;
    assert_eq!(request.tools[0].name, "bash");
    assert_eq!(request.emulated, ["tools.0.bash_20250124"]);
    assert_eq!(request.ignored, ["tools.1.web_search_20250305"]);
    let forced = choosing("web_search").expect_err("nobody runs it here");
    assert!(
        forced.public.contains("one that the API runs itself"),
        "{}",
        forced.public
    );
    let unknown = choosing("other").expect_err("there is none");
    assert!(
        unknown.public.contains("not found in provided tools"),
        "{}",
        unknown.public
    );
}

#[test]
fn a_wrong_tool_is_named_by_its_path() {
    let tool = |name: &str| json!({ "name": name, "input_schema": schema() });
    for (fields, start) in [
        (
            json!({ "tools": [tool("a b")] }),
            "tools.0.name: String should match",
        ),
        (
            json!({ "tools": [tool("")] }),
            "tools.0.name: String should match",
        ),
        (
            json!({ "tools": [{ "name": "f" }] }),
            "tools.0.input_schema: Field required",
        ),
        (
            json!({ "tools": [{ "name": "f", "input_schema": { "type": "array" } }] }),
            "tools.0.input_schema.type: Input should be 'object'",
        ),
        (
            json!({ "tools": [tool("f"), tool("f")] }),
            "tools: Tool names must be unique.",
        ),
        (
            json!({ "tool_choice": { "type": "auto" } }),
            "tool_choice: tool_choice may only be specified while providing tools",
        ),
        (
            json!({ "tools": [tool("f")], "tool_choice": { "type": "tool", "name": "g" } }),
            "tool_choice: Tool 'g' not found",
        ),
        (
            json!({ "tools": [tool("f")], "tool_choice": { "type": "some" } }),
            "tool_choice.type: ",
        ),
    ] {
        let sentence = refusal(OLD, fields.clone());
        assert!(sentence.starts_with(start), "{fields}: {sentence}");
    }
}

#[test]
fn the_newer_version_refuses_what_it_dropped() {
    for name in ["temperature", "top_p", "top_k"] {
        assert_eq!(
            refusal(NEW, json!({ name: 1 })),
            format!("{name}: Extra inputs are not permitted")
        );
    }
    let document = json!({ "type": "document", "source": { "type": "text", "media_type": "text/plain", "data": "x" } });
    let cited = json!({ "type": "text", "text": "x", "citations": [{ "type": "char_location" }] });
    let talk = |role: &str, block: &Value| {
        json!({ "messages": [
        { "role": "user", "content": "a" }, { "role": role, "content": [block] }, { "role": "user", "content": "b" }] })
    };
    assert!(
        refusal(NEW, talk("assistant", &document))
            .starts_with("messages.1.content.0.type: document")
    );
    assert!(refusal(NEW, talk("user", &cited)).starts_with("messages.1.content.0.citations: "));
    for fields in [talk("user", &document), talk("assistant", &cited)] {
        assert!(call(with(&fields).to_string().as_bytes(), NEW).is_ok());
    }
    for fields in [talk("assistant", &document), talk("user", &cited)] {
        assert!(call(with(&fields).to_string().as_bytes(), OLD).is_ok());
    }
}

#[test]
fn versions_are_read_from_the_header() {
    assert_eq!(Version::from_header(None), Ok(OLD));
    assert_eq!(Version::from_header(Some(b"2026-10-21")), Ok(NEW));
    let fault = Version::from_header(Some(b"2024-10-22")).expect_err("there is no such version");
    assert!(
        fault
            .public
            .starts_with("anthropic-version: \"2024-10-22\" is not a valid version")
    );
}

#[test]
fn a_body_of_too_many_values_is_refused_unread() {
    let body = format!("{{\"messages\":[{}0]}}", "0,".repeat(1_000_000));
    let fault = call(body.as_bytes(), Version::V2023_06_01).expect_err("it is too heavy");
    assert_eq!(fault.kind, FaultKind::RequestTooLarge);
}

#[test]
fn broken_json_is_refused_with_its_place() {
    for body in [
        &b"{\"model\": }"[..],
        b"",
        b"[1]",
        b"{\"a\": \"\xff\"}",
        b"{\"a\": \"\\ud800\"}",
        b"{\"max_tokens\": 1e999}",
    ] {
        let sentence = call(body, OLD).expect_err("the body is broken").public;
        assert!(
            sentence.contains("line 1") || sentence.ends_with("not a JSON object."),
            "{sentence}"
        );
    }
    let deep = "[".repeat(100_000);
    assert!(call(format!("{{\"messages\":{deep}").as_bytes(), OLD).is_err());
}

#[test]
fn a_count_needs_no_max_tokens_and_may_end_with_the_assistant() {
    let body = with(
        &json!({ "max_tokens": "-", "tools": [{ "name": "f" }], "messages": [
        { "role": "user", "content": "a" }, { "role": "assistant", "content": "b" }] }),
    );
    let count = count(body.to_string().as_bytes(), NEW).expect("the count is good");
    assert_eq!((count.request.messages.len(), count.tools.len()), (2, 1));
}

/// JSON that looks like a call often enough to reach deep.
fn json_like() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("type"),
        Just("role"),
        Just("content"),
        Just("text"),
        Just("messages"),
        Just("model"),
        Just("source"),
        Just("max_tokens"),
        Just("system"),
        Just("thinking"),
        Just("tools"),
        Just("stop_sequences"),
        Just("data"),
        Just("citations"),
        Just("tool_use_id"),
        Just("input"),
        Just("id"),
        Just("name"),
        Just("budget_tokens"),
    ];
    let word = prop_oneof![
        Just("text".to_owned()),
        Just("user".to_owned()),
        Just("assistant".to_owned()),
        Just("image".to_owned()),
        Just("base64".to_owned()),
        Just("tool_use".to_owned()),
        Just("tool_result".to_owned()),
        Just("document".to_owned()),
        Just("search_result".to_owned()),
        Just("enabled".to_owned()),
        any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((name.clone(), inner), 0..6).prop_map(|fields| fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<Value>()),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = call(&bytes, OLD);
        let _ = count(&bytes, NEW);
    }

    #[test]
    fn no_json_makes_it_panic(value in json_like(), messages in json_like(), block in json_like()) {
        for body in [
            value,
            with(&json!({ "messages": messages })),
            with(&json!({ "messages": [{ "role": "user", "content": [block] }] })),
            with(&json!({ "messages": [{ "role": "user", "content": "a" },
                { "role": "assistant", "content": messages }, { "role": "user", "content": messages }] })),
        ] {
            for version in [OLD, NEW] {
                let read = call(body.to_string().as_bytes(), version);
                if let Ok(call) = read {
                    prop_assert!(call.request.messages.iter().all(|message| !message.blocks.is_empty()));
                }
            }
        }
    }
}
