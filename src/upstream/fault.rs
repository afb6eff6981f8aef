//! How calls to hosts fail, as their callers are told. No address and no account of a host is in a message. `[pure]`

use super::board::Closed;
use super::observed::StreamError;
use super::outcome::Class;
use super::outcome::LOOPED;
use super::protocol::Protocol;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::LaneId;
use crate::turn::Remedy;
use serde_json::Value;
use std::time::Duration;
use std::time::Instant;

/// The host answered with a status that is no success.
pub(super) fn status(class: Class, status: u16, body: &[u8], hint: Option<Duration>) -> Fault {
    let said = message(body);
    let said = said.unwrap_or_else(|| format!("The host answered with status {status}."));
    let fault = match class {
        Class::Auth | Class::Forbidden => return refused_key(status),
        Class::Quota => spent(status, said, hint),
        Class::RateLimit => upstream(FaultKind::UpstreamRateLimited, said),
        Class::Server if status == 529 || status == 503 => {
            upstream(FaultKind::UpstreamOverloaded, said)
        }
        Class::Server => upstream(FaultKind::UpstreamFailed { status }, said),
        Class::Request => upstream(FaultKind::UpstreamRejected { status }, said),
        Class::Mismatch if status == LOOPED => upstream(FaultKind::LoopDetected, said),
        Class::Network | Class::Mismatch => {
            upstream(FaultKind::UpstreamFailed { status: 502 }, said)
        }
    };
    let fault = fault.because(format!("a host answered {status}, {}", class.name()));
    match hint {
        Some(hint) => fault.retry_after(hint),
        None => fault,
    }
}

/// The host told a failure inside an answer of status 200, before any content.
pub(super) fn in_stream(class: Class, error: &StreamError) -> Fault {
    let status = match class {
        // So Anthropic tells of an empty account.
        Class::Quota if error.code.contains("invalid_request") => 400,
        Class::RateLimit | Class::Quota => 429,
        Class::Auth => 401,
        Class::Forbidden => 403,
        Class::Request => 400,
        Class::Server if error.code.contains("overloaded") => 529,
        Class::Server | Class::Network | Class::Mismatch => 502,
    };
    self::status(class, status, error.json.as_bytes(), None)
}

/// A host of another maker's API has no such route.
pub(super) fn not_served(path: &str) -> Fault {
    let public = format!(
        "No lane of this model serves {path}: bind the model to a host that does, with the adapter openai."
    );
    Fault::new(FaultKind::UnsupportedError, Blame::Relay, public).helped_by(Remedy::OtherLane)
}

/// The account behind the credential is spent. Clients send a 429 again by themselves, and that is of no use: whoever tells
/// of it by another status is told on with that, and a 429 is marked as one that lasts.
fn spent(status: u16, said: String, hint: Option<Duration>) -> Fault {
    match status {
        429 => upstream(FaultKind::UsageLimit, said).retry_after_or(hint, QUOTA_WAIT),
        _ => {
            upstream(FaultKind::UpstreamRejected { status }, said).helped_by(Remedy::OtherProvider)
        }
    }
}

fn refused_key(status: u16) -> Fault {
    let public = "The host refused the credential that the relay has for it. Its operator finds the key with \
                  `inference-relay breaker list`, and sets a new one.";
    upstream(FaultKind::UpstreamAuth, public.to_owned())
        .because(format!("a host answered {status}"))
}

pub(super) fn unreachable(why: &str) -> Fault {
    let public = "The host could not be reached. Try again later, or ask for another model.";
    upstream(FaultKind::UpstreamUnreachable, public.to_owned()).because(why.to_owned())
}

pub(super) fn late(wait: Duration) -> Fault {
    let public = format!(
        "The host gave no answer within {} s. Try again later, or raise the host's `timeouts`.",
        wait.as_secs()
    );
    upstream(FaultKind::UpstreamTimeout, public).because("no meaningful byte in time")
}

pub(super) fn overdue(total: Duration) -> Fault {
    let public = format!(
        "The host's answer was not whole within {} s. Ask for a stream, which may take longer, or raise the host's \
         `timeouts.total`.",
        total.as_secs()
    );
    upstream(FaultKind::UpstreamTimeout, public).because("a whole answer took too long")
}

pub(super) fn incomplete(why: &str) -> Fault {
    let public = "The host's answer broke off before its end. What came of it is not whole; send the request again.";
    upstream(FaultKind::UpstreamIncomplete, public.to_owned())
        .because(why.to_owned())
        .helped_by(Remedy::Never)
}

pub(super) fn mismatch(protocol: Protocol, looks_like: &str) -> Fault {
    let public = format!(
        "The host does not speak the binding's protocol: the adapter is \"{}\", and what came looks like {looks_like}. \
         Correct the binding's `adapter` or the host's `url`.",
        protocol.adapter()
    );
    upstream(FaultKind::AdapterMismatch, public).because("another protocol")
}

/// No key of the host can be used now.
pub(super) fn no_healthy_keys(closed: &[(String, Closed)], now: Instant) -> Fault {
    let keys = closed.iter().map(|(key, closed)| {
        let wait = closed.until.saturating_duration_since(now).as_secs();
        format!("{key}: {} ({wait} s)", closed.class.name())
    });
    let keys = keys.collect::<Vec<_>>().join(", ");
    let public = format!(
        "No key of the host can be used now: {keys}. Wait as long as `retry-after` says; the operator sees more with \
         `inference-relay breaker list`."
    );
    let soonest = closed.iter().map(|(_, closed)| closed.until).min();
    let wait = soonest.map_or(WAIT_MIN, |until| until.saturating_duration_since(now));
    Fault::new(FaultKind::NoHealthyKeys, Blame::Upstream, public)
        .because("every breaker is open")
        .retry_after(wait.max(WAIT_MIN))
}

/// The host has no key at all that could be used.
pub(super) fn no_keys(lane: &LaneId, is_undecryptable: bool) -> Fault {
    match is_undecryptable {
        true => {
            let public = "The stored credential of the host does not open with this master key. Give the relay the \
                          former RELAY_MASTER_KEY, or set the secret anew; `inference-relay doctor` names it.";
            Fault::new(FaultKind::SecretUndecryptable, Blame::Relay, public)
        }
        false => {
            let public = format!(
                "The lane {lane} has no host key that is enabled, readable and granted, and waiting gives it none. Its operator \
                 adds one with `inference-relay host-key add`, or says `auth: none` at a host that takes none \
                 (`inference-relay host add … --auth none --replace`)."
            );
            Fault::new(FaultKind::HostKeyMissing, Blame::Relay, public)
        }
    }
    .because("no usable key")
}

pub(super) fn cannot_send(why: &str) -> Fault {
    let public =
        "The host cannot be reached as it is configured; `inference-relay doctor` says why.";
    Fault::new(FaultKind::UpstreamUnreachable, Blame::Relay, public)
        .because(why.to_owned())
        .helped_by(Remedy::OtherProvider)
}

fn upstream(kind: FaultKind, public: String) -> Fault {
    Fault::new(kind, Blame::Upstream, public)
}

/// What an error's body says, in either dialect.
fn message(body: &[u8]) -> Option<String> {
    let json: Value = serde_json::from_slice(body).ok()?;
    let error = json.get("error").unwrap_or(&json);
    let said = error.get("message").unwrap_or(error).as_str()?;
    Some(said.chars().take(MESSAGE_MAX).collect())
}

/// Characters of a host's message that are passed on.
const MESSAGE_MAX: usize = 2000;
const WAIT_MIN: Duration = Duration::from_secs(1);
/// As long as a key of a spent account rests at first, where the host names no time.
const QUOTA_WAIT: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hosts_words_are_passed_on_and_its_credential_is_not_spoken_of() {
        let body =
            br#"{"error":{"type":"invalid_request_error","message":"prompt is too long: 5 > 4"}}"#;
        let fault = status(Class::Request, 400, body, None);
        assert_eq!(fault.kind, FaultKind::UpstreamRejected { status: 400 });
        assert_eq!(fault.public, "prompt is too long: 5 > 4");
        let refused = status(
            Class::Auth,
            401,
            br#"{"error":{"message":"key sk-abc is wrong"}}"#,
            None,
        );
        assert_eq!(refused.kind, FaultKind::UpstreamAuth);
        assert!(!refused.public.contains("sk-abc"));
    }

    #[test]
    fn a_spent_account_is_told_by_the_hosts_status_and_a_429_as_one_that_lasts() {
        let told = |status, wait| super::status(Class::Quota, status, b"{}", wait);
        for status in [400, 402, 403] {
            let fault = told(status, None);
            assert_eq!(fault.kind, FaultKind::UpstreamRejected { status });
            assert_eq!(fault.remedy, Remedy::OtherProvider, "another lane may help");
        }
        let fault = told(429, None);
        assert_eq!(
            (fault.kind, fault.is_wait_estimated),
            (FaultKind::UsageLimit, true)
        );
        let wait = Duration::from_secs(9);
        assert_eq!(told(429, Some(wait)).retry_after, Some(wait));
        let event = |code: &str| StreamError {
            code: code.into(),
            message: "Your credit balance is too low".into(),
            json: String::new(),
        };
        let kind = |code| in_stream(Class::Quota, &event(code)).kind;
        assert_eq!(
            kind("invalid_request_error"),
            FaultKind::UpstreamRejected { status: 400 }
        );
        assert_eq!(kind("insufficient_quota"), FaultKind::UsageLimit);
    }

    #[test]
    fn a_wait_is_the_soonest_of_the_keys() {
        let now = crate::clock::now();
        let closed = |class, seconds| Closed {
            class,
            until: now + Duration::from_secs(seconds),
        };
        let keys = [
            ("a".to_owned(), closed(Class::Auth, 60)),
            ("b".to_owned(), closed(Class::RateLimit, 7)),
        ];
        let fault = no_healthy_keys(&keys, now);
        assert_eq!(fault.retry_after, Some(Duration::from_secs(7)));
        assert!(fault.public.contains("a: auth (60 s), b: rate_limit (7 s)"));
    }
}
