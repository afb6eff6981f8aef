//! The relay about itself: health, version, availability, sessions.
//!
//! These names are older than this program (`ir`, `uptime` in milliseconds, `claudeMissing`); fields may be added and
//! are never renamed.

use super::Api;
use super::unserved::OwnSessions;
use crate::auth::Caller;
use crate::clock;
use crate::conversation::ConversationView;
use crate::lane::Health;
use crate::lane::LaneView;
use crate::pool::Condition;
use crate::pool::SessionView;
use crate::turn::Owner;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header;
use axum::response::Response;
use serde_json::Value;

/// `GET /v1/health`: always a 200 while the relay can answer at all; `status` says the rest.
pub(super) async fn health(State(api): State<Api>) -> Response {
    let snapshot = api.snapshot();
    let condition = if api.is_draining() {
        Condition::Draining
    } else {
        snapshot.condition
    };
    let (status, name, why) = match condition {
        Condition::Starting => ("starting", "starting", None),
        Condition::Ready => ("healthy", "ready", None),
        Condition::Degraded(why) => ("degraded", "degraded", Some(why)),
        Condition::Draining => ("draining", "draining", None),
    };
    let uptime = api.uptime();
    let mut health = serde_json::json!({
        "status": status,
        "port": api.port,
        "sessions": snapshot.sessions.len(),
        "uptime": u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX),
        "uptime_seconds": uptime.as_secs(),
        "condition": name,
        "waiting": snapshot.waiting,
        "lanes": api.lanes().iter().map(lane).collect::<Vec<_>>(),
    });
    if let Some(store) = &api.store {
        let store = store.health();
        let state = if store.is_behind { "away" } else { "ready" };
        health["store"] = serde_json::json!({ "state": state, "lost": store.lost });
    }
    if let Some(valkey) = &api.valkey {
        let state = if valkey.is_there() { "ready" } else { "away" };
        health["state"] = serde_json::json!({ "state": state });
    }
    if let Some(why) = why {
        health["why"] = Value::from(why);
    }
    json(&health)
}

/// A lane's state, in the words of the whole relay's.
pub(super) fn lane(view: &LaneView) -> Value {
    let (state, waiting) = match view.health {
        Health::Starting => ("starting", 0),
        Health::Ready { waiting } => ("ready", waiting),
        Health::Degraded(_) | Health::Resting(_) => ("degraded", 0),
        Health::Absent(_) => ("absent", 0),
        Health::Draining => ("draining", 0),
    };
    let mut told =
        serde_json::json!({ "lane": view.id.name(), "state": state, "waiting": waiting });
    if let Health::Resting(wait) = view.health {
        let seconds = wait.as_secs();
        told["why"] = format!("its breaker is open; a probe may go through in {seconds} s").into();
    }
    if !view.about.is_null() {
        told["about"] = view.about.clone();
    }
    told
}

/// `GET /v1/version`.
pub(super) async fn version(State(api): State<Api>) -> Response {
    let claude = api.snapshot().claude;
    json(&serde_json::json!({
        "ir": env!("CARGO_PKG_VERSION"),
        "platform": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        "claudeAvailable": claude.is_some(),
        "claudeMissing": missing(claude.is_some()),
        "claudeVersion": claude.as_ref().and_then(|claude| claude.version.clone()),
        "claudeSupport": claude.as_ref().and_then(|claude| claude.support.clone()),
        "claudePath": claude.map(|claude| claude.path.display().to_string()),
        "substrate": "rust-pty",
        "builtinToolsEnabled": api.builtin_tools,
    }))
}

/// `GET /v1/availability`: whether a call can be expected to work.
pub(super) async fn availability(State(api): State<Api>) -> Response {
    let snapshot = api.snapshot();
    let found = snapshot.claude.is_some();
    let (able, why) = match snapshot.condition {
        Condition::Starting | Condition::Ready => (found, None),
        Condition::Degraded(why) => (false, Some(why)),
        Condition::Draining => (false, Some("the relay is shutting down".to_owned())),
    };
    let mut availability = serde_json::json!({ "ok": able, "missing": missing(found) });
    if let Some(why) = why {
        availability["why"] = Value::from(why);
    }
    json(&availability)
}

/// `GET /v1/sessions`: how many there are, and those that serve the caller; all of them for the operator.
pub(super) async fn sessions(
    _: OwnSessions,
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Response {
    let snapshot = api.snapshot();
    let owner = caller.owner();
    let conversations = api.conversations(&owner);
    let sessions = snapshot.sessions.iter();
    let sessions = sessions.filter(|view| is_seen_by(view, &caller));
    let in_state = |state: &str| {
        snapshot
            .sessions
            .iter()
            .filter(|session| session.state == state)
            .count()
    };
    json(&serde_json::json!({
        "sessions": sessions.map(|view| session(view, &owner)).collect::<Vec<_>>(),
        "idle": in_state("idle"),
        "busy": in_state("busy"),
        "waiting": snapshot.waiting,
        "conversations": conversations.iter().map(conversation).collect::<Vec<_>>(),
    }))
}

/// Which model another key asks, when and how often, is that key's own.
pub(super) fn is_seen_by(view: &SessionView, caller: &Caller) -> bool {
    caller.kept_apart_by().is_none() || view.owner.as_ref() == Some(&caller.owner())
}

fn missing(found: bool) -> &'static [&'static str] {
    if found { &[] } else { &["claude"] }
}

/// A conversation's name is its owner's alone.
fn session(view: &SessionView, owner: &Owner) -> Value {
    let own = view.conversation.as_ref().filter(|id| id.owner == *owner);
    serde_json::json!({
        "id": view.id,
        "pid": view.pid,
        "state": view.state,
        "model": view.model,
        "turns": view.turns,
        "age_ms": view.age_ms(clock::now()),
        "conversation": own.map(|id| id.name()),
    })
}

fn conversation(view: &ConversationView) -> Value {
    serde_json::json!({
        "id": view.name,
        "state": view.state,
        "idle": u64::try_from(view.idle.as_millis()).unwrap_or(u64::MAX),
        "turns": view.turns,
        "model": view.model,
        "bytes": view.bytes,
        "waiting": view.waiting,
    })
}

/// A good answer in JSON.
pub(super) fn json(value: &Value) -> Response {
    written(value.to_string())
}

/// JSON that is written already.
pub(super) fn written(json: String) -> Response {
    let mut response = Response::new(Body::from(json));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::super::test_api::TestApi;
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn health_says_how_it_is_in_the_old_words() {
        let test_api = TestApi::new();
        let health = test_api.bare("GET", "/v1/health").await.json();
        assert_eq!(health["status"], "healthy");
        assert_eq!(health["condition"], "ready");
        assert_eq!(health["sessions"], 2);
        assert_eq!(health["port"], 7421);
        assert!(health["uptime"].is_u64() && health["uptime_seconds"].is_u64());
        let ill = test_api.in_condition(Condition::Degraded("log in".into()));
        let health = ill.bare("GET", "/v1/health").await.json();
        assert_eq!(
            (&health["status"], &health["why"]),
            (&json!("degraded"), &json!("log in"))
        );
        assert_eq!(
            ill.bare("GET", "/v1/availability").await.json()["ok"],
            false
        );
    }

    #[tokio::test]
    async fn version_availability_and_sessions_have_their_fields() {
        let test_api = TestApi::new();
        let version = test_api.bare("GET", "/v1/version").await.json();
        assert_eq!(version["claudeVersion"], "2.1.329");
        assert_eq!(version["claudeSupport"], "supported");
        assert_eq!(
            (&version["claudeMissing"], &version["substrate"]),
            (&json!([]), &json!("rust-pty"))
        );
        assert_eq!(
            test_api.bare("GET", "/v1/availability").await.json(),
            json!({ "ok": true, "missing": [] })
        );
        let sessions = test_api.bare("GET", "/v1/sessions").await.json();
        assert_eq!(
            (&sessions["idle"], &sessions["busy"], &sessions["waiting"]),
            (&json!(1), &json!(1), &json!(3))
        );
        assert_eq!(sessions["sessions"][0]["pid"], 11);
    }
}
