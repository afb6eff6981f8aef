//! A small blocking HTTP/1.1 client that reads server-sent events as they come and can hang up midway.

use super::wait::DEADLINE;
use serde_json::Value;
use serde_json::json;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;

/// A whole response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// A response on its way, event by event. Dropping it hangs up.
pub(crate) struct Stream {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    body: BufReader<Body>,
}

/// One server-sent event, with the comments before it.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: Value,
    pub(crate) comments: Vec<String>,
}

/// The bytes of a body, without what frames them.
struct Body {
    socket: BufReader<TcpStream>,
    left: Left,
}

/// How much of it is still to come.
#[derive(Debug, Clone, Copy)]
enum Left {
    Bytes(u64),
    /// Bytes of the current chunk.
    Chunk(u64),
    UntilClose,
    Nothing,
}

/// A call of the Messages API with one message of the user.
pub(crate) fn call(prompt: &str) -> Value {
    conversation(&json!([{"role": "user", "content": prompt}]))
}

/// A call of the Messages API.
pub(crate) fn conversation(messages: &Value) -> Value {
    json!({"model": "claude-opus-4-8", "max_tokens": 1024, "messages": messages})
}

pub(crate) fn get(address: SocketAddr, path: &str) -> Response {
    try_get(address, path).expect("the relay must answer")
}

/// `None` where the connection was closed instead, as a listener that has just begun to drain may do.
pub(crate) fn try_get(address: SocketAddr, path: &str) -> Option<Response> {
    let head = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    Stream::read(sent(address, head.as_bytes())).map(Stream::whole)
}

/// A call that waits for its whole answer.
pub(crate) fn post(address: SocketAddr, body: &Value) -> Response {
    send(address, &request(address, body)).whole()
}

/// A JSON body for any route, as an OpenAI client sends it.
pub(crate) fn post_to(address: SocketAddr, path: &str, body: &Value) -> Response {
    send(address, &request_to(address, path, body)).whole()
}

/// The same, and the answer streams.
pub(crate) fn stream_to(address: SocketAddr, path: &str, body: &Value) -> Stream {
    let mut body = body.clone();
    body["stream"] = true.into();
    send(address, &request_to(address, path, &body))
}

fn request_to(address: SocketAddr, path: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         authorization: Bearer any\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

/// A call that names its conversation.
pub(crate) fn post_named(address: SocketAddr, name: &str, body: &Value) -> Response {
    send(address, &named_request(address, name, body)).whole()
}

/// A call that names its conversation, and whose answer streams.
pub(crate) fn stream_named(address: SocketAddr, name: &str, body: &Value) -> Stream {
    let mut body = body.clone();
    body["stream"] = true.into();
    send(address, &named_request(address, name, &body))
}

/// A call that names its conversation, and whose answer nobody reads. Dropping it hangs up.
pub(crate) fn begin_named(address: SocketAddr, name: &str, body: &Value) -> TcpStream {
    sent(address, &named_request(address, name, body))
}

/// A request without a body.
pub(crate) fn bare(address: SocketAddr, method: &str, path: &str) -> Response {
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    send(address, head.as_bytes()).whole()
}

/// A call that shows this relay key.
pub(crate) fn post_as(address: SocketAddr, key: &str, body: &Value) -> Response {
    send(address, &request_as(address, key, body)).whole()
}

/// A call that shows this relay key, and whose answer streams.
pub(crate) fn stream_as(address: SocketAddr, key: &str, body: &Value) -> Stream {
    let mut body = body.clone();
    body["stream"] = true.into();
    send(address, &request_as(address, key, &body))
}

/// A call whose answer streams.
pub(crate) fn stream(address: SocketAddr, body: &Value) -> Stream {
    let mut body = body.clone();
    body["stream"] = true.into();
    send(address, &request(address, &body))
}

/// A call that is sent, and whose answer nobody reads. Dropping it hangs up.
pub(crate) fn begin(address: SocketAddr, body: &Value) -> TcpStream {
    sent(address, &request(address, body))
}

/// Whatever bytes a client may send.
pub(crate) fn send(address: SocketAddr, bytes: &[u8]) -> Stream {
    Stream::read(sent(address, bytes)).expect("the relay must answer")
}

fn sent(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(address).expect("the relay must accept");
    socket
        .set_read_timeout(Some(DEADLINE))
        .expect("a socket takes a timeout");
    socket.write_all(bytes).expect("the relay must read");
    socket
}

/// The same, with one more header.
pub(crate) fn post_with(address: SocketAddr, body: &Value, header: &str) -> Response {
    send(
        address,
        &headed(address, "any", body, &format!("{header}\r\n")),
    )
    .whole()
}

fn named_request(address: SocketAddr, name: &str, body: &Value) -> Vec<u8> {
    headed(
        address,
        "any",
        body,
        &format!("x-ir-session-id: {name}\r\n"),
    )
}

fn request(address: SocketAddr, body: &Value) -> Vec<u8> {
    request_as(address, "any", body)
}

fn request_as(address: SocketAddr, key: &str, body: &Value) -> Vec<u8> {
    headed(address, key, body, "")
}

fn headed(address: SocketAddr, key: &str, body: &Value, header: &str) -> Vec<u8> {
    let body = body.to_string();
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         anthropic-version: 2023-06-01\r\nx-api-key: {key}\r\n{header}content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

impl Stream {
    fn read(socket: TcpStream) -> Option<Stream> {
        let mut socket = BufReader::new(socket);
        let first = line(&mut socket);
        if first.is_empty() {
            return None;
        }
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no HTTP status: {first:?}"));
        let mut headers = Vec::new();
        loop {
            let line = line(&mut socket);
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let left = match (
            find(&headers, "transfer-encoding"),
            find(&headers, "content-length"),
        ) {
            (Some(_), _) => Left::Chunk(0),
            (None, Some(length)) => Left::Bytes(length.parse().expect("a length is a number")),
            (None, None) => Left::UntilClose,
        };
        Some(Stream {
            status,
            headers,
            body: BufReader::new(Body { socket, left }),
        })
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        find(&self.headers, name).unwrap_or_default()
    }

    /// The next event that is not a ping, as soon as it is there; `None` at the stream's end.
    pub(crate) fn next(&mut self) -> Option<Event> {
        loop {
            let event = self.next_of_any()?;
            if event.name != "ping" {
                return Some(event);
            }
        }
    }

    /// All events until the end.
    pub(crate) fn rest(mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.next()).collect()
    }

    fn next_of_any(&mut self) -> Option<Event> {
        let (mut name, mut data, mut comments) = (String::new(), String::new(), Vec::new());
        loop {
            let mut line = String::new();
            if self.body.read_line(&mut line).expect("a stream is text") == 0 {
                return None;
            }
            match line.trim_end_matches(['\r', '\n']).split_once(':') {
                None if data.is_empty() => {}
                None => {
                    let data = serde_json::from_str(&data).expect("an event is JSON");
                    return Some(Event {
                        name,
                        data,
                        comments,
                    });
                }
                Some(("event", word)) => word.trim().clone_into(&mut name),
                Some(("data", text)) => text.trim_start().clone_into(&mut data),
                Some(("", comment)) => comments.push(comment.trim().to_owned()),
                Some((field, _)) => panic!("an unknown field of an event: {field}"),
            }
        }
    }

    /// The whole response, once it is there.
    pub(crate) fn whole(mut self) -> Response {
        let mut body = String::new();
        self.body
            .read_to_string(&mut body)
            .expect("a body is text and ends");
        Response {
            status: self.status,
            headers: self.headers,
            body,
        }
    }
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> &str {
        find(&self.headers, name).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    /// The text of a good answer.
    pub(crate) fn text(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.body);
        let message = self.json();
        let blocks = message["content"].as_array().expect("content is a list");
        blocks
            .iter()
            .filter_map(|block| block["text"].as_str())
            .collect()
    }
}

/// The text of a stream's events.
pub(crate) fn text_of(events: &[Event]) -> String {
    events
        .iter()
        .filter_map(|event| event.data["delta"]["text"].as_str())
        .collect()
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if let Left::Chunk(0) = self.left {
            self.left = match chunk_size(&line(&mut self.socket)) {
                0 => Left::Nothing,
                size => Left::Chunk(size),
            };
        }
        let most = match self.left {
            Left::Bytes(left) | Left::Chunk(left) => left,
            Left::UntilClose => u64::MAX,
            Left::Nothing => 0,
        };
        let read = (&mut self.socket).take(most).read(buffer)?;
        let count = u64::try_from(read).expect("a buffer's length is a u64");
        self.left = match self.left {
            Left::Bytes(left) => Left::Bytes(left - count),
            Left::Chunk(left) if left == count => {
                line(&mut self.socket);
                Left::Chunk(0)
            }
            Left::Chunk(left) => Left::Chunk(left - count),
            other => other,
        };
        Ok(read)
    }
}

/// Where the connection broke off instead, there is no chunk any more.
fn chunk_size(line: &str) -> u64 {
    u64::from_str_radix(line.trim(), 16).unwrap_or(0)
}

fn line(socket: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    match socket.read_line(&mut line) {
        Ok(_) => {}
        // A relay on its way out may close a connection that came just then: that is no answer.
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => line.clear(),
        Err(error) => panic!("the relay must answer within the deadline: {error}"),
    }
    line.trim_end_matches(['\r', '\n']).to_owned()
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}
