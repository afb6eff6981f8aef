//! What is said to a request, and how it comes over the wire: whole, slowly, in part, or not at all.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

/// What is said.
#[derive(Debug, Clone)]
pub enum Said {
    /// A whole response: status, further header lines, type, body.
    Whole(u16, Cow<'static, str>, &'static str, String),
    /// The same, compressed.
    Gzip(u16, &'static str, String),
    /// These pieces of a stream; then its end, as it should be.
    Stream(Vec<String>),
    /// The same, each after a while.
    Slow(Vec<(Duration, String)>),
    /// These pieces of a stream; then the connection is cut.
    Cut(Vec<String>),
    /// These pieces of a stream, and the last one again and again, until the asker goes away.
    Endless(Vec<String>),
    /// Half of a body of JSON; then the connection is cut.
    Short(String),
    /// The head of a stream, these pieces, and nothing more.
    Stall(Vec<String>),
    /// The connection is closed without a word.
    Nothing,
    /// Not a word is said, and the connection stays open.
    Silence,
    /// This, after a while.
    Later(Duration, Box<Said>),
    /// This, with further header lines.
    With(Cow<'static, str>, Box<Said>),
}

impl Said {
    /// Says it; whether the connection goes on.
    pub(crate) fn say(self, socket: &TcpStream) -> bool {
        self.say_with(socket, "")
    }

    fn say_with(self, mut socket: &TcpStream, more: &str) -> bool {
        match self {
            Said::Nothing => false,
            Said::Silence => until_gone(socket),
            Said::Later(wait, said) => {
                sleep(wait);
                said.say_with(socket, more)
            }
            Said::With(lines, said) => said.say_with(socket, &format!("{more}{lines}")),
            Said::Whole(status, lines, kind, body) => {
                let lines = format!("{more}{lines}");
                let text = head(status, &lines, kind, body.len()) + &body;
                socket.write_all(text.as_bytes()).is_ok()
            }
            Said::Gzip(status, kind, body) => {
                let body = gzip(body.as_bytes());
                let lines = format!("{more}content-encoding: gzip\r\n");
                let mut bytes = head(status, &lines, kind, body.len()).into_bytes();
                bytes.extend(body);
                socket.write_all(&bytes).is_ok()
            }
            Said::Short(body) => {
                let text = head(200, more, JSON, body.len()) + &body[..body.len() / 2];
                drop(socket.write_all(text.as_bytes()));
                false
            }
            Said::Stream(pieces) => send(socket, more, &pieces, END),
            Said::Cut(pieces) => {
                send(socket, more, &pieces, "");
                false
            }
            Said::Stall(pieces) => send(socket, more, &pieces, "") && until_gone(socket),
            Said::Slow(pieces) => {
                let begun = send(socket, more, &[], "");
                let mut pieces = pieces.into_iter();
                begun && pieces.all(|piece| write_after(socket, &piece)) && write(socket, END)
            }
            Said::Endless(pieces) => {
                let last = pieces.last().map(|piece| chunk(piece)).unwrap_or_default();
                let begun = send(socket, more, &pieces, "");
                while begun && !last.is_empty() && write(socket, &last) {}
                false
            }
        }
    }
}

fn head(status: u16, more: &str, kind: &str, bytes: usize) -> String {
    format!("HTTP/1.1 {status} X\r\n{more}content-type: {kind}\r\ncontent-length: {bytes}\r\n\r\n")
}

/// The head of a stream, these pieces in one write, and its end.
fn send(socket: &TcpStream, more: &str, pieces: &[String], end: &str) -> bool {
    let mut text = format!(
        "HTTP/1.1 200 X\r\n{more}content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    for piece in pieces {
        text.push_str(&chunk(piece));
    }
    text.push_str(end);
    write(socket, &text)
}

fn write_after(socket: &TcpStream, (wait, piece): &(Duration, String)) -> bool {
    sleep(*wait);
    write(socket, &chunk(piece))
}

fn write(mut socket: &TcpStream, text: &str) -> bool {
    socket.write_all(text.as_bytes()).is_ok()
}

fn chunk(piece: &str) -> String {
    let mut text = String::new();
    // A string takes all.
    let _ = write!(text, "{:x}\r\n{piece}\r\n", piece.len());
    text
}

/// Until whoever asked goes away.
fn until_gone(mut socket: &TcpStream) -> bool {
    while matches!(socket.read(&mut [0; 64]), Ok(read) if read > 0) {}
    false
}

#[expect(
    clippy::disallowed_methods,
    reason = "a host that is slow lets time pass; nothing waits for it to be over"
)]
fn sleep(wait: Duration) {
    std::thread::sleep(wait);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // A vector takes all.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// The last chunk of a stream.
const END: &str = "0\r\n\r\n";
const JSON: &str = "application/json";
