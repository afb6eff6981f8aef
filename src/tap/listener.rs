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
use crate::hex::to_hex;
use crate::listen::Answering;
use crate::listen::Door;
use crate::listen::Handler;
use crate::listen::Life;
use crate::listen::Remote;
use crate::sync::lock;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;

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
    /// Listens on an ephemeral loopback port, for as long as the runtime lives, with places for so many connections.
    ///
    /// # Errors
    /// Where the API's address is none, or the machine gives no port or no roots to trust.
    pub(crate) async fn lay(
        config: &TapConfig,
        connections_max: usize,
    ) -> Result<Tap, TargetError> {
        let target = Target::parse(&config.base)?;
        let connector = Connector::to(&target, config)?;
        let door = Door::loopback("tap", connections_max);
        let mut door = door.map_err(TargetError::Port)?;
        let shared = Shared {
            address: door.local_addr().map_err(TargetError::Port)?,
            target,
            connector,
            lines: Mutex::default(),
        };
        let tap = Tap {
            shared: Arc::new(shared),
        };
        let handler = TapHandler(tap.clone());
        tokio::spawn(async move {
            let never = std::future::pending();
            door.serve(&handler, &Life::Unbounded, never).await;
        });
        Ok(tap)
    }

    /// Opens an address for a session of this model.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub(crate) fn open(&self, model: &str) -> io::Result<TapSession> {
        let mut bytes = [0_u8; SECRET_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
        let secret = to_hex(&bytes);
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
        lock(&self.shared.lines)
    }
}

/// A connection is a stranger until it has shown a session's secret.
#[derive(Clone)]
struct TapHandler(Tap);

impl Handler for TapHandler {
    type Body = ObservedBody;
    type Error = forward::Cut;

    fn is_known(&self, request: &Request<Incoming>) -> bool {
        self.0.line(path(request)).is_some()
    }

    fn answer(
        &self,
        request: Request<Incoming>,
        _remote: Remote,
    ) -> Answering<ObservedBody, forward::Cut> {
        Box::pin(answer(request, self.0.clone()))
    }

    fn configure(&self, builder: &mut http1::Builder) {
        // What the API did not say, we do not say either.
        builder.preserve_header_case(true).auto_date_header(false);
    }
}

fn path(request: &Request<Incoming>) -> &str {
    let path = request.uri().path_and_query();
    path.map_or("", |path| path.as_str())
}

async fn answer(
    request: Request<Incoming>,
    tap: Tap,
) -> Result<Response<ObservedBody>, forward::Cut> {
    let path = path(&request).to_owned();
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
