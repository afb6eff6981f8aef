//! What was recorded: `GET /v1/recent-calls` and `GET /metrics`.

use super::Api;
use super::frame::Refusal;
use super::status::json;
use crate::auth::Caller;
use crate::calls::Filter;
use crate::calls::Gauge;
use crate::calls::since;
use crate::store::Store;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use axum::Extension;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header;
use axum::response::Response;

/// `GET /v1/recent-calls`: the newest first; `status`, `code`, `model`, `since` and `limit` narrow it. Who has a key sees
/// the calls of that key alone.
pub(super) async fn recent(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let filter = Filter::read(query.as_deref().unwrap_or_default(), since);
    let filter =
        filter.map_err(|told| Fault::new(FaultKind::InvalidRequest, Blame::Client, told))?;
    let key = caller.kept_apart_by().map(|key| key.0.as_str());
    let calls = api.journal.recent(&filter.of_key(key));
    Ok(json(
        &serde_json::json!({ "count": calls.len(), "calls": calls }),
    ))
}

/// `GET /metrics`, in the text format of Prometheus.
pub(super) async fn metrics(State(api): State<Api>) -> Response {
    let page = api.journal.metrics().page(&gauges(&api));
    let mut response = Response::new(Body::from(page));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    response
}

fn gauges(api: &Api) -> Vec<Gauge> {
    let snapshot = api.snapshot();
    let state = |state: &str| {
        let sessions = snapshot.sessions.iter();
        let count = sessions.filter(|session| session.state == state).count();
        (format!("state=\"{state}\""), count as f64)
    };
    let one = |name, help, value| Gauge {
        name,
        help,
        values: vec![(String::new(), value)],
    };
    let mut gauges = vec![
        one("up_seconds", "Since the start.", api.uptime().as_secs_f64()),
        one(
            "waiting",
            "Calls that wait for a session.",
            snapshot.waiting as f64,
        ),
        Gauge {
            name: "sessions",
            help: "Live sessions by what they do.",
            values: SESSION_STATES.iter().map(|name| state(name)).collect(),
        },
    ];
    if let Some(health) = api.store.as_ref().map(Store::health) {
        gauges.push(one(
            "store_lost",
            "Usage records that the store did not take since the start.",
            health.lost as f64,
        ));
        gauges.push(one(
            "store_behind",
            "1 while the store cannot be written.",
            f64::from(u8::from(health.is_behind)),
        ));
    }
    gauges
}

const SESSION_STATES: &[&str] = &["starting", "idle", "busy", "resetting", "parked"];

#[cfg(test)]
mod tests {
    use super::super::test_api::TestApi;
    use super::super::test_api::hello;
    use serde_json::json;

    const CALL: &str =
        r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a secret"}]}"#;

    #[tokio::test]
    async fn a_call_is_recorded_without_its_texts_and_found_again() {
        let test_api = TestApi::new().answering(hello());
        let id = test_api
            .post("/v1/messages", CALL)
            .await
            .header("request-id");
        test_api.post("/v1/messages", "{}").await;
        let told = test_api.bare("GET", "/v1/recent-calls").await;
        assert!(!told.text().contains("secret") && !told.text().contains("hel"));
        let told = told.json();
        assert_eq!(told["count"], 1);
        let call = &told["calls"][0];
        assert_eq!(call["id"], id.as_str());
        assert_eq!(
            (&call["status"], &call["lane"], &call["session"]),
            (&json!(200), &json!("test"), &json!("warm"))
        );
        assert_eq!(call["usage"]["output_tokens"], 2);
        assert!(call["ms"]["total"].is_f64(), "{call}");
        let none = test_api
            .bare("GET", "/v1/recent-calls?status=5xx")
            .await
            .json();
        assert_eq!(none["calls"], json!([]));
        let wrong = test_api.bare("GET", "/v1/recent-calls?status=bad").await;
        assert_eq!(wrong.status.as_u16(), 400);
        assert_eq!(wrong.header("x-relay-error"), "invalid_request");
    }

    #[tokio::test]
    async fn numbers_are_told_by_route_and_not_by_path() {
        let test_api = TestApi::new();
        test_api.bare("GET", "/v1/models/some-name").await;
        test_api.bare("GET", "/nowhere/at/all").await;
        let page = test_api.bare("GET", "/metrics").await.text();
        for line in [
            "inference_relay_requests_total{route=\"/v1/models/{*id}\",status=\"404\",code=\"not_found\"} 1",
            "inference_relay_requests_total{route=\"-\",status=\"404\",code=\"not_found\"} 1",
            "inference_relay_sessions{state=\"idle\"} 1",
            "inference_relay_waiting 3",
        ] {
            assert!(page.lines().any(|told| told == line), "{line}\n{page}");
        }
    }
}
