//! The items of a call, read into a conversation.

use crate::turn::Block;
use crate::turn::Fault;
use crate::turn::Role;
use crate::wire::field::Path;
use crate::wire::field::field;
use crate::wire::field::object;
use crate::wire::field::present;
use crate::wire::field::string;
use crate::wire::field::unexpected_tag;
use crate::wire::openai::id;
use crate::wire::openai::part;
use crate::wire::openai::part::text_field;
use crate::wire::openai::responses::thought;
use crate::wire::openai::talk;
use crate::wire::openai::talk::Talk;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// Reads what was said before, and what is new.
pub(super) fn read(before: &[Value], input: &[Value], talk: &mut Talk) -> Result<(), Fault> {
    for (name, items) in [("previous", before), ("input", input)] {
        let path = Path::Root.field(name);
        for (index, value) in items.iter().enumerate() {
            let at = path.item(index);
            talk.read(name, index);
            item(object(value, &at)?, &at, talk)?;
        }
    }
    Ok(())
}

fn item(item: &Map<String, Value>, at: &Path<'_>, talk: &mut Talk) -> Result<(), Fault> {
    let kind = match present(item, "type") {
        None => "message",
        Some(kind) => string(kind, &at.field("type"))?,
    };
    match kind {
        "message" => message(item, at, talk),
        "reasoning" => reasoning(item, at, talk),
        "function_call" => {
            let name = called(item, at)?;
            let input = talk::arguments(
                item.get("arguments"),
                &at.field("arguments"),
                &mut talk.labels,
            );
            talk.call(text_field(item, "call_id", at)?, &name, input, at)
        }
        "custom_tool_call" => {
            let name = called(item, at)?;
            let input = json!({"input": present(item, "input").and_then(Value::as_str).unwrap_or_default()});
            talk.call(text_field(item, "call_id", at)?, &name, input, at)
        }
        "local_shell_call" => own_call(item, "local_shell", "action", at, talk),
        "shell_call" => own_call(item, "shell", "action", at, talk),
        "apply_patch_call" => own_call(item, "apply_patch", "operation", at, talk),
        "function_call_output"
        | "custom_tool_call_output"
        | "local_shell_call_output"
        | "apply_patch_call_output" => {
            let content = part::output(item.get("output"), &at.field("output"), &mut talk.labels)?;
            talk.result(output_of(item, at)?, content, at)
        }
        "shell_call_output" => {
            let output = present(item, "output").map_or(String::new(), Value::to_string);
            talk.result(output_of(item, at)?, output.into(), at)
        }
        hosted if HOSTED.contains(&hosted) => {
            talk.labels.ignore(at.field(hosted));
            Ok(())
        }
        other => Err(at.field("type").wrong(unexpected_tag(other, KINDS))),
    }
}

fn message(item: &Map<String, Value>, at: &Path<'_>, talk: &mut Talk) -> Result<(), Fault> {
    let content = at.field("content");
    match text_field(item, "role", at)? {
        "system" | "developer" => {
            let texts = part::texts(item.get("content"), &content)?;
            talk.instruct(texts, at);
            Ok(())
        }
        role @ ("user" | "assistant") => {
            let role = match role {
                "user" => Role::User,
                _ => Role::Assistant,
            };
            let blocks = part::content(field(item, "content"), &content, &mut talk.labels)?;
            if present(item, "phase").is_some() {
                talk.labels.ignore(at.field("phase"));
            }
            if blocks.is_empty() {
                talk.labels.ignore(at); // Nothing is said: its neighbours are one.
            }
            talk.say(role, blocks, at)
        }
        _ => Err(at
            .field("role")
            .wrong("Input should be 'user', 'assistant', 'system' or 'developer'")),
    }
}

/// Thinking goes back to its maker whole, or not at all: never as words.
fn reasoning(item: &Map<String, Value>, at: &Path<'_>, talk: &mut Talk) -> Result<(), Fault> {
    let kept = present(item, "encrypted_content").and_then(Value::as_str);
    match kept.map(thought::unwrap) {
        Some(Some(block)) => talk.say(Role::Assistant, vec![Block::of(block)], at),
        Some(None) => {
            talk.labels.ignore(at.field("encrypted_content"));
            Ok(())
        }
        None => {
            talk.labels.ignore(at.field("reasoning"));
            Ok(())
        }
    }
}

/// The name under which the tool was offered.
fn called(item: &Map<String, Value>, at: &Path<'_>) -> Result<String, Fault> {
    let name = text_field(item, "name", at)?;
    Ok(match present(item, "namespace").and_then(Value::as_str) {
        Some(namespace) => id::name(namespace, name),
        None => name.to_owned(),
    })
}

/// A call of a tool that this dialect has by itself.
fn own_call(
    item: &Map<String, Value>,
    name: &str,
    field: &str,
    at: &Path<'_>,
    talk: &mut Talk,
) -> Result<(), Fault> {
    let mut input = present(item, field).cloned().unwrap_or_else(|| json!({}));
    if let Some(fields) = input.as_object_mut() {
        fields.retain(|name, value| !(value.is_null() || name == "type" && value == "exec"));
    }
    let call = present(item, "call_id").or_else(|| present(item, "id"));
    let call = call.and_then(Value::as_str).unwrap_or_default();
    talk.call(call, name, input, at)
}

/// The call that an output is of; an older shell names it `id`.
fn output_of<'a>(item: &'a Map<String, Value>, at: &Path<'_>) -> Result<&'a str, Fault> {
    match present(item, "call_id") {
        None if present(item, "id").is_some() => text_field(item, "id", at),
        _ => text_field(item, "call_id", at),
    }
}

const KINDS: &[&str] = &[
    "message",
    "reasoning",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "item_reference",
];
/// What a host did by itself: no model of another host takes it.
const HOSTED: &[&str] = &[
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "computer_call",
    "computer_call_output",
    "image_generation_call",
    "mcp_call",
    "mcp_list_tools",
    "mcp_approval_request",
    "mcp_approval_response",
    "tool_search_call",
    "tool_search_output",
    "compaction",
    "additional_tools",
    "program",
    "program_output",
];
