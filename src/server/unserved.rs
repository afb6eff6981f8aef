//! Routes of the protocols in front of us that no lane serves: they exist, so they are a 501 and not a 404, and each is
//! told what is served in its place.

use super::frame::Refusal;
use super::router;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::Uri;
use axum::http::request::Parts;

/// The routes, and what is served in their place. What stands below each is not served either, where no other route is
/// there.
pub(super) const ROUTES: &[(&str, &str)] = &[
    ("/v1/messages/batches", EACH),
    ("/v1/batches", EACH),
    ("/v1/complete", "POST /v1/messages serves such a call."),
    (
        "/v1/responses/compact",
        "Go on with `previous_response_id`, or send a shorter `input` to POST /v1/responses.",
    ),
    (
        "/v1/images",
        "POST /v1/images/generations, edits and variations are served where a host has them.",
    ),
    (
        "/v1/audio",
        "POST /v1/audio/speech, transcriptions and translations are served where a host has them.",
    ),
    (
        "/v1/realtime",
        "POST /v1/responses and /v1/chat/completions tell an answer while it is written, with `stream: true`.",
    ),
    ("/v1/assistants", REMEMBERED),
    ("/v1/threads", REMEMBERED),
    (
        "/v1/vector_stores",
        "Search with POST /v1/embeddings, where a host has it, and send what was found in the call.",
    ),
    (
        "/v1/fine_tuning",
        "Ask the provider itself; a model that was tuned is bound like any other.",
    ),
    ("/v1/uploads", "POST /v1/files takes a file in one piece."),
    ("/v1/containers", TOOLS),
    ("/v1/evals", EACH),
    ("/v1/videos", TURNS),
    ("/v1/webhooks", TURNS),
    ("/v1/chatkit", TURNS),
    ("/v1/skills", TOOLS),
    ("/v1/agents", TURNS),
    ("/v1/environments", TURNS),
    ("/v1/vaults", TURNS),
    ("/v1/memory_stores", TURNS),
    ("/v1/deployments", TURNS),
    ("/v1/deployment_runs", TURNS),
    ("/v1/dreams", TURNS),
    ("/v1/tunnels", TURNS),
    ("/v1/user_profiles", TURNS),
    ("/v1/organizations", TURNS),
    (
        "/v1/organization",
        "GET /v1/recent-calls, `inference-relay usage` and the dashboard tell what this relay's calls took.",
    ),
];

/// The same of what stands below a route that is served.
pub(super) const BELOW: &[(&str, &str)] = &[(
    "/v1/chat/completions",
    "POST /v1/responses keeps an answer, and GET /v1/responses/ID tells it again.",
)];

const TURNS: &str = "POST /v1/messages, /v1/chat/completions and /v1/responses are what it serves.";
const EACH: &str =
    "Send each call by itself: POST /v1/messages, /v1/chat/completions or /v1/responses.";
const REMEMBERED: &str =
    "POST /v1/responses goes on with a response or with a conversation of /v1/conversations.";
const TOOLS: &str = "Send your own tools with POST /v1/messages, /v1/chat/completions or /v1/responses, and run them.";

/// Answers such a route.
pub(super) async fn answer(method: Method, uri: Uri) -> Refusal {
    Refusal(fault(&method, uri.path()))
}

fn fault(method: &Method, path: &str) -> Fault {
    let bare = path.strip_prefix("/openai").unwrap_or(path);
    let bare = bare.strip_prefix("/anthropic").unwrap_or(bare);
    let is_of = |(route, _): &&(&str, &str)| {
        let rest = bare.strip_prefix(route);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let mut routes = ROUTES.iter().chain(BELOW);
    let instead = routes.find(is_of).map_or(TURNS, |(_, told)| told);
    let shown: String = path.chars().take(PATH_MAX).map(plain).collect();
    let public = format!(
        "{method} {shown}: the route is the protocol's, and no lane of this relay serves it. {instead}"
    );
    Fault::new(FaultKind::UnsupportedError, Blame::Relay, public)
}

/// A path is a caller's text: what a message should not carry becomes `?`.
fn plain(c: char) -> char {
    match c {
        _ if c.is_ascii_alphanumeric() || "_-./~".contains(c) => c,
        _ => '?',
    }
}

/// A call of the relay's own `/v1/sessions`. A client of the protocol's sessions, which have the same path, gets no
/// further: the relay has none of those, and must not take one of its own for them.
pub(super) struct OwnSessions;

impl<S: Sync> FromRequestParts<S> for OwnSessions {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<OwnSessions, Refusal> {
        match is_of_agents(&parts.headers) {
            true => Err(Refusal(fault(&parts.method, parts.uri.path()))),
            false => Ok(OwnSessions),
        }
    }
}

/// Whether a call is for the protocol's agents, by its beta.
fn is_of_agents(headers: &HeaderMap) -> bool {
    let betas = headers.get_all("anthropic-beta").iter();
    let mut betas = betas.filter_map(|value: &HeaderValue| value.to_str().ok());
    betas.any(|betas| betas.contains("managed-agents"))
}

/// What the relay's own sessions do not take.
pub(super) async fn sessions(_: OwnSessions, method: Method) -> Refusal {
    router::method_not_allowed(method).await
}

/// Characters of a path that a message tells.
const PATH_MAX: usize = 96;

#[cfg(test)]
mod tests {
    use super::super::test_api::TestApi;
    use super::*;

    #[tokio::test]
    async fn each_route_says_which_it_is_and_what_is_served_instead() {
        let test_api = TestApi::new();
        for (route, instead) in ROUTES.iter().chain(BELOW) {
            for path in [format!("{route}/x"), format!("/openai{route}/x")] {
                let answer = test_api.bare("POST", &path).await;
                assert_eq!(answer.status.as_u16(), 501, "{path}");
                let told = answer.json()["error"]["message"].to_string();
                let instead = serde_json::Value::from(*instead).to_string();
                assert!(told.contains(&format!("POST {route}/x: ")), "{told}");
                assert!(told.contains(instead.trim_matches('"')), "{told}");
            }
        }
    }

    #[tokio::test]
    async fn a_list_of_chat_completions_is_not_served_and_says_what_is() {
        let test_api = TestApi::new();
        let listed = test_api.bare("GET", "/v1/chat/completions").await;
        assert_eq!(listed.status.as_u16(), 501);
        let told = listed.json()["error"]["message"].to_string();
        assert!(
            told.contains("POST /v1/responses keeps an answer"),
            "{told}"
        );
        let deleted = test_api.bare("DELETE", "/v1/chat/completions").await;
        assert_eq!(deleted.status.as_u16(), 405);
        assert_eq!(deleted.header("allow"), "POST,GET,HEAD");
    }

    #[tokio::test]
    async fn an_agents_session_is_not_the_relays_own() {
        let test_api = TestApi::new();
        let beta = (
            "anthropic-beta",
            "files-api-2025-04-14,managed-agents-2026-04-01",
        );
        let headers = [("host", "localhost"), beta];
        for (method, path) in [
            ("GET", "/v1/sessions"),
            ("POST", "/v1/sessions"),
            ("GET", "/v1/sessions/mine/a/b"),
            ("POST", "/v1/sessions/mine/events"),
            ("DELETE", "/v1/sessions/mine/a/b"),
        ] {
            let answer = test_api.with(method, path, &headers, "").await;
            assert_eq!(answer.status.as_u16(), 501, "{method} {path}");
            assert_eq!(answer.header("x-relay-error"), "unsupported_error");
        }
        let plain = [
            ("host", "localhost"),
            ("anthropic-beta", "files-api-2025-04-14"),
        ];
        let posted = test_api.with("POST", "/v1/sessions", &plain, "").await;
        assert_eq!(posted.status.as_u16(), 405);
        assert_eq!(posted.header("allow"), "GET,HEAD");
        let ended = test_api
            .with("DELETE", "/v1/sessions/mine/a/b", &plain, "")
            .await;
        assert_eq!(ended.status.as_u16(), 200);
    }
}
