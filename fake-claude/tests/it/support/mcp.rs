//! An MCP server: lists what the test put in, answers calls, and keeps every message.

use std::sync::Arc;
use std::sync::mpsc;
use std::sync::mpsc::Sender;

use serde_json::Value;
use serde_json::json;

use crate::support::http;
use crate::support::http::Request;
use crate::support::http::Response;
use crate::support::watch::Watch;

/// The server.
pub(crate) struct McpServer {
    url: String,
    state: Arc<Watch<State>>,
}

#[derive(Default)]
struct State {
    tools: Vec<Value>,
    seen: Vec<(Request, Value)>,
    streams: Vec<Sender<String>>,
    /// How many lists the client has read to their end.
    lists_read: usize,
    /// Calls that are not answered before the test says so.
    held: Vec<&'static str>,
}

impl State {
    fn tell_change(&mut self) {
        let note = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" });
        for stream in &self.streams {
            let _ = stream.send(format!("event: message\ndata: {note}\n\n")); // It may be closed.
        }
    }
}

impl McpServer {
    pub(crate) fn new(tools: &[Value]) -> McpServer {
        let state = Arc::new(Watch::<State>::default());
        state.change(|state| state.tools = tools.to_vec());
        let (shared, read) = (Arc::clone(&state), Arc::clone(&state));
        let url = http::serve_until_read(
            move |request| answer(&shared, request),
            move |request| {
                if request.body.contains("tools/list") {
                    read.change(|state| state.lists_read += 1);
                }
            },
        );
        McpServer { url, state }
    }

    /// What goes behind `--mcp-config`.
    pub(crate) fn config(&self) -> String {
        let server = json!({
            "type": "http", "url": format!("{}/mcp", self.url), "headers": { "x-key": "k" }, "alwaysLoad": true,
        });
        json!({ "mcpServers": { "relay": server } }).to_string()
    }

    /// Calls of this tool are held back until `release`.
    pub(crate) fn hold(&self, tool: &'static str) {
        self.state.change(|state| state.held.push(tool));
    }

    pub(crate) fn release(&self) {
        self.state.change(|state| state.held.clear());
    }

    /// New tools, and word of it on every stream until the client asks for them: one that has only just connected does
    /// not hear it yet.
    pub(crate) fn change(&self, tools: &[Value]) {
        let asked = |state: &State| {
            let methods = state.seen.iter().map(|(_, body)| &body["method"]);
            methods.filter(|method| *method == "tools/list").count()
        };
        let before = asked(&self.state.lock());
        self.state.change(|state| state.tools = tools.to_vec());
        let heard = (0..TELLS_MAX).any(|_| {
            self.state.change(State::tell_change);
            let more = |state: &State| (asked(state) > before).then_some(());
            self.state.wait_a_moment(more).is_some()
        });
        assert!(heard, "no new list was asked for: {:?}", self.methods());
    }

    /// Waits for the `nth` message of this method, from 1.
    pub(crate) fn nth(&self, method: &str, nth: usize) -> (Request, Value) {
        let found = self.state.wait(|state| {
            let mut named = state
                .seen
                .iter()
                .filter(|(_, body)| body["method"] == method);
            named.nth(nth - 1).cloned()
        });
        found.unwrap_or_else(|| panic!("no {method} number {nth}: {:?}", self.methods()))
    }

    /// Waits until the client has read the `nth` list of tools, from 1.
    pub(crate) fn listed(&self, nth: usize) {
        let read = self
            .state
            .wait(|state| (state.lists_read >= nth).then_some(()));
        assert!(
            read.is_some(),
            "list {nth} was not read: {:?}",
            self.methods()
        );
    }

    pub(crate) fn methods(&self) -> Vec<String> {
        let state = self.state.lock();
        let methods = state.seen.iter().map(|(_, body)| body["method"].as_str());
        methods
            .map(|method| method.unwrap_or_default().to_owned())
            .collect()
    }
}

fn answer(state: &Watch<State>, request: Request) -> Response {
    if request.method == "GET" {
        let (pieces, body) = mpsc::channel();
        state.change(|state| {
            state.seen.push((request, json!({ "method": "GET" })));
            state.streams.push(pieces);
        });
        return Response::Stream(body);
    }
    let body: Value = serde_json::from_str(&request.body).expect("a message is JSON");
    state.change(|state| state.seen.push((request, body.clone())));
    let result = match body["method"].as_str().unwrap_or_default() {
        "initialize" => json!({
            "protocolVersion": body["params"]["protocolVersion"], "capabilities": { "tools": { "listChanged": true } },
            "serverInfo": { "name": "test", "version": "1" },
        }),
        "tools/list" => json!({ "tools": state.lock().tools }),
        "tools/call" => call(state, &body["params"]),
        _ if body.get("id").is_none() => return Response::empty(202),
        _ => {
            let error = json!({ "code": -32601, "message": "Method not found" });
            return Response::json(json!({ "jsonrpc": "2.0", "id": body["id"], "error": error }));
        }
    };
    let whole = json!({ "jsonrpc": "2.0", "id": body["id"], "result": result });
    Response::Whole {
        status: 200,
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("mcp-session-id", "session-1".to_owned()),
        ],
        body: whole.to_string(),
    }
}

fn call(state: &Watch<State>, params: &Value) -> Value {
    let name = params["name"].as_str().unwrap_or_default();
    state.wait(|state| (!state.held.contains(&name)).then_some(()));
    match name {
        "long" => json!({ "content": [{ "type": "text", "text": "word ".repeat(12_000) }] }),
        "broken" => json!({ "isError": true, "content": [{ "type": "text", "text": "it broke" }] }),
        _ => json!({ "content": [{ "type": "text", "text": format!("{name} said") }] }),
    }
}

/// A tool as a server lists it.
pub(crate) fn tool(name: &str) -> Value {
    json!({ "name": name, "description": name, "inputSchema": { "type": "object" } })
}

/// One that only reads.
pub(crate) fn reader(name: &str) -> Value {
    let mut tool = tool(name);
    tool["annotations"] = json!({ "readOnlyHint": true });
    tool
}

/// How often a change is told, a moment apart: twenty seconds, like every wait here.
const TELLS_MAX: usize = 2000;
