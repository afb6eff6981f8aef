//! What the CLI says of a failed turn, as a fault: whose it is, and when another try helps. `[pure]`

use super::limits::Limits;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::as_sentence;
use serde_json::Value;
use std::time::Duration;

/// How a turn ended that the CLI calls failed.
#[derive(Debug, PartialEq)]
pub(super) enum Failure {
    /// The answer is as long as it may be. It is no failure.
    Length,
    /// The upstream's filter ended the answer.
    Filtered,
    Fault(Box<Fault>),
}

/// Reads the error of a turn. `now` is in seconds since 1970.
pub(super) fn read(error: &Value, limits: &Limits, now: u64) -> Failure {
    let message = error["message"].as_str().unwrap_or_default();
    if message.contains("reason: max_output_tokens") {
        return Failure::Length;
    }
    if message.contains("reason: content_filter") {
        return Failure::Filtered;
    }
    Failure::Fault(Box::new(fault(error, message, limits, now)))
}

fn fault(error: &Value, message: &str, limits: &Limits, now: u64) -> Fault {
    let info = &error["codexErrorInfo"];
    let name = info.as_str().unwrap_or_default();
    let status = info
        .as_object()
        .and_then(|one| one.values().next())
        .map(|inner| inner["httpStatusCode"].as_u64());
    let said = words(message);
    match (name, status) {
        ("usageLimitExceeded", _) => usage_limit(&said, limits, now),
        // A stream that has begun has no header in which a wait could stand.
        ("rateLimitExceeded", _) => rate_limited(&said, None),
        ("serverOverloaded", _) => overloaded(&said, None),
        ("contextWindowExceeded", _) => {
            rejected(400, "prompt is too long for the model's context window")
        }
        ("modelNotFound", _) => rejected(404, &said),
        ("unauthorized", _) => logged_out(message),
        ("internalServerError", _) => failed(500, &said),
        ("badRequest" | "cyberPolicy" | "invalidImage", _) => rejected(400, &said),
        (_, Some(Some(429))) => rate_limited(&said, limits.wait(now)),
        (_, Some(Some(401))) => refused_login(),
        (_, Some(Some(503 | 529))) => overloaded(&said, limits.wait(now)),
        (_, Some(Some(status @ 400..=499))) => {
            rejected(u16::try_from(status).unwrap_or(400), &said)
        }
        (_, Some(Some(status))) => failed(u16::try_from(status).unwrap_or(502), &said),
        (_, Some(None)) => unreachable_upstream(),
        _ => other(message, &said),
    }
}

/// A bad request comes as its own body or in its own words; what breaks off says that it does.
fn other(message: &str, said: &str) -> Fault {
    if serde_json::from_str::<Value>(message).is_ok_and(|body| body["error"].is_object()) {
        return rejected(400, said);
    }
    if message.contains("stream disconnected") || message.contains("stream closed") {
        return incomplete(said);
    }
    // What is told of nothing but the call is the upstream's words for it, alone.
    match INTERNAL.iter().any(|word| message.starts_with(word)) || message.is_empty() {
        true => failed(502, said),
        false => rejected(400, said),
    }
}

fn usage_limit(said: &str, limits: &Limits, now: u64) -> Fault {
    let public = format!(
        "The plan or the quota behind the Codex CLI is used up: {said} Wait for the reset, or change the plan."
    );
    let fault = Fault::new(FaultKind::UsageLimit, Blame::Upstream, public).because("usage limit");
    match limits.resets_in(now) {
        Some(wait) => fault.retry_after(wait),
        None => fault,
    }
}

fn rate_limited(said: &str, wait: Option<Duration>) -> Fault {
    let public = format!(
        "The provider limits the rate of calls: {said} Wait as long as `retry-after` says."
    );
    Fault::new(FaultKind::UpstreamRateLimited, Blame::Upstream, public)
        .because("429")
        .retry_after_or(wait, RATE_WAIT)
}

fn overloaded(said: &str, wait: Option<Duration>) -> Fault {
    let public = format!("The provider is overloaded: {said} Wait as long as `retry-after` says.");
    Fault::new(FaultKind::UpstreamOverloaded, Blame::Upstream, public)
        .because("overloaded")
        .retry_after_or(wait, RATE_WAIT)
}

fn rejected(status: u16, said: &str) -> Fault {
    let kind = FaultKind::UpstreamRejected { status };
    Fault::new(kind, Blame::Upstream, said).because(format!("rejected with {status}"))
}

fn failed(status: u16, said: &str) -> Fault {
    let public = format!("The provider failed: {said} Send the request again.");
    Fault::new(
        FaultKind::UpstreamFailed { status },
        Blame::Upstream,
        public,
    )
    .because(format!("failed with {status}"))
}

fn incomplete(said: &str) -> Fault {
    let public =
        format!("The provider's answer broke off before its end: {said} Send the request again.");
    Fault::new(FaultKind::UpstreamIncomplete, Blame::Upstream, public).because("cut")
}

fn unreachable_upstream() -> Fault {
    let public = "The Codex CLI could not reach its provider. Try again; `codex doctor` says how it is configured.";
    Fault::new(FaultKind::UpstreamUnreachable, Blame::Upstream, public).because("unreachable")
}

fn refused_login() -> Fault {
    let public = "The provider refused the credential of the Codex CLI. Give it a new one: `inference-relay login codex`, or the \
                  key that its configuration names.";
    Fault::new(FaultKind::UpstreamAuth, Blame::Upstream, public).because("401")
}

fn logged_out(message: &str) -> Fault {
    let (kind, why, public) = match message.contains("refresh") {
        true => (
            FaultKind::TokenRefreshFailed,
            "the refresh of a token failed",
            "The login of the Codex CLI could not be renewed. Run `inference-relay logout codex` and \
             `inference-relay login codex` in a terminal; the relay notices by itself.",
        ),
        false => (
            FaultKind::LoginRequired,
            "unauthorized",
            "The login of the Codex CLI has ended. Run `inference-relay login codex` in a terminal; the relay notices by \
             itself.",
        ),
    };
    Fault::new(kind, Blame::Cli, public).because(why)
}

/// The upstream's own words as one sentence: its message where it sent a body, and no address in it.
fn words(message: &str) -> String {
    let body: Value = serde_json::from_str(message).unwrap_or_default();
    let message = body["error"]["message"].as_str().unwrap_or(message);
    let message = message.split(", url: ").next().unwrap_or_default();
    let word = |word: &str| match word.contains("://") {
        true => "(address)".to_owned(),
        false => word.to_owned(),
    };
    let text: Vec<String> = message.split(' ').map(word).collect();
    let text: String = text.join(" ").chars().take(WORDS_MAX).collect();
    as_sentence(&text)
}

/// How messages begin that the CLI says of itself.
const INTERNAL: &[&str] = &[
    "internal error",
    "Fatal error",
    "timeout",
    "idle timeout",
    "Connection failed",
    "An unknown error",
    "We're currently",
];
/// Where the provider does not say how long it wants to be left alone.
const RATE_WAIT: Duration = Duration::from_secs(5);
/// Characters of the upstream's words.
const WORDS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(info: Value, message: &str) -> Fault {
        let error = json!({"message": message, "codexErrorInfo": info});
        match read(&error, &Limits::default(), 0) {
            Failure::Fault(fault) => *fault,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_row_of_the_table_has_its_kind() {
        let http = |status: Value| json!({"httpConnectionFailed": {"httpStatusCode": status}});
        let cut = "stream disconnected before completion: stream closed before response.completed";
        for (info, message, code) in [
            (http(json!(401)), "unexpected status 401", "upstream_auth"),
            (
                http(json!(403)),
                "unexpected status 403",
                "upstream_rejected",
            ),
            (
                http(json!(413)),
                "unexpected status 413",
                "upstream_rejected",
            ),
            (
                http(json!(503)),
                "unexpected status 503",
                "upstream_overloaded",
            ),
            (
                http(json!(529)),
                "unexpected status 529",
                "upstream_overloaded",
            ),
            (
                http(json!(null)),
                "error sending request",
                "upstream_unreachable",
            ),
            (json!("modelNotFound"), "no such model", "upstream_rejected"),
            (json!("usageLimitExceeded"), "used up", "usage_limit"),
            (
                json!({"responseTooManyFailedAttempts": {"httpStatusCode": 429}}),
                "429",
                "upstream_rate_limited",
            ),
            (
                json!("other"),
                "{\"error\":{\"message\":\"bad input\"}}",
                "upstream_rejected",
            ),
            (json!("contextWindowExceeded"), "x", "upstream_rejected"),
            (json!("internalServerError"), "x", "upstream_failed"),
            (json!("serverOverloaded"), "x", "upstream_overloaded"),
            (
                json!("unauthorized"),
                "your refresh token was already used",
                "token_refresh_failed",
            ),
            (json!("unauthorized"), "no login", "login_required"),
            (json!("other"), cut, "upstream_incomplete"),
            (json!("other"), "not this", "upstream_rejected"),
            (
                json!("other"),
                "internal error; agent loop died",
                "upstream_failed",
            ),
        ] {
            assert_eq!(told(info, message).kind.code(), code, "{message}");
        }
        assert_eq!(
            told(json!("other"), "{\"error\":{\"message\":\"bad input\"}}").public,
            "bad input."
        );
    }

    #[test]
    fn an_end_by_length_or_by_a_filter_is_no_fault() {
        let read = |message: &str| {
            read(
                &json!({"message": message, "codexErrorInfo": "other"}),
                &Limits::default(),
                0,
            )
        };
        let length = read("Incomplete response returned, reason: max_output_tokens");
        assert_eq!(length, Failure::Length);
        let filtered = read(
            "stream disconnected before completion: Incomplete response returned, reason: content_filter",
        );
        assert_eq!(filtered, Failure::Filtered);
    }

    #[test]
    fn no_address_of_the_upstream_is_passed_on() {
        let message = "unexpected status 403 Forbidden: see https://a.example/b now, url: http://10.0.0.1/v1/responses";
        let http = json!({"httpConnectionFailed": {"httpStatusCode": 403}});
        let public = told(http, message).public;
        assert_eq!(
            public,
            "unexpected status 403 Forbidden: see (address) now."
        );
    }

    #[test]
    fn a_usage_limit_says_when_it_ends() {
        let mut limits = Limits::default();
        limits.take(&json!({"rateLimits": {"primary": {"usedPercent": 100, "resetsAt": 1500}}}));
        let error = json!({"message": "x", "codexErrorInfo": "usageLimitExceeded"});
        let Failure::Fault(fault) = read(&error, &limits, 1000) else {
            panic!("it is a fault");
        };
        assert_eq!(fault.retry_after, Some(Duration::from_secs(500)));
    }
}
