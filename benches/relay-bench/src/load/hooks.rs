//! The address that a session by hand posts its events to: every prompt may pass, and the names of events go on.

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::Limited;
use hyper::Request;
use hyper::Response;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use serde_json::json;
use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// Where hooks come in.
pub(crate) struct Hooks {
    address: SocketAddr,
    names: mpsc::Receiver<String>,
}

impl Hooks {
    /// # Errors
    /// Where there is no port.
    pub(crate) async fn listen() -> io::Result<Hooks> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (names_tx, names) = mpsc::channel(NAMES_MAX);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    // The owner is gone, and the port goes with it.
                    () = names_tx.closed() => return,
                    accepted = listener.accept() => {
                        let Ok((stream, _)) = accepted else { return };
                        tokio::spawn(serve(stream, names_tx.clone()));
                    }
                }
            }
        });
        Ok(Hooks { address, names })
    }

    /// The next event's name. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<String> {
        self.names.recv().await
    }

    /// The settings that make a session post here.
    pub(crate) fn settings(&self) -> Value {
        let hook =
            json!([{"hooks": [{"type": "http", "url": format!("http://{}/hooks", self.address)}]}]);
        let hooks: serde_json::Map<String, Value> = EVENTS
            .iter()
            .map(|event| ((*event).to_owned(), hook.clone()))
            .collect();
        json!({ "hooks": hooks })
    }
}

async fn serve(stream: TcpStream, names: mpsc::Sender<String>) {
    let _ = stream.set_nodelay(true); // Then it is measured with the delay.
    let service = service_fn(|request| answer(request, names.clone()));
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    drop(served.await);
}

async fn answer(
    request: Request<Incoming>,
    names: mpsc::Sender<String>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX)
        .collect()
        .await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let hook: Value = serde_json::from_slice(&body).unwrap_or_default();
    if let Some(name) = hook["hook_event_name"].as_str() {
        drop(names.send(name.to_owned()).await);
    }
    let mut response = Response::new(Full::new(Bytes::from_static(b"{}")));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}

/// What the relay asks a session for, too.
const EVENTS: [&str; 7] = [
    "UserPromptSubmit",
    "MessageDisplay",
    "PostToolUse",
    "PostToolUseFailure",
    "Stop",
    "StopFailure",
    "SessionEnd",
];
/// As many as a turn posts, and more.
const NAMES_MAX: usize = 4096;
/// A simulated session's answers are short.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
