//! HTTP: dispatch, stream, drain.
//!
//! **What for.** [`bind`] takes the port and [`listener::Listener::run`] serves it until it is told to stop. A request passes
//! `frame` (its id, its log line, the body of its failure), `guard` (which hosts and origins may call), `admission`
//! (which key, and whose budget), the route, and then the wire room, which alone knows what the bytes mean.
//!
//! **Never.** It logs no body and no header. It knows no terminal and no session: what serves a turn is a [`Lane`](crate::lane::Lane).
//!
//! **Invariants.** Every response has `request-id`, every failure `x-relay-error`. A turn that fails is never a 200,
//! and once a stream has begun, a failure is its `error` event. A client that goes away drops its
//! [`Events`](crate::lane::Events), which is how the turn is interrupted: nothing here may hold them apart from
//! the handler's future and the response's body. What a request may cost before it is admitted is its head: the body of
//! a caller who is refused is thrown away unread. Bodies are bounded, each and together; connections are by `listen`.
//!
//! Start reading at [`router`]; the port below it is [`listener`]'s, its requests are
//! [`handler`]'s, and its end is [`drain`]'s.

mod drain;
mod error;
mod handler;
mod listener;
mod port_owner;
#[cfg(unix)]
mod socket;

mod api;
mod router;
mod routes;

mod admission;
mod answer;
mod body;
mod body_budget;
mod breaker;
mod conversation;
mod dialect;
mod frame;
mod front;
mod guard;
mod guarded_body;
mod journal;
mod kept_body;
mod label;
mod late_writer;
mod license;

mod capability;
mod chat;
mod completion;
mod files;
mod messages;
mod model;
mod opaque;
mod page;
mod passed;
mod recall;
mod reload;
mod responses;
mod route;
mod status;
mod stream;
mod unserved;
mod usage;
mod wanted;

#[cfg(test)]
mod test_api;
#[cfg(test)]
mod test_server;

pub(crate) use api::Api;
pub(crate) use error::ServerError;
pub(crate) use listener::Listener;
pub(crate) use listener::bind;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Where and how the API listens.
#[derive(Debug, Clone)]
pub(crate) struct ServerConfig {
    pub(crate) host: IpAddr,
    pub(crate) port: u16,
    /// Bytes a request body may have.
    pub(crate) body_max: usize,
    /// Bytes that the bodies of all calls at hand may have.
    pub(crate) bodies_max: usize,
    /// Host names, beside loopback ones, that a request may name.
    pub(crate) allowed_hosts: Vec<String>,
    /// Browser origins that may call.
    pub(crate) allowed_origins: Vec<String>,
    /// A socket file beside the port, for this user's own programs.
    pub(crate) socket: Option<PathBuf>,
    /// How long in-flight turns may go on after a stop signal.
    pub(crate) drain_wait_max: Duration,
    /// Whether a call that sets what its lane cannot honour is refused.
    pub(crate) strict: bool,
}
