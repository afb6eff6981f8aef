//! The grammar of a chat stream, and of a whole completion.

use super::*;
use crate::turn::ANSWER_BYTES_MAX;
use crate::turn::AnswerBuilder;
use crate::turn::Labels;
use crate::turn::LaneId;
use crate::turn::MessageId;
use crate::turn::Start;
use crate::turn::StopReason;
use crate::turn::Usage;
use crate::wire::openai::chat::request;

fn events(blocks: Vec<AnswerBlock>, stop: StopReason) -> Vec<Event> {
    let start = Event::Start(Box::new(Start {
        id: MessageId("msg_1".into()),
        model: "real".into(),
        usage: Usage::default(),
        labels: Labels::exact(LaneId::new("test")),
    }));
    let usage = Usage {
        input_tokens: Some(10),
        output_tokens: Some(5),
        cache_read_input_tokens: Some(2),
        ..Usage::default()
    };
    let blocks = blocks
        .into_iter()
        .enumerate()
        .flat_map(|(index, block)| block.events(index));
    let end = Event::End(Box::new(End {
        stop,
        details: None,
        usage,
        id: None,
        model: None,
    }));
    [start].into_iter().chain(blocks).chain([end]).collect()
}

fn block(kind: BlockKind, text: &str) -> AnswerBlock {
    AnswerBlock {
        text: text.into(),
        ..AnswerBlock::begun(kind)
    }
}

fn call(id: &str, input: &str) -> AnswerBlock {
    let (id, name) = (id.into(), "f".into());
    block(BlockKind::ToolUse { id, name }, input)
}

fn writer(has_usage: bool) -> Writer {
    let wish = AnswerWish {
        model: "asked".into(),
        has_usage,
        ..AnswerWish::default()
    };
    Writer::new("1", 7, wish)
}

fn stream(mut writer: Writer, events: &[Event]) -> Vec<Value> {
    let mut text = String::new();
    events
        .iter()
        .for_each(|event| writer.frames(event, &mut text));
    let frames = text.split("\n\n").filter(|frame| !frame.is_empty());
    let data = frames.map(|frame| frame.strip_prefix("data: ").expect("every frame is data"));
    data.map(|data| match data {
        "[DONE]" => "done".into(),
        json => serde_json::from_str(json).expect("every frame is JSON"),
    })
    .collect()
}

fn deltas(frames: &[Value]) -> Vec<Value> {
    let chunks = frames
        .iter()
        .filter(|frame| frame["choices"].as_array().is_some_and(|c| !c.is_empty()));
    chunks
        .map(|chunk| chunk["choices"][0]["delta"].clone())
        .collect()
}

#[test]
fn the_role_comes_once_and_a_call_without_input_has_an_object() {
    let said = vec![
        block(BlockKind::Text, "a"),
        call("t1", "{\"x\":1}"),
        call("t2", ""),
    ];
    let frames = stream(writer(false), &events(said, StopReason::EndTurn));
    assert_eq!(
        deltas(&frames),
        [
            json!({"role": "assistant", "content": "", "refusal": null}),
            json!({"content": "a"}),
            json!({"tool_calls": [{"index": 0, "id": "t1", "type": "function", "function": {"name": "f", "arguments": ""}}]}),
            json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"x\":1}"}}]}),
            json!({"tool_calls": [{"index": 1, "id": "t2", "type": "function", "function": {"name": "f", "arguments": ""}}]}),
            json!({"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]}),
            json!({}),
        ]
    );
    let last = &frames[frames.len() - 2];
    assert_eq!(last["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(frames.last(), Some(&json!("done")));
    let heads = frames.iter().filter(|frame| frame.is_object());
    assert!(
        heads
            .clone()
            .all(|frame| frame["id"] == "chatcmpl-1" && frame["model"] == "asked")
    );
    assert!(heads.clone().all(|frame| frame.get("usage").is_none()));
}

#[test]
fn usage_comes_where_it_is_asked_for_without_choices() {
    let said = vec![block(BlockKind::Text, "a")];
    let frames = stream(writer(true), &events(said, StopReason::MaxTokens));
    let [.., end, usage, _] = frames.as_slice() else {
        panic!("too few frames")
    };
    assert_eq!(
        (&end["usage"], &end["choices"][0]["finish_reason"]),
        (&json!(null), &json!("length"))
    );
    assert_eq!(
        (&usage["choices"], &usage["id"]),
        (&json!([]), &json!("chatcmpl-1"))
    );
    assert_eq!(usage["usage"]["prompt_tokens"], 12);
}

#[test]
fn thinking_is_told_beside_the_content() {
    let thought = AnswerBlock {
        signature: "s".into(),
        ..block(BlockKind::Thinking, "hm")
    };
    let said = events(
        vec![thought, block(BlockKind::Text, "a")],
        StopReason::EndTurn,
    );
    let frames = stream(writer(false), &said);
    assert_eq!(
        deltas(&frames)[1..3],
        [json!({"reasoning_content": "hm"}), json!({"content": "a"})]
    );
    let message = &whole(&writer(false), said)["choices"][0]["message"];
    assert_eq!(
        (&message["reasoning_content"], &message["content"]),
        (&json!("hm"), &json!("a"))
    );
    assert_eq!(message["thinking_blocks"][0]["signature"], "s");
}

fn whole(writer: &Writer, events: Vec<Event>) -> Value {
    let mut builder = AnswerBuilder::default();
    for event in events {
        builder.push(&event).expect("the events fit");
    }
    let written = writer.whole(&builder.finish().expect("the end came"));
    serde_json::from_str(&written.expect("it can be written")).expect("JSON")
}

#[test]
fn a_whole_completion_is_the_apis() {
    let said = vec![block(BlockKind::Text, "a"), call("t1", "")];
    let told = whole(&writer(false), events(said, StopReason::ToolUse));
    insta::assert_snapshot!(told, @r#"{"id":"chatcmpl-1","object":"chat.completion","created":7,"model":"asked","choices":[{"index":0,"message":{"role":"assistant","content":"a","refusal":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{}"}}]},"logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17,"prompt_tokens_details":{"cached_tokens":2,"cache_write_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}"#);
    let calls_alone = whole(
        &writer(false),
        events(vec![call("t1", "")], StopReason::ToolUse),
    );
    assert_eq!(calls_alone["choices"][0]["message"]["content"], Value::Null);
    let refused = whole(
        &writer(false),
        events(vec![block(BlockKind::Text, "no")], StopReason::Refusal),
    );
    assert_eq!(refused["choices"][0]["finish_reason"], "content_filter");
}

#[test]
fn who_asked_for_functions_gets_a_function_call() {
    let mut writer = writer(false);
    writer.wish.is_legacy = true;
    let said = events(vec![call("t1", "{}")], StopReason::ToolUse);
    let told = whole(&writer, said.clone());
    let choice = &told["choices"][0];
    assert_eq!(
        choice["message"]["function_call"],
        json!({"name": "f", "arguments": "{}"})
    );
    assert_eq!(choice["finish_reason"], "function_call");
    let frames = stream(writer, &said);
    assert_eq!(
        deltas(&frames)[1],
        json!({"function_call": {"name": "f", "arguments": ""}})
    );
}

#[test]
fn free_text_is_told_as_it_is() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "a"}],
        "tools": [{"type": "custom", "custom": {"name": "f"}}]});
    let call_of = request::call(body.to_string().as_bytes(), false, &|_| None).expect("good");
    let writer = Writer::new("1", 7, call_of.wish);
    let said = events(
        vec![call("t1", "{\"input\":\"a\\nb\"}")],
        StopReason::ToolUse,
    );
    let told = whole(&writer, said.clone());
    let called = &told["choices"][0]["message"]["tool_calls"][0];
    assert_eq!(
        *called,
        json!({"id": "t1", "type": "custom", "custom": {"name": "f", "input": "a\nb"}})
    );
    let frames = stream(writer, &said);
    assert_eq!(
        deltas(&frames)[2],
        json!({"tool_calls": [{"index": 0, "custom": {"input": "a\nb"}}]})
    );
}

#[test]
fn a_failure_is_the_last_frame_and_no_end() {
    let fault = Fault::new(
        crate::turn::FaultKind::SessionLost,
        crate::turn::Blame::Cli,
        "lost",
    );
    let told = writer(false).failure(&fault, &RequestId("req_1".into()));
    assert!(told.contains("data: {\"error\":{\"message\":\"lost\"") && !told.contains("[DONE]"));
    assert_eq!(writer(false).keep_alive(), ": keep-alive\n\n");
}

#[test]
fn an_answer_that_thinks_before_it_calls_is_remembered_and_no_other() {
    let kept = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = |blocks: Vec<AnswerBlock>, is_whole: bool| {
        let sink = kept.clone();
        let keep = move |call: &str, blocks: Vec<Value>| {
            sink.lock()
                .expect("nobody panics")
                .push((call.to_owned(), blocks));
        };
        let mut writer = writer(false).remembered_by(Box::new(keep));
        let said = events(blocks, StopReason::ToolUse);
        match is_whole {
            true => drop(whole(&writer, said)),
            false => said
                .iter()
                .for_each(|event| writer.frames(event, &mut String::new())),
        }
    };
    let thought = || AnswerBlock {
        signature: "s".into(),
        ..block(BlockKind::Thinking, "hm")
    };
    for is_whole in [false, true] {
        told(vec![thought(), call("t1", "")], is_whole);
        told(vec![call("t2", "")], is_whole);
        told(vec![thought()], is_whole);
    }
    let long = block(BlockKind::Text, &"a".repeat(ANSWER_BYTES_MAX));
    told(vec![thought(), long, call("t3", "")], false);
    let expected = vec![
        json!({"type": "thinking", "thinking": "hm", "signature": "s"}),
        json!({"type": "tool_use", "id": "t1", "name": "f", "input": {}}),
    ];
    let kept = kept.lock().expect("nobody panics");
    assert_eq!(
        *kept,
        [
            ("t1".to_owned(), expected.clone()),
            ("t1".to_owned(), expected)
        ]
    );
}
