//! The connections to the API: TLS in Rust where its address says so, HTTP/1.1 or 2 as the host offers, through the
//! user's proxy where there is one.
//!
//! A connection that closed while nothing was asked on it is replaced before a request goes out; a request of which
//! one byte went out is never sent again.

use super::TapConfig;
use super::along::Ahead;
use super::target::Target;
use super::target::TargetError;
use hyper::Request;
use hyper::Response;
use hyper::Uri;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Builder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::Error;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;
use tokio::net::TcpStream;
use tower_service::Service;

/// The way to one API; connections are kept and shared.
pub(super) enum Road {
    Plain(Client<Leg, Ahead>),
    Secure(Client<HttpsConnector<Leg>, Ahead>),
}

/// The way of the bytes below TLS.
#[derive(Clone)]
pub(super) enum Leg {
    Direct(HttpConnector),
    Through(Tunnel<HttpConnector>),
}

impl Road {
    /// # Errors
    /// Where the proxy's address is none, or the machine trusts nobody.
    pub(super) fn to(target: &Target, config: &TapConfig) -> Result<Road, TargetError> {
        let mut clients = Client::builder(TokioExecutor::new());
        clients
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_WAIT_MAX)
            .http1_preserve_header_case(true);
        if !target.is_secure() {
            return Ok(Road::Plain(clients.build(Leg::Direct(direct()))));
        }
        let builder = HttpsConnectorBuilder::new();
        let trusting = builder.with_native_roots().map_err(TargetError::Roots)?;
        let both = trusting.https_only().enable_http1().enable_http2();
        Ok(secure(&clients, both.wrap_connector(leg(target, config)?)))
    }

    /// Sends a request; its body follows as it comes.
    pub(super) async fn send(&self, request: Request<Ahead>) -> Result<Response<Incoming>, Error> {
        match self {
            Road::Plain(client) => client.request(request).await,
            Road::Secure(client) => client.request(request).await,
        }
    }
}

fn secure(clients: &Builder, connector: HttpsConnector<Leg>) -> Road {
    Road::Secure(clients.build(connector))
}

fn leg(target: &Target, config: &TapConfig) -> Result<Leg, TargetError> {
    let Some(proxy) = proxy(target, config)? else {
        return Ok(Leg::Direct(direct()));
    };
    let tunnel = Tunnel::new(proxy.uri().clone(), direct());
    Ok(Leg::Through(match proxy.basic_auth() {
        Some(auth) => tunnel.with_auth(auth.clone()),
        None => tunnel,
    }))
}

fn proxy(target: &Target, config: &TapConfig) -> Result<Option<Intercept>, TargetError> {
    let Some(address) = &config.proxy else {
        return Ok(None);
    };
    if address.parse::<Uri>().is_err() {
        return Err(TargetError::Proxy(address.clone()));
    }
    let no = config.no_proxy.clone().unwrap_or_default();
    let rules = Matcher::builder().https(address.clone()).no(no).build();
    Ok(rules.intercept(target.uri()))
}

fn direct() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector
}

impl Service<Uri> for Leg {
    type Response = TokioIo<TcpStream>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match self {
            Leg::Direct(direct) => direct.poll_ready(context).map_err(Into::into),
            Leg::Through(tunnel) => tunnel.poll_ready(context).map_err(Into::into),
        }
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        match self {
            Leg::Direct(direct) => {
                let reached = direct.call(address);
                Box::pin(async move { reached.await.map_err(Into::into) })
            }
            Leg::Through(tunnel) => {
                let reached = tunnel.call(address);
                Box::pin(async move { reached.await.map_err(Into::into) })
            }
        }
    }
}

/// How long an unused connection is kept; hosts close theirs after a minute or more.
const IDLE_WAIT_MAX: Duration = Duration::from_secs(50);
