//! The model list's routes, in the caller's dialect.

use super::Api;
use super::dialect::Dialect;
use super::frame::Refusal;
use super::status::json;
use crate::auth::Caller;
use crate::wire::anthropic;
use crate::wire::offer::Listed;
use crate::wire::openai;
use axum::Extension;
use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::Value;

/// `GET /v1/models`: what this caller can reach.
pub(super) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Extension(dialect): Extension<Dialect>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let offer = api.models(&caller)?;
    if dialect == Dialect::OpenAi {
        let mut list = openai::model::list(&offer);
        // Codex looks here for what it alone knows of models, and goes on without.
        if query.is_some_and(|query| query.contains("client_version=")) {
            list["models"] = Value::Array(Vec::new());
        }
        return Ok(json(&list));
    }
    let mut list = anthropic::model::list(&offer, query.as_deref())?;
    if !is_told_apart(&headers) {
        list["object"] = "list".into();
        for told in list["data"].as_array_mut().into_iter().flatten() {
            both(told, &offer);
        }
    }
    Ok(json(&list))
}

/// `GET /v1/models/{id}`.
pub(super) async fn find(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Extension(dialect): Extension<Dialect>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let offer = api.models(&caller)?;
    if dialect == Dialect::OpenAi {
        return Ok(json(&openai::model::find(&offer, &id)?));
    }
    let mut told = anthropic::model::find(&offer, &id)?;
    if !is_told_apart(&headers) {
        both(&mut told, &offer);
    }
    Ok(json(&told))
}

/// Whether the caller says which dialect it speaks. One that does not gets the fields of both.
fn is_told_apart(headers: &HeaderMap) -> bool {
    headers.contains_key("anthropic-version")
}

fn both(told: &mut Value, offer: &[Listed]) {
    let id = told["id"].as_str().unwrap_or_default().to_owned();
    if let Some(model) = offer.iter().find(|model| model.id == id.as_str()) {
        openai::model::add(told, model);
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_api::TestApi;

    const HOST: (&str, &str) = ("host", "localhost");

    #[tokio::test]
    async fn each_caller_gets_the_list_of_its_dialect_and_one_that_says_none_gets_both() {
        let test_api = TestApi::new();
        let list = async |path: &str, header| {
            let headers = [HOST, header];
            test_api.with("GET", path, &headers, "").await.json()
        };
        let openai = list("/v1/models", ("authorization", "Bearer x")).await;
        assert_eq!(openai["object"], "list");
        assert!(
            openai["data"][0]["owned_by"].is_string() && openai["data"][0].get("type").is_none()
        );
        assert_eq!(list("/openai/v1/models", ("accept", "x")).await, openai);
        let anthropic = list("/v1/models", ("anthropic-version", "2023-06-01")).await;
        assert!(anthropic.get("object").is_none() && anthropic["data"][0]["type"] == "model");
        let neither = list("/v1/models", ("accept", "x")).await;
        assert_eq!(
            (&neither["object"], &neither["has_more"]),
            (&"list".into(), &false.into())
        );
        assert!(
            neither["data"][0]["owned_by"].is_string() && neither["data"][0]["type"] == "model"
        );
        let codex = list("/v1/models?client_version=1", ("authorization", "Bearer x")).await;
        assert_eq!(codex["models"], serde_json::json!([]));
    }

    #[tokio::test]
    async fn a_model_that_is_not_listed_is_a_404_in_the_callers_dialect() {
        let test_api = TestApi::new();
        let headers = [HOST, ("authorization", "Bearer x")];
        let told = test_api.with("GET", "/v1/models/gpt-9", &headers, "").await;
        assert_eq!(
            (told.status.as_u16(), &told.json()["error"]["param"]),
            (404, &"model".into())
        );
        let known = test_api
            .with("GET", "/v1/models/claude-haiku-4-5", &headers, "")
            .await
            .json();
        assert_eq!(known["object"], "model");
    }
}
