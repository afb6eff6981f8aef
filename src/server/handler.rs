//! What a request on the API's port means: the router's business, and our own words for a head that cannot be read.

use super::Api;
use super::frame;
use super::routes::Routes;
use crate::auth::Peer;
use crate::calls::CallLog;
use crate::listen::Answering;
use crate::listen::HEAD_MAX;
use crate::listen::HEADERS_MAX;
use crate::listen::Handler;
use crate::listen::Remote;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use axum::body::Body;
use axum::body::Bytes;
use axum::http::StatusCode;
use hyper::Request;
use hyper::body::Incoming;
use std::convert::Infallible;
use std::time::Duration;

/// The API behind its port; cheap to clone.
#[derive(Clone)]
pub(super) struct ApiHandler {
    routes: Routes,
    journal: CallLog,
}

impl ApiHandler {
    pub(super) fn new(api: Api) -> ApiHandler {
        let journal = api.journal.clone();
        let routes = Routes::new(api);
        ApiHandler { routes, journal }
    }
}

impl Handler for ApiHandler {
    type Body = Body;
    type Error = Infallible;

    const IDLE_WAIT_MAX: Option<Duration> = Some(IDLE_WAIT_MAX);
    const FOLLOWS_HALF_CLOSE: bool = true;

    /// Where no key is asked for there is nothing to show; a whole head is more than a stranger sends who only takes
    /// places.
    fn is_known(&self, _request: &Request<Incoming>) -> bool {
        true
    }

    fn answer(&self, request: Request<Incoming>, remote: Remote) -> Answering<Body, Infallible> {
        self.routes.answer(request, peer(remote))
    }

    fn unreadable(&self, status: u16) -> Option<Bytes> {
        let status = StatusCode::from_u16(status).ok()?;
        let fault = unreadable(status)?;
        self.journal
            .count("-", Some(status.as_u16()), Some(fault.kind.code()));
        Some(frame::without_request(status, &fault))
    }
}

fn peer(remote: Remote) -> Peer {
    match remote {
        Remote::Network(address) => Peer::Network(address.ip()),
        #[cfg(unix)]
        Remote::SocketFile => Peer::Socket,
    }
}

/// Why a head could not be read, by the status that the HTTP library gives it.
fn unreadable(status: StatusCode) -> Option<Fault> {
    let (kind, public) = match status {
        StatusCode::BAD_REQUEST => (
            FaultKind::InvalidRequest,
            "The head of the request is no HTTP/1.1 that can be read. Send plain HTTP/1.1, without TLS, to this port."
                .to_owned(),
        ),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE | StatusCode::URI_TOO_LONG => (
            FaultKind::RequestTooLarge,
            format!(
                "The head of the request has more than {} KiB or more than {HEADERS_MAX} headers. Send fewer or \
                 shorter ones.",
                HEAD_MAX >> 10
            ),
        ),
        _ => return None,
    };
    Some(Fault::new(kind, Blame::Client, public).because("its head could not be read"))
}

/// How long a connection may be idle between requests, and how long the head of a further one may take.
const IDLE_WAIT_MAX: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::super::test_api::TestApi;
    use super::super::test_api::config;
    use super::super::test_api::hello;
    use super::super::test_api::start;
    use super::super::test_server::SOON;
    use super::super::test_server::serve;
    use super::super::test_server::to_end;
    use super::super::test_server::turn;
    use super::super::test_server::until;
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::time::timeout;

    #[tokio::test]
    async fn a_connection_serves_many_calls() {
        let test_api = TestApi::new().answering(hello());
        let served = serve(&test_api, config()).await;
        let mut stream = served.connect().await;
        for _ in 0..3 {
            stream
                .write_all(turn(false).as_bytes())
                .await
                .expect("it is open");
            assert!(
                until(&mut stream, "\"output_tokens\":2}}")
                    .await
                    .starts_with("HTTP/1.1 200 OK")
            );
        }
        stream
            .write_all(turn(true).as_bytes())
            .await
            .expect("it is open");
        until(&mut stream, "message_stop").await;
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_drops_its_answer_streamed_and_buffered() {
        for (is_streamed, events) in [
            (true, vec![Ok(start())]),
            (false, vec![]),
            (false, vec![Ok(start())]),
        ] {
            let test_api = TestApi::new().holding(events);
            let served = serve(&test_api, config()).await;
            let mut stream = served.connect().await;
            stream
                .write_all(turn(is_streamed).as_bytes())
                .await
                .expect("it is open");
            if is_streamed {
                until(&mut stream, "message_start").await;
            }
            timeout(SOON, test_api.is_asked())
                .await
                .expect("the lane must hear of the call");
            drop(stream);
            timeout(SOON, test_api.is_left())
                .await
                .expect("the answer must be dropped");
        }
    }

    #[tokio::test]
    async fn heads_and_chunked_bodies_are_bounded() {
        let test_api = TestApi::new();
        let served = serve(&test_api, config()).await;
        let mut stream = served.connect().await;
        let head = format!(
            "GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n",
            "x".repeat(HEAD_MAX)
        );
        stream.write_all(head.as_bytes()).await.expect("it is open");
        assert!(until(&mut stream, "\r\n").await.starts_with("HTTP/1.1 431"));

        let mut stream = served.connect().await;
        let chunk = "x".repeat(config().body_max);
        let body = format!("{:x}\r\n{chunk}\r\n", chunk.len()).repeat(2);
        let head = "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
            transfer-encoding: chunked\r\n\r\n";
        stream
            .write_all(format!("{head}{body}0\r\n\r\n").as_bytes())
            .await
            .expect("it is open");
        assert!(until(&mut stream, "\r\n").await.starts_with("HTTP/1.1 413"));
    }

    /// Status, code and JSON of an answer to what is no request.
    fn is_told(answer: &str, status: &str, code: &str, kind: &str) {
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
        assert!(
            answer.contains(&format!("\r\nx-relay-error: {code}\r\n")),
            "{answer}"
        );
        let (head, body) = answer.split_once("\r\n\r\n").expect("it has a body");
        let body: serde_json::Value = serde_json::from_str(body).expect("it is JSON");
        assert_eq!(body["error"]["type"], kind);
        let id = body["request_id"].as_str().expect("it has an id");
        assert!(head.contains(&format!("\r\nrequest-id: {id}")), "{head}");
    }

    #[tokio::test]
    async fn a_head_that_cannot_be_read_is_answered_as_every_other_failure() {
        let test_api = TestApi::new();
        let served = serve(&test_api, config()).await;
        let many = "x: y\r\n".repeat(HEADERS_MAX + 1);
        let large = format!("x: {}\r\n", "x".repeat(HEAD_MAX));
        let cases = [
            (
                "GET / HTTP/1.1\r\nno header\r\n\r\n".to_owned(),
                "400",
                "invalid_request",
                "invalid_request_error",
            ),
            (
                "\u{16}\u{3}\u{1}\u{0}\u{2}\r\n\r\n".to_owned(),
                "400",
                "invalid_request",
                "invalid_request_error",
            ),
            (
                format!("GET / HTTP/1.1\r\nhost: localhost\r\n{many}\r\n"),
                "431",
                "request_too_large",
                "request_too_large",
            ),
            (
                format!("GET / HTTP/1.1\r\nhost: localhost\r\n{large}\r\n"),
                "431",
                "request_too_large",
                "request_too_large",
            ),
        ];
        for (head, status, code, kind) in cases {
            let mut stream = served.connect().await;
            stream.write_all(head.as_bytes()).await.expect("it is open");
            is_told(&to_end(&mut stream).await, status, code, kind);
            let mut stream = served.connect().await;
            let good = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
            stream.write_all(good.as_bytes()).await.expect("it is open");
            assert!(until(&mut stream, "\n\n").await.contains("200 OK"));
            stream.write_all(head.as_bytes()).await.expect("it is open");
            let rest = to_end(&mut stream).await;
            let answer = &rest[rest.find("HTTP/1.1").expect("there is an answer")..];
            is_told(answer, status, code, kind);
        }
    }

    /// Long enough to be asked in, whether one still waits.
    const THINKING: Duration = Duration::from_millis(50);

    /// The first bytes of an answer are interim ones, as far as the client was asked whether it waits.
    fn without_interim(mut answer: &str) -> &str {
        while let Some(rest) = answer.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n") {
            answer = rest;
        }
        answer
    }

    #[tokio::test]
    async fn a_client_that_sends_no_more_gets_its_answer_streamed_and_buffered() {
        for is_streamed in [true, false] {
            let test_api = TestApi::new().answering_after(THINKING, hello());
            let served = serve(&test_api, config()).await;
            let mut stream = served.connect().await;
            stream
                .write_all(turn(is_streamed).as_bytes())
                .await
                .expect("it is open");
            stream.shutdown().await.expect("it can be shut");
            let seen = to_end(&mut stream).await;
            let answer = without_interim(&seen);
            assert!(answer.starts_with("HTTP/1.1 200"), "{seen}");
            assert!(answer.contains("end_turn"), "{seen}");
        }
    }

    #[tokio::test]
    async fn a_client_that_sends_no_more_and_then_goes_away_drops_its_answer() {
        let test_api = TestApi::new().holding(vec![]);
        let served = serve(&test_api, config()).await;
        let mut stream = served.connect().await;
        stream
            .write_all(turn(false).as_bytes())
            .await
            .expect("it is open");
        stream.shutdown().await.expect("it can be shut");
        until(&mut stream, "100 Continue\r\n\r\n").await;
        drop(stream);
        timeout(SOON, test_api.is_left())
            .await
            .expect("the answer must be dropped");
    }
}
