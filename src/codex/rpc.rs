//! The lines that an app-server and its client send each other: JSON-RPC without its version, one message a line. `[pure]`

use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

/// One line of the server.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Incoming {
    /// The answer to a request of ours.
    Reply {
        id: u64,
        result: Result<Value, RpcError>,
    },
    /// A request of the server. Its ids are its own and collide with ours.
    Asked {
        id: Value,
        method: String,
        params: Value,
    },
    Notice {
        method: String,
        params: Value,
    },
}

/// A request that was refused.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct RpcError {
    pub(super) code: i64,
    #[serde(default)]
    pub(super) message: String,
}

/// The line is no message of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unread;

#[derive(Deserialize)]
struct Line {
    id: Option<Value>,
    method: Option<String>,
    #[serde(default)]
    params: Value,
    #[serde(default)]
    result: Value,
    error: Option<RpcError>,
}

/// Reads a line. A request of the server is told by its method together with its id.
///
/// # Errors
/// Where it is no message.
pub(super) fn parse(line: &[u8]) -> Result<Incoming, Unread> {
    let line: Line = serde_json::from_slice(line).map_err(|_| Unread)?;
    match (line.method, line.id) {
        (Some(method), Some(id)) => Ok(Incoming::Asked {
            id,
            method,
            params: line.params,
        }),
        (Some(method), None) => Ok(Incoming::Notice {
            method,
            params: line.params,
        }),
        (None, Some(id)) => Ok(Incoming::Reply {
            id: id.as_u64().ok_or(Unread)?,
            result: line.error.map_or(Ok(line.result), Err),
        }),
        (None, None) => Err(Unread),
    }
}

pub(super) fn request(id: u64, method: &str, params: &Value) -> Vec<u8> {
    line(&json!({ "id": id, "method": method, "params": params }))
}

pub(super) fn notice(method: &str) -> Vec<u8> {
    line(&json!({ "method": method }))
}

/// Refuses a request of the server: nothing of what it may ask for is the relay's to grant.
pub(super) fn refusal(id: &Value) -> Vec<u8> {
    line(&json!({
        "id": id,
        "error": { "code": METHOD_NOT_FOUND, "message": "not supported by this client" },
    }))
}

fn line(message: &Value) -> Vec<u8> {
    let mut line = message.to_string().into_bytes();
    line.push(b'\n');
    line
}

/// Bytes to lines. Only a line feed ends one: U+2028 and U+2029 come as they are.
#[derive(Debug, Default)]
pub(super) struct Lines {
    ahead: Vec<u8>,
    /// Bytes of `ahead` that hold no line feed.
    searched: usize,
}

impl Lines {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.ahead.extend_from_slice(bytes);
    }

    /// The next whole line, without its end.
    ///
    /// # Errors
    /// Where a line is longer than any message may be.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, Unread> {
        match memchr::memchr(b'\n', &self.ahead[self.searched..]) {
            Some(at) => {
                let rest = self.ahead.split_off(self.searched + at + 1);
                let mut line = std::mem::replace(&mut self.ahead, rest);
                self.searched = 0;
                line.pop();
                Ok(Some(line))
            }
            None if self.ahead.len() > LINE_BYTES_MAX => Err(Unread),
            None => {
                self.searched = self.ahead.len();
                Ok(None)
            }
        }
    }
}

/// JSON-RPC's own number for a method that is not there.
const METHOD_NOT_FOUND: i64 = -32601;
/// Bytes of one line; the longest ones hold an answer's whole text several times.
const LINE_BYTES_MAX: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_answer_a_request_or_a_notice() {
        let reply = parse(br#"{"id":3,"result":{"a":1}}"#);
        let result = Ok(json!({"a": 1}));
        assert_eq!(reply, Ok(Incoming::Reply { id: 3, result }));
        let failed = parse(br#"{"id":3,"error":{"code":-32600,"message":"no"}}"#);
        let error = RpcError {
            code: -32600,
            message: "no".into(),
        };
        assert_eq!(
            failed,
            Ok(Incoming::Reply {
                id: 3,
                result: Err(error)
            })
        );
        let asked = parse(br#"{"id":0,"method":"item/tool/call","params":{}}"#);
        assert!(matches!(asked, Ok(Incoming::Asked { .. })));
        let notice = parse(br#"{"method":"error","params":{}}"#);
        assert!(matches!(notice, Ok(Incoming::Notice { .. })));
        for none in ["", "[]", "{}", "{\"id\":\"a\",\"result\":1}", "WARNING: x"] {
            assert_eq!(parse(none.as_bytes()), Err(Unread), "{none}");
        }
    }

    #[test]
    fn only_a_line_feed_ends_a_line_however_it_is_cut() {
        let text = "{\"a\":\"\u{2028}\u{2029}\r\"}\n\n{}\n{";
        for cut in 0..text.len() {
            let mut lines = Lines::default();
            let mut found = Vec::new();
            for part in [&text.as_bytes()[..cut], &text.as_bytes()[cut..]] {
                lines.push(part);
                while let Ok(Some(line)) = lines.next() {
                    found.push(String::from_utf8(line).expect("a test's text"));
                }
            }
            assert_eq!(found, ["{\"a\":\"\u{2028}\u{2029}\r\"}", "", "{}"]);
        }
    }
}
