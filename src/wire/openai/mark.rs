//! Marks of the cache, which clients of a Messages host set in this dialect as well. `[pure]`

use super::id;
use crate::turn::Mark;
use crate::turn::Marked;
use crate::wire::field::field;
use crate::wire::field::present;
use serde_json::Map;
use serde_json::Value;

/// The marks of a call, in its order. Those of pictures and files stand in their blocks.
pub(super) fn found(fields: &Map<String, Value>) -> Vec<Mark> {
    let list = |name: &str| match field(fields, name) {
        Some(Value::Array(list)) => list.as_slice(),
        Some(_) | None => &[],
    };
    let said = list("messages").iter().chain(list("input"));
    let mut marks: Vec<Mark> = list("tools").iter().filter_map(of_tool).collect();
    for message in said.filter_map(Value::as_object) {
        let parts = match field(message, "content") {
            Some(Value::Array(parts)) => parts.as_slice(),
            Some(_) | None => &[],
        };
        marks.extend(parts.iter().filter_map(of_part));
        marks.extend(of_message(message, parts));
    }
    marks
}

fn of_part(part: &Value) -> Option<Mark> {
    let fields = part.as_object()?;
    let mark = present(fields, NAME)?.clone();
    let text = fields.get("text")?.as_str()?.to_owned();
    let on = Marked::Text(text);
    Some(Mark { on, mark })
}

/// A mark of a whole message stands on the last that it says, or on the result that it is.
fn of_message(message: &Map<String, Value>, parts: &[Value]) -> Option<Mark> {
    let mark = present(message, NAME)?.clone();
    let text = |name: &str| message.get(name).and_then(Value::as_str);
    let last = || {
        parts
            .iter()
            .rev()
            .find_map(|part| part.get("text")?.as_str())
    };
    let on = match text("tool_call_id").or_else(|| text("call_id")) {
        Some(call) => Marked::Result(id::call(call)),
        None => Marked::Text(text("content").or_else(last)?.to_owned()),
    };
    Some(Mark { on, mark })
}

fn of_tool(tool: &Value) -> Option<Mark> {
    let fields = tool.as_object()?;
    let function = fields.get("function").and_then(Value::as_object);
    let all = [Some(fields), function];
    let first = |name: &str| {
        all.into_iter()
            .flatten()
            .find_map(|fields| present(fields, name))
    };
    let (mark, name) = (first(NAME)?.clone(), first("name")?.as_str()?.to_owned());
    let on = Marked::Tool(name);
    Some(Mark { on, mark })
}

const NAME: &str = "cache_control";
