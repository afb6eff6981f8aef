//! The lines that go out, in each family's fields.

use serde_json::Value;
use serde_json::json;

use crate::bill::Bill;
use crate::clock;
use crate::id;
use crate::mcp::Client;
use crate::transcript::with;
use crate::world::Told;
use crate::world::World;

/// The record that opens every turn.
pub(super) fn init(world: &World) -> Value {
    let tools: Vec<String> = world
        .toolbox
        .tools()
        .into_iter()
        .map(|tool| tool.name)
        .collect();
    let is_new = world.dialect.is_new();
    let server = |client: &Client| {
        let mut server = json!({ "name": client.server.name, "status": client.status() });
        if is_new {
            server["source"] = json!("dynamic");
        }
        server
    };
    let clients = world.toolbox.clients();
    let servers: Vec<Value> = clients.iter().map(|client| server(client)).collect();
    let key = if world.upstream.is_some() {
        "ANTHROPIC_API_KEY"
    } else {
        "none"
    };
    let mut line = json!({
        "type": "system", "subtype": "init", "cwd": world.cwd, "session_id": session(world), "tools": tools,
        "mcp_servers": servers, "model": world.model(), "permissionMode": world.permission_mode,
        "slash_commands": ["clear", "compact", "context", "usage"], "apiKeySource": key,
        "claude_code_version": world.frame.version, "output_style": "default", "agents": ["general-purpose"],
        "skills": [], "plugins": [],
    });
    if is_new {
        line["capabilities"] = json!(["interrupt_receipt_v1", "interrupt_cancel_queued_v1"]);
    }
    let rest = json!({ "analytics_disabled": true, "product_feedback_disabled": true, "uuid": id::uuid() });
    let mut line = with(line, rest);
    if !is_new {
        line["fast_mode_state"] = json!("off");
    }
    line
}

/// A request is on its way.
pub(super) fn requesting(world: &World) -> Value {
    let line = json!({ "type": "system", "subtype": "status", "status": "requesting" });
    signed(line, world)
}

/// An event of the API's own stream.
pub(super) fn event(world: &World, event: &Value, message: &str, ttft_ms: u64) -> Value {
    let mut line = json!({
        "type": "stream_event", "event": event, "session_id": session(world), "parent_tool_use_id": null,
        "uuid": id::uuid(),
    });
    let is_new = world.dialect.is_new();
    if event["type"] == "message_start" {
        line["ttft_ms"] = json!(ttft_ms);
        if is_new {
            line["thinking_display"] = json!("updates");
        }
    }
    if is_new {
        line["api_message_id"] = json!(message);
    }
    line
}

/// One whole block of the assistant's message.
pub(super) fn assistant(world: &World, message: &Value, request_id: &str) -> Value {
    let mut line = json!({
        "type": "assistant", "message": message, "parent_tool_use_id": null, "session_id": session(world),
        "uuid": id::uuid(),
    });
    if world.dialect.is_new() {
        line["timestamp"] = now();
    }
    line["request_id"] = json!(request_id);
    line
}

/// A failure, which stands where the assistant's message would.
pub(super) fn failed(world: &World, message: &Value, error: &str, status: Option<u16>) -> Value {
    let mut line = json!({
        "type": "assistant", "message": message, "parent_tool_use_id": null, "session_id": session(world),
        "uuid": id::uuid(),
    });
    let is_new = world.dialect.is_new();
    if is_new {
        line["timestamp"] = now();
    }
    line["error"] = json!(error);
    if is_new {
        line["is_api_error_message"] = json!(true);
        line["api_error_status"] = json!(status);
    }
    line
}

/// A message in the user's name: a tool's result, an interruption, a request to go on.
pub(super) fn user(world: &World, told: &Told) -> Value {
    let mut line = json!({
        "type": "user", "message": { "role": "user", "content": told.content }, "parent_tool_use_id": null,
        "session_id": session(world), "uuid": id::uuid(), "timestamp": now(),
    });
    if let Some(result) = &told.tool_use_result {
        line["tool_use_result"] = result.clone();
    }
    if told.is_synthetic {
        line["isSynthetic"] = json!(true);
    }
    line
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum End {
    Answered(String, Option<String>),
    Failed(String, Option<u16>),
    Interrupted,
}

/// What a turn used, and how long it took.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub(super) turn: Bill,
    pub(super) all: Bill,
    pub(super) requests: u64,
    pub(super) ms: u64,
    pub(super) ttft_ms: u64,
}

/// The record that closes every turn; the newer family has its fields in another order.
pub(super) fn result(world: &World, end: &End, account: &Account) -> Value {
    let subtype = match end {
        End::Interrupted => "error_during_execution",
        _ => "success",
    };
    let is_new = world.dialect.is_new();
    let head = json!({ "type": "result", "subtype": subtype });
    let mut told = match end {
        End::Answered(text, _) => {
            json!({ "is_error": false, "api_error_status": null, "result": text })
        }
        End::Failed(text, status) => {
            json!({ "is_error": true, "api_error_status": status, "result": text })
        }
        End::Interrupted => json!({ "is_error": true, "errors": [INTERRUPTED] }),
    };
    told["duration_ms"] = json!(account.ms);
    told["duration_api_ms"] = json!(account.ms);
    if matches!(end, End::Answered(..)) {
        told["ttft_ms"] = json!(account.ttft_ms);
    }
    told["num_turns"] = json!(match end {
        End::Interrupted => account.requests + 2,
        _ => account.requests.max(1),
    });
    told["stop_reason"] = match end {
        End::Answered(_, reason) => json!(reason),
        End::Failed(..) => json!("stop_sequence"),
        End::Interrupted => Value::Null,
    };
    let reason = match (end, is_new) {
        (End::Interrupted, _) => "aborted_streaming",
        (End::Failed(..), true) => "api_error",
        _ => "completed",
    };
    let rest = json!({
        "session_id": session(world), "total_cost_usd": account.all.cost(), "usage": account.turn.usage(is_new),
        "modelUsage": account.all.by_model(&world.model()), "permission_denials": [], "terminal_reason": reason,
        "fast_mode_state": "off", "uuid": id::uuid(),
    });
    match is_new {
        true => with(with(rest, told), head),
        false => with(with(head, told), rest),
    }
}

/// The answer to a control request.
pub(super) fn control(id: &str, answer: Result<Option<Value>, String>) -> Value {
    let response = match answer {
        Ok(None) => json!({ "subtype": "success", "request_id": id }),
        Ok(Some(told)) => json!({ "subtype": "success", "request_id": id, "response": told }),
        Err(error) => json!({ "subtype": "error", "request_id": id, "error": error }),
    };
    json!({ "type": "control_response", "response": response })
}

/// The families sign in another order.
fn signed(line: Value, world: &World) -> Value {
    let (session, uuid) = (
        json!({ "session_id": session(world) }),
        json!({ "uuid": id::uuid() }),
    );
    match world.dialect.is_new() {
        true => with(with(line, session), uuid),
        false => with(with(line, uuid), session),
    }
}

fn session(world: &World) -> String {
    world.journal().session_id().to_owned()
}

fn now() -> Value {
    json!(clock::iso(clock::unix_ms()))
}

const INTERRUPTED: &str =
    "[ede_diagnostic] result_type=user last_content_type=n/a stop_reason=null";
