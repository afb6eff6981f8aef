//! A connection: whose it is, what a request on it may cost before it is known, and when it ends.

use super::drain::stopped;
use super::limiter::Slot;
use crate::auth::Peer;
use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::server::graceful::GracefulConnection;
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::pin::Pin;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::timeout;

/// How long a request's head may take, and how long a connection may be idle between requests.
const HEAD_WAIT_MAX: Duration = Duration::from_secs(30);
/// Bytes of a request's head. Browsers and SDKs send 1 to 4 kB; the answer to more is a 431.
const HEAD_MAX: usize = 32 << 10;
/// Header lines of a request.
const HEADERS_MAX: usize = 100;
/// Bytes buffered for one connection, in each direction.
const BUFFER_MAX: usize = 256 << 10;

/// How long the end of an answer may take to leave on a connection that makes room: its client is on this machine. Who
/// has sent half a request is not waited for any longer than that either.
const FLUSH_WAIT_MAX: Duration = Duration::from_millis(100);

/// A connection that was just made.
pub(super) enum Guest {
    Network(TcpStream, SocketAddr),
    #[cfg(unix)]
    Socket(tokio::net::UnixStream),
}

impl Guest {
    pub(super) async fn serve(self, router: Router, life: Life, slot: Arc<Slot>) {
        match self {
            Guest::Network(stream, address) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "a connection goes without no-delay");
                }
                connection(stream, Peer::Network(address.ip()), router, life, slot).await;
            }
            #[cfg(unix)]
            Guest::Socket(stream) => connection(stream, Peer::Socket, router, life, slot).await,
        }
    }
}

/// Tells each request whose it is, and the slot when it is busy.
struct Introduced {
    service: TowerToHyperService<Router>,
    peer: Peer,
    slot: Arc<Slot>,
}

impl Service<Request<Incoming>> for Introduced {
    type Response = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        request.extensions_mut().insert(self.slot.begin());
        self.service.call(request)
    }
}

/// How long a connection may go on.
pub(super) enum Life {
    UntilStopped(watch::Receiver<bool>),
    /// It came after the stop signal.
    OneRequest,
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: Peer,
    router: Router,
    life: Life,
    slot: Arc<Slot>,
) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT_MAX)
        .max_header_size(HEAD_MAX)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_MAX)
        .keep_alive(matches!(life, Life::UntilStopped(_)));
    let service = Introduced {
        service: TowerToHyperService::new(router),
        peer,
        slot: Arc::clone(&slot),
    };
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let stop = match life {
        Life::OneRequest => None,
        Life::UntilStopped(stop) => Some(stop),
    };
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = slot.leave.notified() => leave(connection.as_mut(), &slot).await,
        () = stopped_or_never(stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection broke off");
    }
}

/// Ends a connection that is to make room. A request that has reached this machine by now is answered, as the last one.
async fn leave<C: GracefulConnection>(
    mut connection: Pin<&mut C>,
    slot: &Slot,
) -> Result<(), C::Error> {
    tokio::select! {
        biased;
        served = connection.as_mut() => return served,
        // The runtime looks at its sockets before this is done, and the connection is polled once more.
        () = yield_now() => {}
    }
    connection.as_mut().graceful_shutdown();
    match timeout(FLUSH_WAIT_MAX, connection.as_mut()).await {
        Ok(served) => served,
        Err(_) if slot.is_busy() => connection.await,
        Err(_) => {
            tracing::debug!("an idle connection made room");
            Ok(())
        }
    }
}

async fn stopped_or_never(stop: Option<watch::Receiver<bool>>) {
    match stop {
        Some(stop) => stopped(stop).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_api::TestApi;
    use super::super::test_api::config;
    use super::super::test_api::hello;
    use super::super::test_api::start;
    use super::super::test_server::SOON;
    use super::super::test_server::serve;
    use super::super::test_server::turn;
    use super::super::test_server::until;
    use super::*;
    use tokio::io::AsyncWriteExt;

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
}
