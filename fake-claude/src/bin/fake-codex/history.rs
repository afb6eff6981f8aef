//! What the CLI makes of a history on its way to the model: what it drops, invents and cuts, as it was seen.

use crate::catalogue::Habits;
use serde_json::Value;
use serde_json::json;

/// The input of the model.
pub(crate) fn sent(items: &[Value], habits: Habits) -> Vec<Value> {
    let mut sent = Vec::new();
    for item in items {
        match item["type"].as_str() {
            Some("message") if item["role"] == "system" => {}
            Some("message" | "reasoning") => sent.push(item.clone()),
            Some("function_call") => {
                sent.push(item.clone());
                if !has(items, "function_call_output", &item["call_id"]) {
                    sent.push(json!({"type": "function_call_output", "call_id": item["call_id"], "output": "aborted"}));
                }
            }
            Some("function_call_output") if has(items, "function_call", &item["call_id"]) => {
                sent.push(cut(item, habits));
            }
            _ => {}
        }
    }
    sent
}

/// Why the CLI does not take an item; `None` where it does.
pub(crate) fn refusal(place: usize, item: &Value) -> Option<String> {
    let parts = item["content"].as_array().into_iter().flatten();
    for part in parts {
        let kind = part["type"].as_str().unwrap_or_default();
        if !["input_text", "input_image", "input_audio", "output_text"].contains(&kind) {
            let expected =
                "expected one of `input_text`, `input_image`, `input_audio`, `output_text`";
            return Some(format!(
                "items[{place}] is not a valid response item: unknown variant `{kind}`, {expected}"
            ));
        }
        if part["image_url"]
            .as_str()
            .is_some_and(|url| !url.starts_with("data:"))
        {
            return Some(
                "remote image URLs are not supported; use an inline data URL instead".to_owned(),
            );
        }
    }
    None
}

/// Why the CLI does not take a tool; `None` where it does.
pub(crate) fn tool_refusal(tools: &[Value]) -> Option<String> {
    let name = |tool: &Value| tool["name"].as_str().unwrap_or_default().to_owned();
    let is_plain = |name: &str| {
        name.chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    let names: Vec<String> = tools.iter().map(name).collect();
    let refused = names.iter().enumerate().find(|(place, name)| {
        name.is_empty()
            || !is_plain(name)
            || name.starts_with("mcp__")
            || names[..*place].contains(name)
    });
    refused.map(|(_, name)| format!("dynamic tool name is not allowed: {name}"))
}

/// The text of the last message of the user, and all the text before it.
pub(crate) fn prompt(items: &[Value]) -> (String, String) {
    let texts: Vec<(bool, String)> = items
        .iter()
        .map(|item| (item["role"] == "user", text(item)))
        .collect();
    let last = texts.iter().rposition(|(is_user, _)| *is_user);
    let before = texts[..last.unwrap_or(0)]
        .iter()
        .map(|(_, text)| text.as_str());
    let before = before.collect::<Vec<_>>().join("\n");
    (
        last.map(|last| texts[last].1.clone()).unwrap_or_default(),
        before,
    )
}

fn text(item: &Value) -> String {
    let parts = item["content"].as_array().into_iter().flatten();
    let texts = parts.filter_map(|part| part["text"].as_str());
    match item["output"].as_str() {
        Some(output) => output.to_owned(),
        None => texts.collect(),
    }
}

fn has(items: &[Value], kind: &str, call: &Value) -> bool {
    items
        .iter()
        .any(|item| item["type"] == kind && item["call_id"] == *call)
}

fn cut(item: &Value, habits: Habits) -> Value {
    let mut item = item.clone();
    if let (Some(max), Some(text)) = (habits.output_max, item["output"].as_str())
        && text.chars().count() > max
    {
        let half = |text: &mut dyn Iterator<Item = char>| text.take(max / 2).collect::<String>();
        let head = half(&mut text.chars());
        let tail: String = half(&mut text.chars().rev()).chars().rev().collect();
        item["output"] = format!("{head}…truncated…{tail}").into();
    }
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_cli_drops_invents_and_cuts_is_dropped_invented_and_cut() {
        let items = [
            json!({"type": "message", "role": "system", "content": []}),
            json!({"type": "function_call", "call_id": "a"}),
            json!({"type": "function_call_output", "call_id": "b", "output": "x"}),
            json!({"type": "function_call", "call_id": "c"}),
            json!({"type": "function_call_output", "call_id": "c", "output": "y".repeat(30)}),
        ];
        let habits = Habits {
            output_max: Some(10),
            ..Habits::default()
        };
        let sent = sent(&items, habits);
        let outputs: Vec<&str> = sent
            .iter()
            .filter_map(|item| item["output"].as_str())
            .collect();
        assert_eq!(outputs, ["aborted", "yyyyy…truncated…yyyyy"]);
        assert_eq!(sent.len(), 4);
    }
}
