//! The control plane's port.

use super::ControlConfig;
use super::Plane;
use super::answer::Answer;
use super::gate;
use crate::listen::Answering;
use crate::listen::Door;
use crate::listen::Handler;
use crate::listen::Life;
use crate::listen::Remote;
use hyper::Request;
use hyper::body::Incoming;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::watch;

/// An open port.
pub(crate) struct Listener {
    door: Door,
    address: SocketAddr,
}

/// Opens the port; `None` where there is to be none, or the default one is taken by somebody else.
///
/// # Errors
/// Where a port that somebody asked for cannot be had.
pub(crate) fn bind(config: &ControlConfig) -> io::Result<Option<Listener>> {
    let Some(port) = config.port else {
        return Ok(None);
    };
    let wanted = SocketAddr::new(config.host, port.number);
    let door = match Door::bind("control", wanted, CONNECTIONS_MAX) {
        Ok(door) => door,
        Err(error) if !port.is_named => {
            tracing::warn!(%error, "no control plane: port {} is taken; RELAY_CONTROL_PORT names another, or `off`", port.number);
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let address = door.local_addr()?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "the control plane listens beyond loopback, and speaks plain HTTP: put a proxy with TLS before it");
    }
    Ok(Some(Listener { door, address }))
}

impl Listener {
    /// Where it listens; the port is the real one where the wanted one was 0.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` becomes true or its sender is gone.
    pub(crate) async fn run(mut self, plane: Plane, mut stop: watch::Receiver<bool>) {
        let life = Life::UntilStopped(stop.clone());
        let stopped = async move {
            let _ = stop.wait_for(|is_stopped| *is_stopped).await; // A sender that is gone stops as well.
        };
        self.door.serve(&Pages(plane), &life, stopped).await;
        self.door.close().await;
    }
}

/// What answers requests.
#[derive(Clone)]
struct Pages(Plane);

impl Handler for Pages {
    type Body = Answer;
    type Error = Infallible;

    const IDLE_WAIT_MAX: Option<Duration> = Some(IDLE_WAIT_MAX);

    fn is_known(&self, request: &Request<Incoming>) -> bool {
        gate::is_somebody(&self.0, request.headers())
    }

    fn answer(&self, request: Request<Incoming>, remote: Remote) -> Answering<Answer, Infallible> {
        let plane = self.0.clone();
        Box::pin(async move { Ok(gate::serve(&plane, Some(remote), request).await) })
    }
}

/// Connections at once: browsers of a team hold some each.
const CONNECTIONS_MAX: usize = 64;
/// How long a connection may be idle between requests.
const IDLE_WAIT_MAX: Duration = Duration::from_secs(30);
