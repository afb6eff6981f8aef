//! `/v1/conversations`: conversations that are kept by an id of ours, and gone on with by it.

use super::super::Api;
use super::super::frame::Refusal;
use super::super::front;
use super::super::front::Context;
use super::super::status::json;
use super::items;
use crate::archive::Kind;
use crate::archive::RECORD_BYTES_MAX;
use crate::auth::Caller;
use crate::clock;
use crate::lane::Dialect;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::wire::openai::conversation;
use crate::wire::openai::conversation::Said;
use crate::wire::openai::page;
use axum::Extension;
use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::Request;
use axum::extract::State;
use axum::http::header;
use axum::response::Response;
use serde_json::Value;

/// `POST /v1/conversations`.
pub(in crate::server) async fn create(
    State(api): State<Api>,
    context: Context,
    request: Request,
) -> Result<Response, Refusal> {
    let said = said(&api, &context.caller, request).await?;
    let stem = context.stem();
    let id = format!("conv_{stem}");
    let record = serde_json::json!({
        "created_at": clock::unix_ms() / 1000,
        "metadata": said.metadata,
        "items": conversation::with_ids(&said.items, &stem),
    });
    let told = conversation::told(&id, &record);
    let kept = api
        .archive
        .put(
            Kind::Conversation,
            &context.caller.owner(),
            &id,
            record.to_string(),
        )
        .await;
    kept.map_err(|error| unkept(&error))?;
    Ok(json(&told))
}

/// `GET /v1/conversations/{id}`.
pub(in crate::server) async fn find(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    Ok(json(&conversation::told(
        &id,
        &record(&api, &caller, &id).await?,
    )))
}

/// `POST /v1/conversations/{id}`: other metadata.
pub(in crate::server) async fn update(
    State(api): State<Api>,
    context: Context,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let metadata = said(&api, &context.caller, request).await?.metadata;
    let told = change(&api, &context.caller, &id, {
        let id = id.clone();
        move |record| {
            record["metadata"] = metadata.into();
            conversation::told(&id, record)
        }
    });
    Ok(json(&told.await?))
}

/// `DELETE /v1/conversations/{id}`.
pub(in crate::server) async fn delete(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    match api
        .archive
        .remove(Kind::Conversation, &caller.owner(), &id)
        .await
    {
        true => Ok(json(
            &serde_json::json!({"id": id, "object": "conversation.deleted", "deleted": true}),
        )),
        false => Err(unknown("").into()),
    }
}

/// `GET /v1/conversations/{id}/items`.
pub(in crate::server) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let record = record(&api, &caller, &id).await?;
    Ok(json(&page::page(
        items(&record["items"]),
        query.as_deref(),
        page::ITEMS,
    )?))
}

/// `POST /v1/conversations/{id}/items`.
pub(in crate::server) async fn add(
    State(api): State<Api>,
    context: Context,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let said = said(&api, &context.caller, request).await?;
    let added = conversation::with_ids(&said.items, &context.stem());
    let page = page::page(&added, Some("order=asc&limit=100"), page::ITEMS)?;
    let add = move |record: &mut Value| {
        if let Some(items) = record["items"].as_array_mut() {
            items.extend(added);
        }
    };
    change(&api, &context.caller, &id, add).await?;
    Ok(json(&page))
}

/// `GET /v1/conversations/{id}/items/{item}`.
pub(in crate::server) async fn find_item(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path((id, item)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let record = record(&api, &caller, &id).await?;
    let found = items(&record["items"])
        .iter()
        .find(|found| found["id"] == item.as_str());
    Ok(json(found.ok_or_else(item_unknown)?))
}

/// `DELETE /v1/conversations/{id}/items/{item}`.
pub(in crate::server) async fn delete_item(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path((id, item)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let told = change(&api, &caller, &id, {
        let id = id.clone();
        move |record| {
            let items = record["items"].as_array_mut()?;
            let place = items
                .iter()
                .position(|found| found["id"] == item.as_str())?;
            items.remove(place);
            Some(conversation::told(&id, record))
        }
    });
    Ok(json(&told.await?.ok_or_else(item_unknown)?))
}

/// What a caller says of a conversation; a body may be left away.
async fn said(api: &Api, caller: &Caller, request: Request) -> Result<Said, Fault> {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let is_bare = !request.headers().contains_key(header::CONTENT_TYPE)
        && length.is_none_or(|length| length == "0");
    if is_bare {
        return Ok(Said::default());
    }
    let taken = front::take(api, caller, Dialect::Responses, request).await?;
    conversation::read(&taken.original.body)
}

async fn record(api: &Api, caller: &Caller, id: &str) -> Result<Value, Fault> {
    let record = api
        .archive
        .get(Kind::Conversation, &caller.owner(), id)
        .await;
    record.ok_or_else(|| unknown(""))
}

async fn change<T: Send + 'static>(
    api: &Api,
    caller: &Caller,
    id: &str,
    change: impl FnOnce(&mut Value) -> T + Send + 'static,
) -> Result<T, Fault> {
    let changed = api
        .archive
        .change(Kind::Conversation, &caller.owner(), id, change)
        .await;
    changed
        .map_err(|error| unkept(&error))?
        .ok_or_else(|| unknown(""))
}

/// `field` is where the caller named it.
pub(super) fn unknown(field: &str) -> Fault {
    let public = format!(
        "{field}no conversation of yours has this id: it was deleted, or nobody went on with it for thirty days"
    );
    Fault::new(FaultKind::NotFound, Blame::Client, public)
}

fn item_unknown() -> Fault {
    let public = "No item of this conversation has this id.";
    Fault::new(FaultKind::NotFound, Blame::Client, public)
}

fn unkept(error: &std::io::Error) -> Fault {
    if error.kind() == std::io::ErrorKind::FileTooLarge {
        let public = format!(
            "items: the conversation would have more than the {RECORD_BYTES_MAX} bytes that one may; begin a new one \
             with POST /v1/conversations."
        );
        return Fault::new(FaultKind::RequestTooLarge, Blame::Client, public);
    }
    let public = "The relay could not keep the conversation; its log says why.";
    Fault::new(FaultKind::Internal, Blame::Relay, public).because(error.to_string())
}
