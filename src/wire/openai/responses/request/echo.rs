//! What a response says again of its request.

use crate::wire::field::present;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// The fields of a response that do not come from the model, in the API's order.
pub(super) fn echo(fields: &Map<String, Value>, model: &str) -> Map<String, Value> {
    let said = |name: &str| fields.get(name).cloned().unwrap_or(Value::Null);
    let or = |name: &str, otherwise: Value| present(fields, name).cloned().unwrap_or(otherwise);
    let mut echo = Map::new();
    let mut put = |name: &str, value: Value| drop(echo.insert(name.to_owned(), value));
    put("background", or("background", false.into()));
    put("instructions", said("instructions"));
    put("max_output_tokens", said("max_output_tokens"));
    put("max_tool_calls", said("max_tool_calls"));
    put("metadata", or("metadata", json!({})));
    put("model", model.into());
    put(
        "parallel_tool_calls",
        or("parallel_tool_calls", true.into()),
    );
    put("previous_response_id", said("previous_response_id"));
    if let Some(conversation) = present(fields, "conversation") {
        put("conversation", conversation_of(conversation));
    }
    put("prompt_cache_key", said("prompt_cache_key"));
    put("reasoning", reasoning(fields));
    put("safety_identifier", said("safety_identifier"));
    put("service_tier", "default".into());
    put("store", or("store", true.into()));
    put("temperature", said("temperature"));
    put("text", text(fields));
    put("tool_choice", or("tool_choice", "auto".into()));
    put("tools", tools(fields));
    put("top_logprobs", 0.into());
    put("top_p", said("top_p"));
    put("truncation", or("truncation", "disabled".into()));
    put("user", said("user"));
    echo
}

fn conversation_of(said: &Value) -> Value {
    match said {
        Value::String(id) => json!({ "id": id }),
        other => other.clone(),
    }
}

fn reasoning(fields: &Map<String, Value>) -> Value {
    let said = fields.get("reasoning").unwrap_or(&Value::Null);
    let said = |name: &str| said.get(name).cloned().unwrap_or(Value::Null);
    json!({"effort": said("effort"), "summary": said("summary")})
}

fn text(fields: &Map<String, Value>) -> Value {
    let mut text = present(fields, "text")
        .cloned()
        .unwrap_or_else(|| json!({}));
    if text.get("format").is_none_or(Value::is_null) {
        text["format"] = json!({"type": "text"});
    }
    text
}

/// A function says all of its fields here, also those that its caller left away.
fn tools(fields: &Map<String, Value>) -> Value {
    let mut tools = present(fields, "tools")
        .cloned()
        .unwrap_or_else(|| json!([]));
    for tool in tools
        .as_array_mut()
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        if tool.get("type").is_none_or(|kind| kind == "function") {
            for (name, otherwise) in [
                ("type", json!("function")),
                ("description", Value::Null),
                ("parameters", json!({})),
                ("strict", json!(false)),
            ] {
                tool.entry(name).or_insert(otherwise);
            }
        }
    }
    tools
}
