//! What every call of a turn goes through, whatever its dialect: its headers, its body, its lane, its answer.

use super::Api;
use super::answer;
use super::api;
use super::body;
use super::body_budget::Reservation;
use super::conversation;
use super::frame::Refusal;
use super::guarded_body::GuardedBody;
use crate::auth::Caller;
use crate::calls::CallRecorder;
use crate::clock;
use crate::lane::Call;
use crate::lane::Dialect;
use crate::lane::LaneWant;
use crate::lane::Original;
use crate::lane::Serving;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::LaneId;
use crate::turn::RequestId;
use crate::wire::writer::AnswerWriter;
use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::request::Parts;
use axum::response::Response;
use std::sync::Arc;

/// Names the lane of one call.
const LANE: &str = "x-relay-lane";
/// The older name of the two claude lanes.
pub(super) const DRIVER: &str = "x-relay-driver";
/// Bytes of a body that is read where it came: that takes a millisecond or two.
const READ_HERE_MAX: usize = 1 << 20;

/// Who calls, and by which name the call goes.
pub(super) struct Context {
    pub(super) id: RequestId,
    pub(super) caller: Caller,
    pub(super) note: CallRecorder,
}

/// A call as its dialect read it.
pub(super) struct Asked {
    pub(super) request: crate::turn::Request,
    pub(super) stream: bool,
    /// How its answer is written.
    pub(super) writer: Box<dyn AnswerWriter>,
}

impl FromRequestParts<Api> for Context {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Context, Refusal> {
        let found = &parts.extensions;
        let id = found.get::<RequestId>().cloned();
        let (caller, note) = (found.get::<Caller>().cloned(), found.get().cloned());
        match (id, caller, note) {
            (Some(id), Some(caller), Some(note)) => Ok(Context { id, caller, note }),
            _ => Err(unframed().into()),
        }
    }
}

impl Context {
    /// What the ids of the answer are made of.
    pub(super) fn stem(&self) -> String {
        let id = &self.id.0;
        id.strip_prefix("req_").unwrap_or(id).to_owned()
    }

    /// Whether the call goes on in a conversation that has a name.
    ///
    /// # Errors
    /// `session_id_invalid`.
    pub(super) fn is_named(&self, headers: &HeaderMap) -> Result<bool, Fault> {
        conversation::of(headers, &self.caller).map(|named| named.is_some())
    }
}

/// A call's head and body, within the bounds of both.
pub(super) struct Taken {
    pub(super) original: Original,
    /// Whether what the caller wrote is all of the call, so that a lane which speaks its dialect may pass it on.
    pub(super) is_whole: bool,
    reservation: Reservation,
}

/// Takes a call in.
pub(super) async fn take(
    api: &Api,
    caller: &Caller,
    dialect: Dialect,
    request: Request,
) -> Result<Taken, Fault> {
    let mut reservation = api.body_budget.reservation(caller.owner());
    let path = request.uri().to_string();
    let headers = request.headers().clone();
    let body = body::json(request, api.config.body_max, &mut reservation).await?;
    let original = Original {
        dialect,
        path,
        headers,
        body: Bytes::from(body),
    };
    Ok(Taken {
        original,
        is_whole: true,
        reservation,
    })
}

/// Reads a call's body with its dialect's reader, has it served, and answers it.
pub(super) async fn answer(
    api: Api,
    context: Context,
    dialect: Dialect,
    request: Request,
    read: impl FnOnce(&[u8]) -> Result<Asked, Fault>,
) -> Result<Response, Refusal> {
    let taken = take(&api, &context.caller, dialect, request).await?;
    let asked = beside(&api, &taken.original.body, read).await?;
    serve(&api, context, taken, asked, |serving| serving).await
}

/// Has a call served, and answers it; `keep` may listen to what is told.
pub(super) async fn serve(
    api: &Api,
    context: Context,
    taken: Taken,
    asked: Asked,
    keep: impl FnOnce(Serving) -> Serving,
) -> Result<Response, Refusal> {
    let Context { id, caller, note } = context;
    let Asked {
        mut request,
        stream,
        writer,
    } = asked;
    let headers = &taken.original.headers;
    let want = match pinned(&mut request.model) {
        Some(lane) => LaneWant::Only(lane),
        None => want(headers)?,
    };
    let conversation = conversation::of(headers, &caller)?;
    let strict = api.config.strict || is_strict(headers);
    request.owner = caller.owner();
    if let Some(key) = &caller.key {
        note.sign(&key.0);
    }
    let timeline = note.hand_in(&request.model, stream, clock::now());
    let serving = api.serve(Call {
        original: taken.is_whole.then(|| Arc::new(taken.original)),
        conversation,
        want,
        strict,
        ..Call::new(request, timeline)
    })?;
    let serving = keep(serving);
    let answered = async {
        match stream {
            true => answer::streamed(serving, writer, id, note, &api.drain_deadline).await,
            false => answer::buffered(serving, writer, &id, &note).await,
        }
    };
    let response = tokio::select! {
        biased;
        response = answered => response?,
        () = api.drain_deadline.passed() => return Err(api::cut_off().into()),
    };
    api.license.count();
    Ok(response.map(|body| GuardedBody::body(body, taken.reservation)))
}

/// Reads a body. A large one takes a while, in which the other calls of this thread go on in another one; and it takes
/// memory meanwhile, so only a few are read at the same time.
pub(super) async fn beside<T>(
    api: &Api,
    body: &[u8],
    read: impl FnOnce(&[u8]) -> Result<T, Fault>,
) -> Result<T, Fault> {
    if body.len() <= READ_HERE_MAX {
        return read(body);
    }
    let _turn = api.readers.acquire().await; // It is never closed.
    tokio::task::block_in_place(|| read(body))
}

/// The lane behind the name of a model, as in `opus@claude-print`; the name is left without it.
fn pinned(model: &mut String) -> Option<LaneId> {
    let (name, lane) = model.rsplit_once('@')?;
    let is_lane = LANES.contains(&lane) || lane.starts_with("http:");
    let lane = (is_lane && !name.is_empty()).then(|| LaneId::new(lane))?;
    let end = name.len();
    model.truncate(end);
    Some(lane)
}

/// The lane that the caller asks for: it then gets no other.
fn want(headers: &HeaderMap) -> Result<LaneWant, Fault> {
    if let Some(driver) = headers.get(DRIVER) {
        let lane = match driver.as_bytes() {
            b"pty" => "claude-pty",
            b"print" => "claude-print",
            _ => return Err(unknown("x-relay-driver: Input should be 'pty' or 'print'")),
        };
        return Ok(LaneWant::Only(LaneId::new(lane)));
    }
    match headers.get(LANE).map(HeaderValue::to_str) {
        None => Ok(LaneWant::Any),
        Some(Ok(lane)) => Ok(LaneWant::Only(LaneId::new(lane))),
        Some(Err(_)) => Err(unknown("x-relay-lane: Input should be the name of a lane")),
    }
}

fn unknown(public: &str) -> Fault {
    Fault::new(FaultKind::InvalidRequest, Blame::Client, public).because("a lane that is not known")
}

fn is_strict(headers: &HeaderMap) -> bool {
    headers
        .get("x-relay-strict")
        .is_some_and(|value| value == "true")
}

fn unframed() -> Fault {
    let public = "The relay lost track of the call, which is a bug of the relay; please try again.";
    Fault::new(FaultKind::Internal, Blame::Relay, public).because("a call without its frame")
}

/// Lanes that a model's name may be pinned to, beside those of hosts.
const LANES: [&str; 3] = ["claude-pty", "claude-print", "codex"];
