//! What a response says again of its request.

use crate::quote::around;
use crate::wire::field::field;
use crate::wire::field::present;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::OnceLock;

/// The fields of a response that do not come from the model, as they are written behind others. No lane needs them to begin.
#[derive(Debug, Clone, Default)]
pub(crate) struct Echo {
    /// The fields of the call; `None`: there are none, or they are written.
    asked: Option<Arc<Map<String, Value>>>,
    written: OnceLock<String>,
}

impl Echo {
    /// What a response says again of a call with these fields, which has a model.
    pub(super) fn of(fields: &Arc<Map<String, Value>>) -> Echo {
        Echo {
            asked: Some(Arc::clone(fields)),
            written: OnceLock::new(),
        }
    }

    /// Writes it, and lets go of the call's fields.
    pub(in crate::wire::openai::responses) fn write(&mut self) {
        self.written();
        self.asked = None;
    }

    /// `,"name":value` for each.
    pub(in crate::wire::openai::responses) fn written(&self) -> &str {
        let asked = self.asked.as_deref();
        let write = || asked.map(written).unwrap_or_default();
        self.written.get_or_init(write)
    }
}

impl PartialEq for Echo {
    fn eq(&self, other: &Echo) -> bool {
        self.written() == other.written()
    }
}

/// The fields of a response that do not come from the model, in the API's order.
fn written(fields: &Map<String, Value>) -> String {
    let model = field(fields, "model").and_then(Value::as_str);
    let mut echo = Written {
        fields,
        text: String::with_capacity(ECHO_BYTES_EXPECTED),
    };
    echo.say("background", r#","background":false"#);
    echo.say("instructions", r#","instructions":null"#);
    echo.say("max_output_tokens", r#","max_output_tokens":null"#);
    echo.say("max_tool_calls", r#","max_tool_calls":null"#);
    echo.say("metadata", r#","metadata":{}"#);
    around(
        r#","model":"#,
        model.unwrap_or_default(),
        "",
        &mut echo.text,
    );
    echo.say("parallel_tool_calls", r#","parallel_tool_calls":true"#);
    echo.say("previous_response_id", r#","previous_response_id":null"#);
    if let Some(conversation) = present(fields, "conversation") {
        echo.put("conversation", &conversation_of(conversation));
    }
    echo.say("prompt_cache_key", r#","prompt_cache_key":null"#);
    match field(fields, "reasoning") {
        Some(said) => echo.put("reasoning", &reasoning(said)),
        None => echo
            .text
            .push_str(r#","reasoning":{"effort":null,"summary":null}"#),
    }
    echo.say("safety_identifier", r#","safety_identifier":null"#);
    echo.text.push_str(r#","service_tier":"default""#);
    echo.say("store", r#","store":true"#);
    echo.say("temperature", r#","temperature":null"#);
    match present(fields, "text") {
        Some(said) => echo.put("text", &text(said)),
        None => echo.text.push_str(r#","text":{"format":{"type":"text"}}"#),
    }
    echo.say("tool_choice", r#","tool_choice":"auto""#);
    match present(fields, "tools") {
        Some(said) => echo.put("tools", &tools(said)),
        None => echo.text.push_str(r#","tools":[]"#),
    }
    echo.text.push_str(r#","top_logprobs":0"#);
    echo.say("top_p", r#","top_p":null"#);
    echo.say("truncation", r#","truncation":"disabled""#);
    echo.say("user", r#","user":null"#);
    echo.text
}

/// Fields that are being written.
struct Written<'a> {
    fields: &'a Map<String, Value>,
    text: String,
}

impl Written<'_> {
    /// What the call says of a field, or else this, which is the field whole.
    fn say(&mut self, name: &str, otherwise: &str) {
        match present(self.fields, name) {
            Some(said) => self.put(name, said),
            None => self.text.push_str(otherwise),
        }
    }

    fn put(&mut self, name: &str, json: &Value) {
        let _ = write!(self.text, r#","{name}":{json}"#); // A text takes whatever is written.
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
