//! `POST /v1/responses`: a turn that may go on with what was said before, and be gone on with.

mod keep;
pub(super) mod stored;
pub(super) mod thread;

use super::Api;
use super::frame::Refusal;
use super::front;
use super::front::Asked;
use super::front::Context;
use super::front::Keep;
use super::front::Taken;
use super::front::beside;
use super::label;
use super::late_writer::Plain;
use crate::archive::Archive;
use crate::archive::Kind;
use crate::clock;
use crate::lane::Dialect;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::Owner;
use crate::wire::openai::responses::answer::Writer;
use crate::wire::openai::responses::answer::id_of;
use crate::wire::openai::responses::item::stem_of;
use crate::wire::openai::responses::request::Before;
use crate::wire::openai::responses::request::Draft;
use axum::extract::Request;
use axum::extract::State;
use axum::http::header;
use axum::response::Response;
use keep::Keeper;
use serde_json::Value;
use std::collections::HashMap;

/// A turn, buffered or streamed.
pub(super) async fn create(
    State(api): State<Api>,
    context: Context,
    request: Request,
) -> Result<Response, Refusal> {
    let is_named = context.is_named(request.headers())?;
    let mut taken = front::take(&api, &context.caller, Dialect::Responses, request).await?;
    let mut draft = beside(&api, &taken.original.body, Draft::read).await?;
    let (owner, stem) = (context.caller.owner(), context.stem());
    let before = draft.before()?;
    let is_stored = draft.is_stored()?;
    let known = known(&api.archive, &owner, &before).await?;
    let resolved = resolve(&api.archive, &owner, &mut draft).await;
    taken.leans_on_host = resolved.is_err(); // What nobody knows here may be a host's.
    let read = beside(&api, &taken.original.body, |_| draft.call(&known, is_named)).await;
    let mut call = resolved.and(read);
    let is_declared = !is_named && front::is_declared_for(&api, draft.model());
    // What goes on without its caller is over here when it is told, so that it can be kept.
    let is_over_when_told = is_stored && draft.is_background()?;
    let says_all = draft.is_alone() && !is_over_when_told;
    taken.is_whole = says_all || is_declared;
    if is_declared && !says_all {
        taken.rewrite(draft.alone(&known))?; // What is referred to is known here alone.
    }
    let wish = call.as_mut().map(|call| std::mem::take(&mut call.wish));
    let writer = Writer::new(&stem, clock::unix_ms() / 1000, wish.unwrap_or_default());
    let conversation = before.into_conversation();
    let mut keep: Option<Keep> = None;
    if is_stored || conversation.is_some() {
        taken.original.headers.remove(header::ACCEPT_ENCODING); // What is kept must be read.
        keep = Some(Box::new(Keeper {
            archive: api.archive.clone(),
            owner,
            before: known,
            leans_on: leans_on(&draft, is_over_when_told),
            input: draft.into_input(),
            stem,
            conversation,
            is_stored,
            prepared: None,
        }));
    }
    let mut answer = match call {
        Ok(call) => {
            let asked = Asked {
                request: call.request,
                stream: call.stream,
                writer: Box::new(writer),
                keep,
            };
            front::serve(&api, context, taken, asked).await?
        }
        Err(fault) if taken.is_whole && is_declared => {
            let plain: Plain = Box::new(move || Box::new(writer.clone()));
            unread(&api, context, taken, fault, (plain, keep)).await?
        }
        Err(fault) => return Err(fault.into()),
    };
    if is_over_when_told {
        label::emulated(answer.headers_mut(), "background");
    }
    Ok(answer)
}

/// What the call says of its response and a host was not told.
fn leans_on(draft: &Draft, is_over_when_told: bool) -> Vec<(&'static str, Value)> {
    let mut leans_on = draft.leans_on();
    if is_over_when_told {
        leans_on.push(("background", true.into()));
    }
    leans_on
}

/// Has a call served that no lane can read: a host may know what it says.
async fn unread(
    api: &Api,
    context: Context,
    taken: Taken,
    fault: Fault,
    (plain, keep): (Plain, Option<Keep>),
) -> Result<Response, Refusal> {
    let Some(head) = front::known_head(&taken.original.body)? else {
        return Err(fault.into());
    };
    let read = move |_: &[u8]| Err(fault.clone());
    front::pass(api, context, taken, head, (plain, keep), read).await
}

/// What was said before, as far as the call leans on it.
async fn known(archive: &Archive, owner: &Owner, before: &Before) -> Result<Vec<Value>, Fault> {
    match before {
        Before::Nothing => Ok(Vec::new()),
        Before::Response(id) => {
            let record = archive.get(Kind::Response, owner, id).await;
            let record = record.ok_or_else(previous_unknown)?;
            Ok([
                items(&record["items"]),
                items(&record["response"]["output"]),
            ]
            .concat())
        }
        Before::Conversation(id) => {
            let record = archive.get(Kind::Conversation, owner, id).await;
            let record = record.ok_or_else(|| thread::unknown("conversation: "))?;
            Ok(items(&record["items"]).to_vec())
        }
    }
}

/// Puts items of answers in the place of the references to them: an item's id tells its response.
async fn resolve(archive: &Archive, owner: &Owner, draft: &mut Draft) -> Result<(), Fault> {
    let references = draft.references();
    let mut found: HashMap<String, Value> = HashMap::new();
    for stem in references
        .iter()
        .filter_map(|id| stem_of(id))
        .take(REFERENCES_MAX)
    {
        let Some(record) = archive.get(Kind::Response, owner, &id_of(stem)).await else {
            continue;
        };
        for item in items(&record["items"])
            .iter()
            .chain(items(&record["response"]["output"]))
        {
            if let Some(id) = item["id"].as_str() {
                found.insert(id.to_owned(), item.clone());
            }
        }
    }
    draft.resolve(|id| found.get(id).cloned())
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

fn previous_unknown() -> Fault {
    let public = "previous_response_id: no response of yours has this id any more; send the whole conversation in \
                  `input`";
    Fault::new(FaultKind::PreviousUnknown, Blame::Client, public)
}

/// Records that the references of one call may be looked up in.
const REFERENCES_MAX: usize = 1000;

#[cfg(test)]
mod tests;
