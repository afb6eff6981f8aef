//! What programs lose between OpenAI's APIs and the Messages API elsewhere, in 53 rows. `page.md` names for each row the
//! tests that hold it here, or says why it cannot happen; those of this folder say above them which rows they hold.

mod asked;
mod calls;
mod endings;
mod thinking;

use super::support::api_host::Asked;
use super::support::api_host::Said;
use super::support::api_host::event;
use super::support::client::Response;
use super::translation::Rig;
use fake_host::Api;
use serde_json::Value;
use serde_json::json;
use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// A block of an answer as a stream of the Messages API begins it, and its deltas.
type Block = (Value, Vec<Value>);

fn text(words: &str) -> Block {
    let delta = json!({"type": "text_delta", "text": words});
    (json!({"type": "text", "text": ""}), vec![delta])
}

fn call(id: &str, pieces: &[&str]) -> Block {
    let delta = |piece: &&str| json!({"type": "input_json_delta", "partial_json": piece});
    let start = json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
    (start, pieces.iter().map(delta).collect())
}

fn thought(words: &str, signature: &str) -> Block {
    let mut deltas = vec![json!({"type": "signature_delta", "signature": signature})];
    if !words.is_empty() {
        deltas.insert(0, json!({"type": "thinking_delta", "thinking": words}));
    }
    let start = json!({"type": "thinking", "thinking": "", "signature": ""});
    (start, deltas)
}

fn redacted(data: &str) -> Block {
    (json!({"type": "redacted_thinking", "data": data}), vec![])
}

/// The events of an answer up to its end, which stands alone as the last two.
fn answer(blocks: &[Block], stop: &str) -> Vec<String> {
    let usage = json!({"input_tokens": 10, "output_tokens": 1, "cache_read_input_tokens": 60,
        "cache_creation_input_tokens": 7});
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "up", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": usage});
    let mut events = vec![json!({"type": "message_start", "message": message})];
    for (index, (start, deltas)) in blocks.iter().enumerate() {
        events.push(json!({"type": "content_block_start", "index": index, "content_block": start}));
        events.extend(
            deltas.iter().map(
                |delta| json!({"type": "content_block_delta", "index": index, "delta": delta}),
            ),
        );
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    let delta = json!({"stop_reason": stop, "stop_sequence": null});
    events.push(json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 25}}));
    events.push(json!({"type": "message_stop"}));
    events.iter().map(event).collect()
}

/// A relay before a host of the Messages API that answers every call so.
fn answering(blocks: &[Block], stop: &str) -> Rig {
    saying(Said::Stream(answer(blocks, stop)))
}

fn saying(said: Said) -> Rig {
    Rig::new(move |_: &Asked| said.clone())
}

fn ask(rig: &Rig, from: Api, fields: &Value) -> Response {
    rig.ask(from, Api::Messages, fields, false)
}

fn stream(rig: &Rig, from: Api, fields: &Value) -> Vec<Value> {
    let told = rig.ask(from, Api::Messages, fields, true);
    frames(&told)
}

/// The JSON of a stream's frames; the last mark of a chat stream is none.
fn frames(told: &Response) -> Vec<Value> {
    let lines = told
        .body
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    let json = lines.filter(|data| *data != "[DONE]");
    json.map(|data| serde_json::from_str(data).expect("a frame is JSON"))
        .collect()
}

/// What the host got for a call that was served.
fn told_to_host(rig: &Rig, from: Api, fields: &Value) -> Value {
    let answer = ask(rig, from, fields);
    assert_eq!(answer.status, 200, "{}", answer.body);
    rig.asked()
}

fn hello(api: Api) -> Value {
    super::translation::plain(api, "hello")
}

/// A good answer that no test looks at.
fn plain() -> Rig {
    answering(&[text("x")], "end_turn")
}

fn function(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}})
}

/// Pieces of a field of all choices' deltas.
fn deltas<'a>(chunks: &'a [Value], name: &str) -> Vec<&'a Value> {
    let of = chunks
        .iter()
        .map(|chunk| &chunk["choices"][0]["delta"][name]);
    of.filter(|delta| !delta.is_null()).collect()
}

/// Events of a type.
fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events
        .iter()
        .filter(|event| event["type"] == kind)
        .collect()
}

/// Every function below a folder.
fn functions(folder: &Path, found: &mut HashSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder is read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let source = fs::read_to_string(&path).expect("a source is text");
            let names = source.split("fn ").skip(1);
            let names = names.filter_map(|rest| rest.split_once('(').map(|(name, _)| name));
            found.extend(names.map(str::to_owned));
        }
    }
}

#[test]
fn every_row_has_a_test_that_is_there_or_the_reason_why_it_needs_none() {
    let mut known = HashSet::new();
    for folder in ["src", "tests"] {
        functions(&root().join(folder), &mut known);
    }
    let page = page();
    let rows = rows(&page);
    let numbers: Vec<usize> = rows.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=53).collect::<Vec<_>>());
    for (number, holds) in rows {
        let named = named(holds);
        let is_reason = holds.starts_with("Cannot happen: ");
        assert!(is_reason || !named.is_empty(), "row {number} has nothing");
        for name in named {
            assert!(
                known.contains(name),
                "row {number}: there is no test {name}"
            );
        }
    }
}

#[test]
fn every_row_names_the_tests_that_say_they_hold_it() {
    let page = page();
    let rows = rows(&page);
    let mut count = 0;
    for source in [ASKED, CALLS, ENDINGS, THINKING] {
        for test in source.split("\n/// Row").skip(1) {
            let (words, rest) = test.split_once('\n').expect("a test follows");
            let name = rest
                .split("fn ")
                .nth(1)
                .and_then(|rest| rest.split('(').next());
            let name = name.expect("a test has a name");
            let numbers = words.split(|c: char| !c.is_ascii_digit());
            for number in numbers.filter_map(|number| number.parse::<usize>().ok()) {
                let (_, holds) = rows[number - 1];
                assert!(named(holds).contains(&name), "row {number} lacks {name}");
                count += 1;
            }
        }
    }
    assert!(count > 40, "{count} rows are held by tests of this folder");
}

const ASKED: &str = include_str!("asked.rs");
const CALLS: &str = include_str!("calls.rs");
const ENDINGS: &str = include_str!("endings.rs");
const THINKING: &str = include_str!("thinking.rs");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> String {
    let page = fs::read_to_string(root().join("tests/it/openai_losses/page.md"));
    page.expect("the page is there")
}

/// Each row's number, and what holds it.
fn rows(page: &str) -> Vec<(usize, &str)> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| "));
    let cells = rows.map(|row| row.split(" | ").collect::<Vec<_>>());
    cells
        .filter_map(|cells| Some((cells.first()?.parse().ok()?, *cells.get(2)?)))
        .collect()
}

/// The tests that a row names.
fn named(holds: &str) -> Vec<&str> {
    holds.split('`').skip(1).step_by(2).collect()
}
