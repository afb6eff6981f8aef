//! One client: a connection that stays open, and one call after the other on it.

use super::sse::EventReader;
use super::sse::StreamEvent;
use super::tally::Sample;
use crate::clock;
use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::Request;
use hyper::Response;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::CONTENT_TYPE;
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use std::time::Instant;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// A connected client.
pub(crate) struct Caller {
    address: SocketAddr,
    line: Line,
    key: Option<String>,
}

/// An open connection.
struct Line {
    sender: http1::SendRequest<Full<Bytes>>,
    /// Ends with the connection.
    carrier: JoinHandle<()>,
}

impl Caller {
    /// # Errors
    /// Where nobody listens.
    pub(crate) async fn connect(address: SocketAddr, key: Option<String>) -> io::Result<Caller> {
        Ok(Caller {
            address,
            line: Line::open(address).await?,
            key,
        })
    }

    /// Makes one call; its failure is in the sample.
    ///
    /// # Errors
    /// Where the connection breaks.
    pub(crate) async fn call(
        &mut self,
        body: Bytes,
        began: Instant,
        due: Option<Duration>,
    ) -> io::Result<Sample> {
        let request = self.request("POST", "/v1/messages", body)?;
        let mut sample = Sample {
            due,
            sent: clock::now().duration_since(began),
            pieces: Vec::new(),
            since_said: None,
            ended: Duration::ZERO,
            failure: None,
        };
        let mut response = self.send(request).await?;
        if !response.status().is_success() {
            sample.failure = Some(code(&response));
        }
        let mut reader = EventReader::default();
        while let Some(frame) = response.frame().await {
            let frame = frame.map_err(io::Error::other)?;
            let now = clock::now().duration_since(began);
            let bytes = frame.data_ref().map_or(&[][..], |bytes| bytes.as_ref());
            for event in reader.push(bytes) {
                take(&mut sample, &event, now);
            }
        }
        sample.ended = clock::now().duration_since(began);
        Ok(sample)
    }

    /// Asks for a page and throws it away; the way there and back is what counts.
    ///
    /// # Errors
    /// Where the connection breaks.
    pub(crate) async fn page(&mut self, path: &str) -> io::Result<Bytes> {
        let request = self.request("GET", path, Bytes::new())?;
        let body = self.send(request).await?.into_body();
        Ok(body.collect().await.map_err(io::Error::other)?.to_bytes())
    }

    /// A connection that lay idle may have made room for others; then there is another one.
    async fn send(&mut self, request: Request<Full<Bytes>>) -> io::Result<Response<Incoming>> {
        if self.line.sender.ready().await.is_err() {
            self.line = Line::open(self.address).await?;
        }
        self.line.send(request).await
    }

    fn request(&self, method: &str, path: &str, body: Bytes) -> io::Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.address.to_string())
            .header(CONTENT_TYPE, "application/json")
            .header("anthropic-version", "2023-06-01");
        if let Some(key) = &self.key {
            request = request.header("x-api-key", key);
        }
        request.body(Full::new(body)).map_err(io::Error::other)
    }
}

impl Line {
    async fn open(address: SocketAddr) -> io::Result<Line> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        let carrier = tokio::spawn(async move { drop(connection.await) });
        Ok(Line { sender, carrier })
    }

    /// Hyper never answers a request that it is given at the very moment at which the connection ends, so that end is
    /// waited for, too.
    async fn send(&mut self, request: Request<Full<Bytes>>) -> io::Result<Response<Incoming>> {
        let mut response = pin!(self.sender.send_request(request));
        tokio::select! {
            biased;
            response = &mut response => return response.map_err(io::Error::other),
            _ = &mut self.carrier => {}
        }
        // What was answered before the end is there now.
        match poll_fn(|cx| Poll::Ready(response.as_mut().poll(cx))).await {
            Poll::Ready(response) => response.map_err(io::Error::other),
            Poll::Pending => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }
}

fn take(sample: &mut Sample, event: &StreamEvent, now: Duration) {
    match event.name.as_str() {
        "content_block_delta" => {
            if sample.pieces.is_empty() {
                sample.since_said = stamp(&event.data).and_then(since);
            }
            sample.pieces.push(now);
        }
        "error" => sample.failure = Some("broke_off".to_owned()),
        _ => {}
    }
}

/// The time that a simulated session says first, in microseconds.
fn stamp(delta: &str) -> Option<u64> {
    let delta: Value = serde_json::from_str(delta).ok()?;
    let (stamp, _) = delta["delta"]["text"].as_str()?.split_once('\n')?;
    stamp.parse().ok()
}

/// `None`: that was no time of this run.
fn since(stamp: u64) -> Option<Duration> {
    let took = clock::unix_us()
        .checked_sub(stamp)
        .map(Duration::from_micros);
    took.filter(|took| *took < STAMP_AGE_MAX)
}

/// No call of a run takes as long; a number that a model said by chance is further off.
const STAMP_AGE_MAX: Duration = Duration::from_secs(3600);

fn code(response: &Response<Incoming>) -> String {
    let code = response.headers().get("x-relay-error");
    let code = code.and_then(|code| code.to_str().ok());
    code.map_or_else(|| response.status().to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_a_line_of_its_own_and_of_this_hour() {
        let delta = |text: &str| serde_json::json!({"delta": {"text": text}}).to_string();
        assert_eq!(stamp(&delta("12\nwords")), Some(12));
        assert_eq!(stamp(&delta("12 words\n")), None);
        assert_eq!(stamp("{}"), None);
        assert_eq!(since(12), None);
        assert!(since(clock::unix_us()).is_some());
    }
}
