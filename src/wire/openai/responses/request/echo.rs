//! What a response says again of its request.

use crate::quote::quote;
use crate::wire::field::present;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::fmt::Write;
use std::sync::Arc;

/// The fields of a response that do not come from the model, as they are written behind others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Echo(Arc<str>);

impl Echo {
    /// `,"name":value` for each.
    pub(in crate::wire::openai::responses) fn written(&self) -> &str {
        &self.0
    }
}

/// What is written for fields that nobody says, in the API's order; those of others come between.
const BEFORE_MODEL: [(&str, &str); 5] = [
    ("background", "false"),
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
];

/// The fields of a response that do not come from the model, in the API's order.
pub(super) fn echo(fields: &Map<String, Value>, model: &str) -> Echo {
    let mut echo = Written {
        fields,
        text: String::with_capacity(ECHO_BYTES_EXPECTED),
    };
    for (name, otherwise) in BEFORE_MODEL {
        echo.say(name, otherwise);
    }
    echo.bare("model", "");
    quote(model, &mut echo.text);
    echo.say("parallel_tool_calls", "true");
    echo.say("previous_response_id", "null");
    if let Some(conversation) = present(fields, "conversation") {
        echo.put("conversation", &conversation_of(conversation));
    }
    echo.say("prompt_cache_key", "null");
    match fields.get("reasoning") {
        Some(said) => echo.put("reasoning", &reasoning(said)),
        None => echo.bare("reasoning", r#"{"effort":null,"summary":null}"#),
    }
    echo.say("safety_identifier", "null");
    echo.bare("service_tier", "\"default\"");
    echo.say("store", "true");
    echo.say("temperature", "null");
    match present(fields, "text") {
        Some(said) => echo.put("text", &text(said)),
        None => echo.bare("text", r#"{"format":{"type":"text"}}"#),
    }
    echo.say("tool_choice", "\"auto\"");
    match present(fields, "tools") {
        Some(said) => echo.put("tools", &tools(said)),
        None => echo.bare("tools", "[]"),
    }
    echo.bare("top_logprobs", "0");
    echo.say("top_p", "null");
    echo.say("truncation", "\"disabled\"");
    echo.say("user", "null");
    Echo(echo.text.into())
}

/// Fields that are being written.
struct Written<'a> {
    fields: &'a Map<String, Value>,
    text: String,
}

impl Written<'_> {
    /// What the call says of a field, or else this.
    fn say(&mut self, name: &str, otherwise: &str) {
        match present(self.fields, name) {
            Some(said) => self.put(name, said),
            None => self.bare(name, otherwise),
        }
    }

    fn put(&mut self, name: &str, json: &Value) {
        self.bare(name, "");
        let _ = write!(self.text, "{json}"); // A text takes whatever is written.
    }

    /// What is JSON already, or comes behind the name in another way.
    fn bare(&mut self, name: &str, json: &str) {
        for piece in [",\"", name, "\":", json] {
            self.text.push_str(piece);
        }
    }
}

/// Bytes of these fields where a call says little.
const ECHO_BYTES_EXPECTED: usize = 768;

fn conversation_of(said: &Value) -> Value {
    match said {
        Value::String(id) => json!({ "id": id }),
        other => other.clone(),
    }
}

fn reasoning(said: &Value) -> Value {
    let said = |name: &str| said.get(name).cloned().unwrap_or(Value::Null);
    json!({"effort": said("effort"), "summary": said("summary")})
}

fn text(said: &Value) -> Value {
    let mut text = said.clone();
    if text.get("format").is_none_or(Value::is_null) {
        text["format"] = json!({"type": "text"});
    }
    text
}

/// A function says all of its fields here, also those that its caller left away.
fn tools(said: &Value) -> Value {
    let mut tools = said.clone();
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
