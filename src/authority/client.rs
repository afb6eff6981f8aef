//! One question to the authority, over HTTP.

use super::endpoint::Endpoint;
use crate::cause::root_cause;
use crate::egress::BaseUrl;
use crate::egress::Client;
use crate::egress::ClientConfig;
use crate::egress::Network;
use crate::egress::Versions;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use hyper::header::USER_AGENT;
use std::time::Duration;
use tokio::time::timeout;

/// How long an answer may take; a gate behind it waits for none.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// Bytes of an answer; a token has one or two thousand.
const ANSWER_MAX: u64 = 64 << 10;

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
    let base = BaseUrl::of(&endpoint.uri).ok_or("that is no address")?;
    let client = Client::to(base, &reach()).map_err(|error| root_cause(&error))?;
    let request = Request::post(endpoint.uri.clone())
        .header(CONTENT_TYPE, "application/json")
        .header(
            USER_AGENT,
            concat!("inference-relay/", env!("CARGO_PKG_VERSION")),
        )
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error.to_string())?;
    let response = client.send(request).await;
    let response = response.map_err(|error| root_cause(&error))?;
    let status = response.status();
    if status != StatusCode::OK {
        return Err(format!("it answered {status}"));
    }
    let body = response.into_body().whole(ANSWER_MAX).await;
    let body = body.map_err(|error| error.to_string())?;
    String::from_utf8(body.into()).map_err(|_| "its answer is no text".to_owned())
}

/// Whether it is TLS, and that HTTP stays on loopback, the endpoint has settled.
fn reach() -> ClientConfig {
    ClientConfig {
        network: Network::Private,
        versions: Versions::Http1,
        ..ClientConfig::default()
    }
}
