//! The name that a caller gives to a conversation, `X-IR-Session-ID`, and the conversation's end.

use super::Api;
use super::frame::Refusal;
use super::status;
use super::unserved::OwnSessions;
use crate::auth::Caller;
use crate::turn::Blame;
use crate::turn::ConversationId;
use crate::turn::Fault;
use crate::turn::FaultKind;
use axum::Extension;
use axum::extract::Path;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::response::Response;

/// The conversation that a call belongs to; `None` where it says nothing of that, or an empty word.
///
/// # Errors
/// `session_id_invalid`.
pub(super) fn of(headers: &HeaderMap, caller: &Caller) -> Result<Option<ConversationId>, Fault> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next().filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let name = value.to_str().ok().filter(|_| values.next().is_none());
    let id = name.and_then(|name| ConversationId::new(caller.owner(), name));
    id.map(Some).ok_or_else(invalid)
}

/// `DELETE /v1/sessions/{id}`: forgets what is known of a conversation.
pub(super) async fn end(
    _: OwnSessions,
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let id = ConversationId::new(caller.owner(), &name).ok_or_else(invalid)?;
    match api.end(&id) {
        true => Ok(status::json(
            &serde_json::json!({ "id": name, "deleted": true }),
        )),
        false => Err(unknown().into()),
    }
}

fn invalid() -> Fault {
    let public = format!(
        "{HEADER} takes one name of at most {} visible ASCII characters, without blanks; a UUID will do.",
        ConversationId::CHARACTERS_MAX
    );
    Fault::new(FaultKind::SessionIdInvalid, Blame::Client, public)
}

fn unknown() -> Fault {
    let public = "No conversation is known by that id; GET /v1/sessions lists those that are.";
    Fault::new(FaultKind::NotFound, Blame::Client, public)
}

const HEADER: HeaderName = HeaderName::from_static("x-ir-session-id");

#[cfg(test)]
mod tests {
    use super::super::test_api::TestApi;
    use super::super::test_api::hello;
    use axum::http::StatusCode;
    use serde_json::json;

    const CALL: &str =
        r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;

    async fn named(test_api: &TestApi, name: &str) -> (u16, String) {
        let headers = [
            ("host", "localhost"),
            ("content-type", "application/json"),
            ("x-ir-session-id", name),
        ];
        let answer = test_api.with("POST", "/v1/messages", &headers, CALL).await;
        (answer.status.as_u16(), answer.header("x-relay-error"))
    }

    #[tokio::test]
    async fn a_name_goes_to_the_lane_and_a_bad_one_is_refused() {
        let test_api = TestApi::new().answering(hello());
        let longest = "x".repeat(128);
        for name in ["a", "", &longest] {
            assert_eq!(named(&test_api, name).await, (200, String::new()));
        }
        for name in ["a b", "a\tb", "é", &"x".repeat(129)] {
            let refused = (400, "session_id_invalid".to_owned());
            assert_eq!(named(&test_api, name).await, refused, "{name:?}");
        }
        assert_eq!(
            test_api.named(),
            [Some("a".to_owned()), None, Some(longest)]
        );
    }

    #[tokio::test]
    async fn a_conversation_is_listed_and_ended() {
        let test_api = TestApi::new();
        let sessions = test_api.bare("GET", "/v1/sessions").await.json();
        let mine = json!({"id": "mine", "state": "resumable", "idle": 1500, "turns": 2, "model": "m", "bytes": 99,
            "waiting": 0});
        assert_eq!(sessions["conversations"], json!([mine]));
        let ended = test_api.bare("DELETE", "/v1/sessions/mine/a%20b").await;
        assert_eq!(ended.status.as_u16(), 400);
        let ended = test_api.bare("DELETE", "/v1/sessions/mine/a%2Fb").await;
        assert_eq!(ended.status, StatusCode::OK);
        assert_eq!(ended.json(), json!({"id": "mine/a/b", "deleted": true}));
        let unknown = test_api.bare("DELETE", "/v1/sessions/mine").await;
        assert_eq!(unknown.header("x-relay-error"), "not_found");
    }
}
