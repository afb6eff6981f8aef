//! What claude says at an MCP address, and what it is told: JSON-RPC 2.0 in the methods that tools need. `[pure]`

use super::tool_list::ToolList;
use crate::turn::json;
use serde_json::Value;
use serde_json::json;

/// A message of the CLI.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ClientMessage {
    Initialize {
        id: Value,
        protocol: String,
        /// The CLI's own word of its version; empty: none.
        version: String,
    },
    List {
        id: Value,
    },
    Call {
        id: Value,
        call: Call,
    },
    Ping {
        id: Value,
    },
    /// Our ping was answered.
    Pong(u64),
    /// The ping behind a list was answered.
    Read(u64),
    /// The ping behind a tool's result was answered.
    Taken(u64),
    /// Nothing that asks for an answer.
    Notice,
    /// A request for something that we do not have.
    Unknown {
        id: Value,
    },
    /// A call that nobody can park, or what may be one and cannot be read.
    Broken {
        id: Value,
    },
}

/// A tool call of the model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    /// The id that the model's message has for it.
    pub(crate) tool_use: String,
    /// Where progress of it is told, if it may be.
    pub(crate) progress: Option<Value>,
}

/// Reads one message; `None` where it is not one.
pub(crate) fn parse(body: &[u8]) -> Option<ClientMessage> {
    let Ok((message, _)) = json::read(body) else {
        return Some(ClientMessage::Broken { id: Value::Null });
    };
    let Some(method) = message.get("method") else {
        return Some(pong(message.get("id")?.as_str()?).unwrap_or(ClientMessage::Notice));
    };
    let Some(id) = message.get("id").cloned() else {
        return Some(ClientMessage::Notice);
    };
    let params = message.get("params");
    Some(match method.as_str()? {
        "initialize" => ClientMessage::Initialize {
            id,
            protocol: params?.get("protocolVersion")?.as_str()?.to_owned(),
            version: client_version(params).unwrap_or_default().to_owned(),
        },
        "tools/list" => ClientMessage::List { id },
        "tools/call" => match params.and_then(call) {
            Some(call) => ClientMessage::Call { id, call },
            None => ClientMessage::Broken { id },
        },
        "ping" => ClientMessage::Ping { id },
        _ => ClientMessage::Unknown { id },
    })
}

fn client_version(params: Option<&Value>) -> Option<&str> {
    params?.get("clientInfo")?.get("version")?.as_str()
}

/// Which of our pings has this id.
fn pong(id: &str) -> Option<ClientMessage> {
    let number = |prefix| id.strip_prefix(prefix)?.parse().ok();
    let read = number(READ).map(ClientMessage::Read);
    let taken = || number(TAKEN).map(ClientMessage::Taken);
    read.or_else(taken)
        .or_else(|| number(PING).map(ClientMessage::Pong))
}

fn call(params: &Value) -> Option<Call> {
    let meta = params.get("_meta")?;
    Some(Call {
        tool_use: meta.get("claudecode/toolUseId")?.as_str()?.to_owned(),
        progress: meta.get("progressToken").cloned(),
    })
}

/// The greeting: a server of tools whose list changes.
pub(crate) fn greeting(id: &Value, protocol: &str) -> String {
    answer(
        id,
        &json!({
            "protocolVersion": protocol,
            "capabilities": {"tools": {"listChanged": true}},
            "serverInfo": {"name": super::name::SERVER, "version": env!("CARGO_PKG_VERSION")},
        }),
    )
}

/// The list goes out as it was written once, and not through a value again.
pub(crate) fn listing(id: &Value, list: &ToolList) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"result":{{"tools":{}}}}}"#,
        list.json()
    )
}

pub(crate) fn answer(id: &Value, result: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string()
}

pub(crate) fn no_such_method(id: &Value) -> String {
    let error = json!({"code": -32601, "message": "Method not found"});
    json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string()
}

/// A call that cannot be served.
pub(crate) fn broken(id: &Value) -> String {
    let code = if id.is_null() { -32700 } else { -32602 };
    let error = json!({"code": code, "message": "The call cannot be read"});
    json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string()
}

pub(crate) fn list_changed() -> String {
    json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}).to_string()
}

pub(crate) fn ping(number: u64) -> String {
    request(&format!("{PING}{number}"), "ping")
}

/// The ping behind the list that is given out for this time.
pub(crate) fn reading(time: u64) -> String {
    request(&format!("{READ}{time}"), "ping")
}

/// The ping behind the result of this number.
pub(crate) fn taking(number: u64) -> String {
    request(&format!("{TAKEN}{number}"), "ping")
}

fn request(id: &str, method: &str) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": method}).to_string()
}

/// A message in a stream.
pub(crate) fn event(text: &str) -> String {
    format!("event: message\ndata: {text}\n\n")
}

/// The CLI writes a message that calls tools into its transcript at the next thing that happens; this is one.
pub(crate) fn progress(token: &Value, step: u64) -> String {
    let params = json!({"progressToken": token, "progress": step});
    json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}).to_string()
}

const PING: &str = "ping-";
const READ: &str = "read-";
const TAKEN: &str = "taken-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart() {
        let said = |text: &str| parse(text.as_bytes());
        let initialize = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
        assert!(
            matches!(said(initialize), Some(ClientMessage::Initialize { protocol, .. }) if protocol == "2025-11-25")
        );
        assert_eq!(
            said(r#"{"jsonrpc":"2.0","id":"a","method":"tools/list"}"#),
            Some(ClientMessage::List { id: json!("a") })
        );
        assert_eq!(
            said(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#),
            Some(ClientMessage::Notice)
        );
        assert_eq!(
            said(r#"{"jsonrpc":"2.0","id":1,"method":"server/discover"}"#),
            Some(ClientMessage::Unknown { id: json!(1) })
        );
        assert_eq!(
            said(r#"{"jsonrpc":"2.0","id":"ping-7","result":{}}"#),
            Some(ClientMessage::Pong(7))
        );
        assert_eq!(
            said(r#"{"jsonrpc":"2.0","id":"read-7","result":{}}"#),
            Some(ClientMessage::Read(7))
        );
        assert_eq!(
            said(r#"{"jsonrpc":"2.0","id":"taken-7","result":{}}"#),
            Some(ClientMessage::Taken(7))
        );
        assert_eq!(said("[]"), None);
        assert_eq!(said("{"), Some(ClientMessage::Broken { id: Value::Null }));
        let unnamed = r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"f"}}"#;
        assert_eq!(said(unnamed), Some(ClientMessage::Broken { id: json!(3) }));
        assert!(broken(&json!(3)).contains("-32602"));
    }

    #[test]
    fn a_call_tells_the_models_id() {
        let text = r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"f","arguments":{},
            "_meta":{"claudecode/toolUseId":"toolu_1","progressToken":3}}}"#;
        let call = Call {
            tool_use: "toolu_1".into(),
            progress: Some(json!(3)),
        };
        assert_eq!(
            parse(text.as_bytes()),
            Some(ClientMessage::Call { id: json!(3), call })
        );
    }

    #[test]
    fn a_call_with_half_a_pair_in_its_input_is_a_call() {
        let text = r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"f",
            "arguments":{"t":"a\ud99c b"},"_meta":{"claudecode/toolUseId":"toolu_1"}}}"#;
        assert!(matches!(
            parse(text.as_bytes()),
            Some(ClientMessage::Call { .. })
        ));
    }

    #[test]
    fn a_listing_is_json() {
        let listing = listing(&json!(1), &ToolList::default());
        let value: Value = serde_json::from_str(&listing).expect("a listing is JSON");
        assert_eq!(value["result"]["tools"], json!([]));
    }
}
