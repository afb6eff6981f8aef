//! The accept loop: who may connect, how many at once, and how a full house or an exhausted system makes room.
//!
//! It is our own loop and not a library's, because the connection itself matters here: no-delay, so that a delta leaves
//! when it is written; a deadline and a size for request heads; and a bound on open connections.

use super::connection;
use super::connection::Handler;
use super::connection::Life;
use super::connection::Remote;
use super::files::is_out_of_files;
use super::limiter::ConnectionLimiter;
use super::log_pace::LogPace;
use super::own_wake::without_yielding;
use super::stream::Stream;
use crate::clock;
use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::net::TcpSocket;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::task::JoinError;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// A listener with its open connections. Dropping it closes them all.
pub(crate) struct Door {
    /// What its lines in the log call it.
    name: &'static str,
    sockets: Sockets,
    connections_max: usize,
    limiter: ConnectionLimiter,
    open: JoinSet<()>,
    log_pace: LogPace,
}

struct Sockets {
    network: TcpListener,
    #[cfg(unix)]
    file: Option<UnixListener>,
}

impl Door {
    /// Opens a port, with places for so many connections.
    ///
    /// # Errors
    /// Where the port cannot be had.
    pub(crate) fn bind(
        name: &'static str,
        wanted: SocketAddr,
        connections_max: usize,
    ) -> io::Result<Door> {
        let sockets = Sockets {
            network: listen(wanted)?,
            #[cfg(unix)]
            file: None,
        };
        Ok(Door {
            name,
            sockets,
            connections_max,
            limiter: ConnectionLimiter::new(connections_max),
            open: JoinSet::new(),
            log_pace: LogPace::default(),
        })
    }

    /// Opens any free port of the loopback.
    ///
    /// # Errors
    /// Where none can be had.
    pub(crate) fn loopback(name: &'static str, connections_max: usize) -> io::Result<Door> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Door::bind(name, any, connections_max)
    }

    /// Serves a socket file beside the port.
    #[cfg(unix)]
    pub(crate) fn with_file(mut self, file: Option<UnixListener>) -> Door {
        self.sockets.file = file;
        self
    }

    /// Where it listens; the port is the real one where the wanted one was 0.
    ///
    /// # Errors
    /// Where the system does not say.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.sockets.network.local_addr()
    }

    /// Lets clients in and serves them, until the future is done. The connections stay open then.
    pub(crate) async fn serve<H: Handler>(
        &mut self,
        handler: &H,
        life: &Life,
        until: impl Future<Output = ()>,
    ) {
        let mut until = pin!(until);
        loop {
            let is_full = self.open.len() >= self.connections_max;
            tokio::select! {
                biased;
                () = &mut until => return,
                Some(ended) = self.open.join_next() => report(ended),
                accepted = self.sockets.accept(), if !is_full => match accepted {
                    Ok((stream, remote)) => self.admit(stream, remote, handler, life),
                    Err(error) => self.handle_failure(&error).await,
                },
                () = self.limiter.idled() => self.limiter.settle(),
            }
        }
    }

    /// The connections that are open, to be waited for elsewhere.
    pub(crate) fn take_open(&mut self) -> JoinSet<()> {
        std::mem::take(&mut self.open)
    }

    /// Closes every connection; when this returns, none is left.
    pub(crate) async fn close(mut self) {
        self.open.shutdown().await;
    }

    fn admit<H: Handler>(&mut self, stream: Stream, remote: Remote, handler: &H, life: &Life) {
        let slot = self.limiter.join();
        let (handler, life) = (handler.clone(), life.clone());
        // On its own: a future that is handed to another one has its place there twice, and this one is 3 KiB.
        let served = Box::pin(connection::serve(
            stream,
            remote,
            handler,
            life,
            slot.clone(),
        ));
        let is_known = {
            let slot = slot.clone();
            move || !slot.is_stranger()
        };
        self.open.spawn(without_yielding(served, is_known));
        if self.open.len() >= self.connections_max {
            self.limiter.make_room_for(&slot);
        }
    }

    /// Makes room where the system has no more descriptors, and waits until it may have some again.
    async fn handle_failure(&mut self, error: &io::Error) {
        // This one client is gone; the next one need not be.
        if matches!(
            error.kind(),
            io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
        ) {
            return;
        }
        if let Some(held_back) = self.log_pace.admit(clock::now()) {
            let (listener, open) = (self.name, self.open.len());
            tracing::warn!(%error, listener, open, held_back, "connections cannot be accepted");
        }
        if is_out_of_files(error) {
            self.limiter.close_strangers(clock::now());
        }
        tokio::select! {
            Some(ended) = self.open.join_next() => report(ended),
            () = sleep(ACCEPT_PAUSE) => {}
        }
    }
}

impl Sockets {
    #[cfg(unix)]
    async fn accept(&self) -> io::Result<(Stream, Remote)> {
        let Some(file) = &self.file else {
            return accept(&self.network).await;
        };
        tokio::select! {
            accepted = accept(&self.network) => accepted,
            accepted = file.accept() => Ok((Stream::Socket(accepted?.0), Remote::SocketFile)),
        }
    }

    #[cfg(not(unix))]
    async fn accept(&self) -> io::Result<(Stream, Remote)> {
        accept(&self.network).await
    }
}

async fn accept(socket: &TcpListener) -> io::Result<(Stream, Remote)> {
    let (stream, address) = socket.accept().await?;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection goes without no-delay");
    }
    Ok((Stream::Network(stream), Remote::Network(address)))
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

/// Says in the log where a connection's task panicked.
pub(crate) fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection's task panicked, which is a bug");
    }
}

/// Connections that the system holds until there is a place for them; one more is tried again by its client's system
/// after a second. Linux has no more by default.
const BACKLOG: u32 = 4096;
/// How long to wait when the system refuses: until another connection may have closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
