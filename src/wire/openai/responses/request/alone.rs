//! What was said before, for a host that was not there: items that stand for themselves.
//!
//! An id leads into the store of whoever gave it, where another host finds nothing, and where the giver asks for the
//! thinking that belongs to it. So items go without theirs, and what is nothing without it is left out: thinking that
//! nobody but its maker can read, and calls that a host ran itself, whose outcome stands in the text behind them.

use crate::wire::openai::responses::thought;
use serde_json::Value;

/// An item of before as a host gets it; `None`: it is nothing to it.
pub(super) fn item(item: &Value) -> Option<Value> {
    let kind = item["type"].as_str().unwrap_or("message");
    let is_left_out = match kind {
        "reasoning" => item["encrypted_content"].is_null() || is_ours(item),
        kind => RUN_BY_A_HOST.contains(&kind),
    };
    if is_left_out {
        return None;
    }
    let mut item = item.clone();
    if let Some(fields) = item.as_object_mut()
        && !NAMED.contains(&kind)
    {
        fields.remove("id");
    }
    Some(item)
}

/// Whether an item is thinking that this relay wrapped: a host could not open it.
pub(super) fn is_ours(item: &Value) -> bool {
    let kept = item["encrypted_content"].as_str();
    item["type"] == "reasoning" && kept.is_some_and(|kept| thought::unwrap(kept).is_some())
}

/// Calls that a host ran itself.
const RUN_BY_A_HOST: [&str; 8] = [
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "image_generation_call",
    "mcp_call",
    "mcp_list_tools",
    "tool_search_call",
    "tool_search_output",
];

/// Items that the caller answers by their ids, or that are no items without one.
const NAMED: [&str; 6] = [
    "computer_call",
    "computer_call_output",
    "local_shell_call",
    "local_shell_call_output",
    "mcp_approval_request",
    "mcp_approval_response",
];
