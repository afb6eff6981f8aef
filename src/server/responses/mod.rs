//! `POST /v1/responses`: a turn that may go on with what was said before, and be gone on with.

mod keep;
pub(super) mod stored;
pub(super) mod thread;

use super::Api;
use super::frame::Refusal;
use super::front;
use super::front::Asked;
use super::front::Context;
use super::front::Taken;
use super::front::beside;
use crate::archive::Archive;
use crate::archive::Kind;
use crate::clock;
use crate::lane::Dialect;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::Owner;
use crate::wire::openai::conversation;
use crate::wire::openai::responses::answer::Writer;
use crate::wire::openai::responses::answer::id_of;
use crate::wire::openai::responses::item::stem_of;
use crate::wire::openai::responses::request::AnswerWish;
use crate::wire::openai::responses::request::Before;
use crate::wire::openai::responses::request::Draft;
use axum::extract::Request;
use axum::extract::State;
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
    // Whoever remembers the answer must hear it, and what is referred to is known here alone.
    let known = known(&api.archive, &owner, &before).await?;
    let resolved = resolve(&api.archive, &owner, &mut draft).await;
    taken.is_whole = !is_stored && draft.is_alone();
    let read = beside(&api, &taken.original.body, |_| draft.call(&known, is_named)).await;
    let call = match resolved.and(read) {
        Ok(call) => call,
        Err(fault) => return unread(&api, context, taken, fault, is_named).await,
    };
    let writer = Writer::new(&stem, clock::unix_ms() / 1000, call.wish);
    let conversation = match before {
        Before::Conversation(id) => Some(id),
        Before::Nothing | Before::Response(_) => None,
    };
    let keeper = (is_stored || conversation.is_some()).then(|| Keeper {
        archive: api.archive.clone(),
        owner,
        writer: writer.clone(),
        before: known,
        input: conversation::with_ids(draft.input(), &stem),
        conversation,
        is_stored,
    });
    let asked = Asked {
        request: call.request,
        stream: call.stream,
        writer: Box::new(writer),
        keep: keeper.map(Keeper::keep),
    };
    front::serve(&api, context, taken, asked).await
}

/// Has a call served that no lane can read, where a host may know what it says.
async fn unread(
    api: &Api,
    context: Context,
    taken: Taken,
    fault: Fault,
    is_named: bool,
) -> Result<Response, Refusal> {
    let head = match taken.is_whole && !is_named {
        true => front::declared_head(api, &taken.original.body)?,
        false => None,
    };
    let Some(head) = head else {
        return Err(fault.into());
    };
    let created = clock::unix_ms() / 1000;
    let plain = Writer::new(&context.stem(), created, AnswerWish::default());
    let read = move |_: &[u8]| Err(fault.clone());
    front::pass(api, context, taken, head, Box::new(plain), read).await
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
