//! Faults as the Messages API's errors: status, type, body, and the `error` event of a stream.

use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::RequestId;
use crate::wire::sse;
use serde_json::Value;
use serde_json::json;

/// The HTTP status and the error type of a kind of fault.
pub(crate) fn status_and_type(kind: &FaultKind) -> (u16, &'static str) {
    let (status, name, _) = row(kind);
    (status, name)
}

/// Whether the same call can do better within seconds. Clients retry 429 and 5xx by themselves; where that cannot
/// help, `x-should-retry: false` saves them and the user's plan the try.
pub(crate) fn retry_helps(kind: &FaultKind) -> bool {
    let (_, _, retry) = row(kind);
    retry == Retry::Helps
}

/// The body of a failed call.
pub(crate) fn body(fault: &Fault, request_id: &RequestId) -> Value {
    let (_, kind) = status_and_type(&fault.kind);
    let mut body = json!({
        "type": "error",
        "error": { "type": kind, "message": fault.public },
        "request_id": request_id.0,
    });
    // Clients of old look for these two here.
    if let FaultKind::CapExceeded { top_up_url } = &fault.kind {
        body["code"] = fault.kind.code().into();
        body["topUpUrl"] = top_up_url.clone().into();
    }
    body
}

/// The `error` event of a stream that has begun and fails. The stable code, which is a header of other failures, is
/// a comment here.
pub(crate) fn frame(fault: &Fault, request_id: &RequestId) -> String {
    let code = sse::comment(&format!("x-relay-error: {}", fault.kind.code()));
    code + &sse::encode("error", &body(fault, request_id).to_string())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retry {
    Helps,
    Wastes,
}

/// The error contract's table: a kind's status, its type, and whether to try again.
fn row(kind: &FaultKind) -> (u16, &'static str, Retry) {
    match kind {
        FaultKind::InvalidRequest | FaultKind::SessionIdInvalid => {
            (400, "invalid_request_error", Retry::Wastes)
        }
        FaultKind::SessionBusy => (409, "invalid_request_error", Retry::Helps),
        FaultKind::KeyMissing
        | FaultKind::KeyMalformed
        | FaultKind::KeyUnknown
        | FaultKind::KeyDisabled
        | FaultKind::KeyExpired => (401, "authentication_error", Retry::Wastes),
        FaultKind::LicenseInvalid
        | FaultKind::CapExceeded { .. }
        | FaultKind::LicenseUnverified => (402, "permission_error", Retry::Wastes),
        FaultKind::HostNotAllowed | FaultKind::OriginNotAllowed => {
            (403, "permission_error", Retry::Wastes)
        }
        FaultKind::NotFound => (404, "not_found_error", Retry::Wastes),
        FaultKind::MethodNotAllowed => (405, "invalid_request_error", Retry::Wastes),
        FaultKind::RequestTooLarge => (413, "request_too_large", Retry::Wastes),
        FaultKind::UnsupportedMediaType => (415, "invalid_request_error", Retry::Wastes),
        FaultKind::UsageLimit | FaultKind::AuthBlocked => (429, "rate_limit_error", Retry::Wastes),
        FaultKind::RateLimited | FaultKind::TooManyConcurrent | FaultKind::UpstreamRateLimited => {
            (429, "rate_limit_error", Retry::Helps)
        }
        FaultKind::Internal => (500, "api_error", Retry::Helps),
        FaultKind::UnsupportedError => (501, "api_error", Retry::Wastes),
        FaultKind::EmptyTurn | FaultKind::SessionLost => (502, "api_error", Retry::Helps),
        FaultKind::ClaudeNotFound
        | FaultKind::ClaudeUnsupported
        | FaultKind::LoginRequired
        | FaultKind::DialogBlocked => (503, "api_error", Retry::Wastes),
        FaultKind::ShuttingDown => (503, "api_error", Retry::Helps),
        FaultKind::TurnTimeout => (504, "timeout_error", Retry::Helps),
        FaultKind::QueueFull | FaultKind::QueueTimeout | FaultKind::UpstreamOverloaded => {
            (529, "overloaded_error", Retry::Helps)
        }
        FaultKind::UpstreamRejected { status } => rejected(*status),
        FaultKind::UpstreamFailed { status } => failed(*status),
    }
}

/// The upstream's own refusals pass as they are.
fn rejected(status: u16) -> (u16, &'static str, Retry) {
    let name = match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => return (502, "api_error", Retry::Wastes),
    };
    (status, name, Retry::Wastes)
}

fn failed(status: u16) -> (u16, &'static str, Retry) {
    match status {
        500 => (500, "api_error", Retry::Helps),
        504 => (504, "timeout_error", Retry::Helps),
        _ => (502, "api_error", Retry::Helps),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Blame;

    #[test]
    fn the_contracts_rows_hold() {
        let rejected = |status| FaultKind::UpstreamRejected { status };
        let failed = |status| FaultKind::UpstreamFailed { status };
        for (kind, status, name) in [
            (FaultKind::QueueFull, 529, "overloaded_error"),
            (FaultKind::TurnTimeout, 504, "timeout_error"),
            (FaultKind::LoginRequired, 503, "api_error"),
            (FaultKind::UsageLimit, 429, "rate_limit_error"),
            (FaultKind::KeyMissing, 401, "authentication_error"),
            (FaultKind::LicenseInvalid, 402, "permission_error"),
            (FaultKind::KeyExpired, 401, "authentication_error"),
            (FaultKind::AuthBlocked, 429, "rate_limit_error"),
            (FaultKind::TooManyConcurrent, 429, "rate_limit_error"),
            (FaultKind::HostNotAllowed, 403, "permission_error"),
            (rejected(400), 400, "invalid_request_error"),
            (rejected(401), 401, "authentication_error"),
            (rejected(402), 402, "billing_error"),
            (rejected(422), 422, "invalid_request_error"),
            (rejected(200), 502, "api_error"),
            (failed(500), 500, "api_error"),
            (failed(504), 504, "timeout_error"),
            (failed(503), 502, "api_error"),
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
