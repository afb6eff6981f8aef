//! The loopback address that sessions post their hooks to and find their tools at.
//!
//! Each session has a secret of its own in its address; a request without a known secret gets a 404 and is not read.
//! A hook is answered before it is processed, except for a submitted prompt: there the answer is the verdict. Below
//! the hook's address, at [`TOOLS`], is the session's MCP address.

use super::hook::Hook;
use super::hook::HookEvent;
use crate::hex::to_hex;
use crate::listen::Answering;
use crate::listen::Door;
use crate::listen::Handler;
use crate::listen::Life;
use crate::listen::Remote;
use crate::session::machine::Verdict;
use crate::session::mcp::rpc;
use crate::session::mcp::server::McpServer;
use crate::session::mcp::server::Reply;
use crate::session::pieces::Pieces;
use crate::sync::lock;
use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Either;
use http_body_util::Full;
use http_body_util::Limited;
use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Incoming;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

/// A hook on its way to its session; `verdict` where the CLI waits for one.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) hook: Hook,
    pub(crate) verdict: Option<oneshot::Sender<Verdict>>,
}

/// The receiver; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    address: SocketAddr,
    sessions: Arc<Mutex<HashMap<String, Line>>>,
}

/// The way to one session.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) posts: mpsc::Sender<Post>,
    pub(crate) mcp: McpServer,
}

/// A session's place at the receiver; dropping it closes the address.
#[derive(Debug)]
pub(crate) struct HookAddress {
    pub(crate) url: String,
    secret: String,
    receiver: Receiver,
}

impl Receiver {
    /// Listens on an ephemeral loopback port, for as long as the runtime lives, with places for so many connections.
    ///
    /// # Errors
    /// Where no loopback port can be had.
    pub(crate) async fn listen(connections_max: usize) -> io::Result<Receiver> {
        let mut door = Door::loopback("hooks", connections_max)?;
        let receiver = Receiver {
            address: door.local_addr()?,
            sessions: Arc::default(),
        };
        let handler = receiver.clone();
        tokio::spawn(async move {
            let never = std::future::pending();
            door.serve(&handler, &Life::Unbounded, never).await;
        });
        Ok(receiver)
    }

    /// Opens an address for a session.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub(crate) fn open(&self, line: Line) -> io::Result<HookAddress> {
        let mut bytes = [0_u8; SECRET_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
        let secret = to_hex(&bytes);
        let url = format!("http://{}/{secret}", self.address);
        self.lock().insert(secret.clone(), line);
        Ok(HookAddress {
            url,
            secret,
            receiver: self.clone(),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Line>> {
        lock(&self.sessions)
    }

    /// The session of this path, and what of it is asked for.
    fn session(&self, path: &str) -> Option<(Line, Room)> {
        let path = path.trim_start_matches('/');
        let (secret, room) = match path.strip_suffix(TOOLS) {
            Some(secret) => (secret, Room::Tools),
            None => (path, Room::Hooks),
        };
        Some((self.lock().get(secret)?.clone(), room))
    }
}

/// The two things at a session's address.
enum Room {
    Hooks,
    Tools,
}

impl HookAddress {
    /// Where the session finds its tools.
    pub(crate) fn tools_url(&self) -> String {
        format!("{}{TOOLS}", self.url)
    }
}

impl Drop for HookAddress {
    fn drop(&mut self) {
        self.receiver.lock().remove(&self.secret);
    }
}

/// A connection is a stranger until it has shown a session's secret.
impl Handler for Receiver {
    type Body = Body;
    type Error = Infallible;

    fn is_known(&self, request: &Request<Incoming>) -> bool {
        self.session(request.uri().path()).is_some()
    }

    fn answer(&self, request: Request<Incoming>, _remote: Remote) -> Answering<Body, Infallible> {
        Box::pin(answer(request, self.clone()))
    }
}

async fn answer(
    request: Request<Incoming>,
    receiver: Receiver,
) -> Result<Response<Body>, Infallible> {
    let Some((line, room)) = receiver.session(request.uri().path()) else {
        return Ok(status(StatusCode::NOT_FOUND));
    };
    let method = request.method().clone();
    if let (Room::Tools, &Method::GET) = (&room, &method) {
        return Ok(notices(line.mcp.listen()));
    }
    if method != Method::POST {
        return Ok(status(StatusCode::NOT_FOUND));
    }
    let Ok(body) = Limited::new(request.into_body(), BODY_BYTES_MAX)
        .collect()
        .await
    else {
        return Ok(status(StatusCode::PAYLOAD_TOO_LARGE));
    };
    let body = body.to_bytes();
    Ok(match room {
        Room::Hooks => hook(&body, line.posts).await,
        Room::Tools => match line.mcp.handle(&body).await {
            Reply::Json(text) => json(text),
            Reply::Events(answer, behind) => events([answer, behind]),
            Reply::Accepted => status(StatusCode::ACCEPTED),
            Reply::Malformed => status(StatusCode::BAD_REQUEST),
        },
    })
}

async fn hook(body: &[u8], session: mpsc::Sender<Post>) -> Response<Body> {
    let Some(hook) = Hook::parse(body) else {
        return status(StatusCode::BAD_REQUEST);
    };
    if hook.asks() {
        return judged(hook, session).await;
    }
    // A full queue means that the session does not read; its turn ends by its deadline.
    drop(session.try_send(Post {
        hook,
        verdict: None,
    }));
    json("{}")
}

/// No verdict is a block: what nobody answers for must not reach the model.
async fn judged(hook: Hook, session: mpsc::Sender<Post>) -> Response<Body> {
    let (verdict, told) = oneshot::channel();
    let blocked = match hook.event {
        HookEvent::Batched => STOPPED,
        _ => BLOCKED,
    };
    drop(session.try_send(Post {
        hook,
        verdict: Some(verdict),
    }));
    match tokio::time::timeout(VERDICT_WAIT, told).await {
        Ok(Ok(Verdict::Allow)) => json("{}"),
        _ => json(blocked),
    }
}

/// The prompt does not reach the model.
const BLOCKED: &str = r#"{"decision":"block","reason":"not the relay's prompt"}"#;
/// The turn ends where it is.
const STOPPED: &str = r#"{"continue":false,"stopReason":"the answer is told"}"#;

/// Whole, or as it comes.
type Body = Either<Full<Bytes>, Pieces>;

fn notices(stream: mpsc::Receiver<Bytes>) -> Response<Body> {
    let body = Either::Right(Pieces::from(stream));
    typed(Response::new(body), "text/event-stream")
}

fn events<const N: usize>(texts: [String; N]) -> Response<Body> {
    let text: String = texts.iter().map(|text| rpc::event(text)).collect();
    let body = Either::Left(Full::new(text.into()));
    typed(Response::new(body), "text/event-stream")
}

fn json(body: impl Into<Bytes>) -> Response<Body> {
    let body = Either::Left(Full::new(body.into()));
    typed(Response::new(body), "application/json")
}

fn typed(mut response: Response<Body>, kind: &'static str) -> Response<Body> {
    let value = hyper::header::HeaderValue::from_static(kind);
    response
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, value);
    response
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::default()));
    *response.status_mut() = status;
    response
}

/// Where a session's tools are, below its address.
const TOOLS: &str = "/tools";
/// 256 bits: not to be guessed by another process of the machine.
const SECRET_BYTES: usize = 32;
/// A whole answer or prompt comes in one hook, a call's input in one message; the API's own requests end at 32 MiB.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// A session answers in microseconds; one that does not is stuck, and its prompt is blocked.
const VERDICT_WAIT: Duration = Duration::from_secs(5);
