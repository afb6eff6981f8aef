//! Responses that are kept: told again, listed, forgotten.

use super::super::Api;
use super::super::frame::Refusal;
use super::super::front;
use super::super::front::beside;
use super::super::status::json;
use super::items;
use crate::archive::Kind;
use crate::auth::Caller;
use crate::lane::Dialect;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::wire::anthropic::estimate;
use crate::wire::openai::page;
use crate::wire::openai::responses::request::Draft;
use axum::Extension;
use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::response::Response;
use serde_json::Value;

/// `GET /v1/responses/{id}`.
pub(in crate::server) async fn find(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let asks = |pair: &str| pair == "stream=true";
    if query.is_some_and(|query| query.split('&').any(asks)) {
        let public = "stream: a response is told again whole; ask for it without `stream`";
        return Err(Fault::new(FaultKind::InvalidRequest, Blame::Client, public).into());
    }
    Ok(json(&record(&api, &caller, &id).await?["response"]))
}

/// `DELETE /v1/responses/{id}`.
pub(in crate::server) async fn delete(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    match api
        .archive
        .remove(Kind::Response, &caller.owner(), &id)
        .await
    {
        true => Ok(json(
            &serde_json::json!({"id": id, "object": "response", "deleted": true}),
        )),
        false => Err(unknown().into()),
    }
}

/// `POST /v1/responses/{id}/cancel`: a response that is kept is over.
pub(in crate::server) async fn cancel(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let record = record(&api, &caller, &id).await?;
    if record["response"]["background"] == true {
        return Ok(json(&record["response"]));
    }
    let public = "Only a response that was made with `background: true` can be cancelled; hang up to end another one.";
    Err(Fault::new(FaultKind::InvalidRequest, Blame::Client, public).into())
}

/// `GET /v1/responses/{id}/input_items`.
pub(in crate::server) async fn input_items(
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

/// `POST /v1/responses/input_tokens`: an estimate, and labelled as one.
pub(in crate::server) async fn input_tokens(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Refusal> {
    let taken = front::take(&api, &caller, Dialect::Responses, request).await?;
    let mut draft = beside(&api, &taken.original.body, Draft::read).await?;
    let known = super::known(&api.archive, &caller.owner(), &draft.before()?).await?;
    super::resolve(&api.archive, &caller.owner(), &mut draft).await?;
    let call = draft.call(&known, false)?;
    let tools: Vec<Value> = call
        .request
        .tools
        .iter()
        .map(|tool| tool.input_schema.clone())
        .collect();
    let tokens = estimate::input_tokens(&call.request) + estimate::tools_tokens(&tools);
    let mut response =
        json(&serde_json::json!({"object": "response.input_tokens", "input_tokens": tokens}));
    let headers = response.headers_mut();
    headers.insert("x-relay-estimate", HeaderValue::from_static("input_tokens"));
    Ok(response)
}

async fn record(api: &Api, caller: &Caller, id: &str) -> Result<Value, Fault> {
    let record = api.archive.get(Kind::Response, &caller.owner(), id).await;
    record.ok_or_else(unknown)
}

fn unknown() -> Fault {
    let public = "No response of yours has this id: it was not stored, was deleted, or is older than thirty days.";
    Fault::new(FaultKind::NotFound, Blame::Client, public)
}
