//! A proxy that passes requests and answers on and does nothing else: what no gateway can be faster than.

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::combinators::BoxBody;
use hyper::Request;
use hyper::Response;
use hyper::body::Incoming;
use hyper::client::conn::http1 as client;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Mutex;

type Passed = Response<BoxBody<Bytes, hyper::Error>>;

/// Serves until the process ends: one connection to the host for each of a caller.
///
/// # Errors
/// Where the listener breaks.
pub(crate) async fn serve(listener: TcpListener, host: SocketAddr) -> io::Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        tokio::spawn(async move {
            // A caller whose connection breaks sees that itself.
            drop(pass(socket, host).await);
        });
    }
}

async fn pass(caller: TcpStream, host: SocketAddr) -> io::Result<()> {
    let upstream = TcpStream::connect(host).await?;
    caller.set_nodelay(true)?;
    upstream.set_nodelay(true)?;
    let handshake = client::handshake::<_, Incoming>(TokioIo::new(upstream)).await;
    let (sender, connection) = handshake.map_err(io::Error::other)?;
    tokio::spawn(async move { drop(connection.await) });
    let sender = Arc::new(Mutex::new(sender));
    let service = service_fn(move |request| forward(Arc::clone(&sender), request));
    let serving = server::Builder::new().serve_connection(TokioIo::new(caller), service);
    serving.await.map_err(io::Error::other)
}

async fn forward(
    sender: Arc<Mutex<client::SendRequest<Incoming>>>,
    request: Request<Incoming>,
) -> Result<Passed, hyper::Error> {
    let mut sender = sender.lock().await;
    sender.ready().await?;
    let answer = sender.send_request(request).await?;
    Ok(answer.map(BodyExt::boxed))
}
