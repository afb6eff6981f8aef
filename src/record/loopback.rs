//! A loopback port of the recorder's own, at which HTTP/1.1 is answered.

use bytes::Bytes;
use hyper::Request;
use hyper::Response;
use hyper::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// An open port. Dropping it closes it.
pub(super) struct LoopbackServer {
    pub(super) address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl LoopbackServer {
    /// Listens on a free port.
    ///
    /// # Errors
    /// Where no port can be had.
    pub(super) async fn start<F, B>(
        respond: impl Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    ) -> io::Result<LoopbackServer>
    where
        F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
        B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(async move {
            // A listener that cannot accept has lost its port; the case then ends by its own limit.
            while let Ok((stream, _)) = listener.accept().await {
                drop(stream.set_nodelay(true));
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(respond.clone()));
                tokio::spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "a recorded connection ended");
                    }
                });
            }
        });
        Ok(LoopbackServer { address, accepting })
    }
}

impl Drop for LoopbackServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
