//! The other end of a recorded claude: the API, the hook receiver and the MCP server, on one loopback port.
//!
//! It answers by the case and keeps what it heard. Nothing leaves the machine.

use super::answer;
use super::case::Answer;
use super::case::Case;
use super::case::Text;
use super::loopback::LoopbackServer;
use super::mcp;
use super::stage::MODEL;
use crate::session::Pieces;
use crate::sync::lock;
use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Limited;
use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::header::HeaderValue;
use serde_json::Value;
use serde_json::json;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;

/// A running upstream. Dropping it closes its port.
pub(crate) struct Upstream {
    world: Arc<World>,
    server: LoopbackServer,
}

/// What was heard so far.
#[derive(Debug, Default)]
pub(crate) struct Observation {
    /// Requests in order, with the headers that say something.
    pub(crate) requests: Vec<Value>,
    pub(crate) hooks: Vec<Value>,
    /// Turns that were asked for, and those whose answers were sent to their end.
    pub(crate) asked: usize,
    pub(crate) answered: usize,
    /// Answers that wait for their release.
    pub(crate) held: usize,
}

impl Observation {
    /// Hooks that told the end of a turn, whatever the end was.
    pub(crate) fn ends(&self) -> usize {
        self.named("Stop") + self.named("StopFailure")
    }

    /// Hooks that told a good end.
    pub(crate) fn stops(&self) -> usize {
        self.named("Stop")
    }

    /// How often the tools were asked for.
    pub(crate) fn lists(&self) -> usize {
        let requests = self.requests.iter();
        requests
            .filter(|request| request["body"]["method"] == "tools/list")
            .count()
    }

    /// Hooks that told of a prompt.
    pub(crate) fn submissions(&self) -> usize {
        self.named("UserPromptSubmit")
    }

    fn named(&self, name: &str) -> usize {
        let hooks = self.hooks.iter();
        hooks.filter(|hook| hook["hook_event_name"] == name).count()
    }
}

struct World {
    answers: Vec<Answer>,
    blocks: bool,
    tools: Mutex<Tools>,
    heard: Mutex<Observation>,
    changed: Notify,
    releases: Semaphore,
}

/// The MCP server's tools.
#[derive(Debug)]
struct Tools {
    /// Whether it tells of changes.
    notices: bool,
    /// What the tools tell of.
    place: &'static str,
    /// Where changes are told.
    listener: Option<mpsc::Sender<Bytes>>,
}

impl Upstream {
    /// Listens on a free loopback port and answers by the case.
    ///
    /// # Errors
    /// Where no port can be had.
    pub(crate) async fn start(case: &Case) -> io::Result<Upstream> {
        let world = Arc::new(World {
            answers: case.answers.clone(),
            blocks: case.setup.blocks,
            tools: Mutex::new(Tools {
                notices: case.setup.notices,
                place: mcp::PLACES[0],
                listener: None,
            }),
            heard: Mutex::default(),
            changed: Notify::new(),
            releases: Semaphore::new(0),
        });
        let there = Arc::clone(&world);
        let respond = move |request| respond(request, Arc::clone(&there));
        let server = LoopbackServer::start(respond).await?;
        Ok(Upstream { world, server })
    }

    /// Where a path of it is.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address)
    }

    /// Lets one held answer end.
    pub(crate) fn release(&self) {
        self.world.releases.add_permits(1);
    }

    /// Describes the tools in other words from here on.
    pub(crate) fn redefine(&self) {
        self.world.tools().place = mcp::PLACES[1];
    }

    /// Tells whoever listens that the tools changed.
    pub(crate) fn tell_change(&self) {
        if let Some(listener) = &self.world.tools().listener {
            let event = format!("data: {}\n\n", mcp::changed());
            drop(listener.try_send(Bytes::from(event))); // A listener that is gone asks anew.
        }
    }

    /// Returns when something more was heard or said.
    pub(crate) async fn changed(&self) {
        self.world.changed.notified().await;
    }

    pub(crate) fn heard(&self) -> MutexGuard<'_, Observation> {
        self.world.heard()
    }
}

impl World {
    fn heard(&self) -> MutexGuard<'_, Observation> {
        lock(&self.heard)
    }

    fn tools(&self) -> MutexGuard<'_, Tools> {
        lock(&self.tools)
    }

    fn hear(&self, change: impl FnOnce(&mut Observation)) {
        change(&mut self.heard());
        self.changed.notify_one();
    }

    /// The answer to the request of this number; the last one stays.
    fn answer(&self, number: usize) -> Answer {
        let last = self.answers.len().saturating_sub(1);
        let answer = self.answers.get(number.min(last)).cloned();
        answer.unwrap_or_default()
    }
}

async fn respond(
    request: Request<Incoming>,
    world: Arc<World>,
) -> Result<Response<Pieces>, Infallible> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
        return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE, &Value::Null));
    };
    let body: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    if path == HOOK_PATH {
        return Ok(hook(&world, body));
    }
    let number = world.heard().asked;
    // What the CLI asks of other models by itself is no turn of the case.
    let is_turn = path == "/v1/messages" && body["model"] == MODEL;
    let entry = json!({
        "method": head.method.as_str(),
        "path": head.uri.path_and_query().map_or("", |path| path.as_str()),
        "headers": headers(&head.headers),
        "body": body,
    });
    world.hear(|heard| {
        heard.requests.push(entry);
        heard.asked += usize::from(is_turn);
    });
    Ok(match path.as_str() {
        "/v1/messages" if is_turn => turn(&world, &body, number),
        "/v1/messages" => aside(&body),
        "/v1/messages/count_tokens" => plain(StatusCode::OK, &json!({"input_tokens": 100})),
        MCP_PATH => {
            // Calls that run side by side end one after the other, so that their results have an order.
            if body["params"]["name"] == mcp::SLOW_TOOL {
                tokio::time::sleep(SLOW_TOOL_WAIT).await;
            }
            tools(&world, &head.method, &body)
        }
        _ => plain(StatusCode::OK, &json!({})),
    })
}

fn hook(world: &World, body: Value) -> Response<Pieces> {
    let block = world.blocks && body["hook_event_name"] == "UserPromptSubmit";
    world.hear(|heard| heard.hooks.push(body));
    let verdict = if block {
        json!({"decision": "block", "reason": "not the relay's prompt"})
    } else {
        json!({})
    };
    plain(StatusCode::OK, &verdict)
}

fn tools(world: &World, method: &Method, body: &Value) -> Response<Pieces> {
    let mut tools = world.tools();
    if *method == Method::GET && tools.notices {
        let (listener, notices) = mpsc::channel(PIECES_AHEAD);
        tools.listener = Some(listener);
        return events(Pieces::from(notices));
    }
    if *method != Method::POST {
        // There is no event stream where the tools do not change within the case.
        return plain(StatusCode::METHOD_NOT_ALLOWED, &json!({}));
    }
    match mcp::answer(body, tools.place) {
        Some(answer) => plain(StatusCode::OK, &answer),
        None => plain(StatusCode::ACCEPTED, &Value::Null),
    }
}

/// A word to another model, which the case says nothing of.
fn aside(body: &Value) -> Response<Pieces> {
    let answer = Answer {
        say: Some(Text::Plain("ok".to_owned())),
        ..Answer::default()
    };
    if body["stream"] != true {
        return plain(
            StatusCode::OK,
            &answer::whole(&answer, &model(body), SIDE_NUMBER),
        );
    }
    let stream = answer::stream(&answer, &model(body), SIDE_NUMBER);
    let text: String = stream
        .head
        .iter()
        .chain(&stream.tail)
        .map(answer::Piece::written)
        .collect();
    events(Pieces::of(text))
}

fn events(body: Pieces) -> Response<Pieces> {
    let mut response = Response::new(body);
    let kind = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn turn(world: &Arc<World>, body: &Value, number: usize) -> Response<Pieces> {
    let answer = world.answer(number);
    if let Some(error) = &answer.error {
        let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
        world.hear(|heard| heard.answered += 1);
        return plain(status, &answer::error(error));
    }
    if body["stream"] != true {
        world.hear(|heard| heard.answered += 1);
        let message = answer::whole(&answer, &model(body), number + 1);
        return plain(StatusCode::OK, &message);
    }
    let (pieces, body_pieces) = mpsc::channel(PIECES_AHEAD);
    let stream = answer::stream(&answer, &model(body), number + 1);
    tokio::spawn(say(Arc::clone(world), stream, answer.hold, pieces));
    events(Pieces::from(body_pieces))
}

/// Sends a stream. An asker that goes away ends it.
async fn say(world: Arc<World>, stream: answer::Stream, hold: bool, pieces: mpsc::Sender<Bytes>) {
    for piece in stream.head {
        if piece.wait_ms > 0 {
            tokio::time::sleep(Duration::from_millis(piece.wait_ms)).await;
        }
        drop(pieces.send(Bytes::from(piece.written())).await);
    }
    if hold {
        world.hear(|heard| heard.held += 1);
        tokio::select! {
            released = world.releases.acquire() => released.map_or((), tokio::sync::SemaphorePermit::forget),
            () = pieces.closed() => {}
        }
        world.hear(|heard| heard.held -= 1);
    }
    for piece in stream.tail {
        drop(pieces.send(Bytes::from(piece.written())).await);
    }
    world.hear(|heard| heard.answered += 1);
}

fn model(body: &Value) -> String {
    body["model"].as_str().unwrap_or_default().to_owned()
}

fn headers(all: &hyper::HeaderMap) -> Value {
    let kept = KEPT_HEADERS.iter().filter_map(|name| {
        let value = all.get(*name)?.to_str().ok()?;
        Some(((*name).to_owned(), Value::from(value)))
    });
    Value::Object(kept.collect())
}

fn plain(status: StatusCode, body: &Value) -> Response<Pieces> {
    let body = match body {
        Value::Null => Bytes::new(),
        body => Bytes::from(body.to_string()),
    };
    let mut response = Response::new(Pieces::of(body));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

pub(crate) const HOOK_PATH: &str = "/hook";
pub(crate) const MCP_PATH: &str = "/mcp";
/// Headers of a request that tell what the CLI wants; the others are the connection's business or a secret's.
const KEPT_HEADERS: [&str; 5] = [
    "anthropic-version",
    "anthropic-beta",
    "x-app",
    "user-agent",
    "accept",
];
/// The API's own requests end there.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// What a slow reader may be behind.
const PIECES_AHEAD: usize = 16;
/// Longer than a call and its answer take, shorter than a pause that would pass for quiet.
const SLOW_TOOL_WAIT: Duration = Duration::from_millis(200);
/// The number of answers to what is no turn.
const SIDE_NUMBER: usize = 0;
