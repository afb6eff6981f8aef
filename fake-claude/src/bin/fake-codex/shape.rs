//! The shapes in which the CLI tells things, as they were seen.

use crate::clock;
use crate::id;
use crate::script::Limit;
use serde_json::Value;
use serde_json::json;

pub(crate) fn message(number: u64, text: &str) -> Value {
    json!({
        "type": "agentMessage", "moderation": null, "id": format!("msg_{number}"), "text": text, "phase": null,
        "memoryCitation": null, "delivery": null, "questions": null,
    })
}

pub(crate) fn usage(input: u64, output: u64) -> Value {
    json!({
        "totalTokens": input + output, "inputTokens": input, "cachedInputTokens": 7, "cacheWriteInputTokens": 0,
        "outputTokens": output, "reasoningOutputTokens": 0,
    })
}

/// A usage that the CLI makes up.
pub(crate) fn nothing(total: u64) -> Value {
    json!({
        "totalTokens": total, "inputTokens": 0, "cachedInputTokens": 0, "cacheWriteInputTokens": 0, "outputTokens": 0,
        "reasoningOutputTokens": 0,
    })
}

pub(crate) fn window(limit: Limit) -> Value {
    let resets = clock::unix_ms() / 1000 + limit.resets_in;
    json!({"usedPercent": limit.used, "windowDurationMins": limit.minutes, "resetsAt": resets})
}

pub(crate) fn limits(primary: Option<&Value>) -> Value {
    json!({"rateLimits": {
        "limitId": "codex", "limitName": null, "normalModelSlug": null, "primary": primary, "secondary": null,
        "credits": null, "individualLimit": null, "spendControlReached": null, "planType": null,
        "rateLimitReachedType": null,
    }})
}

/// What the CLI notes for the model in a turn that was stopped.
pub(crate) fn aborted() -> Value {
    let text = "<turn_aborted>\nThe user interrupted the previous turn on purpose. Any running unified exec processes may \
                still be running in the background. If any tools/commands were aborted, they may have partially \
                executed.\n</turn_aborted>";
    json!({
        "type": "message", "id": format!("msg_{}", id::uuid()), "role": "user",
        "content": [{"type": "input_text", "text": text}],
    })
}

/// What the CLI notes for the model whose answer a filter ended.
pub(crate) fn filtered() -> Value {
    let text = "<content_filter_guidance>\nYour previous response was blocked by a content filter. Do not treat this as a \
                transient failure or try to reproduce or work around the blocked content through repeated attempts, altered \
                formatting, splitting, encoding, tools, subagents, or later wakes. Briefly explain the limitation and offer a \
                permitted alternative. Continue unrelated authorized work.\n</content_filter_guidance>";
    json!({
        "type": "message", "id": format!("msg_{}", id::uuid()), "role": "developer",
        "content": [{"type": "input_text", "text": text}],
    })
}

/// A citation of the CLI's memory is not shown, whoever wrote it.
pub(crate) fn without_marks(text: &str) -> String {
    let (open, close) = ("<oai-mem-citation>", "</oai-mem-citation>");
    match (text.split_once(open), text.split_once(close)) {
        (Some((head, _)), Some((_, tail))) => format!("{head}{tail}"),
        _ => text.to_owned(),
    }
}

/// The window of a model whose entry leaves a call as it is, in tokens.
pub(crate) const WINDOW: u64 = 1_000_000_000;
