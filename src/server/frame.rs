//! What every request has around it: an id, a log line, and the body of its failure.

use super::Api;
use super::dialect::Dialect;
use super::guarded_body::BodyGuard;
use super::guarded_body::GuardedBody;
use super::label;
use crate::calls::CallRecorder;
use crate::calls::RefusedRequest;
use crate::calls::now as wall;
use crate::clock;
use crate::telemetry::Origin;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::RequestId;
use crate::wire::contract;
use axum::body::Body;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use hyper::body::Body as _;
use serde_json::Value;
use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use uuid::Builder;
use uuid::fmt::Simple;

/// A failure on its way out; [`frame`] gives it its body, for it alone knows the request's id.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) Fault);

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Refusal {
        Refusal(fault)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = contract::http(&self.0.kind).status;
        let mut response = Response::new(Body::empty());
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.extensions_mut().insert(self.0);
        response
    }
}

/// What a request has got here.
pub(super) struct Framed {
    pub(super) id: RequestId,
    /// What a failure's body is written in.
    pub(super) dialect: Dialect,
    pub(super) note: CallRecorder,
}

/// The outermost layer.
pub(super) async fn frame<F>(
    api: &Api,
    route: Cow<'static, str>,
    request: Box<Request>,
    next: impl FnOnce(Box<Request>, Framed) -> F,
) -> Response
where
    F: Future<Output = Result<Response, Refusal>>,
{
    let came_ms = clock::unix_ms();
    let id = new_id(came_ms);
    let mut line = Line::new(&request, route, id.clone(), came_ms, api);
    let dialect = Dialect::of(request.uri(), request.headers());
    let framed = Framed {
        id: id.clone(),
        dialect,
        note: line.note.clone(),
    };
    let mut response = next(request, framed).await.into_response();
    if let Some(fault) = response.extensions_mut().remove::<Fault>() {
        fail(&mut response, &fault, &dialect.body(&fault, &id));
        label::write_failed(response.headers_mut(), &line.note);
        line.note.fail(fault.kind.code());
        line.fault = Some(fault);
    }
    label::write_questions(response.headers_mut(), &line.note);
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(REQUEST_ID, id.clone());
        response.headers_mut().insert(X_REQUEST_ID, id);
    }
    line.status = Some(response.status());
    response.map(|body| GuardedBody::body(body, line))
}

/// A whole answer, head and all, for what never became a request.
pub(super) fn without_request(status: StatusCode, fault: &Fault) -> Bytes {
    let id = new_id(clock::unix_ms());
    let body = Dialect::Anthropic.body(fault, &id).to_string();
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    fail(&mut response, fault, &Value::Null);
    let mut text = format!(
        "HTTP/1.1 {status}\r\nrequest-id: {id}\r\nx-request-id: {id}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len(),
        id = id.0
    );
    for (name, value) in response.headers() {
        text += &format!("{name}: {}\r\n", value.to_str().unwrap_or_default());
    }
    let (status, code) = (status.as_u16(), fault.kind.code());
    tracing::info!(request_id = %id, status, code, cause = fault.private, "refused unread");
    Bytes::from(text + "\r\n" + &body)
}

/// In the order of the requests' times, so that the store puts each record behind the one before.
fn new_id(came_ms: u64) -> RequestId {
    let id = Builder::from_unix_timestamp_millis(came_ms, &random()).into_uuid();
    let mut text = [0; ID_PREFIX.len() + Simple::LENGTH];
    let (prefix, digits) = text.split_at_mut(ID_PREFIX.len());
    prefix.copy_from_slice(ID_PREFIX.as_bytes());
    id.simple().encode_lower(digits);
    RequestId(str::from_utf8(&text).unwrap_or_default().into()) // It is all ASCII.
}

/// Randomness of the system, of which a thread fetches some for many ids at once.
fn random() -> [u8; RANDOM_BYTES] {
    RANDOM.with_borrow_mut(|stock| {
        if stock.is_empty() {
            stock.resize(RANDOM_BYTES * IDS_AHEAD, 0);
            // Without any, ids are told apart by the rest of the stock and by their times.
            let _ = getrandom::fill(stock);
        }
        let mut taken = [0; RANDOM_BYTES];
        let rest = stock.len().saturating_sub(RANDOM_BYTES);
        taken.copy_from_slice(&stock[rest..]);
        stock.truncate(rest);
        taken
    })
}

thread_local! {
    static RANDOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

const ID_PREFIX: &str = "req_";
/// Random bytes of an id.
const RANDOM_BYTES: usize = 10;
/// Ids for which a thread has randomness: a page's worth is one question to the system in hundreds of requests.
const IDS_AHEAD: usize = 400;

fn fail(response: &mut Response, fault: &Fault, body: &Value) {
    *response.body_mut() = Body::from(body.to_string());
    let wants_key = response.status() == StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    if wants_key {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    headers.insert("x-relay-error", HeaderValue::from_static(fault.kind.code()));
    let origin = match fault.blame {
        Blame::Upstream => "upstream",
        Blame::Client | Blame::Relay | Blame::Cli => "relay",
    };
    headers.insert("x-relay-origin", HeaderValue::from_static(origin));
    if let Some(wait) = fault.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
    }
    if fault.is_wait_estimated {
        headers.insert("x-relay-retry-after", HeaderValue::from_static("estimated"));
    }
    if !contract::row(&fault.kind).retry.helps() {
        headers.insert("x-should-retry", HeaderValue::from_static("false"));
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
/// OpenAI's name of it.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Never less than the wait, and never "now".
fn whole_seconds(wait: Duration) -> u64 {
    let up = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(up).max(1)
}

/// The log line of a request. It is written when this is dropped, which is when the response has gone out or the
/// client has gone away.
struct Line {
    id: RequestId,
    method: Method,
    /// The route's pattern, never the path itself.
    route: Cow<'static, str>,
    began: Instant,
    /// `None`: the client went away before there was one.
    status: Option<StatusCode>,
    fault: Option<Fault>,
    /// The body was not sent to its end.
    cut: bool,
    note: CallRecorder,
    /// Bytes of the answer's body that went out.
    sent: u64,
    origin: Origin,
    /// Where all of it is told.
    api: Api,
}

impl Line {
    fn new(
        request: &Request,
        route: Cow<'static, str>,
        id: RequestId,
        came_ms: u64,
        api: &Api,
    ) -> Line {
        let began = clock::now();
        Line {
            note: CallRecorder::new(Arc::clone(&id.0), came_ms, began),
            sent: 0,
            origin: api.telemetry.origin(request.headers()),
            api: api.clone(),
            id,
            method: request.method().clone(),
            route,
            began,
            status: None,
            fault: None,
            cut: false,
        }
    }
}

impl Line {
    /// Keeps what became no call and failed, for whoever looks for the reason.
    fn keep_refused(&self) {
        if let (Some(status), Some(fault)) = (self.status, &self.fault) {
            self.api.journal.refuse(RefusedRequest {
                id: self.id.0.to_string(),
                at: self.note.came_at(),
                route: format!("{} {}", self.method, self.route),
                status: status.as_u16(),
                code: fault.kind.code(),
                cause: fault.private.clone(),
            });
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let now = clock::now();
        let status = self.status.map(|status| status.as_u16());
        let code = self.fault.as_ref().map(|fault| fault.kind.code());
        let is_left = self.cut || status.is_none();
        self.note.send(self.sent);
        if let Some(entry) = self.note.close(status, is_left, now) {
            let record = Arc::new(entry);
            self.api.journal.end(&record, &self.route, status, code);
            self.api.telemetry.tell(&record, &self.origin, wall);
            if let Some(store) = &self.api.store {
                store.append_usage(record);
            }
        } else {
            self.api.journal.count(&self.route, status, code);
            self.keep_refused();
        }
        let ms = now.duration_since(self.began).as_millis();
        let end = match (self.status, self.cut) {
            (None, _) if std::thread::panicking() => "the handler panicked, which is a bug",
            (None, _) => "client gone before the answer",
            (Some(_), true) => "client gone within the answer",
            (Some(_), false) => "answered",
        };
        tracing::info!(
            request_id = %self.id,
            method = %self.method,
            route = %self.route,
            key = self.note.admitted().as_ref().map(|key| key.0.as_str()),
            status,
            ms = u64::try_from(ms).unwrap_or(u64::MAX),
            code,
            cause = self.fault.as_ref().map(|fault| fault.private.as_str()).filter(|cause| !cause.is_empty()),
            "{end}"
        );
    }
}

impl BodyGuard for Line {
    fn handle_end(&mut self, body: &Body) {
        let headless = self.method == Method::HEAD;
        self.cut = !headless && !body.is_end_stream();
    }

    fn handle_bytes(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_never_rounded_down_to_nothing() {
        assert_eq!(whole_seconds(Duration::ZERO), 1);
        assert_eq!(whole_seconds(Duration::from_millis(1001)), 2);
        assert_eq!(whole_seconds(Duration::from_secs(7)), 7);
    }
}
