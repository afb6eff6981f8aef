//! The Responses API behind a real Codex CLI: it answers by the steps of a script of fake-codex.

use super::api_host::Asked;
use super::api_host::Said;
use fake_host::Player;
use fake_host::Script;
use toml::Table;
use toml::Value;

/// Answers as these steps say, as `fake-codex` would.
pub(crate) fn answer(asked: &Asked, steps: &[Table]) -> Said {
    let steps: Vec<Value> = steps
        .iter()
        .map(|step| Value::Table(played(step)))
        .collect();
    let rule = Table::from_iter([
        ("any".to_owned(), true.into()),
        ("step".to_owned(), steps.into()),
    ]);
    let script = Table::from_iter([("rule".to_owned(), Value::Array(vec![rule.into()]))]);
    let script =
        Script::parse(&script.to_string()).expect("fake-codex's steps are fake-host's, too");
    Player::new(script).answer(asked)
}

/// A step in the words of fake-host.
fn played(step: &Table) -> Table {
    let mut played = step.clone();
    played.retain(|name, _| KNOWN.contains(&name));
    if let Some(fail) = played.get_mut("fail").and_then(Value::as_table_mut) {
        let code = fail
            .get("code")
            .and_then(Value::as_str)
            .unwrap_or("invalid_value");
        let kind = match code {
            "usage_limit_reached" => code,
            _ => "invalid_request_error",
        };
        let (code, kind) = (code.to_owned(), kind.to_owned());
        let limits: &[&str] = fail.remove("resets_in").map_or(&[], |_| &LIMITS);
        let lines: Vec<Value> = limits.iter().map(|line| Value::from(*line)).collect();
        fail.insert("headers".to_owned(), lines.into());
        fail.insert("type".to_owned(), kind.into());
        fail.insert("code".to_owned(), code.into());
    }
    if let Some(failed) = played.get_mut("failed").and_then(Value::as_table_mut) {
        failed.retain(|name, _| matches!(name, "code" | "message"));
    }
    let usage = [("input", 994), ("cache_read", 7), ("output", 101)];
    let usage = usage.map(|(name, count)| (name.to_owned(), Value::from(count)));
    played.insert("usage".to_owned(), Table::from_iter(usage).into());
    played
}

/// What both know.
const KNOWN: &[&str] = &[
    "say", "echo", "think", "chunk", "call", "stop", "fail", "failed", "cut",
];
/// The reset is far enough away for every run.
const LIMITS: [&str; 3] = [
    "x-codex-primary-used-percent: 100",
    "x-codex-primary-window-minutes: 300",
    "x-codex-primary-reset-at: 4102444800",
];
