//! How a way out fails: before anything is asked, while it is asked, and while the answer comes.

use super::address::AddressError;
use super::proxy::ProxyUnusable;
use super::tls::TlsError;
use super::upload::WaitsFor;
use crate::cause::chain;
use hyper_util::client::legacy;
use std::error::Error;
use std::io;
use std::time::Duration;
use thiserror::Error;

/// There can be no client for this host: its configuration is wrong.
#[derive(Debug, Error)]
pub(crate) enum SetupError {
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(transparent)]
    Proxy(#[from] ProxyUnusable),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Why, as each layer has it.
pub(super) type Cause = Box<dyn Error + Send + Sync>;

/// How far a request came that got no answer.
#[derive(Debug)]
pub(super) enum Failure {
    Connect(Cause),
    Broke(Cause),
}

impl From<legacy::Error> for Failure {
    fn from(error: legacy::Error) -> Failure {
        match error.is_connect() {
            true => Failure::Connect(error.into()),
            false => Failure::Broke(error.into()),
        }
    }
}

/// A request that got no answer.
#[derive(Debug, Error)]
pub(crate) enum SendError {
    /// The host's name leads where it may not. Nothing was sent.
    #[error(transparent)]
    Address(AddressError),
    /// No name, no connection, no tunnel or no TLS. Nothing was sent.
    #[error("no connection could be made")]
    Connect(#[source] Cause),
    /// The same, for want of time. Nothing was sent.
    #[error("no connection within {0:?}")]
    ConnectTimeout(Duration),
    /// The host took the request, and said nothing.
    #[error("no answer within {0:?}")]
    HeadTimeout(Duration),
    /// The moment came at which it was to be over.
    #[error("no answer until it was to be over")]
    Overdue,
    /// The connection broke, or what came was no HTTP.
    #[error("the connection broke before an answer")]
    Broke(#[source] Cause),
    /// The request's own body broke off; the host is not to blame.
    #[error("the request's body broke off")]
    RequestBroke(#[source] Cause),
    /// The request's own body stopped coming; the host is not to blame.
    #[error("the request's body stopped for {0:?}")]
    RequestStalled(Duration),
}

/// An answer that broke off.
#[derive(Debug, Error)]
pub(crate) enum BodyError {
    #[error("nothing more came for {0:?}")]
    Idle(Duration),
    #[error("the answer broke off")]
    Broke(#[source] hyper::Error),
    /// Only where it was to be held whole.
    #[error("the answer has more than {bytes_max} bytes")]
    TooLarge { bytes_max: u64 },
}

impl SendError {
    /// What a request's failure means, by how far its body had come.
    pub(super) fn of(failure: Failure, waits_for: WaitsFor, connect: Duration) -> SendError {
        let error = match failure {
            Failure::Connect(error) => return SendError::unconnected(error, connect),
            Failure::Broke(error) => error,
        };
        match waits_for {
            WaitsFor::Nobody => SendError::RequestBroke(error),
            WaitsFor::Host | WaitsFor::Sender => SendError::Broke(error),
        }
    }

    fn unconnected(error: Cause, limit: Duration) -> SendError {
        let is_late = |error: &io::Error| error.kind() == io::ErrorKind::TimedOut;
        if let Some(refused) = found::<AddressError>(&*error).next() {
            return SendError::Address(refused.clone());
        }
        let is_late = found(&*error).any(is_late);
        match is_late {
            true => SendError::ConnectTimeout(limit),
            false => SendError::Connect(error),
        }
    }

    pub(super) fn late(limit: Duration, waits_for: WaitsFor) -> SendError {
        match waits_for {
            WaitsFor::Host => SendError::HeadTimeout(limit),
            WaitsFor::Sender | WaitsFor::Nobody => SendError::RequestStalled(limit),
        }
    }
}

fn found<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e T> {
    chain(error).filter_map(|error| error.downcast_ref())
}
