//! The recorder's MCP server: two tools that tell of a city. `[pure]`

use serde_json::Value;
use serde_json::json;

/// The answer to a JSON-RPC message; `None` to a notification. `place` is what the tools tell of.
pub(crate) fn answer(message: &Value, place: &str) -> Option<Value> {
    let id = message.get("id")?;
    let result = match message["method"].as_str() {
        Some("initialize") => json!({
            "protocolVersion": message["params"]["protocolVersion"],
            "capabilities": {"tools": {"listChanged": true}},
            "serverInfo": {"name": "relay", "version": "1"},
        }),
        Some("tools/list") => json!({"tools": [tool("weather", place), tool(SLOW_TOOL, place)]}),
        Some("tools/call") => {
            let params = &message["params"];
            let city = params["arguments"]["city"].as_str().unwrap_or("nowhere");
            let said = match params["name"].as_str() {
                Some("weather") => format!("sunny in {city}"),
                _ => format!("noon in {city}"),
            };
            json!({"content": [{"type": "text", "text": said}], "isError": false})
        }
        _ => json!({}),
    };
    Some(json!({"jsonrpc": "2.0", "id": id, "result": result}))
}

/// The tool that takes its time.
pub(crate) const SLOW_TOOL: &str = "time";

/// The word that the tools changed.
pub(crate) fn changed() -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
}

/// What the tools tell of, at first and once they are described anew.
pub(crate) const PLACES: [&str; 2] = ["city", "town"];

fn tool(name: &str, place: &str) -> Value {
    json!({
        "name": name,
        "description": format!("Tells the {name} of a {place}."),
        "inputSchema": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
        "annotations": {"readOnlyHint": true},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_answered_and_a_notification_is_not() {
        let call = json!({"jsonrpc": "2.0", "id": 4, "method": "tools/call",
            "params": {"name": "weather", "arguments": {"city": "Oslo"}}});
        let answer = answer(&call, PLACES[0]).expect("a call has an answer");
        assert_eq!(
            (&answer["id"], &answer["result"]["content"][0]["text"]),
            (&json!(4), &json!("sunny in Oslo"))
        );
        assert_eq!(
            super::answer(&json!({"method": "notifications/initialized"}), PLACES[0]),
            None
        );
    }
}
