//! What becomes of each field of a call in OpenAI's dialects over the claude lanes: one table, as data.
//!
//! It stands beside the table of the Messages API, and tests hold its rows against what calls with these fields get.

use Standing::Emulated;
use Standing::Honoured;
use Standing::Ignored;
use Standing::Moot;
use Standing::Rejected;
use serde_json::Value;
use serde_json::json;
use std::fmt::Write;

/// What becomes of a field; the words are those of the Messages API's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Honoured,
    Emulated,
    Moot,
    Ignored,
    Rejected,
    /// The dialect does not have it.
    Absent,
}

struct Row {
    field: &'static str,
    chat: Standing,
    responses: Standing,
    note: &'static str,
}

/// Every field that has a standing of its own; any other top-level field is ignored.
const ROWS: &[Row] = &[
    both(
        "model",
        Honoured,
        "any name is passed on; `name@lane` pins the lane",
    ),
    both("stream", Honoured, ""),
    both(
        "stream_options",
        Honoured,
        "the usage comes where it is asked for; nothing is padded",
    ),
    chat("messages", Honoured, ""),
    responses("input", Honoured, "a text, or items"),
    responses("instructions", Honoured, ""),
    chat("messages.*.name", Ignored, ""),
    chat(
        "messages.*.reasoning_content",
        Ignored,
        "thinking goes back where its `thinking_blocks` come with it",
    ),
    responses(
        "input.*.encrypted_content",
        Honoured,
        "ignored where another maker wrapped it",
    ),
    both(
        "a system or developer message later on",
        Emulated,
        "a marked text of the user's, in its place",
    ),
    both(
        "pictures and files",
        Honoured,
        "data URLs and URLs; PDF, pictures, text",
    ),
    both("detail: low", Ignored, "every picture is seen in full"),
    both("input_audio", Rejected, ""),
    chat(
        "max_tokens",
        Honoured,
        "without it: as many as the model can",
    ),
    chat("max_completion_tokens", Honoured, ""),
    responses("max_output_tokens", Honoured, ""),
    both(
        "temperature",
        Honoured,
        "emulated above 1, which is the models' end of the scale",
    ),
    both(
        "top_p",
        Honoured,
        "emulated where it is 1 beside a temperature",
    ),
    chat("stop", Honoured, "ignored where it is blank"),
    both("tools", Honoured, "functions"),
    both("tools of free text", Emulated, "a function with one text"),
    responses(
        "namespace tools",
        Honoured,
        "a function whose name has the namespace before it",
    ),
    responses(
        "local_shell, shell, apply_patch",
        Emulated,
        "functions of the same name",
    ),
    both(
        "hosted tools",
        Ignored,
        "rejected where the choice forces one",
    ),
    both("strict", Ignored, ""),
    both("tool_choice", Honoured, ""),
    both(
        "tool_choice: allowed_tools",
        Emulated,
        "the other tools are not offered",
    ),
    both("parallel_tool_calls", Honoured, ""),
    chat("functions", Honoured, "one call at a time"),
    chat("function_call", Honoured, ""),
    chat(
        "response_format",
        Honoured,
        "json_schema; emulated where an open schema is closed, and for json_object",
    ),
    responses("text.format", Honoured, "as `response_format`"),
    responses("text.verbosity", Ignored, ""),
    chat("verbosity", Ignored, ""),
    chat(
        "reasoning_effort",
        Honoured,
        "emulated where a model knows no such word",
    ),
    responses(
        "reasoning",
        Honoured,
        "as `reasoning_effort`; a summary is asked for as thinking",
    ),
    chat("n", Rejected, "1 is the answer that there is"),
    chat("logprobs", Rejected, ""),
    both("top_logprobs", Rejected, ""),
    chat("audio", Rejected, ""),
    chat("seed", Ignored, ""),
    chat("presence_penalty", Ignored, "0 asks for nothing"),
    chat("frequency_penalty", Ignored, "0 asks for nothing"),
    chat("logit_bias", Ignored, ""),
    chat("prediction", Ignored, ""),
    chat("web_search_options", Ignored, ""),
    Row {
        field: "store",
        chat: Ignored,
        responses: Honoured,
        note: "a response is kept unless it is false",
    },
    responses("previous_response_id", Honoured, ""),
    responses("conversation", Honoured, ""),
    responses(
        "background",
        Emulated,
        "the answer is whole when its caller hears of it",
    ),
    responses("truncation", Ignored, "disabled asks for nothing"),
    responses(
        "include",
        Honoured,
        "ignored for what hosted tools found, and for logprobs",
    ),
    responses("max_tool_calls", Ignored, ""),
    responses("prompt", Rejected, ""),
    both("metadata", Moot, "a response says it again"),
    both("user", Moot, ""),
    both("safety_identifier", Moot, ""),
    both("prompt_cache_key", Moot, ""),
    both("service_tier", Moot, ""),
];

/// The table as `GET /v1/capabilities` tells it.
pub(crate) fn document() -> Value {
    let told = |row: &Row| {
        let mut told = json!({"field": row.field});
        for (dialect, standing) in [("chat", row.chat), ("responses", row.responses)] {
            if standing != Standing::Absent {
                told[dialect] = standing.name().into();
            }
        }
        if !row.note.is_empty() {
            told["note"] = row.note.into();
        }
        told
    };
    ROWS.iter().map(told).collect()
}

/// The table as a part of a page.
pub(crate) fn page() -> String {
    let mut page = PREFACE.to_owned();
    for row in ROWS {
        // A string takes all that is written into it.
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            row.field,
            row.chat.name(),
            row.responses.name(),
            row.note
        );
    }
    page
}

impl Standing {
    fn name(self) -> &'static str {
        match self {
            Honoured => "honoured",
            Emulated => "emulated",
            Moot => "moot",
            Ignored => "ignored",
            Rejected => "rejected",
            Standing::Absent => "-",
        }
    }
}

const fn both(field: &'static str, standing: Standing, note: &'static str) -> Row {
    Row {
        field,
        chat: standing,
        responses: standing,
        note,
    }
}

const fn chat(field: &'static str, standing: Standing, note: &'static str) -> Row {
    Row {
        field,
        chat: standing,
        responses: Standing::Absent,
        note,
    }
}

const fn responses(field: &'static str, standing: Standing, note: &'static str) -> Row {
    Row {
        field,
        chat: Standing::Absent,
        responses: standing,
        note,
    }
}

const PREFACE: &str = "
## The same for OpenAI's dialects

Such a call counts as one of the older version. A call of Chat Completions or of Responses over the claude lanes:

| field | chat | responses | |
| --- | --- | --- | --- |
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Fault;
    use crate::turn::Request;
    use crate::wire::openai::chat;
    use crate::wire::openai::responses::request::Draft;

    /// A call with this field set; `None` for a row that is not one field.
    fn body(row: &Row) -> Option<Value> {
        let mut body = json!({"model": "m", "max_tokens": null, "messages": [{"role": "user", "content": "hi"}], "input": "hi"});
        let (field, value) = match row.field {
            "messages" | "input" => return Some(body),
            "stream" | "store" | "background" | "logprobs" | "parallel_tool_calls" => {
                (row.field, json!(true))
            }
            "max_tokens"
            | "max_completion_tokens"
            | "max_output_tokens"
            | "top_logprobs"
            | "seed"
            | "max_tool_calls" => (row.field, json!(5)),
            "n" => ("n", json!(2)),
            "temperature" | "top_p" | "presence_penalty" | "frequency_penalty" => {
                (row.field, json!(0.5))
            }
            "tools" | "functions" => (row.field, json!([{"name": "f"}])),
            "tools of free text" => ("tools", json!([{"type": "custom", "name": "f"}])),
            "namespace tools" => (
                "tools",
                json!([{"type": "namespace", "name": "n", "tools": [{"name": "f"}]}]),
            ),
            "local_shell, shell, apply_patch" => ("tools", json!([{"type": "local_shell"}])),
            "hosted tools" => ("tools", json!([{"type": "web_search"}])),
            "strict" => ("tools", json!([{"name": "f", "strict": true}])),
            "tool_choice: allowed_tools" => {
                body["tools"] = json!([{"name": "f"}]);
                (
                    "tool_choice",
                    json!({"type": "allowed_tools", "tools": [{"type": "function", "name": "f"}]}),
                )
            }
            "response_format" => ("response_format", json!({"type": "text"})),
            "text.format" => ("text", json!({"format": {"type": "text"}})),
            "text.verbosity" => ("text", json!({"verbosity": "low"})),
            "reasoning" => ("reasoning", json!({"effort": "low"})),
            "reasoning_effort" => ("reasoning_effort", json!("low")),
            "include" => ("include", json!(["reasoning.encrypted_content"])),
            "truncation" => ("truncation", json!("auto")),
            "logit_bias" | "metadata" | "web_search_options" | "audio" | "prompt"
            | "prediction" => (row.field, json!({"k": "v"})),
            "conversation"
            | "previous_response_id"
            | "instructions"
            | "verbosity"
            | "user"
            | "safety_identifier"
            | "prompt_cache_key"
            | "service_tier"
            | "stop"
            | "model" => (row.field, json!("x")),
            "tool_choice" | "function_call" => (row.field, json!("auto")),
            "stream_options" => ("stream_options", json!({"include_usage": true})),
            _ => return None,
        };
        body[field] = value;
        Some(body)
    }

    fn standing(read: Result<Request, Fault>) -> Standing {
        match read {
            Err(_) => Rejected,
            Ok(request) if !request.ignored.is_empty() => Ignored,
            Ok(request) if !request.emulated.is_empty() => Emulated,
            Ok(_) => Honoured,
        }
    }

    #[test]
    fn every_row_is_what_a_call_with_the_field_gets() {
        let mut held = 0;
        for (row, body) in ROWS.iter().filter_map(|row| Some((row, body(row)?))) {
            let only = |name: &str| {
                let mut body = body.clone();
                body.as_object_mut().expect("an object").remove(name);
                body.to_string()
            };
            let chat = || {
                chat::request::call(only("input").as_bytes(), false, &|_| None)
                    .map(|call| call.request)
            };
            let responses = || {
                let draft = Draft::read(only("messages").as_bytes())?;
                draft.call(&[], false).map(|call| call.request)
            };
            for (told, found) in [
                (row.chat, standing(chat())),
                (row.responses, standing(responses())),
            ] {
                let told = if told == Moot { Honoured } else { told };
                if told != Standing::Absent {
                    held += 1;
                    assert_eq!(found, told, "{}", row.field);
                }
            }
        }
        assert!(held > 60, "{held}");
    }
}
