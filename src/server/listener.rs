//! The API's port, and the socket file beside it: opened, served until the stop signal, then drained.
//!
//! How clients get in is the room `listen`'s; what a request means is here a [`router`](super::router)'s.

use super::Api;
use super::ServerConfig;
use super::ServerError;
use super::drain::drain;
use super::drain::stopped;
use super::handler::ApiHandler;
use super::port_owner;
#[cfg(unix)]
use super::socket::SocketFile;
use crate::listen::Door;
use crate::listen::Life;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::watch;

/// An open port.
pub(crate) struct Listener {
    door: Door,
    #[cfg(unix)]
    file: Option<SocketFile>,
    address: SocketAddr,
    drain_wait_max: Duration,
}

/// Opens the port, with places for so many connections.
///
/// # Errors
/// Says who holds it, where that can be found out.
pub(crate) async fn bind(
    config: &ServerConfig,
    connections_max: usize,
) -> Result<Listener, ServerError> {
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
    let door = Door::bind("api", wanted, connections_max).map_err(failed)?;
    let address = door.local_addr().map_err(failed)?;
    #[cfg(unix)]
    let (file, socket) = config
        .socket
        .as_deref()
        .map(SocketFile::bind)
        .transpose()?
        .unzip();
    #[cfg(unix)]
    let door = door.with_file(socket);
    Ok(Listener {
        door,
        #[cfg(unix)]
        file,
        address,
        drain_wait_max: config.drain_wait_max,
    })
}

impl Listener {
    /// Where it listens; the port is the real one where the wanted one was 0.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` becomes true or its sender is gone, then drains. When this returns, no connection is left.
    pub(crate) async fn run(mut self, api: Api, stop: watch::Receiver<bool>) {
        let drain_deadline = api.drain_deadline.clone();
        let handler = ApiHandler::new(api.stopped_by(stop.clone()));
        let life = Life::UntilStopped(stop.clone());
        self.door.serve(&handler, &life, stopped(stop)).await;
        drain(self.door, &handler, self.drain_wait_max, &drain_deadline).await;
        #[cfg(unix)]
        drop(self.file);
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_api::TestApi;
    use super::super::test_api::config;
    use super::super::test_api::end;
    use super::super::test_api::start;
    use super::super::test_server::PLACES;
    use super::super::test_server::serve;
    use super::super::test_server::turn;
    use super::super::test_server::until;
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn a_taken_port_names_its_holder() {
        let held = bind(&config(), PLACES)
            .await
            .expect("a free port can be had");
        let wanted = ServerConfig {
            port: held.local_addr().port(),
            ..config()
        };
        let error = bind(&wanted, PLACES)
            .await
            .err()
            .expect("the port is taken");
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
        let listener = bind(&config(), 4).await.expect("a free port can be had");
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
        let listener = bind(&config(), 2).await.expect("a free port can be had");
        let address = listener.local_addr();
        let mut clients = Vec::new();
        for _ in 0..32 {
            let stream = TcpStream::connect(address).await;
            let mut stream = stream.expect("the system holds it");
            let request = b"GET /v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n";
            stream.write_all(request).await.expect("it is open");
            clients.push(stream);
        }
        let (_stop, stopped) = watch::channel(false);
        tokio::spawn(listener.run(TestApi::new().api(config(), address.port()), stopped));
        for stream in &mut clients {
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
