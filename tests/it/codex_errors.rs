//! How a call ends on the lane `codex`: the page `codex_errors.md`, row by row.

use super::support::client;
use super::support::client::Response;
use super::support::codex;
use super::support::relay::Relay;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use toml::Table;

/// A row of the page that has a case.
struct Row {
    case: &'static str,
    /// What the CLI says of it.
    word: &'static str,
    status: u16,
    code: &'static str,
}

#[test]
fn every_case_has_a_row_and_every_row_a_case() {
    let rows: Vec<&str> = rows().iter().map(|row| row.case).collect();
    let names = names();
    assert_eq!(rows.len(), names.len());
    let (rows, names): (BTreeSet<&str>, BTreeSet<&str>) = (
        rows.into_iter().collect(),
        names.iter().map(String::as_str).collect(),
    );
    assert_eq!(rows, names);
}

#[test]
fn real_ones_said_of_each_row_what_the_page_says() {
    let folder = root().join("golden/codex");
    let mut versions = 0;
    for version in fs::read_dir(folder).expect("there are goldens").flatten() {
        versions += 1;
        for row in rows() {
            let file = version
                .path()
                .join(format!("{}.jsonl", row.case.replace(' ', "-")));
            let talk = fs::read_to_string(&file).expect("every case is recorded");
            let mut heard = talk.lines().filter(|line| line.starts_with("< "));
            let word = format!("\"{}\"", row.word);
            assert!(
                heard.any(|line| line.contains(&word)),
                "{}: {word}",
                file.display()
            );
        }
    }
    assert!(versions >= 2);
}

#[test]
fn each_row_ends_as_the_page_says_in_every_dialect() {
    let relay = codex::scripted(&script(), "").start();
    for row in rows() {
        for path in ["/v1/messages", "/v1/chat/completions", "/v1/responses"] {
            let answer = ask(&relay, path, row.case);
            let due = match (row.case, path, row.code) {
                ("no JSON", "/v1/messages", _) => (502, "upstream_failed"),
                (_, _, "–") => (row.status, ""),
                (_, _, code) => (row.status, code),
            };
            let told = (answer.status, answer.header("x-relay-error"));
            assert_eq!(told, due, "{} {path}: {}", row.case, answer.body);
            assert!(!answer.body.contains("127.0.0.1"), "{}", answer.body);
            let is_marked = answer.header("x-relay-retry-after") == "estimated";
            assert_eq!(is_marked, waits(&row), "{} {path}", row.case);
            if row.case == PATIENT {
                assert_eq!(answer.header("retry-after"), "7", "{path}");
            }
        }
    }
}

#[test]
fn every_test_that_the_page_names_is_there() {
    let mut named = 0;
    for name in PAGE.split('`').filter(|name| name.contains("::")) {
        let (file, test) = name.split_once("::").expect("it has both");
        let text = fs::read_to_string(root().join(file)).expect("its file is there");
        assert!(text.contains(&format!("fn {test}()")), "{name}");
        named += 1;
    }
    assert!(named > 5);
}

/// Whether the wait that the caller is told is the relay's own guess.
fn waits(row: &Row) -> bool {
    row.case != PATIENT && matches!(row.code, "upstream_rate_limited" | "upstream_overloaded")
}

fn ask(relay: &Relay, path: &str, prompt: &str) -> Response {
    let parameters = json!({"type": "object", "properties": {"q": {"type": "string"}}});
    let messages = json!([{"role": "user", "content": prompt}]);
    let tools = |tool: fn(&str, &Value) -> Value| -> Value {
        ["alpha", "beta"]
            .iter()
            .map(|name| tool(name, &parameters))
            .collect()
    };
    let body = match path {
        "/v1/responses" => {
            let tool = |name: &str, schema: &Value| json!({"type": "function", "name": name, "parameters": schema});
            json!({"model": MODEL, "input": prompt, "store": false, "tools": tools(tool)})
        }
        "/v1/chat/completions" => {
            let tool = |name: &str, schema: &Value| json!({"type": "function", "function": {"name": name, "parameters": schema}});
            json!({"model": MODEL, "messages": messages, "tools": tools(tool)})
        }
        _ => {
            let tool = |name: &str, schema: &Value| json!({"name": name, "input_schema": schema});
            json!({"model": MODEL, "max_tokens": 100, "messages": messages, "tools": tools(tool)})
        }
    };
    client::post_to(relay.address, path, &body)
}

/// Rows with a case: those of six columns.
fn rows() -> Vec<Row> {
    let lines = PAGE.lines().filter(|line| line.starts_with("| "));
    let row = |line: &'static str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        match cells[..] {
            [case, _, word, status, code, _] => Some(Row {
                case,
                word: word.trim_matches('`'),
                status: status.parse().ok()?,
                code,
            }),
            _ => None,
        }
    };
    lines.filter_map(row).collect()
}

fn names() -> Vec<String> {
    let list: Table = toml::from_str(CASES).expect("the list is TOML");
    let cases = list["case"].as_array().expect("cases are a list").iter();
    let name = |case: &toml::Value| case["name"].as_str().expect("a name").to_owned();
    cases.map(name).collect()
}

/// What the stand-in does in each case.
fn script() -> String {
    CASES
        .replace("[[case.step]]", "[[rule.step]]")
        .replace("[[case]]\nname =", "[[rule]]\nexact =")
        .lines()
        .filter(|line| !line.starts_with("why = "))
        .collect::<Vec<_>>()
        .join("\n")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

const MODEL: &str = "gpt-5.5@codex";
/// The case that says how long to wait.
const PATIENT: &str = "patient";
const PAGE: &str = include_str!("codex_errors.md");
/// What a CLI is put through by `record --codex`.
const CASES: &str = include_str!("../../src/record/codex/cases.toml");
