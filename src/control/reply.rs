//! Answers: JSON, problems, pages, and the headers that every one has. `[pure]`

use super::answer::Answer;
use crate::store::StoreFault;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::StatusCode;
use hyper::header;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;
use serde_json::Value;
use serde_json::json;

pub(super) type Reply = Response<Answer>;

/// Why something was not done, as RFC 9457 tells it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) detail: String,
    /// What is wrong, field by field: `field`, `line`, `message`.
    pub(super) errors: Vec<Value>,
    /// Seconds to wait.
    pub(super) retry_after: Option<u64>,
}

impl Problem {
    pub(super) fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Problem {
        Problem {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    pub(super) fn not_found(what: impl std::fmt::Display) -> Problem {
        let detail = format!("There is no {what}.");
        Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    pub(super) fn invalid(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
    }

    /// The tag that was sent is not that of what there is.
    pub(super) fn changed_meanwhile(why: &str) -> Problem {
        Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "changed_meanwhile",
            format!("Nothing was changed: {why}."),
        )
    }

    /// Something that is ours, or the machine's.
    pub(super) fn internal(cause: impl std::fmt::Display) -> Problem {
        let detail = format!("It could not be done: {cause}.");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// The store did not answer.
    pub(super) fn store(fault: &StoreFault) -> Problem {
        Problem {
            retry_after: Some(1),
            ..Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "store_unavailable",
                format!("{fault}."),
            )
        }
    }

    /// In words, field by field where there are some.
    pub(super) fn told(&self) -> String {
        let fields = self
            .errors
            .iter()
            .filter_map(|error| error["message"].as_str());
        let fields: Vec<&str> = fields.collect();
        match fields.is_empty() {
            true => self.detail.clone(),
            false => format!("{} {}.", self.detail, fields.join("; ")),
        }
    }

    pub(super) fn reply(&self) -> Reply {
        let mut value = json!({
            "type": format!("urn:inference-relay:problem:{}", self.code),
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        if !self.errors.is_empty() {
            value["errors"] = self.errors.clone().into();
        }
        let mut reply = made(self.status, "application/problem+json", value.to_string());
        if let Some(wait) = self.retry_after {
            set(&mut reply, header::RETRY_AFTER, &wait.to_string());
        }
        reply
    }
}

pub(super) fn data(value: &Value) -> Reply {
    with_status(StatusCode::OK, value)
}

pub(super) fn with_status(status: StatusCode, value: &Value) -> Reply {
    made(status, "application/json", value.to_string())
}

pub(super) fn html(status: StatusCode, page: String) -> Reply {
    made(status, "text/html; charset=utf-8", page)
}

pub(super) fn text(kind: &'static str, text: String) -> Reply {
    made(StatusCode::OK, kind, text)
}

/// Sends a browser on, to be asked with GET.
pub(super) fn see(place: &str) -> Reply {
    let mut reply = made(
        StatusCode::SEE_OTHER,
        "text/plain; charset=utf-8",
        String::new(),
    );
    set(&mut reply, header::LOCATION, place);
    reply
}

pub(super) fn set(reply: &mut Reply, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        reply.headers_mut().insert(name, value);
    }
}

fn made(status: StatusCode, kind: &'static str, body: String) -> Reply {
    let mut reply = Response::new(Answer::Whole(Full::new(Bytes::from(body))));
    *reply.status_mut() = status;
    set(&mut reply, header::CONTENT_TYPE, kind);
    for (name, value) in HEADERS {
        set(&mut reply, name.clone(), value);
    }
    reply
}

/// Nothing from outside, no script but the one that is served here, no frame around it, nothing kept.
const HEADERS: &[(HeaderName, &str)] = &[
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Browsers name no origin in a form where nothing may be told at all.
    (header::REFERRER_POLICY, "same-origin"),
];
