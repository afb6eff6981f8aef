//! An HTTP host on loopback that a catalog can name: it keeps every request, and answers by rule, well or badly.

use serde_json::Value;
use serde_json::json;
use std::fmt::Write as _;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The first line, then one header a line, names in lower case.
    pub(crate) head: Vec<String>,
    pub(crate) body: Vec<u8>,
}

/// What is said to it.
#[derive(Debug, Clone)]
pub(crate) enum Said {
    /// A whole response: status, further header lines, type, body.
    Whole(u16, &'static str, &'static str, String),
    /// These pieces of a stream; then its end, as it should be.
    Stream(Vec<String>),
    /// These pieces of a stream; then the connection is cut.
    Cut(Vec<String>),
    /// Half of a body of JSON; then the connection is cut.
    Short(String),
    /// The head of a stream, these pieces, and nothing more.
    Stall(Vec<String>),
    /// The connection is closed without a word.
    Nothing,
    /// Not a word is said, and the connection stays open.
    Silence,
}

/// A host that answers until the test process ends.
pub(crate) struct Host {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

type Rule = dyn Fn(&Asked) -> Said + Send + Sync;

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let named = |line: &&String| line.split(':').next() == Some(name);
        let line = self.head.iter().skip(1).find(named)?;
        Some(line.split_once(':')?.1.trim())
    }

    /// The credential, however it is shown.
    pub(crate) fn key(&self) -> &str {
        let bearer = self
            .header("authorization")
            .map(|value| &value["bearer ".len()..]);
        self.header("x-api-key").or(bearer).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn is_streamed(&self) -> bool {
        self.json()["stream"] == true
    }
}

impl Host {
    pub(crate) fn answering(rule: impl Fn(&Asked) -> Said + Send + Sync + 'static) -> Host {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port must be found");
        let address = listener.local_addr().expect("a listener has an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (rule, kept): (Arc<Rule>, _) = (Arc::new(rule), Arc::clone(&asked));
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (rule, kept) = (Arc::clone(&rule), Arc::clone(&kept));
                std::thread::spawn(move || serve(&socket, &*rule, &kept));
            }
        });
        Host { address, asked }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// A good answer of the Messages API that says this, streamed where that was asked for.
pub(crate) fn says(asked: &Asked, text: &str) -> Said {
    if !asked.is_streamed() {
        let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "up",
            "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 3, "output_tokens": 5, "cache_read_input_tokens": 2}});
        return Said::Whole(200, "", "application/json", message.to_string());
    }
    Said::Stream(stream(text))
}

/// The events of such a stream.
pub(crate) fn stream(text: &str) -> Vec<String> {
    let mut events = vec![preamble()];
    events.extend([
        event(&json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})),
        event(&json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})),
        event(&json!({"type": "content_block_stop", "index": 0})),
        event(&json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
            "usage": {"output_tokens": 5}})),
        event(&json!({"type": "message_stop"})),
    ]);
    events
}

/// What a stream begins with before it says anything.
pub(crate) fn preamble() -> String {
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "up", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 3, "output_tokens": 1}});
    event(&json!({"type": "message_start", "message": message}))
}

pub(crate) fn event(data: &Value) -> String {
    format!(
        "event: {}\ndata: {data}\n\n",
        data["type"].as_str().unwrap_or("message")
    )
}

/// The chunks of a stream of Chat Completions that says these words and counts them, to its last mark.
pub(crate) fn chat_stream(model: &str, words: &[&str]) -> Vec<String> {
    let chunk = |choices: Value, usage: Value| {
        let chunk = json!({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": model,
            "choices": choices, "usage": usage});
        format!("data: {chunk}\n\n")
    };
    let choice =
        |delta: Value, end: Value| json!([{"index": 0, "delta": delta, "finish_reason": end}]);
    let role = choice(json!({"role": "assistant", "content": ""}), Value::Null);
    let mut chunks = vec![chunk(role, Value::Null)];
    for word in words {
        let said = choice(json!({"content": format!("{word} ")}), Value::Null);
        chunks.push(chunk(said, Value::Null));
    }
    chunks.push(chunk(choice(json!({}), json!("stop")), Value::Null));
    let count = words.len();
    let usage = json!({"prompt_tokens": 9, "completion_tokens": count, "total_tokens": 9 + count});
    chunks.push(chunk(json!([]), usage));
    chunks.push("data: [DONE]\n\n".to_owned());
    chunks
}

/// A failure in the words of OpenAI's API.
pub(crate) fn chat_fails(status: u16, headers: &'static str, code: &str, message: &str) -> Said {
    let body =
        json!({"error": {"message": message, "type": "some_error", "param": null, "code": code}});
    Said::Whole(status, headers, "application/json", body.to_string())
}

/// A failure in the words of the Messages API.
pub(crate) fn fails(status: u16, kind: &str, message: &str) -> Said {
    fails_with(status, "", kind, message)
}

pub(crate) fn fails_with(status: u16, headers: &'static str, kind: &str, message: &str) -> Said {
    let body = json!({"type": "error", "error": {"type": kind, "message": message}});
    Said::Whole(status, headers, "application/json", body.to_string())
}

fn serve(socket: &TcpStream, rule: &Rule, kept: &Mutex<Vec<Asked>>) {
    let mut reader = BufReader::new(socket);
    while let Some(asked) = read(&mut reader) {
        let said = rule(&asked);
        kept.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(asked);
        if !say(socket, said) {
            return;
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Asked> {
    let mut head = Vec::new();
    for line in reader.by_ref().lines() {
        let line = line.ok()?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        head.push(match head.is_empty() {
            true => line.clone(),
            false => format!("{}:{value}", name.to_ascii_lowercase()),
        });
    }
    let mut asked = Asked {
        head,
        body: Vec::new(),
    };
    asked.head.first()?;
    let length = asked
        .header("content-length")
        .and_then(|text| text.parse().ok());
    asked.body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut asked.body).ok()?;
    Some(asked)
}

/// Whether the connection goes on.
fn say(mut socket: &TcpStream, said: Said) -> bool {
    let head = |status: u16, more: &str| format!("HTTP/1.1 {status} X\r\n{more}\r\n");
    let chunk = |piece: &String| format!("{:x}\r\n{piece}\r\n", piece.len());
    let mut text = String::new();
    let (pieces, is_whole) = match &said {
        Said::Nothing => return false,
        Said::Silence => {
            // Until whoever asked goes away.
            drop(socket.read(&mut [0]));
            return false;
        }
        Said::Whole(status, headers, kind, body) => {
            let more = format!(
                "{headers}content-type: {kind}\r\ncontent-length: {}\r\n",
                body.len()
            );
            text = head(*status, &more) + body;
            (&vec![], true)
        }
        Said::Short(body) => {
            let more = format!(
                "content-type: application/json\r\ncontent-length: {}\r\n",
                body.len()
            );
            text = head(200, &more) + &body[..body.len() / 2];
            (&vec![], false)
        }
        Said::Stream(pieces) => (pieces, true),
        Said::Cut(pieces) | Said::Stall(pieces) => (pieces, false),
    };
    if !matches!(said, Said::Whole(..) | Said::Short(_)) {
        text = head(
            200,
            "content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n",
        );
        for piece in pieces {
            write!(text, "{}", chunk(piece)).expect("a string takes all");
        }
        text.push_str(if is_whole { "0\r\n\r\n" } else { "" });
    }
    if socket.write_all(text.as_bytes()).is_err() {
        return false;
    }
    if matches!(said, Said::Stall(_)) {
        // Until whoever asked goes away.
        drop(socket.read(&mut [0]));
    }
    is_whole
}
