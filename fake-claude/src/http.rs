//! A small HTTP/1.1 client for plain loopback: enough for hooks and for a mock upstream.

use std::io::Error;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Result;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Set when the user interrupts: every wait gives up soon after.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cancel(Arc<AtomicBool>);

impl Cancel {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// `http://host:port/path`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) host: String,
    pub(crate) path: String,
}

impl Url {
    /// Only plain http is spoken here; anything else is `None`.
    pub(crate) fn parse(text: &str) -> Option<Url> {
        let rest = text.strip_prefix("http://")?;
        let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        Some(Url {
            host: host.to_owned(),
            path: path.to_owned(),
        })
    }

    /// With the port that http has when none is named.
    fn address(&self) -> String {
        match self.host.rsplit_once(':') {
            Some((_, port)) if port.parse::<u16>().is_ok() => self.host.clone(),
            _ => format!("{}:80", self.host),
        }
    }
}

/// A connection and what was read from it ahead of need.
pub(crate) struct Conn {
    stream: TcpStream,
    ahead: Vec<u8>,
    body: Body,
}

/// How much of the current answer's body is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Length(usize),
    Chunked,
    UntilClose,
    Done,
}

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    reusable: bool,
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether the connection may be used again once the body is read.
    pub(crate) fn reusable(&self) -> bool {
        self.reusable
    }
}

impl Conn {
    pub(crate) fn open(url: &Url) -> Result<Conn> {
        let stream = TcpStream::connect(url.address())?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(CANCEL_LATENCY))?;
        Ok(Conn {
            stream,
            ahead: Vec::new(),
            body: Body::Done,
        })
    }

    /// A connection whose reads wait for as long as it takes, for streams that are idle for hours.
    pub(crate) fn patient(url: &Url) -> Result<Conn> {
        let conn = Conn::open(url)?;
        conn.stream.set_read_timeout(None)?;
        Ok(conn)
    }

    /// Writes one request.
    pub(crate) fn send(
        &mut self,
        method: &str,
        url: &Url,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<()> {
        let path = if url.path.is_empty() { "/" } else { &url.path };
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n",
            url.host,
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        self.stream.write_all(&bytes)
    }

    /// Reads the head of the answer.
    pub(crate) fn head(&mut self, cancel: &Cancel) -> Result<Head> {
        let first = self.line(cancel)?;
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status =
            status.ok_or_else(|| Error::new(ErrorKind::InvalidData, "not an HTTP answer"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line(cancel)?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':') {
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        let mut head = Head {
            status,
            headers,
            reusable: true,
        };
        self.body = body_of(&head);
        head.reusable = self.body != Body::UntilClose && head.header("connection") != Some("close");
        Ok(head)
    }

    /// The next piece of the body, or `None` at its end.
    pub(crate) fn piece(&mut self, cancel: &Cancel) -> Result<Option<Vec<u8>>> {
        match self.body {
            Body::Done | Body::Length(0) => Ok(None),
            Body::Length(left) => {
                self.need(1, cancel)?;
                let take = left.min(self.ahead.len());
                self.body = Body::Length(left - take);
                Ok(Some(self.ahead.drain(..take).collect()))
            }
            Body::Chunked => self.chunk(cancel),
            Body::UntilClose => match self.need(1, cancel) {
                Ok(()) => Ok(Some(std::mem::take(&mut self.ahead))),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    /// The whole body.
    pub(crate) fn rest(&mut self, cancel: &Cancel) -> Result<Vec<u8>> {
        let mut whole = Vec::new();
        while let Some(piece) = self.piece(cancel)? {
            whole.extend(piece);
        }
        Ok(whole)
    }

    fn chunk(&mut self, cancel: &Cancel) -> Result<Option<Vec<u8>>> {
        let line = self.line(cancel)?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16)
            .map_err(|_| Error::new(ErrorKind::InvalidData, "bad chunk"))?;
        self.need(size + 2, cancel)?;
        let piece = self.ahead.drain(..size + 2).take(size).collect();
        if size == 0 {
            self.body = Body::Done;
            return Ok(None);
        }
        Ok(Some(piece))
    }

    fn line(&mut self, cancel: &Cancel) -> Result<String> {
        loop {
            if let Some(at) = self.ahead.windows(2).position(|pair| pair == b"\r\n") {
                let line = String::from_utf8_lossy(&self.ahead[..at]).into_owned();
                self.ahead.drain(..at + 2);
                return Ok(line);
            }
            self.need(self.ahead.len() + 1, cancel)?;
        }
    }

    /// Reads until at least `count` bytes are at hand.
    fn need(&mut self, count: usize, cancel: &Cancel) -> Result<()> {
        let mut buffer = [0; 16_384];
        while self.ahead.len() < count {
            if cancel.is_set() {
                return Err(Error::new(
                    ErrorKind::Interrupted,
                    "interrupted by the user",
                ));
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    return Err(Error::new(
                        ErrorKind::UnexpectedEof,
                        "the peer closed the connection",
                    ));
                }
                Ok(read) => self.ahead.extend_from_slice(&buffer[..read]),
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    ) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn body_of(head: &Head) -> Body {
    if head
        .header("transfer-encoding")
        .is_some_and(|coding| coding.contains("chunked"))
    {
        return Body::Chunked;
    }
    match head
        .header("content-length")
        .and_then(|length| length.parse().ok())
    {
        Some(length) => Body::Length(length),
        None if head.status == 204 => Body::Done,
        None => Body::UntilClose,
    }
}

/// How long a blocked read waits before it looks whether the user interrupted.
const CANCEL_LATENCY: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_come_apart() {
        let url = Url::parse("http://127.0.0.1:99/a/b").expect("this is a plain http address");
        assert_eq!(
            (url.host.as_str(), url.path.as_str()),
            ("127.0.0.1:99", "/a/b")
        );
        assert!(Url::parse("https://example.com").is_none());
    }
}
