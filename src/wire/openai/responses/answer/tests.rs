//! The grammar of a response's stream, and of a whole response.

use super::*;
use crate::turn::AnswerBuilder;
use crate::turn::Blame;
use crate::turn::BlockKind;
use crate::turn::Delta;
use crate::turn::End;
use crate::turn::Labels;
use crate::turn::LaneId;
use crate::turn::MessageId;
use crate::turn::Start;
use crate::turn::Usage;
use crate::wire::openai::responses::request::Draft;
use crate::wire::sse::Decoder;
use serde_json::json;

const STEM: &str = "0123456789abcdef0123456789abcdef";

fn events(blocks: Vec<AnswerBlock>, stop: StopReason) -> Vec<Event> {
    let start = Event::Start(Box::new(Start {
        id: MessageId("msg_1".into()),
        model: "real".into(),
        usage: Usage::default(),
        labels: Labels::exact(LaneId::new("test")),
    }));
    let blocks = blocks
        .into_iter()
        .enumerate()
        .flat_map(|(index, block)| block.events(index));
    let end = Event::End(Box::new(End {
        stop,
        details: None,
        usage: Usage::default(),
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

fn call(name: &str, input: &str) -> AnswerBlock {
    let (id, name) = ("t1".into(), name.into());
    block(BlockKind::ToolUse { id, name }, input)
}

fn thought(text: &str) -> AnswerBlock {
    AnswerBlock {
        signature: "s".into(),
        ..block(BlockKind::Thinking, text)
    }
}

fn writer(tools: Value) -> Writer {
    let body = json!({"model": "asked", "input": "a", "tools": tools});
    let draft = Draft::read(body.to_string().as_bytes()).expect("good");
    Writer::new(STEM, 7, draft.call(&[], false).expect("good").wish)
}

fn stream(mut writer: Writer, events: &[Event]) -> Vec<Value> {
    let mut text = String::new();
    events
        .iter()
        .for_each(|event| writer.frames(event, &mut text));
    read(&text)
}

/// The events, each checked for what all of them have.
fn read(text: &str) -> Vec<Value> {
    let frames = Decoder::default().push(text.as_bytes());
    let event = |(number, frame): (usize, &crate::wire::sse::Frame)| {
        let event: Value = serde_json::from_str(&frame.data).expect("every event is JSON");
        assert_eq!(
            (&event["type"], &event["sequence_number"]),
            (&json!(frame.event), &json!(number))
        );
        event
    };
    frames.iter().enumerate().map(event).collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| {
            event["type"]
                .as_str()
                .unwrap_or_default()
                .trim_start_matches("response.")
        })
        .collect()
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
fn every_item_is_added_and_done_one_after_the_other() {
    let said = events(
        vec![
            thought("hm"),
            block(BlockKind::Text, "a"),
            call("f", "{\"x\":1}"),
        ],
        StopReason::ToolUse,
    );
    let told = stream(writer(json!([{"type": "function", "name": "f"}])), &said);
    assert_eq!(
        kinds(&told),
        [
            "created",
            "in_progress",
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "completed",
        ]
    );
    let done: Vec<&Value> = told
        .iter()
        .filter(|event| event["type"] == "response.output_item.done")
        .collect();
    let end = &told.last().expect("there are events")["response"];
    for (index, event) in done.iter().enumerate() {
        assert_eq!(event["output_index"], index);
        assert_eq!(event["item"], end["output"][index]);
    }
    assert_eq!(
        *end,
        whole(&writer(json!([{"type": "function", "name": "f"}])), said)
    );
}

#[test]
fn every_delta_says_where_it_belongs() {
    let tools = json!([{"type": "function", "name": "f"}, {"type": "custom", "name": "c"}]);
    let pieces = |index: usize, kind: BlockKind, deltas: [Delta; 2]| {
        let deltas = deltas.map(|delta| Event::Delta { index, delta });
        let begin = Event::BlockStart { index, kind };
        [
            vec![begin],
            deltas.to_vec(),
            vec![Event::BlockStop { index }],
        ]
        .concat()
    };
    let tool = |name: &str| BlockKind::ToolUse {
        id: "t".into(),
        name: name.into(),
    };
    let text = |text: &str| text.to_owned();
    let mut said = events(vec![], StopReason::ToolUse);
    let blocks = [
        (
            BlockKind::Thinking,
            [text("h\"m"), text(".")].map(Delta::Thinking),
        ),
        (BlockKind::Text, [text("a\n"), text("b")].map(Delta::Text)),
        (
            tool("f"),
            [text("{\"a\":"), text("1}")].map(Delta::InputJson),
        ),
        (
            tool("c"),
            [text("{\"input\":\"x"), text(" y\"}")].map(Delta::InputJson),
        ),
    ];
    let blocks = blocks.into_iter().enumerate();
    let blocks = blocks.flat_map(|(index, (kind, deltas))| pieces(index, kind, deltas));
    said.splice(1..1, blocks.collect::<Vec<_>>());
    let told = stream(writer(tools), &said);
    let deltas: Vec<String> = told
        .into_iter()
        .filter(|event| event["delta"].is_string())
        .map(|mut event| {
            event["sequence_number"].take();
            event.to_string()
        })
        .collect();
    let part = |kind: &str, id: &str, index: usize, part: &str, deltas: [&str; 2], more: &str| {
        deltas.map(|delta| {
            let (id, delta) = (format!("{id}_{STEM}0{index}"), Value::from(delta));
            format!(
                r#"{{"type":"response.{kind}.delta","item_id":"{id}","output_index":{index},{part}"delta":{delta},{more}"sequence_number":null}}"#
            )
        })
    };
    let thought = r#""summary_index":0,"#;
    let (content, chances) = (r#""content_index":0,"#, r#""logprobs":[],"#);
    let wanted = [
        part(
            "reasoning_summary_text",
            "rs",
            0,
            thought,
            ["h\"m", "."],
            "",
        ),
        part("output_text", "msg", 1, content, ["a\n", "b"], chances),
        part(
            "function_call_arguments",
            "fc",
            2,
            "",
            ["{\"a\":", "1}"],
            "",
        ),
        part("custom_tool_call_input", "ctc", 3, "", ["x", " y"], ""),
    ];
    assert_eq!(deltas, wanted.concat());
}

#[test]
fn a_call_without_input_has_an_object_in_its_delta_and_its_item() {
    let told = stream(
        writer(json!([])),
        &events(vec![call("f", "")], StopReason::ToolUse),
    );
    let delta = told
        .iter()
        .find(|event| event["type"] == "response.function_call_arguments.delta");
    assert_eq!(delta.expect("it is told")["delta"], "{}");
    let end = &told.last().expect("there are events")["response"];
    assert_eq!(end["output"][0]["arguments"], "{}");
}

#[test]
fn a_text_that_says_nothing_is_no_item() {
    let said = events(
        vec![block(BlockKind::Text, ""), block(BlockKind::Text, "a")],
        StopReason::EndTurn,
    );
    let told = stream(writer(json!([])), &said);
    let end = &told.last().expect("there are events")["response"];
    assert_eq!(end["output"].as_array().map(Vec::len), Some(1));
    assert_eq!(end["output"], whole(&writer(json!([])), said)["output"]);
}

#[test]
fn a_cut_answer_is_incomplete_and_so_is_its_last_item() {
    for (stop, reason) in [
        (StopReason::MaxTokens, "max_output_tokens"),
        (StopReason::ContextWindow, "max_output_tokens"),
        (StopReason::Refusal, "content_filter"),
    ] {
        let told = stream(
            writer(json!([])),
            &events(vec![block(BlockKind::Text, "a")], stop),
        );
        let end = told.last().expect("there are events");
        assert_eq!(end["type"], "response.incomplete");
        assert_eq!(end["response"]["incomplete_details"]["reason"], reason);
        assert_eq!(end["response"]["output"][0]["status"], "incomplete");
    }
}

#[test]
fn thinking_without_words_is_an_item_without_parts() {
    let said = events(
        vec![
            thought(""),
            block(BlockKind::RedactedThinking { data: "d".into() }, ""),
        ],
        StopReason::EndTurn,
    );
    let told = stream(writer(json!([])), &said);
    assert_eq!(
        kinds(&told)[2..6],
        [
            "output_item.added",
            "output_item.done",
            "output_item.added",
            "output_item.done"
        ]
    );
    let kept = &told.last().expect("there are events")["response"]["output"];
    assert!(kept[0]["encrypted_content"].is_string() && kept[1]["encrypted_content"].is_string());
}

#[test]
fn tools_are_told_back_as_what_they_were() {
    let tools = json!([
        {"type": "custom", "name": "patch"},
        {"type": "namespace", "name": "agents", "tools": [{"type": "function", "name": "spawn"}]},
        {"type": "local_shell"}, {"type": "apply_patch"}, {"type": "shell"},
    ]);
    let told = |name: &str, input: &str| {
        let said = events(vec![call(name, input)], StopReason::ToolUse);
        let streamed = stream(writer(tools.clone()), &said);
        let end = streamed.last().expect("there are events")["response"]["output"][0].clone();
        assert_eq!(end, whole(&writer(tools.clone()), said)["output"][0]);
        (end, streamed)
    };
    let (custom, streamed) = told("patch", "{\"input\":\"a\\nb\"}");
    assert_eq!(
        (&custom["type"], &custom["input"]),
        (&json!("custom_tool_call"), &json!("a\nb"))
    );
    assert_eq!(
        kinds(&streamed)[3..5],
        [
            "custom_tool_call_input.delta",
            "custom_tool_call_input.done"
        ]
    );
    let (spaced, _) = told("agents__spawn", "{}");
    assert_eq!(
        (&spaced["name"], &spaced["namespace"]),
        (&json!("spawn"), &json!("agents"))
    );
    let (shell, streamed) = told("local_shell", "{\"command\":[\"ls\"]}");
    assert_eq!(
        shell["action"],
        json!({"type": "exec", "command": ["ls"], "env": {}})
    );
    assert_eq!(
        kinds(&streamed)[2..4],
        ["output_item.added", "output_item.done"]
    );
    let (patch, _) = told("apply_patch", "{\"type\":\"delete_file\",\"path\":\"a\"}");
    assert_eq!(
        (&patch["type"], &patch["operation"]["path"]),
        (&json!("apply_patch_call"), &json!("a"))
    );
    let (commands, _) = told("shell", "{\"commands\":[\"ls\"]}");
    assert_eq!(commands["action"]["commands"], json!(["ls"]));
}

#[test]
fn a_failure_is_told_in_both_shapes_and_then_as_a_failed_response() {
    let fault = Fault::new(
        FaultKind::UpstreamRateLimited,
        Blame::Upstream,
        "slow down.",
    )
    .retry_after(std::time::Duration::from_secs(7));
    let mut writer = writer(json!([]));
    let told = read(&writer.failure(&fault, &RequestId("req_1".into())));
    assert_eq!(kinds(&told), ["created", "in_progress", "error", "failed"]);
    assert_eq!(
        (&told[2]["message"], &told[2]["error"]["message"]),
        (&json!("slow down."), &json!("slow down."))
    );
    let failed = &told[3]["response"];
    assert_eq!(
        (&failed["status"], &failed["usage"]),
        (&json!("failed"), &Value::Null)
    );
    assert_eq!(
        failed["error"],
        json!({"code": "rate_limit_exceeded", "message": "slow down. Please try again in 7s."})
    );
}

#[test]
fn a_whole_response_is_the_apis() {
    let told = whole(
        &writer(json!([])),
        events(vec![block(BlockKind::Text, "a")], StopReason::EndTurn),
    );
    insta::assert_snapshot!(told, @r#"{"id":"resp_0123456789abcdef0123456789abcdef","object":"response","created_at":7,"status":"completed","error":null,"incomplete_details":null,"output":[{"id":"msg_0123456789abcdef0123456789abcdef00","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"a","annotations":[],"logprobs":[]}]}],"usage":{"input_tokens":0,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":0,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":0},"background":false,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"metadata":{},"model":"asked","parallel_tool_calls":true,"previous_response_id":null,"prompt_cache_key":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"default","store":true,"temperature":null,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_logprobs":0,"top_p":null,"truncation":"disabled","user":null}"#);
}

#[test]
fn what_was_prepared_is_told_as_what_was_not() {
    let said = events(vec![block(BlockKind::Text, "a")], StopReason::EndTurn);
    let fault = Fault::new(FaultKind::Internal, Blame::Relay, "lost.");
    let told = |is_prepared: bool, fails_after: usize| {
        let (mut writer, mut text) = (writer(json!([])), String::from(": kept alive\n\n"));
        for _ in 0..usize::from(is_prepared) * 2 {
            writer.prepare(Reading::Along);
        }
        let events = said[..fails_after].iter();
        events.for_each(|event| writer.frames(event, &mut text));
        text + &writer.failure(&fault, &RequestId("req_1".into()))
    };
    for fails_after in 0..=said.len() {
        assert_eq!(told(true, fails_after), told(false, fails_after));
    }
    let mut prepared = writer(json!([]));
    prepared.prepare(Reading::Whole);
    assert!(prepared.head.wish.echo.written().contains("asked"));
    assert_eq!(
        whole(&prepared, said.clone()),
        whole(&writer(json!([])), said)
    );
}
