//! One request on its way to the API, and the API's answer on its way back.

use super::body::AnswerObserver;
use super::body::ObservedBody;
use super::body::PeekedBody;
use super::listener::Tap;
use super::model;
use super::model::Asked;
use super::observation::Observation;
use super::request_filter::Ruling;
use super::session::SessionTap;
use crate::cause::causes;
use crate::clock;
use crate::egress::Coding;
use crate::egress::SendError;
use hyper::HeaderMap;
use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::Version;
use hyper::body::Body;
use hyper::body::Incoming;
use hyper::header::CONTENT_ENCODING;
use hyper::header::CONTENT_TYPE;
use hyper::header::HOST;
use hyper::header::RETRY_AFTER;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// Why a connection is closed without an answer, as the claude would have seen it without a tap, or need not see.
#[derive(Debug, Error)]
pub(super) enum Cut {
    #[error("the request came after the turn's answer")]
    Late,
    #[error("the path cannot be asked for at the API's address")]
    Path,
    #[error("the request's body broke off")]
    Body(#[source] hyper::Error),
    #[error("the API could not be reached")]
    Unreached(#[source] SendError),
}

/// Passes a request on, and its answer back; reads the answer along where it is the turn's.
pub(super) async fn forward(
    request: Request<Incoming>,
    path: &str,
    line: &Arc<SessionTap>,
    tap: &Tap,
) -> Result<Response<ObservedBody>, Cut> {
    let (mut head, body) = request.into_parts();
    let mut body = PeekedBody::of(body);
    let turn = match is_for_an_answer(&head.method, path) {
        true => admit(&mut body, line).await?,
        false => None,
    };
    head.uri = tap.target().at(path).ok_or(Cut::Path)?;
    let host = tap.target().host_header();
    head.headers.insert(HOST, host.clone());
    let answered = tap.connector().send(Request::from_parts(head, body)).await;
    let mut response = answered.map_err(|error| {
        turn.inspect(|turn| line.give_back(*turn));
        tracing::warn!(
            ?host,
            cause = causes(&error),
            "the tap cannot reach the API"
        );
        Cut::Unreached(error)
    })?;
    *response.version_mut() = Version::HTTP_11;
    let ear = match turn {
        Some(turn) => listen(&response, turn, line).await,
        None => None,
    };
    Ok(response.map(|body| ObservedBody::of(body, ear)))
}

fn is_for_an_answer(method: &Method, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or(path);
    method == Method::POST && path.trim_end_matches('/') == "/v1/messages"
}

/// Lets a request pass that asks for an answer: the turn that it is of, if any. One that must not go on never
/// returns while its turn is the last one.
async fn admit(body: &mut PeekedBody, line: &SessionTap) -> Result<Option<u64>, Cut> {
    let Asked::Model(asked) = body.model().await.map_err(Cut::Body)? else {
        return Ok(None);
    };
    if !model::is_of(&line.model, &asked) {
        return Ok(None);
    }
    match line.rule() {
        Ruling::Pass => Ok(None),
        Ruling::Read(turn) => Ok(Some(turn)),
        Ruling::Hold(turn) => {
            tracing::debug!("a request after the turn's answer is held");
            line.tell((turn, vec![Observation::WentOn])).await;
            line.is_past(turn).await;
            Err(Cut::Late)
        }
    }
}

/// Something that reads the answer, where it is one that can be read.
async fn listen<B: Body>(
    response: &Response<B>,
    turn: u64,
    line: &Arc<SessionTap>,
) -> Option<AnswerObserver> {
    let status = response.status();
    if !status.is_success() {
        line.give_back(turn);
        let refused = Observation::Refused {
            status: status.as_u16(),
            retry_after: retry_after(response.headers(), clock::unix_ms()),
        };
        line.tell((turn, vec![refused])).await;
        return None;
    }
    let header = |name| response.headers().get(name)?.to_str().ok();
    let is_stream = header(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/event-stream"));
    match Coding::of(header(CONTENT_ENCODING)) {
        Some(coding) if is_stream => Some(AnswerObserver::new(coding, turn, Arc::clone(line))),
        _ => {
            let coding = header(CONTENT_ENCODING);
            tracing::debug!(is_stream, coding, "an answer passes unread");
            line.let_be(turn);
            None
        }
    }
}

/// How long to wait by the upstream's own word: its `retry-after`, or when the plan's limit is reset.
fn retry_after(headers: &HeaderMap, now_ms: u64) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let reset = || number(RESET)?.checked_sub(now_ms / 1000);
    number(RETRY_AFTER.as_str())
        .or_else(reset)
        .map(Duration::from_secs)
}

/// When the plan's limit that was reached is reset, in seconds since 1970.
const RESET: &str = "anthropic-ratelimit-unified-reset";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_for_an_answer_are_looked_at() {
        for (method, path, expected) in [
            (Method::POST, "/v1/messages?beta=true", true),
            (Method::POST, "/v1/messages", true),
            (Method::POST, "/v1/messages/count_tokens", false),
            (Method::GET, "/v1/messages", false),
            (Method::HEAD, "", false),
        ] {
            assert_eq!(is_for_an_answer(&method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn the_upstream_says_how_long_to_wait() {
        let mut headers = HeaderMap::new();
        assert_eq!(retry_after(&headers, 5000), None);
        headers.insert(RESET, 65.into());
        assert_eq!(retry_after(&headers, 5000), Some(Duration::from_secs(60)));
        assert_eq!(retry_after(&headers, 90_000), None);
        headers.insert(RETRY_AFTER, 7.into());
        assert_eq!(retry_after(&headers, 5000), Some(Duration::from_secs(7)));
    }
}
