//! A connection to a host: its address looked up and checked, the proxy's tunnel where there is one, and TLS; all
//! within one bound.

use super::address::AddressError;
use super::address::Network;
use super::base_url::BaseUrl;
use super::client::ClientConfig;
use super::client::Versions;
use super::error::SetupError;
use super::tls;
use hyper::Uri;
use hyper::http::uri::PathAndQuery;
use hyper_rustls::HttpsConnector;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::GaiResolver;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;

/// Makes connections to one host; cheap to clone, since each request does.
#[derive(Clone)]
pub(super) struct Connector {
    shared: Arc<Shared>,
}

struct Shared {
    network: Network,
    wait: Duration,
    way: Way,
}

/// The way to the host, with all its layers.
enum Way {
    Plain(Dialer),
    Secure(HttpsConnector<Dialer>),
}

/// The way of the bytes below TLS.
#[derive(Clone)]
enum Dialer {
    Direct(HttpConnector<CheckedResolver<GaiResolver>>),
    Through(Tunnel<HttpConnector<CheckedResolver<GaiResolver>>>),
}

/// Looks names up, and gives those addresses that the host may have.
#[derive(Clone)]
struct CheckedResolver<R> {
    names: R,
    /// `None`: each address may be connected.
    network: Option<Network>,
}

/// Why there is no connection, as each layer has it.
type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Stream = TokioIo<TcpStream>;
type Reached<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

impl Connector {
    /// # Errors
    /// Where the proxy's address is none, or what TLS needs is not to be had.
    pub(super) fn to(base: &BaseUrl, config: &ClientConfig) -> Result<Connector, SetupError> {
        let wait = config.timeouts.connect;
        let way = match base.is_secure() {
            true => secure(base, config)?,
            false => Way::Plain(Dialer::direct(config.network, wait)),
        };
        let network = config.network;
        let shared = Arc::new(Shared { network, wait, way });
        Ok(Connector { shared })
    }
}

fn secure(base: &BaseUrl, config: &ClientConfig) -> Result<Way, SetupError> {
    let mut tls = tls::configured(&config.trust, config.identity.as_ref())?;
    if config.versions == Versions::Both {
        tls.alpn_protocols = [b"h2".as_slice(), b"http/1.1"].map(<[u8]>::to_vec).into();
    }
    let mut connector = HttpsConnector::from((Dialer::towards(base, config)?, tls));
    connector.enforce_https();
    Ok(Way::Secure(connector))
}

impl Shared {
    async fn reach(&self, address: Uri) -> Result<MaybeHttpsStream<Stream>, BoxError> {
        // An address in place of a name is never looked up, and a proxy looks names up itself.
        let host = address.host().unwrap_or_default();
        self.network.check_written(host)?;
        match &self.way {
            Way::Plain(dialer) => {
                let stream = connected(dialer.clone(), address).await?;
                Ok(MaybeHttpsStream::Http(stream))
            }
            Way::Secure(connector) => connected(connector.clone(), address).await,
        }
    }
}

async fn connected<S>(mut service: S, address: Uri) -> Result<S::Response, BoxError>
where
    S: Service<Uri, Error = BoxError>,
{
    poll_fn(|context| service.poll_ready(context)).await?;
    service.call(address).await
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<Stream>;
    type Error = BoxError;
    type Future = Reached<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let reached = timeout(shared.wait, shared.reach(address)).await;
            reached.unwrap_or_else(|late| Err(io::Error::from(late).into()))
        })
    }
}

impl Dialer {
    fn direct(network: Network, wait: Duration) -> Dialer {
        Dialer::Direct(checked(Some(network), wait))
    }

    fn towards(base: &BaseUrl, config: &ClientConfig) -> Result<Dialer, SetupError> {
        let target = base.with(PathAndQuery::from_static("/"));
        let wait = config.timeouts.connect;
        let Some(proxy) = config.proxy.towards(&target)? else {
            return Ok(Dialer::direct(config.network, wait));
        };
        if let Some(network) = config.proxy_network {
            network.check_written(proxy.uri().host().unwrap_or_default())?;
        }
        let tunnel = Tunnel::new(proxy.uri().clone(), checked(config.proxy_network, wait));
        Ok(Dialer::Through(match proxy.basic_auth() {
            Some(auth) => tunnel.with_auth(auth.clone()),
            None => tunnel,
        }))
    }
}

fn checked(
    network: Option<Network>,
    wait: Duration,
) -> HttpConnector<CheckedResolver<GaiResolver>> {
    let names = GaiResolver::new();
    let resolver = CheckedResolver { names, network };
    tcp(HttpConnector::new_with_resolver(resolver), wait)
}

fn tcp<R>(mut connector: HttpConnector<R>, wait: Duration) -> HttpConnector<R> {
    connector.enforce_http(false);
    connector.set_nodelay(true);
    // Divided among a name's addresses, so that a dead one leaves time for the others.
    connector.set_connect_timeout(Some(wait));
    connector.set_keepalive(Some(KEEPALIVE_WAIT));
    connector.set_keepalive_interval(Some(KEEPALIVE_INTERVAL));
    connector.set_keepalive_retries(Some(KEEPALIVE_PROBES));
    #[cfg(target_os = "linux")]
    connector.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX));
    connector
}

impl Service<Uri> for Dialer {
    type Response = Stream;
    type Error = BoxError;
    type Future = Reached<Stream>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self {
            Dialer::Direct(direct) => direct.poll_ready(context).map_err(Into::into),
            Dialer::Through(tunnel) => tunnel.poll_ready(context).map_err(Into::into),
        }
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        match self {
            Dialer::Direct(direct) => {
                let reached = direct.call(address);
                Box::pin(async move { reached.await.map_err(Into::into) })
            }
            Dialer::Through(tunnel) => {
                let reached = tunnel.call(address);
                Box::pin(async move { reached.await.map_err(Into::into) })
            }
        }
    }
}

impl<R> Service<Name> for CheckedResolver<R>
where
    R: Service<Name> + Clone + Send + 'static,
    R::Response: Iterator<Item = SocketAddr> + Send,
    R::Error: Into<BoxError>,
    R::Future: Send,
{
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Reached<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.names.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let network = self.network;
        let looked_up = self.names.call(name.clone());
        Box::pin(async move {
            let found = looked_up.await.map_err(Into::into)?;
            let permitted = permitted(network, name.as_str(), found)?;
            Ok(permitted.into_iter())
        })
    }
}

/// The addresses that may be connected, which are all where there is no network to keep to; where none may, why the first may not. A name of a house may lead to a
/// link-local address beside a usual one.
fn permitted(
    network: Option<Network>,
    host: &str,
    found: impl Iterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, AddressError> {
    let Some(network) = network else {
        return Ok(found.collect());
    };
    let mut permitted = Vec::new();
    let mut refused = None;
    for address in found {
        match network.check_resolved(host, address.ip()) {
            Ok(()) => permitted.push(address),
            Err(why) => refused = refused.or(Some(why)),
        }
    }
    match refused {
        Some(why) if permitted.is_empty() => Err(why),
        Some(_) | None => Ok(permitted),
    }
}

/// After which quiet a connection is probed, how often, and how many lost probes end it: a host that is gone without a
/// word is noticed within two minutes, before a request is lost to it.
const KEEPALIVE_WAIT: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 4;
/// How long what was sent may stay unacknowledged: a shared connection to a host that is gone fails then, and not at
/// the end of each request's own wait.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::future::Ready;
    use std::future::ready;
    use tokio::net::TcpListener;

    /// Says the same of every name.
    #[derive(Clone)]
    struct Saying(Vec<SocketAddr>);

    impl Service<Name> for Saying {
        type Response = std::vec::IntoIter<SocketAddr>;
        type Error = Infallible;
        type Future = Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Name) -> Self::Future {
            ready(Ok(self.0.clone().into_iter()))
        }
    }

    async fn reached(network: Network, said: &[SocketAddr], port: u16) -> Result<(), String> {
        let names = Saying(said.to_vec());
        let network = Some(network);
        let resolver = CheckedResolver { names, network };
        let connector = tcp(
            HttpConnector::new_with_resolver(resolver),
            Duration::from_secs(60),
        );
        let address = format!("http://rebound.example:{port}/").parse();
        let address: Uri = address.expect("that is an address");
        let mut connector = connector;
        let reached = connector.call(address).await;
        let told = |error| crate::cause::root_cause(&error);
        reached.map(drop).map_err(told)
    }

    #[test]
    fn a_proxy_that_a_row_names_is_judged_as_its_host_is_and_the_users_own_is_not() {
        let base = BaseUrl::parse("https://api.example.com").expect("that is an address");
        let to = |proxy: &str, proxy_network| {
            let mut config = ClientConfig {
                proxy_network,
                ..ClientConfig::default()
            };
            config.proxy.address = Some(proxy.to_owned());
            Connector::to(&base, &config)
                .map(drop)
                .map_err(|why| why.to_string())
        };
        let (public, private) = (Some(Network::Public), Some(Network::Private));
        assert_eq!(to("http://127.0.0.1:3128", None), Ok(()));
        assert_eq!(to("http://127.0.0.1:3128", private), Ok(()));
        assert_eq!(to("http://proxy.example:3128", public), Ok(()));
        for (proxy, network) in [
            ("http://127.0.0.1:3128", public),
            ("http://10.0.0.1:3128", public),
            ("http://localhost:3128", public),
            ("http://169.254.169.254", private),
            ("http://2130706433:3128", private),
        ] {
            assert!(to(proxy, network).is_err(), "{proxy}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_into_the_house_is_not_connected() {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port must be found");
        let here = listener.local_addr().expect("a listener has an address");
        let refused = reached(Network::Public, &[here], here.port()).await;
        let expected = "rebound.example leads to 127.0.0.1, which is an address of this machine";
        assert!(refused.is_err_and(|why| why.starts_with(expected)));
        let metadata = SocketAddr::from(([169, 254, 169, 254], here.port()));
        for network in [Network::Public, Network::Private] {
            let refused = reached(network, &[metadata], here.port()).await;
            assert!(refused.is_err_and(|why| why.contains("metadata service")));
        }
        // What may not be connected is left out; here that is the first of two.
        let reached = reached(Network::Private, &[metadata, here], here.port()).await;
        assert_eq!(reached, Ok(()));
        let (_, from) = listener.accept().await.expect("one came");
        assert!(from.ip().is_loopback());
    }
}
