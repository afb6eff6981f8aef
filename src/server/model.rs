//! The model list's routes.

use super::frame::Refusal;
use super::status::json;
use crate::wire::anthropic::model;
use axum::extract::Path;
use axum::extract::RawQuery;
use axum::response::Response;

/// `GET /v1/models`.
pub(super) async fn list(RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    Ok(json(&model::list(query.as_deref())?))
}

/// `GET /v1/models/{id}`.
pub(super) async fn find(Path(id): Path<String>) -> Result<Response, Refusal> {
    Ok(json(&model::find(&id)?))
}
