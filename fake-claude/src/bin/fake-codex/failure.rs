//! How the CLI tells that the API failed: its name for it, and its words, as they were seen.

use crate::script::Fail;
use crate::script::Step;
use serde_json::Value;
use serde_json::json;

/// `codexErrorInfo` and `message` of an error.
pub(crate) fn told(fail: &Fail) -> (Value, String) {
    let message = fail.message.clone();
    match (fail.status, fail.code.as_str()) {
        (_, "context_length_exceeded") => (json!("contextWindowExceeded"), CONTEXT.to_owned()),
        (_, "usage_limit_reached") => (json!("usageLimitExceeded"), USAGE.to_owned()),
        (_, "insufficient_quota") => (json!("usageLimitExceeded"), QUOTA.to_owned()),
        (_, "server_is_overloaded") => (json!("serverOverloaded"), OVERLOADED.to_owned()),
        (_, "refresh_token_reused") => (json!("unauthorized"), REFRESH.to_owned()),
        (_, "usage_not_included") => (json!("usageLimitExceeded"), NOT_INCLUDED.to_owned()),
        (404, "model_not_found") => (json!("modelNotFound"), message),
        (0, "rate_limit_exceeded" | "slow_down") => (
            json!("rateLimitExceeded"),
            format!("rate limit exceeded: {message}"),
        ),
        (0, "invalid_prompt") => (json!("other"), message),
        (0, _) => (
            json!("other"),
            format!("stream disconnected before completion: {message}"),
        ),
        (400, code) => (json!("other"), body(code, &message)),
        (429, _) => {
            let info = json!({"responseTooManyFailedAttempts": {"httpStatusCode": 429}});
            (
                info,
                "exceeded retry limit, last status: 429 Too Many Requests".to_owned(),
            )
        }
        (500, _) => (json!("internalServerError"), INTERNAL.to_owned()),
        (status, _) => {
            let info = json!({"httpConnectionFailed": {"httpStatusCode": status}});
            let reason = reason(status);
            let words = format!(
                "unexpected status {status}{reason}: {message}, url: http://127.0.0.1:1/v1/responses"
            );
            (info, words)
        }
    }
}

/// The line that the CLI logs of the request.
pub(crate) fn logged(fail: &Fail) -> String {
    let wait = fail
        .retry_after
        .map(|wait| format!(", \"retry-after\": \"{wait}\""));
    format!(
        "DEBUG codex_http_client::client: Request completed method=POST url=http://127.0.0.1:1/v1/responses \
         \u{1b}[3mstatus\u{1b}[0m\u{1b}[2m=\u{1b}[0m{}{} headers={{\"server\": \"fake\"{}}} version=HTTP/1.1\n",
        fail.status,
        reason(fail.status),
        wait.unwrap_or_default()
    )
}

/// The words for a stream that did not come to its end; `None` where it does.
pub(crate) fn broken(step: &Step) -> Option<&'static str> {
    match () {
        () if step.cut => Some(CUT),
        () if step.close || step.error.is_some() => Some(CLOSED),
        () => None,
    }
}

/// Nobody listens where the API should be.
pub(crate) fn unreachable() -> (Value, String) {
    let info = json!({"httpConnectionFailed": {"httpStatusCode": null}});
    (info, UNREACHABLE.to_owned())
}

/// The body of a refused request, which is told as it came.
fn body(code: &str, message: &str) -> String {
    json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": code}}).to_string()
}

fn reason(status: u16) -> &'static str {
    match status {
        401 => " Unauthorized",
        403 => " Forbidden",
        404 => " Not Found",
        413 => " Payload Too Large",
        503 => " Service Unavailable",
        _ => " <unknown status code>",
    }
}

/// An answer that broke off.
const CUT: &str = "stream disconnected before completion: Transport error: network error: error decoding response body";
const CLOSED: &str =
    "stream disconnected before completion: stream closed before response.completed";
const UNREACHABLE: &str = "Connection failed: error sending request";
/// Said of another model, whatever the cause.
pub(crate) const REROUTED: &str = "Your account was flagged for potentially high-risk cyber activity and this request was \
    routed to gpt-5.2 as a fallback. To regain access to gpt-5.3-codex, apply for trusted access: \
    https://chatgpt.com/cyber or learn more: https://developers.openai.com/codex/concepts/cyber-safety";
const CONTEXT: &str = "Codex ran out of room in the model's context window. Start a new thread or clear earlier history \
                       before retrying.";
const USAGE: &str = "You\u{2019}ve hit your usage limit. Try again later.";
const QUOTA: &str = "Quota exceeded. Check your plan and billing details.";
const NOT_INCLUDED: &str =
    "To use Codex with your ChatGPT plan, upgrade to Plus: https://chatgpt.com/explore/plus.";
const OVERLOADED: &str = "Selected model is at capacity. Please try a different model.";
const INTERNAL: &str =
    "We\u{2019}re currently experiencing high demand, which may cause temporary errors.";
const REFRESH: &str = "Your access token could not be refreshed because your refresh token was already used. Please log \
                       out and sign in again.";
