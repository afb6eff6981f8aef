//! HTTP: accept, limit, dispatch, stream, drain.

use std::net::IpAddr;
use std::time::Duration;

/// Where and how the API listens.
#[derive(Debug, Clone)]
pub(crate) struct ServerConfig {
    pub(crate) host: IpAddr,
    pub(crate) port: u16,
    /// Bytes a request body may have.
    pub(crate) body_max: usize,
    /// Host names, beside loopback ones, that a request may name.
    pub(crate) allowed_hosts: Vec<String>,
    /// Browser origins that may call.
    pub(crate) allowed_origins: Vec<String>,
    /// How long in-flight turns may go on after a stop signal.
    pub(crate) drain_wait_max: Duration,
}
