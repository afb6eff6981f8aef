//! Conversations as items.

use super::*;
use crate::codex::tool::offered;
use crate::turn::BlockPlace;
use crate::turn::Message;

fn message(role: Role, blocks: Vec<Value>) -> Message {
    let block = |json: Value| match json {
        Value::String(text) => Block::Text(text),
        json => Block::of(json),
    };
    let blocks = blocks.into_iter().map(block).collect();
    Message { role, blocks }
}

fn of(messages: Vec<Message>) -> Result<Items, Unfit> {
    let request = Request::plain(messages);
    items(&request, &offered(&request).aliases)
}

#[test]
fn a_conversation_with_tools_keeps_its_order_and_its_ids() {
    let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "mcp__f", "input": {"b": 1, "a": [2.5]}});
    let result = |id: &str, content: Value| json!({"type": "tool_result", "tool_use_id": id, "content": content});
    let found = of(vec![
        message(Role::User, vec![json!("q"), json!("\u{2028} é")]),
        message(Role::Assistant, vec![json!("look"), call("c1"), call("c2")]),
        message(
            Role::User,
            vec![
                result("c2", json!("two")),
                result(
                    "c1",
                    json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
                ),
                json!("and?"),
            ],
        ),
    ]);
    let call = |id: &str| json!({"type": "function_call", "name": "t_mcp__f", "arguments": "{\"b\":1,\"a\":[2.5]}", "call_id": id});
    let found = found.expect("it fits");
    assert_eq!(
        Value::from(found.items),
        json!([
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "q"}, {"type": "input_text", "text": "\u{2028} é"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "look"}]},
            call("c1"), call("c2"),
            {"type": "function_call_output", "call_id": "c2", "output": "two"},
            {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "and?"}]},
        ])
    );
    assert!(found.emulated.is_empty() && found.ignored.is_empty());
}

#[test]
fn thinking_of_this_lane_goes_back_and_that_of_others_is_left_away() {
    let signature = Reasoning {
        id: "rs_1",
        content: "enc:x",
    }
    .write();
    let own = json!({"type": "thinking", "thinking": "hm", "signature": signature});
    let other = json!({"type": "thinking", "thinking": "hm", "signature": "abc"});
    let found = of(vec![
        message(Role::User, vec![json!("q")]),
        message(Role::Assistant, vec![own, other, json!("a")]),
        message(Role::User, vec![json!("x")]),
    ]);
    let found = found.expect("it fits");
    let reasoning = json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "enc:x"});
    assert_eq!(found.items[1], reasoning);
    assert_eq!(found.ignored, ["messages.1.thinking"]);
}

#[test]
fn system_texts_are_the_developers_and_stand_first() {
    let mut request = Request::plain(vec![message(Role::User, vec![json!("q")])]);
    request.system = vec!["a".into(), "b".into()];
    let found = items(&request, &Aliases::default()).expect("it fits");
    let parts = json!([{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]);
    assert_eq!(
        found.items[0],
        json!({"type": "message", "role": "developer", "content": parts})
    );
}

#[test]
fn what_would_be_dropped_or_refused_is_refused_here_with_its_path() {
    let result = json!({"type": "tool_result", "tool_use_id": "x", "content": "a"});
    let call = json!({"type": "tool_use", "id": "c", "name": "f", "input": {}});
    let https =
        json!({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}});
    let file = json!({"type": "document", "source": {"type": "base64", "data": "JVBERi0="}});
    let odd = json!({"type": "novelty"});
    for (block, path) in [
        (result, "messages.0.content.0"),
        (call, "messages.0.content.0"),
        (https, "messages.0.content.0"),
        (file, "messages.0.content.0"),
        (odd, "messages.0.content.0"),
    ] {
        let unfit = of(vec![message(Role::User, vec![block.clone()])]).expect_err("no fit");
        assert!(unfit.is_at(path), "{block}: {unfit:?}");
    }
}

#[test]
fn a_picture_goes_as_data() {
    let picture = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}});
    let found = of(vec![message(Role::User, vec![picture])]).expect("it fits");
    let part = json!({"type": "input_image", "image_url": "data:image/png;base64,AA=="});
    assert_eq!(found.items[0]["content"][0], part);
}

#[test]
fn a_call_without_a_result_is_named_by_the_entry_that_it_is_from() {
    let call = json!({"type": "tool_use", "id": "c", "name": "f", "input": {}});
    let mut request = Request::plain(vec![
        message(Role::User, vec![json!("q")]),
        message(Role::Assistant, vec![json!("look"), call]),
    ]);
    for index in [2, 3, 4] {
        let list = "input";
        request.places.push(BlockPlace { list, index }, 1);
    }
    let unfit = items(&request, &Aliases::default()).expect_err("the call is open");
    assert!(unfit.is_at("input.4"), "{unfit:?}");
}
