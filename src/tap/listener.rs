//! The loopback address that tapped sessions take for the API's.
//!
//! Each session has a secret of its own in its address; a request without a known secret gets a 404 and goes nowhere.

use super::TapConfig;
use super::body::ObservedBody;
use super::connector::Connector;
use super::forward;
use super::session::SessionTap;
use super::session::TapSession;
use super::target::Target;
use super::target::TargetError;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// The tap of all sessions; cheap to clone.
#[derive(Clone)]
pub(crate) struct Tap {
    shared: Arc<Shared>,
}

struct Shared {
    address: SocketAddr,
    target: Target,
    connector: Connector,
    lines: Mutex<HashMap<String, Arc<SessionTap>>>,
}

impl fmt::Debug for Tap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tap").finish_non_exhaustive()
    }
}

impl Tap {
    /// Listens on an ephemeral loopback port, for as long as the runtime lives.
    ///
    /// # Errors
    /// Where the API's address is none, or the machine gives no port or no roots to trust.
    pub(crate) async fn lay(config: &TapConfig) -> Result<Tap, TargetError> {
        let target = Target::parse(&config.base)?;
        let connector = Connector::to(&target, config)?;
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = bound.map_err(TargetError::Port)?;
        let shared = Shared {
            address: listener.local_addr().map_err(TargetError::Port)?,
            target,
            connector,
            lines: Mutex::default(),
        };
        let tap = Tap {
            shared: Arc::new(shared),
        };
        tokio::spawn(accept(listener, tap.clone()));
        Ok(tap)
    }

    /// Opens an address for a session of this model.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub(crate) fn open(&self, model: &str) -> io::Result<TapSession> {
        let mut bytes = [0_u8; SECRET_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
        let secret: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let url = format!("http://{}/{secret}", self.shared.address);
        let (line, heard) = SessionTap::new(model.to_owned());
        self.lines().insert(secret.clone(), Arc::clone(&line));
        Ok(TapSession::new(url, secret, self.clone(), line, heard))
    }

    pub(super) fn close(&self, secret: &str) {
        self.lines().remove(secret);
    }

    pub(super) fn target(&self) -> &Target {
        &self.shared.target
    }

    pub(super) fn connector(&self) -> &Connector {
        &self.shared.connector
    }

    /// The session of this path, and the path below its address, query and all.
    fn line<'p>(&self, path: &'p str) -> Option<(Arc<SessionTap>, &'p str)> {
        let path = path.strip_prefix('/')?;
        let end = path.find(['/', '?']).unwrap_or(path.len());
        let line = self.lines().get(&path[..end]).cloned()?;
        Some((line, &path[end..]))
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<String, Arc<SessionTap>>> {
        let lines = &self.shared.lines;
        lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, tap: Tap) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let tap = tap.clone();
                tokio::spawn(async move {
                    serve(stream, tap).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the tap could not accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, tap: Tap) {
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request| answer(request, tap.clone()));
    let mut builder = http1::Builder::new();
    // What the API did not say, we do not say either.
    builder.preserve_header_case(true).auto_date_header(false);
    if let Err(error) = builder
        .serve_connection(TokioIo::new(stream), service)
        .await
    {
        tracing::debug!(%error, "a tapped connection ended");
    }
}

async fn answer(
    request: Request<Incoming>,
    tap: Tap,
) -> Result<Response<ObservedBody>, forward::Cut> {
    let path = request
        .uri()
        .path_and_query()
        .map_or("", |path| path.as_str())
        .to_owned();
    match tap.line(&path) {
        Some((line, path)) => forward::forward(request, path, &line, &tap).await,
        None => {
            let mut response = Response::new(ObservedBody::nothing());
            *response.status_mut() = StatusCode::NOT_FOUND;
            Ok(response)
        }
    }
}

/// 256 bits: not to be guessed by another process of the machine.
const SECRET_BYTES: usize = 32;
/// Connections at once. A session has a handful; a hundred sessions fit, and further ones wait in the system's backlog.
const CONNECTIONS_MAX: usize = 1024;
/// Between tries to accept where the machine is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
