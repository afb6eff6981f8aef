//! Why the API could not begin to listen.

use super::port_owner::PortOwner;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use thiserror::Error;

/// The contract's `bind_failed`, by what the user can do about it.
#[derive(Debug, Error)]
pub(crate) enum ServerError {
    /// Another process has the port: stop it, or choose another port.
    #[error("cannot listen on {address}, which {}; stop it, or choose another port with --port", taken(.port_owner.as_ref()))]
    PortTaken {
        address: SocketAddr,
        port_owner: Option<PortOwner>,
    },
    /// The address is not this machine's, or the port needs a right we do not have.
    #[error("cannot listen on {address}")]
    Bind {
        address: SocketAddr,
        source: io::Error,
    },
    /// `server.socket` cannot be made.
    #[error("listen on the socket file {}", path.display())]
    Socket { path: PathBuf, source: io::Error },
}

fn taken(port_owner: Option<&PortOwner>) -> String {
    match port_owner {
        Some(PortOwner { pid, name }) => format!("process {pid} ({name}) holds"),
        None => "another process holds".to_owned(),
    }
}
