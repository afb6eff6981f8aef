//! The port: who may connect, how many at once, and how a full house makes room.
//!
//! It is our own loop and not axum's `serve`, because the connection itself matters here: no-delay, so that a delta
//! leaves when it is written; a deadline and a size for request heads; a bound on open connections; and a drain that
//! has an end. What a connection is allowed is in `connection`, and the end in `drain`.

use super::Api;
use super::ServerConfig;
use super::ServerError;
use super::connection::Guest;
use super::connection::Life;
use super::drain::drain;
use super::drain::stopped;
use super::limiter::ConnectionLimiter;
use super::port_owner;
use super::router;
#[cfg(unix)]
use super::socket::SocketFile;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::net::TcpSocket;
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
/// How long to wait when the system has no more file handles: until another connection may have closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An open port.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    #[cfg(unix)]
    file: Option<SocketFile>,
    address: SocketAddr,
    pub(super) drain_wait_max: Duration,
    pub(super) connections_max: usize,
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
            port_owner: port_owner::of_port(config.port),
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
        let drain_deadline = api.drain_deadline.clone();
        let router = router::router(api.stopped_by(stop.clone()));
        let (mut open, mut limiter) = (JoinSet::new(), ConnectionLimiter::default());
        let idled = limiter.idled();
        let mut stopped = pin!(stopped(stop.clone()));
        loop {
            let is_full = open.len() >= self.connections_max;
            limiter.set_full(is_full);
            tokio::select! {
                biased;
                () = &mut stopped => break,
                Some(ended) = open.join_next() => report(ended),
                guest = self.accept(), if !is_full => {
                    let (life, slot) = (Life::UntilStopped(stop.clone()), limiter.join());
                    open.spawn(guest.serve(router.clone(), life, Arc::clone(&slot)));
                    if open.len() >= self.connections_max {
                        limiter.make_room_for(&slot);
                    }
                }
                () = idled.notified(), if is_full => limiter.close_idle(),
            }
        }
        drain(&self, router, open, &drain_deadline).await;
    }

    #[cfg(unix)]
    pub(super) async fn accept(&self) -> Guest {
        let Some(file) = &self.file else {
            return accept(&self.socket).await;
        };
        tokio::select! {
            guest = accept(&self.socket) => guest,
            Ok((stream, _)) = file.listener.accept() => Guest::Socket(stream),
        }
    }

    #[cfg(not(unix))]
    pub(super) async fn accept(&self) -> Guest {
        accept(&self.socket).await
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

pub(super) fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection's task panicked, which is a bug");
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_api::TestApi;
    use super::super::test_api::config;
    use super::super::test_api::end;
    use super::super::test_api::start;
    use super::super::test_server::serve;
    use super::super::test_server::turn;
    use super::super::test_server::until;
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpStream;

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
        let test_api = TestApi::new().holding(vec![Ok(start())]);
        let mut listener = bind(&config()).await.expect("a free port can be had");
        listener.connections_max = 4;
        let address = listener.local_addr();
        let (_stop, stopped) = watch::channel(false);
        tokio::spawn(listener.run(test_api.api(config(), address.port()), stopped));
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
        test_api.say(Ok(end())).await;
        assert!(
            until(&mut busy, "message_stop")
                .await
                .contains("message_stop")
        );
    }

    #[tokio::test]
    async fn a_request_that_came_before_its_connection_had_to_make_room_is_answered() {
        let mut listener = bind(&config()).await.expect("a free port can be had");
        listener.connections_max = 2;
        let address = listener.local_addr();
        let mut limiter = Vec::new();
        for _ in 0..32 {
            let stream = TcpStream::connect(address).await;
            let mut stream = stream.expect("the system holds it");
            let request = b"GET /v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n";
            stream.write_all(request).await.expect("it is open");
            limiter.push(stream);
        }
        let (_stop, stopped) = watch::channel(false);
        tokio::spawn(listener.run(TestApi::new().api(config(), address.port()), stopped));
        for stream in &mut limiter {
            assert!(until(stream, "uptime").await.contains("200 OK"));
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_socket_file_is_served_beside_the_port() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("relay.sock");
        let test_api = TestApi::new();
        let config = ServerConfig {
            socket: Some(path.clone()),
            ..config()
        };
        let served = serve(&test_api, config).await;
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
}
