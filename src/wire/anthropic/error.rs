//! Faults as the Messages API's errors: status, type, body, and the `error` event of a stream.

use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::RequestId;
use crate::wire::sse;
use serde_json::Value;
use serde_json::json;

/// The HTTP status and the error type of a kind of fault: the error contract's table.
pub(crate) fn status_and_type(kind: &FaultKind) -> (u16, &'static str) {
    match kind {
        FaultKind::InvalidRequest => (400, "invalid_request_error"),
        FaultKind::HostNotAllowed | FaultKind::OriginNotAllowed => (403, "permission_error"),
        FaultKind::NotFound => (404, "not_found_error"),
        FaultKind::MethodNotAllowed => (405, "invalid_request_error"),
        FaultKind::RequestTooLarge => (413, "request_too_large"),
        FaultKind::UnsupportedMediaType => (415, "invalid_request_error"),
        FaultKind::UsageLimit | FaultKind::UpstreamRateLimited => (429, "rate_limit_error"),
        FaultKind::Internal => (500, "api_error"),
        FaultKind::UnsupportedError => (501, "api_error"),
        FaultKind::EmptyTurn | FaultKind::SessionLost => (502, "api_error"),
        FaultKind::ClaudeNotFound
        | FaultKind::ClaudeUnsupported
        | FaultKind::LoginRequired
        | FaultKind::DialogBlocked
        | FaultKind::ShuttingDown => (503, "api_error"),
        FaultKind::TurnTimeout => (504, "timeout_error"),
        FaultKind::QueueFull | FaultKind::QueueTimeout | FaultKind::UpstreamOverloaded => {
            (529, "overloaded_error")
        }
        FaultKind::UpstreamRejected { status } => rejected(*status),
        FaultKind::UpstreamFailed { status } => failed(*status),
    }
}

/// The body of a failed call.
pub(crate) fn body(fault: &Fault, request_id: &RequestId) -> Value {
    let (_, kind) = status_and_type(&fault.kind);
    json!({
        "type": "error",
        "error": { "type": kind, "message": fault.public },
        "request_id": request_id.0,
    })
}

/// The `error` event of a stream that has begun and fails. The stable code, which is a header of other failures, is
/// a comment here.
pub(crate) fn frame(fault: &Fault, request_id: &RequestId) -> String {
    let code = sse::comment(&format!("x-relay-error: {}", fault.kind.code()));
    code + &sse::encode("error", &body(fault, request_id).to_string())
}

/// Whether the same call can do better within seconds. Clients retry 429 and 5xx by themselves; where that cannot
/// help, `x-should-retry: false` saves them and the user's plan the try.
pub(crate) fn retry_helps(kind: &FaultKind) -> bool {
    match kind {
        FaultKind::ClaudeNotFound
        | FaultKind::ClaudeUnsupported
        | FaultKind::LoginRequired
        | FaultKind::DialogBlocked
        | FaultKind::UsageLimit
        | FaultKind::UnsupportedError
        | FaultKind::InvalidRequest
        | FaultKind::HostNotAllowed
        | FaultKind::OriginNotAllowed
        | FaultKind::NotFound
        | FaultKind::MethodNotAllowed
        | FaultKind::RequestTooLarge
        | FaultKind::UnsupportedMediaType
        | FaultKind::UpstreamRejected { .. } => false,
        FaultKind::EmptyTurn
        | FaultKind::TurnTimeout
        | FaultKind::SessionLost
        | FaultKind::UpstreamRateLimited
        | FaultKind::UpstreamOverloaded
        | FaultKind::UpstreamFailed { .. }
        | FaultKind::QueueFull
        | FaultKind::QueueTimeout
        | FaultKind::ShuttingDown
        | FaultKind::Internal => true,
    }
}

fn rejected(status: u16) -> (u16, &'static str) {
    match status {
        401 => (status, "authentication_error"),
        402 => (status, "billing_error"),
        403 => (status, "permission_error"),
        404 => (status, "not_found_error"),
        413 => (status, "request_too_large"),
        429 => (status, "rate_limit_error"),
        400..=499 => (status, "invalid_request_error"),
        _ => (502, "api_error"),
    }
}

fn failed(status: u16) -> (u16, &'static str) {
    match status {
        500 => (500, "api_error"),
        504 => (504, "timeout_error"),
        _ => (502, "api_error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Blame;

    #[test]
    fn the_contracts_rows_hold() {
        for (kind, status, name) in [
            (FaultKind::QueueFull, 529, "overloaded_error"),
            (FaultKind::TurnTimeout, 504, "timeout_error"),
            (FaultKind::LoginRequired, 503, "api_error"),
            (FaultKind::UsageLimit, 429, "rate_limit_error"),
            (FaultKind::HostNotAllowed, 403, "permission_error"),
            (
                FaultKind::UpstreamRejected { status: 400 },
                400,
                "invalid_request_error",
            ),
            (
                FaultKind::UpstreamRejected { status: 401 },
                401,
                "authentication_error",
            ),
            (
                FaultKind::UpstreamRejected { status: 402 },
                402,
                "billing_error",
            ),
            (
                FaultKind::UpstreamRejected { status: 422 },
                422,
                "invalid_request_error",
            ),
            (
                FaultKind::UpstreamRejected { status: 200 },
                502,
                "api_error",
            ),
            (FaultKind::UpstreamFailed { status: 500 }, 500, "api_error"),
            (
                FaultKind::UpstreamFailed { status: 504 },
                504,
                "timeout_error",
            ),
            (FaultKind::UpstreamFailed { status: 503 }, 502, "api_error"),
            (FaultKind::Internal, 500, "api_error"),
        ] {
            assert_eq!(status_and_type(&kind), (status, name), "{kind:?}");
        }
    }

    #[test]
    fn a_body_is_the_apis() {
        let fault = Fault::new(FaultKind::EmptyTurn, Blame::Cli, "nothing came").because("secret");
        let id = RequestId("req_1".into());
        insta::assert_snapshot!(body(&fault, &id), @r#"{"type":"error","error":{"type":"api_error","message":"nothing came"},"request_id":"req_1"}"#);
        insta::assert_snapshot!(frame(&fault, &id), @r#"
        : x-relay-error: empty_turn
        event: error
        data: {"type":"error","error":{"type":"api_error","message":"nothing came"},"request_id":"req_1"}
        "#);
    }
}
