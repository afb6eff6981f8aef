//! Calls with one field each: what is asked of a lane to learn what becomes of that field there.

use serde_json::Value;
use serde_json::json;

/// A call with this field set, and nothing that it does not need.
pub(crate) fn of(field: &str) -> Value {
    let mut call =
        json!({"model": "m", "max_tokens": 4096, "messages": [{"role": "user", "content": "hi"}]});
    if let Some(name) = field.strip_prefix("tools.*.") {
        call["tools"] = json!([{"name": "f", "input_schema": {"type": "object"}}]);
        let tool = &mut call["tools"][0];
        match name {
            "name" | "input_schema" => {}
            "description" => tool[name] = "d".into(),
            "type" => tool[name] = "web_search_20250305".into(),
            "cache_control" => tool[name] = json!({"type": "ephemeral"}),
            "input_examples" | "allowed_callers" => tool[name] = json!(["x"]),
            _ => tool[name] = true.into(),
        }
    } else if let Some(place) = field.strip_prefix("messages.") {
        call["messages"] = messages(place);
    } else if let Some(part) = field.strip_prefix("output_config.") {
        call["output_config"][part] = set(part);
    } else {
        call[field] = set(field);
        if field == "tool_choice" {
            call["tools"] = set("tools");
        }
    }
    call
}

fn set(field: &str) -> Value {
    match field {
        "model" => "m".into(),
        "max_tokens" => 9.into(),
        "stream" => true.into(),
        "system" => "be brief".into(),
        "stop_sequences" => json!(["END"]),
        "temperature" | "top_p" | "top_k" => 1.into(),
        "thinking" => json!({"type": "adaptive"}),
        "effort" => "low".into(),
        "format" | "output_format" => json!({"type": "json_schema", "schema": {}}),
        "tools" => json!([{"name": "f", "input_schema": {"type": "object"}}]),
        "tool_choice" => json!({"type": "any"}),
        "speed" => "fast".into(),
        "service_tier" | "container" | "inference_geo" => "x".into(),
        "mcp_servers" => json!([{"name": "x"}]),
        _ => json!({"type": "x"}),
    }
}

fn messages(place: &str) -> Value {
    let asked = |content: Value| json!([{"role": "user", "content": content}]);
    let text = json!({"type": "text", "data": "x", "media_type": "text/plain"});
    let answered = |blocks: Value, result: Value| {
        json!([
            {"role": "user", "content": "a"}, {"role": "assistant", "content": blocks},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": result}]},
        ])
    };
    let called = json!([{"type": "tool_use", "id": "t", "name": "f", "input": {}}]);
    match place {
        "*.content.*.text" => asked(json!([{"type": "text", "text": "a"}])),
        "*.content.*.image" => {
            asked(json!([{"type": "image", "source": {"type": "url", "url": "u"}}]))
        }
        "*.content.*.citations" => {
            let cited = json!({"enabled": true});
            asked(json!([{"type": "document", "source": text, "citations": cited}]))
        }
        "*.content.*.document" => asked(json!([{"type": "document", "source": text}])),
        // What a call names so is read into it before any lane sees it.
        "*.content.*.source.file_id" => {
            let held = json!({"type": "base64", "media_type": "image/png", "data": "AA=="});
            asked(json!([{"type": "image", "source": held}]))
        }
        "*.content.*.tool_use" | "*.content.*.tool_result" => answered(called, "r".into()),
        "*.content.*.tool_reference" => answered(
            called,
            json!([{"type": "tool_reference", "tool_name": "g"}]),
        ),
        "*.content.*.thinking" => {
            let thought = json!({"type": "thinking", "thinking": "t", "signature": "s"});
            answered(json!([thought, called[0]]), "r".into())
        }
        "*.role: system" => {
            json!([{"role": "user", "content": "a"}, {"role": "system", "content": "b"}])
        }
        "*.output_config" => json!([{"role": "user", "content": "a"},
            {"role": "system", "content": [], "output_config": {"effort": "low"}}]),
        "-1.role: assistant" => {
            json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])
        }
        _ => asked("hi".into()),
    }
}
