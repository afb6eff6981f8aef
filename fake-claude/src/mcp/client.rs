//! One server: the requests to it, the event stream from it, and its tools as last listed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::clock;
use crate::http::Cancel;
use crate::http::Conn;
use crate::js;
use crate::look::Dialect;
use crate::mcp::Fault;
use crate::mcp::Server;
use crate::mcp::Tool;
use crate::world::lock;

/// A client of one server.
pub(crate) struct Client {
    pub(crate) server: Server,
    is_new: bool,
    /// Whether the first definition of a tool stays, by its name and schema.
    keeps: bool,
    version: String,
    agent: String,
    link: Mutex<Link>,
    tools: Mutex<Vec<Tool>>,
    /// Every tool that was ever offered, as it was told to the model first.
    kept: Mutex<Vec<Tool>>,
    /// Whether the first list is put to use; it hears of no other one before.
    joined: AtomicBool,
    /// What came behind the results of calls that are not put to use yet, by the ids of the calls.
    behind: Mutex<HashMap<String, Vec<Value>>>,
    next_id: AtomicU64,
}

/// What `initialize` agreed on.
#[derive(Clone, Debug, Default)]
struct Link {
    session: Option<String>,
    protocol: Option<String>,
}

impl Client {
    pub(crate) fn new(server: Server, version: &str, entry: &str, dialect: &Dialect) -> Client {
        Client {
            server,
            is_new: dialect.is_new(),
            keeps: dialect.keeps_tools,
            kept: Mutex::default(),
            version: version.to_owned(),
            agent: format!("claude-code/{version} ({entry})"),
            link: Mutex::default(),
            tools: Mutex::default(),
            joined: AtomicBool::new(false),
            behind: Mutex::default(),
            next_id: AtomicU64::new(0),
        }
    }

    /// The tools as last listed; none before the first list.
    pub(crate) fn tools(&self) -> Vec<Tool> {
        lock(&self.tools).clone()
    }

    /// The tools as the model is told of them: it is told of one when a turn begins, and of the same one again where
    /// the process keeps what it told.
    pub(crate) fn told(&self) -> Vec<Tool> {
        let tools = self.tools();
        if !self.keeps {
            return tools;
        }
        let mut kept = lock(&self.kept);
        let tell = |tool: Tool| {
            let is_it = |other: &&Tool| other.name == tool.name && other.schema == tool.schema;
            if let Some(before) = kept.iter().find(is_it) {
                return before.clone();
            }
            kept.push(tool.clone());
            tool
        };
        tools.into_iter().map(tell).collect()
    }

    /// `connected`, or `failed` where no handshake was made.
    pub(crate) fn status(&self) -> &'static str {
        match lock(&self.link).protocol {
            Some(_) => "connected",
            None => "failed",
        }
    }

    /// Shakes hands and lists the tools; a server that does not answer has none.
    pub(crate) fn connect(self: Arc<Client>) {
        if self.is_new {
            self.probe();
        }
        if self.initialize().is_err() {
            return;
        }
        let listener = Arc::clone(&self);
        std::thread::spawn(move || listener.listen());
        self.list();
        clock::sleep(JOINING);
        self.joined.store(true, Ordering::SeqCst);
    }

    /// Calls a tool; an interruption is told to the server, and the answer is not waited for.
    pub(crate) fn call(
        &self,
        tool: &str,
        input: &Value,
        use_id: &str,
        cancel: &Cancel,
    ) -> Result<Value, Fault> {
        let id = self.id();
        let meta = json!({ "claudecode/toolUseId": use_id, "progressToken": id });
        let params = json!({ "name": tool, "arguments": input, "_meta": meta });
        let result = self.ask("tools/call", Some(params), id, cancel);
        let result = result.map(|(result, behind)| {
            lock(&self.behind).insert(use_id.to_owned(), behind);
            result
        });
        if result == Err(Fault::Cancelled) {
            let params = json!({ "requestId": id, "reason": "AbortError: user-cancel" });
            self.notify(
                &json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params }),
            );
        }
        result
    }

    /// Hears what came behind the result of a call, once the result is put to use.
    pub(crate) fn hear_behind(&self, use_id: &str) {
        let behind = lock(&self.behind).remove(use_id);
        for event in behind.unwrap_or_default() {
            self.hear(&event);
        }
    }

    /// The newer family first asks whether the server speaks the next protocol; here the answer is never taken up.
    fn probe(&self) {
        let protocol = "2026-07-28";
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": protocol,
            "io.modelcontextprotocol/clientInfo": self.info(),
            "io.modelcontextprotocol/clientCapabilities": {
                "roots": { "listChanged": true }, "elicitation": { "form": {}, "url": {} },
                "extensions": { "io.modelcontextprotocol/tasks": {} },
            },
        });
        let body = json!({
            "jsonrpc": "2.0", "id": "server-discover-probe-1", "method": "server/discover", "params": { "_meta": meta },
        });
        let more = [
            ("mcp-method", "server/discover"),
            ("mcp-protocol-version", protocol),
        ];
        let _ = self.post(&body, &more, &Cancel::default());
    }

    fn initialize(&self) -> Result<(), Fault> {
        let capabilities = match self.is_new {
            true => {
                json!({ "roots": { "listChanged": true }, "elicitation": { "form": {}, "url": {} } })
            }
            false => json!({ "roots": {}, "elicitation": {} }),
        };
        let params = json!({
            "protocolVersion": PROTOCOL, "capabilities": capabilities, "clientInfo": self.info(),
        });
        let (result, _) = self.ask("initialize", Some(params), self.id(), &Cancel::default())?;
        lock(&self.link).protocol = result["protocolVersion"].as_str().map(str::to_owned);
        let note = match self.is_new {
            true => json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
            false => json!({ "method": "notifications/initialized", "jsonrpc": "2.0" }),
        };
        self.notify(&note);
        Ok(())
    }

    /// What comes behind the list in its stream is heard once the list is put to use.
    fn list(&self) {
        let body = json!({ "method": "tools/list", "jsonrpc": "2.0", "id": self.id() });
        let Ok((answer, behind)) = self.post(&body, &[], &Cancel::default()) else {
            return;
        };
        if let Some(entries) = answer["result"]["tools"].as_array() {
            let tools = entries
                .iter()
                .filter_map(|entry| Tool::of(&self.server.name, entry, self.is_new));
            *lock(&self.tools) = tools.collect();
        }
        for event in behind {
            self.hear(&event);
        }
    }

    /// Reads the event stream; where it ends it is opened anew, where there is none it is left.
    fn listen(&self) {
        while self.hear_stream() {
            clock::sleep(RECONNECT);
        }
    }

    /// Whether there was a stream at all.
    fn hear_stream(&self) -> bool {
        let Ok(mut conn) = Conn::patient(&self.server.url) else {
            return false;
        };
        let headers = self.headers("text/event-stream", &[]);
        let headers: Vec<(&str, &str)> = pairs(&headers);
        let never = Cancel::default();
        if conn.send("GET", &self.server.url, &headers, b"").is_err() {
            return false;
        }
        if !conn.head(&never).is_ok_and(|head| head.status == 200) {
            return false;
        }
        let mut events = Events::default();
        while let Ok(Some(piece)) = conn.piece(&never) {
            for event in events.feed(&piece) {
                self.hear(&event);
            }
        }
        true
    }

    fn hear(&self, event: &Value) {
        match event["method"].as_str() {
            Some("notifications/tools/list_changed") if self.joined.load(Ordering::SeqCst) => {
                self.list();
            }
            Some("ping") => {
                self.notify(&json!({ "result": {}, "jsonrpc": "2.0", "id": event["id"] }));
            }
            _ => {}
        }
    }

    fn ask(
        &self,
        method: &str,
        params: Option<Value>,
        id: u64,
        cancel: &Cancel,
    ) -> Result<(Value, Vec<Value>), Fault> {
        let body = match params {
            Some(params) => {
                json!({ "method": method, "params": params, "jsonrpc": "2.0", "id": id })
            }
            None => json!({ "method": method, "jsonrpc": "2.0", "id": id }),
        };
        let (answer, behind) = self.post(&body, &[], cancel)?;
        if let Some(error) = answer.get("error") {
            return Err(Fault::Rpc {
                code: error["code"].as_i64().unwrap_or_default(),
                message: error["message"].as_str().unwrap_or_default().to_owned(),
            });
        }
        Ok((answer["result"].clone(), behind))
    }

    fn notify(&self, body: &Value) {
        let _ = self.post(body, &[], &Cancel::default());
    }

    /// One request on a connection of its own; the answer is JSON or the first answer in a stream of events, whose
    /// later events come with it.
    fn post(
        &self,
        body: &Value,
        more: &[(&str, &str)],
        cancel: &Cancel,
    ) -> Result<(Value, Vec<Value>), Fault> {
        let broken = |error: std::io::Error| match cancel.is_set() {
            true => Fault::Cancelled,
            false => Fault::Link(error.to_string()),
        };
        let mut headers = self.headers("application/json, text/event-stream", more);
        headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        let mut conn = Conn::open(&self.server.url).map_err(broken)?;
        conn.send(
            "POST",
            &self.server.url,
            &pairs(&headers),
            js::text(body).as_bytes(),
        )
        .map_err(broken)?;
        let head = conn.head(cancel).map_err(broken)?;
        if head.status >= 400 {
            let text = conn.rest(cancel).map_err(broken)?;
            let text = String::from_utf8_lossy(&text);
            return Err(Fault::Link(format!(
                "Error POSTing to endpoint (HTTP {}): {text}",
                head.status
            )));
        }
        if let Some(session) = head.header("mcp-session-id") {
            lock(&self.link).session = Some(session.to_owned());
        }
        let streams = head
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/event-stream"));
        match streams {
            true => first_answer(&mut conn, cancel).map_err(broken),
            false => {
                let text = conn.rest(cancel).map_err(broken)?;
                Ok((serde_json::from_slice(&text).unwrap_or_default(), vec![]))
            }
        }
    }

    fn headers(&self, accept: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let link = lock(&self.link).clone();
        let mut headers = vec![
            ("Accept".to_owned(), accept.to_owned()),
            ("Accept-Encoding".to_owned(), "identity".to_owned()),
            ("User-Agent".to_owned(), self.agent.clone()),
        ];
        let agreed = [
            ("mcp-protocol-version", link.protocol),
            ("mcp-session-id", link.session),
        ];
        for (name, value) in agreed {
            headers.extend(value.map(|value| (name.to_owned(), value)));
        }
        let more = more
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        headers.extend(more);
        headers.extend(self.server.headers.iter().cloned());
        headers.push(("Connection".to_owned(), "close".to_owned()));
        headers
    }

    fn info(&self) -> Value {
        json!({
            "name": "claude-code", "title": "Claude Code", "version": self.version,
            "description": "Anthropic's agentic coding tool", "websiteUrl": "https://claude.com/claude-code",
        })
    }

    fn id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::SeqCst)
    }
}

/// The first message with a result or an error, and what comes behind it; what comes before it is progress and the
/// like.
fn first_answer(conn: &mut Conn, cancel: &Cancel) -> std::io::Result<(Value, Vec<Value>)> {
    let mut events = Events::default();
    let mut told = Vec::new();
    while let Some(piece) = conn.piece(cancel)? {
        told.extend(events.feed(&piece));
    }
    let is_answer = |event: &Value| event.get("result").or(event.get("error")).is_some();
    let first = told.iter().position(is_answer).unwrap_or(told.len());
    let mut told = told.into_iter().skip(first);
    Ok((told.next().unwrap_or_default(), told.collect()))
}

/// Server-sent events whose data is JSON.
#[derive(Debug, Default)]
struct Events {
    ahead: Vec<u8>,
}

impl Events {
    fn feed(&mut self, piece: &[u8]) -> Vec<Value> {
        self.ahead.extend_from_slice(piece);
        let mut events = Vec::new();
        while let Some(end) = self.ahead.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.ahead.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let data = line.strip_prefix("data:");
            events.extend(data.and_then(|data| serde_json::from_str(data.trim()).ok()));
        }
        events
    }
}

fn pairs(headers: &[(String, String)]) -> Vec<(&str, &str)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

const PROTOCOL: &str = "2025-11-25";
/// From its first list to the first notice that it hears; the real one was seen to take 20 ms to 700 ms.
const JOINING: Duration = Duration::from_millis(20);
/// How long after its end the event stream is opened anew.
const RECONNECT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_they_are_cut() {
        let stream = b"event: message\ndata: {\"method\":\"m\"}\n\ndata: {\"id\":1}\n\n";
        for cut in 0..stream.len() {
            let mut events = Events::default();
            let mut read = events.feed(&stream[..cut]);
            read.extend(events.feed(&stream[cut..]));
            assert_eq!(read.len(), 2, "cut at {cut}");
        }
    }
}
