//! A test_api on a port, for tests of sockets.

use super::ServerConfig;
use super::listener::bind;
use super::test_api::TestApi;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// One generous deadline for everything that must happen.
pub(super) const SOON: Duration = Duration::from_secs(10);

/// Connections that a test's port has places for.
pub(super) const PLACES: usize = 64;

pub(super) struct TestServer {
    pub(super) address: SocketAddr,
    pub(super) stop: watch::Sender<bool>,
    done: JoinHandle<()>,
}

pub(super) async fn serve(test_api: &TestApi, config: ServerConfig) -> TestServer {
    let listener = bind(&config, PLACES).await.expect("a free port can be had");
    let address = listener.local_addr();
    let (stop, stopped) = watch::channel(false);
    let done = tokio::spawn(listener.run(test_api.api(config, address.port()), stopped));
    TestServer {
        address,
        stop,
        done,
    }
}

impl TestServer {
    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address)
            .await
            .expect("the port is open")
    }

    pub(super) async fn drained(self) {
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

pub(super) fn turn(stream: bool) -> String {
    call(&format!(
        r#"{{"model":"m","max_tokens":9,"stream":{stream},"messages":[{{"role":"user","content":"hi"}}]}}"#
    ))
}

pub(super) async fn until(stream: &mut TcpStream, text: &str) -> String {
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

pub(super) async fn to_end(stream: &mut TcpStream) -> String {
    let mut seen = String::new();
    let read = timeout(SOON, stream.read_to_string(&mut seen)).await;
    read.expect("the connection must end")
        .expect("it must end well");
    seen
}
