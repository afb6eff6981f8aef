//! A call's tools as MCP lists them. `[pure]`

use super::name;
use crate::turn::Tool;
use crate::turn::holds_changed;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;
use unicode_normalization::is_nfkc;

/// The tools of one call, ready to be listed; equal where the model would see the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ToolList {
    /// The JSON text of the list; empty: no tools.
    json: Arc<str>,
}

impl ToolList {
    pub(crate) fn of(tools: &[Tool]) -> ToolList {
        if tools.is_empty() {
            return ToolList::default();
        }
        let list: Vec<Value> = tools.iter().map(listed).collect();
        ToolList {
            json: Value::Array(list).to_string().into(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.json.is_empty()
    }

    /// The list as a JSON array.
    pub(crate) fn json(&self) -> &str {
        match self.is_empty() {
            true => "[]",
            false => &self.json,
        }
    }
}

/// All are read-only, so that the CLI makes the calls of one message at once. The hint does not reach the model.
fn listed(tool: &Tool) -> Value {
    json!({
        "name": tool.name,
        "description": tool.description,
        "inputSchema": tool.input_schema,
        "annotations": {"readOnlyHint": true},
        // A longer result goes into a file, and the model is told of the file.
        "_meta": {"anthropic/maxResultSizeChars": RESULT_CHARS_MAX},
    })
}

/// The parts of a tool that the CLI changes on its way to the model.
fn changed_by_cli(tool: &Tool) -> impl Iterator<Item = &'static str> + use<> {
    let schema = &tool.input_schema;
    let long = tool.description.chars().count() > DESCRIPTION_CHARS_MAX;
    let combined = COMBINATORS.iter().any(|name| schema.get(name).is_some());
    let parts = [
        ("name", name::prefixed(&tool.name).len() > MODEL_NAME_MAX),
        ("description", long || is_rewritten(&tool.description)),
        (
            "input_schema",
            combined || has_odd_key(schema) || holds_rewritten(schema) || holds_changed(schema),
        ),
    ];
    let changed = parts.into_iter().filter(|(_, changed)| *changed);
    changed.map(|(part, _)| part)
}

/// Paths of what the CLI changes of these tools.
pub(crate) fn changes(tools: &[Tool]) -> Vec<String> {
    let parts = tools.iter().enumerate().flat_map(|(index, tool)| {
        changed_by_cli(tool).map(move |part| format!("tools.{index}.{part}"))
    });
    parts.collect()
}

/// Newer versions offer no tool that has a property of another name than the API documents.
fn has_odd_key(schema: &Value) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let odd = |key: &String| key.is_empty() || key.len() > KEY_MAX || !key.chars().all(fits);
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.is_some_and(|properties| properties.keys().any(odd))
}

fn holds_rewritten(value: &Value) -> bool {
    match value {
        Value::String(text) => is_rewritten(text),
        Value::Array(values) => values.iter().any(holds_rewritten),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| is_rewritten(name) || holds_rewritten(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The CLI writes what a server lists in compatibility form (`…` becomes `...`), without characters of no width.
fn is_rewritten(text: &str) -> bool {
    !text.is_ascii() && (!is_nfkc(text) || text.chars().any(has_no_width))
}

fn has_no_width(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..)
}

/// At the top level of a schema the CLI takes them apart.
const COMBINATORS: [&str; 3] = ["oneOf", "anyOf", "allOf"];
/// Characters of a description that reach the model on every version seen; 2.1.329 lets twice as many through.
const DESCRIPTION_CHARS_MAX: usize = 2048;
/// What the CLI lets a tool ask for at the most.
const RESULT_CHARS_MAX: usize = 500_000;
/// Characters that the API documents for the name of a property.
const KEY_MAX: usize = 64;
/// Characters that the API allows in a tool's name, prefix included.
const MODEL_NAME_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(schema: Value) -> Tool {
        Tool {
            name: "f".into(),
            description: "d".into(),
            input_schema: schema,
        }
    }

    #[test]
    fn a_schema_keeps_its_order() {
        let schema = json!({"type": "object", "properties": {"b": {"$ref": "#/$defs/B"}, "a": {}}, "$defs": {"B": {}}});
        let list = ToolList::of(&[tool(schema)]);
        let at = |key: &str| list.json().find(key).expect("the key is there");
        assert!(at("\"b\"") < at("\"a\"") && at("\"a\"") < at("\"$defs\""));
        assert_eq!(ToolList::of(&[]).json(), "[]");
    }

    #[test]
    fn what_the_cli_changes_is_known() {
        let changed = |tool: &Tool| changed_by_cli(tool).collect::<Vec<_>>();
        let one_of = tool(json!({"type": "object", "oneOf": []}));
        assert_eq!(changed(&one_of), ["input_schema"]);
        for schema in [
            json!({"type": "object", "properties": {"a b": {}}}),
            json!({"type": "object", "properties": {"a": {"maximum": 9_007_199_254_740_993_u64}}}),
        ] {
            assert_eq!(changed(&tool(schema)), ["input_schema"]);
        }
        let plain = || tool(json!({"type": "object"}));
        let long_name = Tool {
            name: "n".repeat(117),
            ..plain()
        };
        assert_eq!(changed(&long_name), ["name"]);
        for description in ["é".repeat(2049), "and so on…".into(), "a\u{200b}b".into()] {
            let rewritten = Tool {
                description,
                ..plain()
            };
            assert_eq!(changed(&rewritten), ["description"]);
        }
        let deep = tool(json!({"type": "object", "properties": {"x": {"description": "½"}}}));
        assert_eq!(changed(&deep), ["input_schema"]);
        let harmless = Tool {
            description: "“é” — 漢字 👍".into(),
            ..plain()
        };
        assert_eq!(changed(&harmless), [""; 0]);
        assert_eq!(changed(&plain()), [""; 0]);
    }
}
