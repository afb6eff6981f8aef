//! A call's tools as MCP lists them. `[pure]`

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
        ToolList::by(tools, listed)
    }

    /// The names alone, of tools that the model is told of in another way: the CLI only has to know what is called.
    pub(super) fn of_names(tools: &[Tool]) -> ToolList {
        ToolList::by(tools, |tool| {
            listed(&Tool {
                name: tool.name.clone(),
                description: String::new(),
                input_schema: json!({"type": "object"}),
            })
        })
    }

    fn by(tools: &[Tool], listed: impl Fn(&Tool) -> Value) -> ToolList {
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

/// What the CLI lets a tool ask for at the most.
const RESULT_CHARS_MAX: usize = 500_000;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::session::mcp) fn tool(schema: Value) -> Tool {
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
}
