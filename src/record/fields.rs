//! A value, field by field, as it is compared: masked, one line a field. `[pure]`

use super::mask;
use serde_json::Value;

/// The fields of a value, one a line: its path and its masked content.
pub(crate) fn of(value: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    walk(value, "", &mut lines);
    lines
}

fn walk(value: &Value, path: &str, lines: &mut Vec<String>) {
    match value {
        Value::Object(inner) if !inner.is_empty() => {
            for (name, value) in inner {
                let path = match path {
                    "" => name.clone(),
                    _ => format!("{path}.{name}"),
                };
                walk(value, &path, lines);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &format!("{path}[{index}]"), lines);
            }
        }
        _ => lines.push(format!("{path}: {}", leaf(path, value))),
    }
}

fn leaf(path: &str, value: &Value) -> String {
    let name = path.rsplit('.').next().unwrap_or(path);
    match value {
        Value::Number(_) if VOLATILE_ENDS.iter().any(|end| name.ends_with(end)) => {
            "<number>".to_owned()
        }
        Value::String(said) if VOLATILE_TEXTS.contains(&name) && !said.is_empty() => {
            "<text>".to_owned()
        }
        Value::String(said) => Value::from(mask::text(said)).to_string(),
        other => other.to_string(),
    }
}

/// Ends of the names of numbers that measure time, or the size of what has times in it.
const VOLATILE_ENDS: [&str; 9] = [
    "Ms", "_ms", "_at", "At", "Time", "Duration", "pid", "Bytes", "Retries",
];
/// Texts that are another one every time and have no shape of their own.
const VOLATILE_TEXTS: [&str; 5] = ["version", "user-agent", "gitBranch", "slug", "agentId"];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_told_field_by_field() {
        let value = json!({"a": [{"b": 1}, "x"], "durationMs": 7, "id": "00000000-0000-4000-8000-000000000001", "empty": []});
        assert_eq!(
            of(&value),
            [
                "a[0].b: 1",
                "a[1]: \"x\"",
                "durationMs: <number>",
                "id: \"<id>\"",
                "empty: []"
            ]
        );
    }
}
