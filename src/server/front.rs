//! What every call of a turn goes through, whatever its dialect: its headers, its body, its lane, its answer.

use super::Api;
use super::answer;
use super::api;
use super::body;
use super::body::Media;
use super::body_budget::Reservation;
use super::conversation;
use super::files;
use super::frame::Framed;
use super::frame::Refusal;
use super::guarded_body::GuardedBody;
use super::label;
use super::late_writer::LateWriter;
use super::late_writer::Plain;
use super::opaque;
use super::passed;
use super::usage;
use super::wanted::is_strict;
use super::wanted::pin;
use super::wanted::pinned;
use super::wanted::want;
use crate::auth::Caller;
use crate::calls::CallRecorder;
use crate::clock;
use crate::lane::Call;
use crate::lane::Dialect;
use crate::lane::Hops;
use crate::lane::LaneWant;
use crate::lane::Original;
use crate::lane::Reply;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::RequestId;
use crate::turn::Timeline;
use crate::wire::form;
use crate::wire::form::counted_bytes;
use crate::wire::head::Head;
use crate::wire::head::NoHead;
use crate::wire::head::head;
use crate::wire::writer::AnswerWriter;
use axum::extract::FromRequestParts;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::response::Response;
use serde_json::Value;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

/// Bytes of a body that is read where it came: that takes a millisecond or two.
const READ_HERE_MAX: usize = 1 << 20;

/// Who calls, and by which name the call goes.
#[derive(Clone)]
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
    /// What is done with it before its end is told.
    pub(super) keep: Option<Keep>,
}

/// Keeps one whole answer.
pub(super) type Keep = Box<dyn Keeps>;

/// What keeps an answer.
pub(super) trait Keeps: Send + Sync {
    /// Does what does not depend on the answer, while there is none yet.
    fn prepare(&mut self);

    /// Takes the answer; what it gives is over when that is kept: whoever has the end may go on at once.
    fn keep(self: Box<Self>, answered: Answered) -> Keeping;
}

/// An answer that is to be kept.
pub(super) enum Answered {
    /// Told in events: the response as its caller is told of it, in JSON.
    Told(String),
    /// In the caller's own dialect, as a host gave it.
    Passed(Value),
}

pub(super) type Keeping = Pin<Box<dyn Future<Output = ()> + Send>>;

impl FromRequestParts<Api> for Context {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Context, Refusal> {
        let found = parts.extensions.remove();
        found.ok_or_else(|| unframed().into())
    }
}

impl Context {
    pub(super) fn of(framed: Framed, caller: Caller) -> Context {
        Context {
            id: framed.id,
            caller,
            note: framed.note,
        }
    }

    fn hand_in(&self, model: &str, is_streamed: bool) -> Timeline {
        self.note.hand_in(model, is_streamed, clock::now())
    }

    /// What the ids of the answer are made of.
    pub(super) fn stem(&self) -> String {
        self.id.stem().to_owned()
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
    hops: Hops,
    /// Whether what the caller wrote is all of the call, so that a lane which speaks its dialect may pass it on.
    pub(super) is_whole: bool,
    /// Whether it names what only a host keeps.
    pub(super) leans_on_host: bool,
    reservation: Reservation,
}

impl Taken {
    /// Has the call say this in the place of what its caller wrote.
    ///
    /// # Errors
    /// Where all bodies together would take more than they may.
    pub(super) fn rewrite(&mut self, body: String) -> Result<(), Fault> {
        let more = body.len().saturating_sub(self.original.body.len());
        self.reservation.grow(more).map_err(|_| body::crowded())?;
        self.original.body = body.into();
        Ok(())
    }
}

/// Takes a call in.
pub(super) async fn take(
    api: &Api,
    caller: &Caller,
    dialect: Dialect,
    request: Request,
) -> Result<Taken, Fault> {
    let mut reservation = api.body_budget.reservation(caller.owner());
    let (head, body) = request.into_parts();
    let hops = Hops::of(&head.headers)?;
    let query = head.uri.query().map(str::to_owned);
    let media = media(dialect);
    let max = api.config.body_max;
    let mut body = body::read(&head.headers, body, media, max, &mut reservation).await?;
    let speaks = file_dialect(dialect);
    if !matches!(dialect, Dialect::Opaque(_))
        && files::are_named(&body)
        && let Some(inlined) = Box::pin(files::inlined(api, caller, speaks, &body)).await?
    {
        let more = inlined.len().saturating_sub(body.len());
        reservation.grow(more).map_err(|_| body::crowded())?;
        body = inlined;
    }
    let original = Original {
        dialect,
        query,
        headers: head.headers,
        body,
        model_at: None,
    };
    Ok(Taken {
        original,
        hops,
        is_whole: true,
        leans_on_host: false,
        reservation,
    })
}

fn media(dialect: Dialect) -> Media {
    match dialect {
        Dialect::Opaque(path) if opaque::FORMS.contains(&path) => Media::FormOrJson,
        Dialect::Anthropic
        | Dialect::Count
        | Dialect::Chat
        | Dialect::Responses
        | Dialect::Opaque(_) => Media::Json,
    }
}

fn file_dialect(dialect: Dialect) -> files::Dialect {
    match dialect {
        Dialect::Anthropic | Dialect::Count => files::Dialect::Anthropic,
        Dialect::Chat | Dialect::Responses | Dialect::Opaque(_) => files::Dialect::OpenAi,
    }
}

/// Has a call served, and answers it. Its body is read with its dialect's reader; where a catalog decides who gets it,
/// no more is looked at than its head, as long as no lane asks for the rest. `plain` writes the answer until then.
pub(super) async fn answer(
    api: Api,
    context: Context,
    dialect: Dialect,
    request: Request,
    plain: Plain,
    read: impl Fn(&[u8]) -> Result<Asked, Fault> + Send + Sync + 'static,
) -> Result<Response, Refusal> {
    let taken = take(&api, &context.caller, dialect, request).await?;
    let head = match context.is_named(&taken.original.headers)? {
        true => None,
        false => declared_head(&api, &taken.original.body)?,
    };
    let Some(head) = head else {
        let asked = Box::pin(beside(&api, &taken.original.body, read)).await?;
        return Box::pin(serve(&api, context, taken, asked)).await; // Seldom, and large.
    };
    pass(&api, context, taken, head, (plain, None), read).await
}

/// Has a call served of which no more is known than its head.
pub(super) async fn pass(
    api: &Api,
    context: Context,
    taken: Taken,
    head: KnownHead,
    (plain, keep): (Plain, Option<Keep>),
    read: impl Fn(&[u8]) -> Result<Asked, Fault> + Send + Sync + 'static,
) -> Result<Response, Refusal> {
    let (reservation, dialect) = (taken.reservation, taken.original.dialect);
    let (mut call, writer) = unread(taken.original, head, &context, plain, read);
    (call.hops, call.leans_on_host) = (taken.hops, taken.leans_on_host);
    let call = context.headed(api, call)?;
    let response = serve_headed(api, context, dialect, call, writer, keep).await?;
    Ok(response.map(|body| GuardedBody::body(body, reservation)))
}

/// Has a call served that was read, and answers it.
pub(super) async fn serve(
    api: &Api,
    context: Context,
    taken: Taken,
    asked: Asked,
) -> Result<Response, Refusal> {
    let mut request = asked.request;
    let lane = pinned(&mut request.model);
    request.owner = context.caller.owner();
    let timeline = context.hand_in(&request.model, asked.stream);
    let mut call = Call::new(request, timeline);
    call.is_streamed = asked.stream;
    call.hops = taken.hops;
    call.want = lane.map_or(LaneWant::Any, LaneWant::Only);
    let dialect = taken.original.dialect;
    call.original = Some(Arc::new(taken.original));
    let (reservation, is_whole) = (taken.reservation, taken.is_whole);
    let mut call = context.headed(api, call)?;
    if !is_whole {
        call = call.set_aside();
    }
    let response = serve_headed(api, context, dialect, call, asked.writer, asked.keep).await?;
    Ok(response.map(|body| GuardedBody::body(body, reservation)))
}

/// The count of the first host that counts for its own models; `None` where the call's model has none, or none tells it.
pub(super) async fn counted(
    api: &Api,
    context: &Context,
    taken: &Taken,
    plain: Box<dyn AnswerWriter>,
) -> Result<Option<Response>, Fault> {
    let Some(head) = declared_head(api, &taken.original.body)? else {
        return Ok(None);
    };
    let mut model = head.model;
    let lane = pinned(&mut model);
    let original = Original {
        model_at: Some(head.model_at),
        ..taken.original.clone()
    };
    let read = |_: &Original| Err(uncounted());
    let mut call = Call::written(
        (model, false),
        Arc::new(original),
        Timeline::default(),
        read,
    );
    call.hops = taken.hops.clone();
    call.want = lane.map_or(LaneWant::Any, LaneWant::Only);
    let mut call = context.headed(api, call)?;
    call.conversation = None; // To count is no turn of it.
    let Ok(serving) = api.serve(call) else {
        return Ok(None);
    };
    match serving.await {
        Ok(Reply::Passed(passed)) if passed.status.is_success() => Ok(Some(passed::response(
            passed,
            plain,
            &context.id,
            &context.note,
        ))),
        Ok(_) | Err(_) => Ok(None),
    }
}

/// No lane but a host counts.
fn uncounted() -> Fault {
    let public = "No lane of this relay counts the tokens of this model.";
    Fault::new(FaultKind::UnsupportedError, Blame::Relay, public)
}

async fn serve_headed(
    api: &Api,
    context: Context,
    dialect: Dialect,
    call: Call,
    writer: Box<dyn AnswerWriter>,
    keep: Option<Keep>,
) -> Result<Response, Refusal> {
    let Context { id, caller, note } = context;
    if let Some(key) = &caller.key {
        note.sign(&key.0);
    }
    let is_streamed = call.is_streamed;
    let original = call.written_by_caller();
    let bytes = original.map_or(0, |original| original.body.len());
    note.weigh(call.policy_name.as_ref(), bytes as u64);
    let bytes = original.map_or(0, |original| {
        counted_bytes(&original.headers, &original.body)
    });
    let mut limits = Vec::new();
    let settlement = match api.reserve(&call, bytes).await {
        Ok(settlement) => settlement,
        Err(fault) => {
            let limits = api.limit_headers(&call, dialect);
            let mut refused = Refusal(fault).into_response();
            label::write_limits(refused.headers_mut(), &limits);
            return Ok(refused);
        }
    };
    if let Some(settlement) = settlement {
        limits = settlement.headers(dialect);
        note.settles(|took| usage::settle(settlement, took));
    }
    let serving = api.serve(call)?;
    let answered = async {
        match is_streamed {
            true => answer::streamed(serving, (writer, keep), id, note, &api.drain_deadline).await,
            false => answer::buffered(serving, (writer, keep), &id, &note).await,
        }
    };
    let mut response = tokio::select! {
        biased;
        response = answered => response?,
        () = api.drain_deadline.passed() => return Err(api::cut_off().into()),
    };
    api.license.count();
    label::write_limits(response.headers_mut(), &limits);
    Ok(response)
}

impl Context {
    /// The call with what its headers and its key say of it.
    fn headed(&self, api: &Api, mut call: Call) -> Result<Call, Fault> {
        if let Some(original) = &call.original {
            let headers = &original.headers;
            if call.want == LaneWant::Any {
                call.want = want(headers)?;
            }
            call.conversation = conversation::of(headers, &self.caller)?;
            call.strict = is_strict(headers)? || api.config.strict;
        }
        call.policy_name.clone_from(&self.caller.policy);
        call.key.clone_from(&self.caller.key);
        Ok(call)
    }
}

/// What is known of a body that was not read.
pub(super) struct KnownHead {
    model: String,
    model_at: Range<usize>,
    is_streamed: bool,
}

/// Looks at a body; `None` where all of it must be read to say what is wrong with it.
pub(super) fn known_head(body: &[u8]) -> Result<Option<KnownHead>, Fault> {
    known(head(body))
}

/// Whether the catalog declares the model of this name, behind which a lane may stand.
pub(super) fn is_declared_for(api: &Api, name: &str) -> bool {
    api.is_declared_for(pin(name).map_or(name, |(name, _)| name))
}

/// The head of a body whose model the catalog declares; `None` where all of it must be read.
fn declared_head(api: &Api, body: &[u8]) -> Result<Option<KnownHead>, Fault> {
    match known_head(body) {
        Ok(head) => Ok(head.filter(|head| is_declared_for(api, &head.model))),
        Err(fault) if api.is_declared() => Err(fault),
        Err(_) => Ok(None),
    }
}

/// Looks at a form, whose boundary this `content-type` names; `None` where it is none, or names no model.
pub(super) fn form_head(body: &[u8], content_type: &str) -> Result<Option<KnownHead>, Fault> {
    known(form::head(body, content_type))
}

fn known(head: Result<Head<'_>, NoHead>) -> Result<Option<KnownHead>, Fault> {
    match head {
        Ok(head) => Ok(Some(KnownHead {
            model: head.model.into_owned(),
            model_at: head.model_at,
            is_streamed: head.is_streamed,
        })),
        Err(NoHead::Twice(name)) => Err(twice(name)),
        Err(NoHead::Unreadable) => Ok(None),
    }
}

/// A call of which no more is known than its head.
fn unread(
    mut original: Original,
    head: KnownHead,
    context: &Context,
    plain: Plain,
    read: impl Fn(&[u8]) -> Result<Asked, Fault> + Send + Sync + 'static,
) -> (Call, Box<dyn AnswerWriter>) {
    let mut model = head.model;
    let lane = pinned(&mut model);
    let (late, writer) = LateWriter::beside(plain);
    let model: Arc<str> = model.into();
    let (owner, asked_of) = (context.caller.owner(), Arc::clone(&model));
    let read = move |original: &Original| {
        let read = || read(&original.body);
        let asked = match original.body.len() <= READ_HERE_MAX {
            true => read(),
            false => tokio::task::block_in_place(read),
        }?;
        late.put(asked.writer);
        let mut request = asked.request;
        (request.owner, request.model) = (owner.clone(), asked_of.to_string());
        Ok(request)
    };
    let timeline = context.hand_in(&model, head.is_streamed);
    original.model_at = Some(head.model_at);
    let original = Arc::new(original);
    let mut call = Call::written((model, head.is_streamed), original, timeline, read);
    call.want = lane.map_or(LaneWant::Any, LaneWant::Only);
    (call, Box::new(writer))
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

fn twice(name: &str) -> Fault {
    let public = format!(
        "{name}: the field stands in the body twice; two readers could believe two different ones."
    );
    Fault::new(FaultKind::InvalidRequest, Blame::Client, public)
}

fn unframed() -> Fault {
    let public = "The relay lost track of the call, which is a bug of the relay; please try again.";
    Fault::new(FaultKind::Internal, Blame::Relay, public).because("a call without its frame")
}
