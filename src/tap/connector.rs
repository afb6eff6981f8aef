//! The connections to the API: TLS in Rust where its address says so, HTTP/1.1 or 2 as the host offers, through the
//! user's proxy where there is one.
//!
//! A connection that closed while nothing was asked on it is replaced before a request goes out; a request of which
//! one byte went out is never sent again.

use super::TapConfig;
use super::body::PeekedBody;
use super::target::Target;
use super::target::TargetError;
use crate::egress::Leg;
use hyper::Request;
use hyper::Response;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Builder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::Error;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioTimer;
use std::time::Duration;

/// The way to one API; connections are kept and shared.
pub(super) enum Connector {
    Plain(Client<Leg, PeekedBody>),
    Secure(Client<HttpsConnector<Leg>, PeekedBody>),
}

impl Connector {
    /// # Errors
    /// Where the proxy's address is none, or the machine trusts nobody.
    pub(super) fn to(target: &Target, config: &TapConfig) -> Result<Connector, TargetError> {
        let mut clients = Client::builder(TokioExecutor::new());
        clients
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_WAIT_MAX)
            .http1_preserve_header_case(true);
        if !target.is_secure() {
            return Ok(Connector::Plain(clients.build(Leg::direct())));
        }
        let builder = HttpsConnectorBuilder::new();
        let trusting = builder.with_native_roots().map_err(TargetError::Roots)?;
        let both = trusting.https_only().enable_http1().enable_http2();
        let leg = Leg::to(target.uri(), &config.proxy)?;
        Ok(secure(&clients, both.wrap_connector(leg)))
    }

    /// Sends a request; its body follows as it comes.
    pub(super) async fn send(
        &self,
        request: Request<PeekedBody>,
    ) -> Result<Response<Incoming>, Error> {
        match self {
            Connector::Plain(client) => client.request(request).await,
            Connector::Secure(client) => client.request(request).await,
        }
    }
}

fn secure(clients: &Builder, connector: HttpsConnector<Leg>) -> Connector {
    Connector::Secure(clients.build(connector))
}

/// How long an unused connection is kept; hosts close theirs after a minute or more.
const IDLE_WAIT_MAX: Duration = Duration::from_secs(50);
