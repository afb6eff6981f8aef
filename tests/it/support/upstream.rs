//! A model provider on loopback: keeps every request's body, answers by rule, and is loud about what it does not know.

use serde_json::Value;
use serde_json::json;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

/// What is said to a request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// A whole message.
    Say(String),
    /// A message that says something and then calls tools: for each its id, name and input.
    Call(String, Vec<(String, String, Value)>),
    /// The beginning of one; then nothing until the asker goes away.
    Begin(String),
    /// These events, as they are written.
    Raw(String),
    /// Nothing at all until the asker goes away.
    Hold,
}

/// A provider that answers until the test process ends. Dropping it verifies that nothing came which it did not know.
pub(crate) struct Upstream {
    address: SocketAddr,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    bodies: Vec<Value>,
    /// The betas that the last request named.
    betas: String,
    complaints: Vec<String>,
}

type Rule = dyn Fn(&Value) -> Answer + Send + Sync;

impl Upstream {
    /// Says the last text of the user back.
    pub(crate) fn echo() -> Upstream {
        Upstream::answering(|body| Answer::Say(last_text(body)))
    }

    pub(crate) fn answering(rule: impl Fn(&Value) -> Answer + Send + Sync + 'static) -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port must be found");
        let address = listener.local_addr().expect("a listener has an address");
        let heard = Arc::new(Mutex::new(Heard::default()));
        let (rule, ears): (Arc<Rule>, _) = (Arc::new(rule), Arc::clone(&heard));
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (rule, ears) = (Arc::clone(&rule), Arc::clone(&ears));
                std::thread::spawn(move || answer(socket, &*rule, &ears));
            }
        });
        Upstream { address, heard }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The bodies of the requests so far.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.heard().bodies.clone()
    }

    /// The betas that the last request named.
    pub(crate) fn betas(&self) -> String {
        self.heard().betas.clone()
    }

    /// The one request whose last text of the user is this.
    pub(crate) fn asked(&self, prompt: &str) -> Value {
        let mut bodies = self.bodies();
        bodies.retain(|body| last_text(body) == prompt);
        assert_eq!(
            bodies.len(),
            1,
            "requests that end with {prompt:.80?}; there came {:.2000?}",
            self.bodies().iter().map(last_text).collect::<Vec<_>>()
        );
        bodies.remove(0)
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        lock(&self.heard)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let complaints = self.heard().complaints.join("\n");
            assert!(complaints.is_empty(), "{complaints}");
        }
    }
}

/// The messages of a request as role and blocks, without what the CLI adds of its own.
pub(crate) fn messages(body: &Value) -> Vec<(String, Vec<Value>)> {
    let messages = body["messages"].as_array().expect("messages are a list");
    let own = messages
        .iter()
        .filter(|message| message["role"] != "system");
    own.map(|message| {
        let role = message["role"].as_str().unwrap_or_default().to_owned();
        let mut blocks = match &message["content"] {
            Value::String(text) => vec![json!({"type": "text", "text": text})],
            content => content.as_array().cloned().unwrap_or_default(),
        };
        blocks.retain(|block| {
            let text = block["text"].as_str().unwrap_or_default();
            !text.starts_with("<system-reminder>")
        });
        for block in blocks.iter_mut().filter_map(Value::as_object_mut) {
            block.remove("cache_control");
        }
        (role, blocks)
    })
    .collect()
}

/// All text of the last message of the user.
pub(crate) fn last_text(body: &Value) -> String {
    let messages = messages(body);
    let last = messages.iter().rfind(|(role, _)| role == "user");
    let blocks = last
        .map(|(_, blocks)| blocks.as_slice())
        .unwrap_or_default();
    blocks
        .iter()
        .filter_map(|block| block["text"].as_str())
        .collect()
}

fn answer(socket: TcpStream, rule: &Rule, heard: &Mutex<Heard>) {
    let mut reader = BufReader::new(socket);
    let mut head = Vec::new();
    for line in reader.by_ref().lines() {
        match line {
            Ok(line) if line.is_empty() => break,
            Ok(line) => head.push(line.to_ascii_lowercase()),
            Err(_) => return,
        }
    }
    let Some(first) = head.first().cloned() else {
        return;
    };
    let length = head
        .iter()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let mut socket = reader.into_inner();
    if first.starts_with("head / ") {
        // The older family looks whether anyone is there.
        let _ =
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        return;
    }
    if !first.starts_with("post /v1/messages") {
        lock(heard)
            .complaints
            .push(format!("an unexpected request: {first}"));
        let _ = socket.write_all(b"HTTP/1.1 501 Not Implemented\r\nconnection: close\r\n\r\n");
        return;
    }
    match serde_json::from_slice::<Value>(&body) {
        Ok(body) => {
            let named = |line: &String| {
                let betas = line.strip_prefix("anthropic-beta:")?;
                Some(betas.trim().to_owned())
            };
            let betas = head.iter().find_map(named).unwrap_or_default();
            let mut ears = lock(heard);
            ears.bodies.push(body.clone());
            ears.betas = betas;
            drop(ears);
            say(&mut socket, &rule(&body));
        }
        Err(error) => lock(heard)
            .complaints
            .push(format!("a broken body: {error}")),
    }
}

/// The asker may go away at any byte.
fn say(socket: &mut TcpStream, answer: &Answer) {
    let (mut events, stop) = match answer {
        Answer::Say(text) => (text_block(text), Some("end_turn")),
        Answer::Begin(text) => (text_block(text), None),
        Answer::Call(text, calls) => {
            let calls = calls
                .iter()
                .zip(1..)
                .flat_map(|(call, index)| call_block(index, call));
            let events = text_block(text).into_iter().chain(calls);
            (events.collect(), Some("tool_use"))
        }
        Answer::Raw(events) => {
            let _ = socket.write_all(format!("{HEAD}{events}").as_bytes());
            return;
        }
        Answer::Hold => return until_gone(socket),
    };
    let usage = json!({"input_tokens": 21, "cache_read_input_tokens": 7, "output_tokens": 1});
    let start = json!({"type": "message_start", "message": {"id": "msg_upstream", "type": "message",
        "role": "assistant", "model": "claude-opus-4-8", "content": [], "usage": usage}});
    events.insert(0, start);
    match stop {
        Some(stop) => events.extend([
            json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null},
                "usage": {"output_tokens": 42}}),
            json!({"type": "message_stop"}),
        ]),
        None => drop(events.pop()), // The block stays open.
    }
    let mut bytes = HEAD.to_owned();
    for event in events {
        let name = event["type"].as_str().unwrap_or_default().to_owned();
        bytes.push_str(&format!("event: {name}\ndata: {event}\n\n"));
    }
    let sent = socket.write_all(bytes.as_bytes());
    if stop.is_none() && sent.is_ok() {
        until_gone(socket);
    }
}

/// What stands before a stream.
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: req_upstream\r\n\
                    connection: close\r\n\r\n";

fn text_block(text: &str) -> Vec<Value> {
    block(
        0,
        &json!({"type": "text", "text": ""}),
        &json!({"type": "text_delta", "text": text}),
    )
}

fn call_block(index: usize, (id, name, input): &(String, String, Value)) -> Vec<Value> {
    let start = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
    let delta = json!({"type": "input_json_delta", "partial_json": input.to_string()});
    block(index, &start, &delta)
}

fn block(index: usize, start: &Value, delta: &Value) -> Vec<Value> {
    vec![
        json!({"type": "content_block_start", "index": index, "content_block": start}),
        json!({"type": "content_block_delta", "index": index, "delta": delta}),
        json!({"type": "content_block_stop", "index": index}),
    ]
}

fn until_gone(socket: &mut TcpStream) {
    while matches!(socket.read(&mut [0; 64]), Ok(read) if read > 0) {}
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}
