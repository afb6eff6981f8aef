//! The accept loop: one task a connection, bounds on each, and a drain that loses no turn.
//!
//! It is our own loop and not axum's `serve`, because the connection itself matters here: no-delay, so that a delta
//! leaves when it is written; a deadline and a size for request heads; a bound on open connections; and a drain that
//! has an end.
//!
//! **Draining.** After the stop signal, turns in flight go on until they end or the drain's deadline comes. Idle
//! connections are closed. The port stays open meanwhile, so that a new call is told `shutting_down`, and health
//! says `draining`, instead of finding nobody.

use super::Api;
use super::ServerConfig;
use super::ServerError;
use super::crowd::Crowd;
use super::crowd::Seat;
use super::holder;
use super::router;
#[cfg(unix)]
use super::socket::SocketFile;
use crate::auth::Peer;
use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpListener;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinError;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Connections open at once. Each may hold one request body; a local user has dozens, so to reach this is a bug of
/// some client, or an attack. Those that ask for nothing then make room, and where all are busy, further ones wait in
/// the system's backlog.
const CONNECTIONS_MAX: usize = 512;
/// Connections that the system holds until there is a place for them; one more is tried again by its client's system
/// after a second. Linux has no more by default.
const BACKLOG: u32 = 4096;
/// How long a request's head may take, and how long a connection may be idle between requests.
const HEAD_WAIT_MAX: Duration = Duration::from_secs(30);
/// Bytes of a request's head. Browsers and SDKs send 1 to 4 kB; the answer to more is a 431.
const HEAD_MAX: usize = 32 << 10;
/// Header lines of a request.
const HEADERS_MAX: usize = 100;
/// Bytes buffered for one connection, in each direction.
const BUFFER_MAX: usize = 256 << 10;
/// How long to wait when the system has no more file handles: until another connection may have closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An open port.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    #[cfg(unix)]
    file: Option<SocketFile>,
    address: SocketAddr,
    drain_wait_max: Duration,
    connections_max: usize,
}

/// Opens the port.
///
/// # Errors
/// Says who holds it, where that can be found out.
pub(crate) async fn bind(config: &ServerConfig) -> Result<Listener, ServerError> {
    let wanted = SocketAddr::new(config.host, config.port);
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => ServerError::PortTaken {
            address: wanted,
            holder: holder::of_port(config.port),
        },
        _ => ServerError::Bind {
            address: wanted,
            source,
        },
    };
    let socket = listen(wanted).map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    Ok(Listener {
        socket,
        #[cfg(unix)]
        file: config.socket.as_deref().map(SocketFile::bind).transpose()?,
        address,
        drain_wait_max: config.drain_wait_max,
        connections_max: CONNECTIONS_MAX,
    })
}

/// As the runtime does it, with a longer line of those who wait to be let in.
fn listen(wanted: SocketAddr) -> io::Result<TcpListener> {
    let socket = match wanted {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(wanted)?;
    socket.listen(BACKLOG)
}

impl Listener {
    /// Where it listens; the port is the real one where the wanted one was 0.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` becomes true or its sender is gone, then drains. When this returns, no connection is left.
    pub(crate) async fn run(self, api: Api, stop: watch::Receiver<bool>) {
        let router = router::router(api.stopped_by(stop.clone()));
        let (mut open, mut crowd) = (JoinSet::new(), Crowd::default());
        let idled = crowd.idled();
        let mut stopped = pin!(stopped(stop.clone()));
        loop {
            let is_full = open.len() >= self.connections_max;
            tokio::select! {
                biased;
                () = &mut stopped => break,
                Some(ended) = open.join_next() => report(ended),
                guest = self.accept(), if !is_full => {
                    let (life, seat) = (Life::UntilStopped(stop.clone()), crowd.join());
                    open.spawn(guest.serve(router.clone(), life, Arc::clone(&seat)));
                    if open.len() >= self.connections_max {
                        crowd.make_room_for(&seat);
                    }
                }
                () = idled.notified(), if is_full => crowd.close_idle(),
            }
        }
        self.drain(router, open).await;
    }

    async fn drain(&self, router: Router, mut open: JoinSet<()>) {
        let (mut late, mut crowd) = (JoinSet::new(), Crowd::default());
        let mut deadline = pin!(sleep(self.drain_wait_max));
        loop {
            tokio::select! {
                biased;
                ended = open.join_next() => match ended {
                    Some(ended) => report(ended),
                    None => break,
                },
                () = &mut deadline => {
                    tracing::warn!(connections = open.len(), "the drain's deadline came; what is left is cut");
                    break;
                }
                Some(ended) = late.join_next() => report(ended),
                guest = self.accept(), if late.len() < self.connections_max => {
                    late.spawn(guest.serve(router.clone(), Life::OneRequest, crowd.join()));
                }
            }
        }
        open.shutdown().await;
        late.shutdown().await;
    }

    #[cfg(unix)]
    async fn accept(&self) -> Guest {
        let Some(file) = &self.file else {
            return accept(&self.socket).await;
        };
        tokio::select! {
            guest = accept(&self.socket) => guest,
            Ok((stream, _)) = file.listener.accept() => Guest::Socket(stream),
        }
    }

    #[cfg(not(unix))]
    async fn accept(&self) -> Guest {
        accept(&self.socket).await
    }
}

/// A connection that was just made.
enum Guest {
    Network(TcpStream, SocketAddr),
    #[cfg(unix)]
    Socket(tokio::net::UnixStream),
}

impl Guest {
    async fn serve(self, router: Router, life: Life, seat: Arc<Seat>) {
        match self {
            Guest::Network(stream, address) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "a connection goes without no-delay");
                }
                connection(stream, Peer::Network(address.ip()), router, life, seat).await;
            }
            #[cfg(unix)]
            Guest::Socket(stream) => connection(stream, Peer::Socket, router, life, seat).await,
        }
    }
}

/// Tells each request whose it is, and the seat when it is busy.
struct Introduced {
    service: TowerToHyperService<Router>,
    peer: Peer,
    seat: Arc<Seat>,
}

impl Service<Request<Incoming>> for Introduced {
    type Response = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        request.extensions_mut().insert(self.seat.begin());
        self.service.call(request)
    }
}

/// How long a connection may go on.
enum Life {
    UntilStopped(watch::Receiver<bool>),
    /// It came after the stop signal.
    OneRequest,
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: Peer,
    router: Router,
    life: Life,
    seat: Arc<Seat>,
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
        seat: Arc::clone(&seat),
    };
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let stop = match life {
        Life::OneRequest => None,
        Life::UntilStopped(stop) => Some(stop),
    };
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = seat.leave.notified() => return tracing::debug!("an idle connection made room"),
        () = stopped_or_never(stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection broke off");
    }
}

async fn accept(socket: &TcpListener) -> Guest {
    loop {
        match socket.accept().await {
            Ok((stream, address)) => return Guest::Network(stream, address),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error says that the sender is gone, which is a stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn stopped_or_never(stop: Option<watch::Receiver<bool>>) {
    match stop {
        Some(stop) => stopped(stop).await,
        None => std::future::pending().await,
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection's task panicked, which is a bug");
    }
}

#[cfg(test)]
mod tests {
    use super::super::rig::Rig;
    use super::super::rig::config;
    use super::super::rig::end;
    use super::super::rig::hello;
    use super::super::rig::start;
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::io::AsyncWriteExt;
    use tokio::task::JoinHandle;
    use tokio::time::timeout;

    /// One generous deadline for everything that must happen.
    const SOON: Duration = Duration::from_secs(10);

    struct Served {
        address: SocketAddr,
        stop: watch::Sender<bool>,
        done: JoinHandle<()>,
    }

    async fn serve(rig: &Rig, config: ServerConfig) -> Served {
        let listener = bind(&config).await.expect("a free port can be had");
        let address = listener.local_addr();
        let (stop, stopped) = watch::channel(false);
        let done = tokio::spawn(listener.run(rig.api(config, address.port()), stopped));
        Served {
            address,
            stop,
            done,
        }
    }

    impl Served {
        async fn connect(&self) -> TcpStream {
            TcpStream::connect(self.address)
                .await
                .expect("the port is open")
        }

        async fn drained(self) {
            timeout(SOON, self.done)
                .await
                .expect("the drain must end")
                .expect("the loop must not panic");
        }
    }

    fn call(body: &str) -> String {
        format!(
            "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn turn(stream: bool) -> String {
        call(&format!(
            r#"{{"model":"m","max_tokens":9,"stream":{stream},"messages":[{{"role":"user","content":"hi"}}]}}"#
        ))
    }

    async fn until(stream: &mut TcpStream, text: &str) -> String {
        let mut seen = Vec::new();
        let read = async {
            while !String::from_utf8_lossy(&seen).contains(text) {
                let byte = stream
                    .read_u8()
                    .await
                    .expect("the text must come before the end");
                seen.push(byte);
            }
        };
        timeout(SOON, read).await.expect("the text must come");
        String::from_utf8_lossy(&seen).into_owned()
    }

    async fn to_end(stream: &mut TcpStream) -> String {
        let mut seen = String::new();
        let read = timeout(SOON, stream.read_to_string(&mut seen)).await;
        read.expect("the connection must end")
            .expect("it must end well");
        seen
    }

    #[tokio::test]
    async fn a_connection_serves_many_calls() {
        let rig = Rig::new().answering(hello());
        let served = serve(&rig, config()).await;
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
            let rig = Rig::new().holding(events);
            let served = serve(&rig, config()).await;
            let mut stream = served.connect().await;
            stream
                .write_all(turn(is_streamed).as_bytes())
                .await
                .expect("it is open");
            if is_streamed {
                until(&mut stream, "message_start").await;
            }
            timeout(SOON, rig.is_asked())
                .await
                .expect("the lane must hear of the call");
            drop(stream);
            timeout(SOON, rig.is_left())
                .await
                .expect("the answer must be dropped");
        }
    }

    #[tokio::test]
    async fn a_stream_in_flight_ends_well_while_the_relay_drains() {
        let rig = Rig::new().holding(vec![Ok(start())]);
        let served = serve(&rig, config()).await;
        let mut idle = served.connect().await;
        let mut busy = served.connect().await;
        busy.write_all(turn(true).as_bytes())
            .await
            .expect("it is open");
        until(&mut busy, "message_start").await;
        served.stop.send_replace(true);
        assert_eq!(to_end(&mut idle).await, "");

        let mut late = served.connect().await;
        late.write_all(turn(false).as_bytes())
            .await
            .expect("it is open");
        let refused = to_end(&mut late).await;
        assert!(
            refused.starts_with("HTTP/1.1 503") && refused.contains("x-relay-error: shutting_down"),
            "{refused}"
        );
        let mut curious = served.connect().await;
        curious
            .write_all(b"GET /v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .await
            .expect("it is open");
        assert!(
            to_end(&mut curious)
                .await
                .contains("\"status\":\"draining\"")
        );

        rig.say(Ok(end())).await;
        assert!(to_end(&mut busy).await.contains("event: message_stop"));
        served.drained().await;
    }

    #[tokio::test]
    async fn a_drain_has_an_end() {
        let rig = Rig::new().holding(vec![Ok(start())]);
        let served = serve(
            &rig,
            ServerConfig {
                drain_wait_max: Duration::from_millis(50),
                ..config()
            },
        )
        .await;
        let mut stream = served.connect().await;
        stream
            .write_all(turn(true).as_bytes())
            .await
            .expect("it is open");
        until(&mut stream, "message_start").await;
        served.stop.send_replace(true);
        served.drained().await;
        timeout(SOON, rig.is_left())
            .await
            .expect("the answer must be dropped");
    }

    #[tokio::test]
    async fn a_taken_port_names_its_holder() {
        let held = bind(&config()).await.expect("a free port can be had");
        let wanted = ServerConfig {
            port: held.local_addr().port(),
            ..config()
        };
        let error = bind(&wanted).await.expect_err("the port is taken");
        if cfg!(target_os = "linux") {
            assert!(
                error
                    .to_string()
                    .contains(&format!("process {}", std::process::id())),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn a_client_gets_in_although_others_hold_every_place() {
        let rig = Rig::new().holding(vec![Ok(start())]);
        let mut listener = bind(&config()).await.expect("a free port can be had");
        listener.connections_max = 4;
        let address = listener.local_addr();
        let (_stop, stopped) = watch::channel(false);
        tokio::spawn(listener.run(rig.api(config(), address.port()), stopped));
        let connect = || async {
            let stream = TcpStream::connect(address).await;
            stream.expect("the port is open")
        };
        let mut busy = connect().await;
        busy.write_all(turn(true).as_bytes())
            .await
            .expect("it is open");
        until(&mut busy, "message_start").await;
        let mut silent = Vec::new();
        for _ in 0..20 {
            let mut stream = connect().await;
            // Its peer may have closed it already, which is the point.
            drop(stream.write_all(b"GET / HTTP/1.1\r\nhost: local").await);
            silent.push(stream);
        }
        let mut client = connect().await;
        client
            .write_all(b"GET /v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .await
            .expect("it is open");
        assert!(until(&mut client, "uptime").await.contains("200 OK"));
        rig.say(Ok(end())).await;
        assert!(
            until(&mut busy, "message_stop")
                .await
                .contains("message_stop")
        );
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_socket_file_is_served_beside_the_port() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("relay.sock");
        let rig = Rig::new();
        let config = ServerConfig {
            socket: Some(path.clone()),
            ..config()
        };
        let served = serve(&rig, config).await;
        let stream = tokio::net::UnixStream::connect(&path).await;
        let mut stream = stream.expect("the socket is open");
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await
            .expect("it is open");
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("it is text");
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        served.stop.send_replace(true);
        served.drained().await;
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn heads_and_chunked_bodies_are_bounded() {
        let rig = Rig::new();
        let served = serve(&rig, config()).await;
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
