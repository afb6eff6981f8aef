//! One question to the authority, over HTTP.

use super::endpoint::Endpoint;
use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::Limited;
use hyper::Request;
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use hyper::header::USER_AGENT;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::error::Error;
use std::time::Duration;
use tokio::time::timeout;

/// How long an answer may take; a gate behind it waits for none.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// Bytes of an answer; a token has one or two thousand.
const ANSWER_MAX: usize = 64 << 10;

/// Posts JSON and gives the answer's text. The connection is made anew each time: a question in five minutes is not
/// worth holding one.
///
/// # Errors
/// Says in a few words why there is none. Nothing of what was sent is in them.
pub(super) async fn post(endpoint: &Endpoint, body: Vec<u8>) -> Result<String, String> {
    let late = |_| format!("no answer within {ANSWER_WAIT:?}");
    timeout(ANSWER_WAIT, ask(endpoint, body))
        .await
        .map_err(late)?
}

async fn ask(endpoint: &Endpoint, body: Vec<u8>) -> Result<String, String> {
    let trusting = HttpsConnectorBuilder::new().with_native_roots();
    let trusting = trusting.map_err(|error| error.to_string())?;
    // Which of the two it is, and that HTTP stays on loopback, the endpoint has settled.
    let connector = trusting.https_or_http().enable_http1().build();
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let request = Request::post(endpoint.uri.clone())
        .header(CONTENT_TYPE, "application/json")
        .header(
            USER_AGENT,
            concat!("inference-relay/", env!("CARGO_PKG_VERSION")),
        )
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error.to_string())?;
    let response = client
        .request(request)
        .await
        .map_err(|error| root(&error))?;
    let status = response.status();
    if status != StatusCode::OK {
        return Err(format!("it answered {status}"));
    }
    let body = Limited::new(response.into_body(), ANSWER_MAX)
        .collect()
        .await;
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    String::from_utf8(body.into()).map_err(|_| "its answer is no text".to_owned())
}

/// The cause at the bottom, which is what a person can act on.
fn root(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
