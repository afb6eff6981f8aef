//! A talk as it is kept: without what differs from run to run. `[pure]`

use crate::codex::Speaker;
use serde_json::Value;
use std::collections::HashMap;
use std::fmt::Write;

/// The talk of a call, apart from the handshake where that came before it.
pub(super) fn split(lines: &[(Speaker, Value)]) -> [Vec<(Speaker, Value)>; 2] {
    let is_begin = |line: &(Speaker, Value)| line.1["method"] == "thread/start";
    let begin = lines.iter().position(is_begin).unwrap_or(0);
    let early = lines[..begin]
        .iter()
        .filter(|line| line.0 == Speaker::Relay);
    let early: Vec<&Value> = early.map(|(_, line)| &line["id"]).collect();
    let of_handshake = |(place, line): &(usize, &(Speaker, Value))| {
        let is_reply = line.0 == Speaker::Cli && line.1["method"].is_null();
        *place < begin || (is_reply && early.contains(&&line.1["id"]))
    };
    let (handshake, call): (Vec<_>, Vec<_>) = lines.iter().enumerate().partition(of_handshake);
    [handshake, call].map(|lines| lines.into_iter().map(|(_, line)| line.clone()).collect())
}

/// Lines of a talk: what the relay said, then the CLI's answers, then its notices.
pub(super) fn masked(lines: &[(Speaker, Value)]) -> String {
    let of = |speaker: Speaker| lines.iter().filter(move |line| line.0 == speaker);
    let said = of(Speaker::Relay).map(|(_, line)| (">", line));
    let heard: Vec<&Value> = of(Speaker::Cli).map(|(_, line)| line).collect();
    let replies = heard.iter().filter(|line| line["method"].is_null());
    let replies = replies.map(|line| ("<", *line));
    let notices = notices(&heard).into_iter().map(|line| ("<", line));
    let mut ids = HashMap::new();
    let mut text = String::new();
    for (mark, line) in said.chain(replies).chain(notices) {
        let mut line = line.clone();
        if let Some(fields) = line.as_object_mut() {
            fields.remove("id");
            fields.remove("emittedAtMs");
        }
        mask("", &mut line, &mut ids);
        let _ = writeln!(text, "{mark} {line}");
    }
    text
}

/// What the CLI said without being asked, but for what comes by chance.
fn notices<'a>(heard: &[&'a Value]) -> Vec<&'a Value> {
    let thread = heard
        .iter()
        .find_map(|line| line["result"]["thread"]["id"].as_str());
    let all: Vec<&Value> = heard
        .iter()
        .copied()
        .filter(|line| !line["method"].is_null())
        .collect();
    // Where tools are called the relay interrupts; how far the CLI has got then is chance.
    let is_call = |line: &&&Value| line["params"]["item"]["type"] == "function_call";
    let is_own = |line: &&&Value| !line["params"]["item"]["status"].is_null();
    let calls = all.iter().any(|line| is_call(&line) && is_own(&line));
    let end = all
        .iter()
        .position(|line| line["method"] == "rawResponse/completed");
    let end = end.filter(|_| calls).map_or(all.len(), |end| end + 1);
    let is_chance = |line: &&Value| {
        let params = &line["params"];
        let is_other = params["threadId"]
            .as_str()
            .is_some_and(|id| Some(id) != thread);
        is_other
            || params["status"]["type"] == "notLoaded"
            || line["method"] == "item/tool/call"
            || params["item"]["type"] == "dynamicToolCall"
    };
    let kept = all[..end].iter().copied();
    kept.filter(|line| !is_chance(line)).collect()
}

fn mask(name: &str, value: &mut Value, ids: &mut HashMap<String, usize>) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !UNSTABLE.contains(&name.as_str()));
            for (name, field) in fields.iter_mut() {
                mask(name, field, ids);
            }
            // The order of members says nothing.
            fields.sort_keys();
        }
        Value::Array(values) => values.iter_mut().for_each(|value| mask(name, value, ids)),
        Value::String(text) if name == "id" || name.ends_with("Id") || name.ends_with("_id") => {
            let next = ids.len() + 1;
            let number = ids.entry(text.clone()).or_insert(next);
            *text = format!("ID {number}");
        }
        Value::Null if name == "modelProvider" => *value = "WORD".into(),
        Value::String(text) => *text = plain(name, text),
        Value::Number(_) if NUMBERS.contains(&name) => *value = "N".into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn plain(name: &str, text: &str) -> String {
    match name {
        "cwd" | "codexHome" => return "FOLDER".to_owned(),
        "platformOs" | "encrypted_content" | "originator" | "modelProvider" => {
            return "WORD".to_owned();
        }
        "userAgent" => return text.split(" (").next().unwrap_or_default().to_owned(),
        _ => {}
    }
    let text = match text.split_once("http://127.0.0.1:") {
        Some((head, tail)) => {
            let tail = tail.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{head}ADDRESS{tail}")
        }
        None => text.to_owned(),
    };
    match text.split_once("try again at ") {
        Some((head, _)) => format!("{head}try again at TIME."),
        None => text,
    }
}

/// A line that one of two talks has and the other has not; the versions by which the two were told apart do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Whether the newer one has it.
    pub(crate) is_new: bool,
    pub(crate) line: String,
}

/// How two talks differ. Where they hold the same lines in another order, each line that stands elsewhere is told.
pub(crate) fn differences(
    (old, old_version): (&str, &str),
    (new, new_version): (&str, &str),
) -> Vec<Difference> {
    let lines = |text: &str, version: &str| -> Vec<String> {
        let lines = text.lines();
        lines.map(|line| line.replace(version, "VERSION")).collect()
    };
    let (old, new) = (lines(old, old_version), lines(new, new_version));
    let gone = missing(&old, &new).map(|line| (false, line));
    let come = missing(&new, &old).map(|line| (true, line));
    let found: Vec<(bool, &String)> = gone.chain(come).collect();
    let moved = old.iter().zip(&new).filter(|(old, new)| old != new);
    let moved = moved.flat_map(|(old, new)| [(false, old), (true, new)]);
    let told = match found.is_empty() {
        true => moved.collect(),
        false => found,
    };
    let told = told.into_iter();
    told.map(|(is_new, line)| Difference {
        is_new,
        line: line.clone(),
    })
    .collect()
}

/// Lines that are not among the others, each as often as it is missing.
fn missing<'a>(lines: &'a [String], others: &[String]) -> impl Iterator<Item = &'a String> {
    let mut left: HashMap<String, usize> = HashMap::new();
    for line in others {
        *left.entry(line.clone()).or_default() += 1;
    }
    lines.iter().filter(move |line| match left.get_mut(*line) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    })
}

/// What the CLI notes for itself, and what differs from machine to machine.
const UNSTABLE: &[&str] = &[
    "internal_chat_message_metadata_passthrough",
    "version",
    "serverName",
    "logprobs",
];
const NUMBERS: &[&str] = &[
    "emittedAtMs",
    "startedAtMs",
    "completedAtMs",
    "startedAt",
    "completedAt",
    "createdAt",
    "updatedAt",
    "recencyAt",
    "durationMs",
    "resetsAt",
    "totalTokens",
    "inputTokens",
    "outputTokens",
    "total_tokens",
    "input_tokens",
    "output_tokens",
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(id: &str, thread: &str) -> Vec<(Speaker, Value)> {
        let started = json!({"id": 3, "result": {"thread": {"id": thread, "cwd": "/home/x", "createdAt": 12}}});
        let notice =
            |thread: &str| json!({"method": "turn/started", "params": {"threadId": thread}});
        vec![
            (
                Speaker::Cli,
                json!({"method": "error", "params": {"error": {"message": "no, url: http://127.0.0.1:99/v1"}, "turnId": id}}),
            ),
            (Speaker::Relay, json!({"id": 3, "method": "thread/start"})),
            (Speaker::Cli, started),
            (Speaker::Cli, notice(thread)),
            (Speaker::Cli, notice("another")),
        ]
    }

    #[test]
    fn two_runs_of_one_talk_are_the_same() {
        let text = masked(&told("turn-1", "a"));
        assert_eq!(text, masked(&told("turn-2", "b")));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                r#"> {"method":"thread/start"}"#,
                r#"< {"result":{"thread":{"createdAt":"N","cwd":"FOLDER","id":"ID 1"}}}"#,
                r#"< {"method":"error","params":{"error":{"message":"no, url: ADDRESS/v1"},"turnId":"ID 2"}}"#,
                r#"< {"method":"turn/started","params":{"threadId":"ID 1"}}"#,
            ]
        );
    }

    #[test]
    fn a_line_that_is_gone_or_new_or_elsewhere_is_a_difference_and_a_version_is_none() {
        let told = |old: &str, new: &str| {
            let found = differences((old, "0.1"), (new, "0.2"));
            let line =
                |one: &Difference| format!("{}{}", if one.is_new { "+" } else { "-" }, one.line);
            found.iter().map(line).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(told("a 0.1\nb\n", "a 0.2\nb\n"), "");
        assert_eq!(told("a\nb\n", "a\nc\n"), "-b +c");
        assert_eq!(told("a\na\n", "a\n"), "-a");
        assert_eq!(told("a\nb\n", "b\na\n"), "-a +b -b +a");
    }
}
