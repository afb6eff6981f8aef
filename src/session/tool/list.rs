//! A call's tools as MCP lists them. `[pure]`

use super::name;
use crate::turn::Tool;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

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
    })
}

/// The CLI changes such a schema: it takes combinators at the top level apart.
pub(crate) fn is_changed_by_cli(tool: &Tool) -> bool {
    ["oneOf", "anyOf", "allOf"]
        .iter()
        .any(|combinator| tool.input_schema.get(combinator).is_some())
        || name::prefixed(&tool.name).len() > MODEL_NAME_MAX
}

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
        assert!(is_changed_by_cli(&tool(
            json!({"type": "object", "oneOf": []})
        )));
        let long = Tool {
            name: "n".repeat(117),
            ..tool(json!({"type": "object"}))
        };
        assert!(is_changed_by_cli(&long));
        assert!(!is_changed_by_cli(&tool(json!({"type": "object"}))));
    }
}
