//! `POST /v1/reload`: what a command changed on disk is in force once this is answered. The operator's alone.

use super::Api;
use super::breaker;
use super::frame::Refusal;
use super::status::json;
use crate::auth::Caller;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;
use std::sync::Arc;

/// Reads the catalog, its secrets and the relay keys anew, and tells what is in force. It blocks.
pub(crate) type Reload = Arc<dyn Fn() -> Value + Send + Sync>;

pub(super) async fn reload(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Refusal> {
    breaker::operator(&caller)?;
    let Some(reload) = api.reload.clone() else {
        return Ok(json(&Value::Null));
    };
    let told = tokio::task::spawn_blocking(move || reload()).await;
    Ok(json(&told.unwrap_or_default()))
}
