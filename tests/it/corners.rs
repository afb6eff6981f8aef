//! What models and providers answer that nobody would: each answer ends, whole, and is one request or says otherwise.

use super::support::client::Response;
use super::support::client::call;
use super::support::client::conversation;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::upstream::Answer;
use super::support::upstream::Upstream;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// The lanes, as a configuration names them.
const LANES: [&str; 3] = ["", "driver = \"print\"", "tap = true"];
/// What is said to every request but the first.
const SECOND: &str = "SECOND ANSWER";

/// A provider that says this message first, and a relay whose sessions ask it.
struct Corner {
    lane: String,
    upstream: Upstream,
    relay: Relay,
}

impl Corner {
    fn new(lane: &str, events: String) -> Corner {
        Corner::of(lane, "", events)
    }

    /// The same with this version of the CLI, or the newest that is imitated.
    fn of(lane: &str, version: &str, events: String) -> Corner {
        let asked = Arc::new(AtomicUsize::new(0));
        let upstream = Upstream::answering(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
            0 => Answer::Raw(events.clone()),
            _ => Answer::Say(SECOND.to_owned()),
        });
        let world = World::upstream(&upstream).claude(lane);
        let world = match version {
            "" => world,
            version => world.env("FAKE_CLAUDE_VERSION", version),
        };
        let relay = world.pool("idle = 1\nmax = 1").start();
        let lane = lane.to_owned();
        Corner {
            lane,
            upstream,
            relay,
        }
    }

    /// The answer to the call, which holds nothing of a second one, and of which every request is told.
    fn answer(&self, call: &Value) -> Response {
        let answer = self.relay.post(call);
        assert!(!answer.body.contains(SECOND), "{}", answer.body);
        let asked = self.upstream.bodies().len();
        let told = answer
            .header("x-relay-upstream-requests")
            .parse()
            .unwrap_or(1);
        // A process without a screen is ended at the end of its message, and may ask on before it is gone.
        let may_slip = usize::from(self.lane.contains("print"));
        assert!(
            asked <= told + may_slip,
            "{}: {asked} requests, told {told}",
            self.lane
        );
        assert!(asked <= 2, "{}: {asked} requests", self.lane);
        answer
    }

    fn message(&self, call: &Value) -> (Response, Value) {
        let answer = self.answer(call);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let message = answer.json();
        (answer, message)
    }
}

/// A stream of blocks, each with the events of its pieces, that ends so.
fn stream(blocks: &[(Value, &[&str])], stop: &str) -> String {
    let mut events = vec![
        json!({"type": "message_start", "message": {"id": "msg_raw", "type": "message", "role": "assistant",
            "model": "claude-opus-4-8", "content": [], "usage": {"input_tokens": 11, "output_tokens": 1}}})
        .to_string(),
    ];
    for (index, (block, pieces)) in blocks.iter().enumerate() {
        events.push(
            json!({"type": "content_block_start", "index": index, "content_block": block})
                .to_string(),
        );
        events.extend(pieces.iter().map(|piece| {
            format!(r#"{{"type":"content_block_delta","index":{index},"delta":{piece}}}"#)
        }));
        events.push(json!({"type": "content_block_stop", "index": index}).to_string());
    }
    events.push(
        json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null},
            "usage": {"output_tokens": 9}})
        .to_string(),
    );
    events.push(json!({"type": "message_stop"}).to_string());
    events
        .iter()
        .map(|event| format!("data: {event}\n\n"))
        .collect()
}

fn text(pieces: &'static [&'static str]) -> (Value, &'static [&'static str]) {
    (json!({"type": "text", "text": ""}), pieces)
}

fn thought() -> (Value, &'static [&'static str]) {
    let pieces = &[
        r#"{"type":"thinking_delta","thinking":"hm"}"#,
        r#"{"type":"signature_delta","signature":"c2ln"}"#,
    ];
    (
        json!({"type": "thinking", "thinking": "", "signature": ""}),
        pieces,
    )
}

fn called(name: &str, pieces: &'static [&'static str]) -> (Value, &'static [&'static str]) {
    (
        json!({"type": "tool_use", "id": "toolu_r1", "name": name, "input": {}}),
        pieces,
    )
}

const INPUT: &[&str] = &[r#"{"type":"input_json_delta","partial_json":"{\"t\":\"a\"}"}"#];

fn with_tool() -> Value {
    let mut call = call("hi");
    call["tools"] = json!([{"name": "note", "description": "d", "input_schema": {"type": "object",
        "properties": {"t": {"type": "string"}}}}]);
    call
}

fn kinds(message: &Value) -> Vec<&str> {
    let blocks = message["content"].as_array().expect("a message has blocks");
    blocks
        .iter()
        .filter_map(|block| block["type"].as_str())
        .collect()
}

#[test]
fn a_message_that_shows_nothing_is_told_and_nothing_of_the_next_one() {
    for lane in LANES {
        let corner = Corner::new(lane, stream(&[thought()], "end_turn"));
        let (_, message) = corner.message(&call("hi"));
        assert_eq!(kinds(&message), ["thinking"], "{lane}");
        assert_eq!(message["stop_reason"], "end_turn");
    }
}

/// A message without a block is in no transcript; only the CLI's own question after it is.
#[test]
fn a_message_without_a_block_is_an_empty_turn_and_nothing_of_the_next_one() {
    for version in ["2.1.197", "2.1.332"] {
        for lane in LANES {
            let corner = Corner::of(lane, version, stream(&[], "end_turn"));
            let answer = corner.answer(&call("hi"));
            let told = (answer.status, answer.header("x-relay-error"));
            assert_eq!(told, (502, "empty_turn"), "{version} {lane}");
        }
    }
}

#[test]
fn a_call_that_the_cli_answers_by_itself_ends_the_turn_before_it_asks_on() {
    for lane in LANES {
        for name in ["note", "mcp__relay__other"] {
            let corner = Corner::new(lane, stream(&[called(name, INPUT)], "tool_use"));
            let (_, message) = corner.message(&with_tool());
            assert_eq!(kinds(&message), ["tool_use"], "{lane}");
            assert_eq!(message["stop_reason"], "tool_use");
        }
    }
}

#[test]
fn half_a_surrogate_pair_is_replaced_and_labelled() {
    let half: &[&str] = &[r#"{"type":"input_json_delta","partial_json":"{\"t\":\"a\\ud99c b\"}"}"#];
    let pieces: &[&str] = &[
        r#"{"type":"text_delta","text":"a\ud83d"}"#,
        r#"{"type":"text_delta","text":"\ude00 \ud99c b"}"#,
    ];
    for lane in LANES {
        let corner = Corner::new(
            lane,
            stream(&[called("mcp__relay__note", half)], "tool_use"),
        );
        let (answer, message) = corner.message(&with_tool());
        assert_eq!(message["content"][0]["input"]["t"], "a\u{fffd} b", "{lane}");
        assert!(
            answer.header("x-relay-emulated").starts_with("content"),
            "{lane}"
        );

        let corner = Corner::new(lane, stream(&[text(pieces)], "end_turn"));
        let (answer, message) = corner.message(&call("hi"));
        assert_eq!(
            message["content"][0]["text"], "a\u{1f600} \u{fffd} b",
            "{lane}"
        );
        assert_eq!(answer.header("x-relay-emulated"), "content", "{lane}");
    }
}

#[test]
fn a_message_with_calls_that_says_that_the_turn_is_over_ends_so_and_takes_results() {
    for lane in LANES {
        let events = stream(&[called("mcp__relay__note", INPUT)], "end_turn");
        let corner = Corner::new(lane, events);
        let call = with_tool();
        let (_, message) = corner.message(&call);
        assert_eq!(message["stop_reason"], "end_turn", "{lane}");
        assert_eq!(message["content"][0]["name"], "note");
        let result = json!({"type": "tool_result", "tool_use_id": "toolu_r1", "content": "done"});
        let mut after = conversation(&json!([
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": message["content"]},
            {"role": "user", "content": [result]},
        ]));
        after["tools"] = call["tools"].clone();
        let answer = corner.relay.post(&after);
        assert_eq!(answer.json()["content"][0]["text"], SECOND, "{lane}");
    }
}

#[test]
fn what_nobody_knows_is_told_as_it_is() {
    let blocks = [
        (json!({"type": "new_block", "payload": {"a": 1}}), &[][..]),
        text(&[r#"{"type":"text_delta","text":"so"}"#]),
    ];
    for lane in LANES {
        let corner = Corner::new(lane, stream(&blocks, "brand_new_reason"));
        let (_, message) = corner.message(&call("hi"));
        assert_eq!(kinds(&message), ["new_block", "text"], "{lane}");
        assert_eq!(message["content"][0]["payload"]["a"], 1);
        assert_eq!(message["stop_reason"], "brand_new_reason", "{lane}");
    }
}

#[test]
fn a_number_that_a_cli_may_have_rounded_is_labelled() {
    let large: &[&str] =
        &[r#"{"type":"input_json_delta","partial_json":"{\"t\":123456789012345678901}"}"#];
    for lane in LANES {
        let corner = Corner::new(
            lane,
            stream(&[called("mcp__relay__note", large)], "tool_use"),
        );
        let (answer, _) = corner.message(&with_tool());
        assert_eq!(
            answer.header("x-relay-emulated"),
            "content.0.input",
            "{lane}"
        );
    }
}

#[test]
fn an_answer_that_was_cut_is_told_as_far_as_it_came() {
    for lane in LANES {
        for stop in ["max_tokens", "model_context_window_exceeded"] {
            let pieces = &[r#"{"type":"text_delta","text":"cut in the mid"}"#];
            let corner = Corner::new(lane, stream(&[text(pieces)], stop));
            let (_, message) = corner.message(&call("hi"));
            assert_eq!(message["content"][0]["text"], "cut in the mid", "{lane}");
            assert_eq!(message["stop_reason"], stop, "{lane}");
        }
    }
}

/// Blocks of every kind and reasons that do not go with them, one after the other, at one relay for each lane.
#[test]
fn no_answer_of_any_kind_hangs_or_is_lost_without_a_word() {
    let texts: &[&str] = &[r#"{"type":"text_delta","text":"a\ud83d\ude00 b"}"#];
    let blank: &[&str] = &[r#"{"type":"text_delta","text":" "}"#];
    let twice: &[&str] = &[r#"{"type":"input_json_delta","partial_json":"{\"t\":1,\"t\":\"b\"}"}"#];
    let foreign = (json!({"type": "brand_new", "deep": {"er": 1}}), &[][..]);
    let redacted = (json!({"type": "redacted_thinking", "data": "d"}), &[][..]);
    let kinds_of: [&[(Value, &[&str])]; 7] = [
        &[text(texts)],
        &[text(blank)],
        &[redacted.clone(), text(texts)],
        &[redacted],
        &[thought(), called("mcp__relay__note", twice)],
        &[called("note", INPUT)],
        &[foreign, text(texts)],
    ];
    let mut number = 0;
    for lane in LANES {
        let planned = Arc::new(Mutex::new((String::new(), None)));
        let first = Arc::clone(&planned);
        let upstream = Upstream::answering(move |asked| {
            let mut first = first.lock().expect("nobody panics with it");
            // A process of the case before may ask on while it is being ended.
            let is_ours = asked["messages"].to_string().contains(&first.0);
            match first.1.take_if(|_| is_ours) {
                None => Answer::Say(SECOND.to_owned()),
                Some(events) => Answer::Raw(events),
            }
        });
        let relay = World::upstream(&upstream).claude(lane).start();
        for blocks in kinds_of {
            for stop in ["end_turn", "tool_use", "max_tokens", "brand_new_reason"] {
                let case = format!("{lane} {blocks:?} {stop}");
                let prompt = format!("case {number}.");
                number += 1;
                let mut call = with_tool();
                call["messages"][0]["content"] = json!(prompt);
                *planned.lock().expect("nobody panics with it") =
                    (prompt, Some(stream(blocks, stop)));
                let answer = relay.post(&call);
                assert!(!answer.body.contains(SECOND), "{case}: {}", answer.body);
                let is_told = answer.status == 200
                    && kinds(&answer.json()).len() == blocks.len()
                    && answer.json()["stop_reason"] == stop;
                // A reason that does not go with its blocks may be a failure; nothing is one by the relay's own fault.
                let is_failed = answer.status == 502 && !answer.header("x-relay-error").is_empty();
                assert!(is_told || is_failed, "{case}: {}", answer.body);
            }
        }
    }
}

#[test]
fn every_test_of_the_page_is_there_and_every_test_of_this_file_is_on_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let page = read("tests/it/corners.md");
    let rows: Vec<&str> = page.lines().filter(|line| is_row(line)).collect();
    assert_eq!(rows.len(), 13);
    let named = |text: &str| -> BTreeSet<(String, String)> {
        let names = text.split('`').filter_map(|word| word.split_once("::"));
        names
            .map(|(file, test)| (file.to_owned(), test.to_owned()))
            .collect()
    };
    for row in &rows {
        assert!(!named(row).is_empty(), "{row}");
    }
    for (file, test) in named(&page) {
        let code = read(&file);
        let at = code.find(&format!("fn {test}()"));
        let before = at.map_or("", |at| &code[..at]);
        let attributes = before.rsplit("\n\n").next().unwrap_or_default();
        let is_trial = file == "tests/compliance.rs" && at.is_some();
        assert!(
            attributes.contains("test]") || is_trial,
            "{file} has no test {test}"
        );
    }
    let ours = read("tests/it/corners.rs");
    let ours = ours.split("#[test]\nfn ").skip(1);
    for test in ours.filter_map(|rest| Some(rest.split_once("()")?.0)) {
        let is_this = test.starts_with("every_test_of_the_page");
        assert!(is_this || page.contains(test), "{test} is on no row");
    }
}

/// Whether a line of the page is the row of a kind.
fn is_row(line: &str) -> bool {
    line.strip_prefix("| ")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// The newer CLI tells the model of its folder, the system, itself and the day, once a conversation.
#[test]
fn what_the_cli_tells_by_itself_reaches_no_model_from_the_first_call_on() {
    for lane in LANES {
        let upstream = Upstream::answering(|_| Answer::Say("ok".to_owned()));
        let world = World::upstream(&upstream).claude(lane);
        let relay = world.pool("idle = 1\nmax = 1").start();
        let mut results = with_tool();
        let used = json!({"type": "tool_use", "id": "toolu_1", "name": "note", "input": {}});
        let result = json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": "done"});
        results["messages"] = json!([
            {"role": "user", "content": "call it"},
            {"role": "assistant", "content": [used]},
            {"role": "user", "content": [result]},
        ]);
        let mut other = call("of another model");
        other["model"] = json!("claude-haiku-x");
        let calls = [call("the first"), call("the second"), other, results];
        for call in &calls {
            let answer = relay.post(call);
            assert_eq!(answer.status, 200, "{lane}: {}", answer.text());
            assert_eq!(answer.header("x-relay-emulated"), "none", "{lane}");
        }
        // No request beside the calls' own: whoever was asked what the CLI adds, it was nobody who counts it.
        assert_eq!(upstream.bodies().len(), calls.len(), "{lane}");
        for body in upstream.bodies() {
            let body = body["messages"].to_string();
            let told = [
                "Today's date",
                "# Environment",
                "You are powered",
                "API Error",
            ];
            assert!(
                !told.iter().any(|told| body.contains(told)),
                "{lane}: {body}"
            );
        }
    }
}

#[test]
fn words_behind_a_call_which_claude_puts_before_it_are_labelled() {
    for lane in LANES {
        let upstream = Upstream::answering(|_| Answer::Say("ok".to_owned()));
        let world = World::upstream(&upstream).claude(lane);
        let relay = world.pool("idle = 1\nmax = 1").start();
        let mut results = with_tool();
        results["messages"] = json!([
            {"role": "user", "content": "call it"},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "toolu_1", "name": "note", "input": {}},
                {"type": "text", "text": "so"},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "done"},
            ]},
        ]);
        let answer = relay.post(&results);
        assert_eq!(answer.status, 200, "{lane}: {}", answer.text());
        assert_eq!(
            answer.header("x-relay-emulated"),
            "messages.1.content.0",
            "{lane}"
        );
    }
}

#[test]
fn where_nobody_can_know_what_the_cli_adds_the_first_call_is_labelled() {
    for lane in ["", "driver = \"print\""] {
        let upstream = Upstream::answering(|_| Answer::Say("ok".to_owned()));
        // Another maker's API is asked wherever it is, so it is not asked before a call is there to pay for it.
        let world = World::upstream(&upstream).claude(lane);
        let world = world.env("CLAUDE_CODE_USE_ANOTHER", "1");
        let relay = world.pool("idle = 1\nmax = 1").start();
        let answer = relay.post(&call("the first"));
        assert_eq!(answer.status, 200, "{lane}: {}", answer.text());
        assert_eq!(answer.header("x-relay-emulated"), "messages", "{lane}");
        let body = upstream.bodies()[0]["messages"].to_string();
        assert!(body.contains("Today's date"), "{lane}: {body}");
        for _ in 0..2 {
            assert_eq!(relay.post(&call("a later one")).status, 200, "{lane}");
        }
        let last = relay.post(&call("the last"));
        assert_eq!(last.header("x-relay-emulated"), "none", "{lane}");
    }
}

/// Sessions that wait since before it was known are not taken for ones that know.
#[test]
fn a_session_that_waited_since_before_it_was_known_what_the_cli_adds_is_given_to_no_call() {
    for lane in ["", "driver = \"print\""] {
        let upstream = Upstream::answering(|_| Answer::Say("ok".to_owned()));
        let world = World::upstream(&upstream).claude(lane);
        let world = world.env("CLAUDE_CODE_USE_ANOTHER", "1");
        let relay = world.pool("idle = 4\nmax = 4").start();
        relay.idle(4);
        for _ in 0..4 {
            let answer = relay.post(&call("what is told beside this?"));
            assert_eq!(answer.status, 200, "{lane}: {}", answer.text());
            let body = upstream.bodies().pop().expect("it was asked");
            let adds = body["messages"].to_string().contains("Today's date");
            let label = answer.header("x-relay-emulated");
            assert_eq!(label == "messages", adds, "{lane}: {label}: {body}");
        }
        assert_eq!(upstream.bodies().len(), 4, "{lane}");
    }
}

/// A failure that the API tells as an event of its stream; some versions tell nothing of it but its words.
#[test]
fn a_limit_or_an_overload_within_a_stream_keeps_its_status() {
    let limit =
        "This request would exceed your organization's rate limit of 50 requests per minute.";
    for version in ["2.1.197", "2.1.332"] {
        for lane in LANES {
            for (kind, words, status, code) in [
                ("rate_limit_error", limit, 429, "upstream_rate_limited"),
                ("overloaded_error", "Overloaded", 529, "upstream_overloaded"),
            ] {
                let event = json!({"type": "error", "error": {"type": kind, "message": words}});
                let begun = stream(&[], "end_turn");
                let begun = begun.split_once("\n\n").map_or("", |(first, _)| first);
                let events = format!("{begun}\n\ndata: {event}\n\n");
                let upstream = Upstream::answering(move |_| Answer::Raw(events.clone()));
                let world = World::upstream(&upstream).claude(lane);
                let relay = world.env("FAKE_CLAUDE_VERSION", version).start();
                let answer = relay.ask("hi");
                let told = (answer.status, answer.header("x-relay-error"));
                assert_eq!(told, (status, code), "{version} {lane}");
                assert!(answer.body.contains(words), "{}", answer.body);
                // An event has no headers: nobody was told how long to wait.
                let wait = answer.header("x-relay-retry-after");
                assert_eq!(wait, "estimated", "{version} {lane}");
            }
        }
    }
}
