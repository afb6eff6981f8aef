//! The way out: connections to hosts of others, straight or through the user's proxy.
//!
//! Below TLS the two are one thing, a [`Leg`]; what is said over it is no business of this file. A proxy is asked for a
//! tunnel, so it sees the host's name and nothing else. No part of a proxy's address is ever told: it may hold a
//! password.

use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use std::fmt;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use thiserror::Error;
use tokio::net::TcpStream;
use tower_service::Service;

/// The proxy that the user has for hosts with TLS, and the hosts that are reached without it, as `HTTPS_PROXY` and
/// `NO_PROXY` have them.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(crate) address: Option<String>,
    pub(crate) exempt: Option<String>,
}

/// What is configured cannot be used.
#[derive(Debug, Error)]
#[error(
    "HTTPS_PROXY is not the address of a proxy that can be used; write it as \"http://HOST:PORT\""
)]
pub(crate) struct ProxyUnusable;

/// The way of the bytes below TLS.
#[derive(Clone)]
pub(crate) enum Leg {
    Direct(HttpConnector),
    Through(Tunnel<HttpConnector>),
}

impl Leg {
    pub(crate) fn direct() -> Self {
        Self::Direct(connector())
    }

    /// The way to a host with TLS.
    ///
    /// # Errors
    /// Where there is a proxy to go through, and its address is none.
    pub(crate) fn to(target: &Uri, proxy: &Proxy) -> Result<Self, ProxyUnusable> {
        let Some(proxy) = proxy.towards(target)? else {
            return Ok(Self::direct());
        };
        let tunnel = Tunnel::new(proxy.uri().clone(), connector());
        Ok(Self::Through(match proxy.basic_auth() {
            Some(auth) => tunnel.with_auth(auth.clone()),
            None => tunnel,
        }))
    }
}

impl Proxy {
    fn towards(&self, target: &Uri) -> Result<Option<Intercept>, ProxyUnusable> {
        let Some(address) = &self.address else {
            return Ok(None);
        };
        let rules = || Matcher::builder().https(address.clone());
        let proxy = rules().build().intercept(target);
        let is_usable = |proxy: &Intercept| proxy.uri().scheme_str() == Some("http");
        if proxy.filter(is_usable).is_none() {
            return Err(ProxyUnusable);
        }
        let exempt = self.exempt.clone().unwrap_or_default();
        Ok(rules().no(exempt).build().intercept(target))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.address.as_ref().map(|_| "configured");
        f.debug_tuple("Proxy").field(&word).finish()
    }
}

fn connector() -> HttpConnector {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn way(address: Option<&str>, exempt: Option<&str>) -> Result<&'static str, ProxyUnusable> {
        let proxy = Proxy {
            address: address.map(str::to_owned),
            exempt: exempt.map(str::to_owned),
        };
        let target = Uri::from_static("https://api.example.com/v1");
        Leg::to(&target, &proxy).map(|leg| match leg {
            Leg::Direct(_) => "direct",
            Leg::Through(_) => "through",
        })
    }

    #[test]
    fn a_proxy_is_gone_through_unless_the_host_is_exempt() {
        assert!(matches!(way(None, None), Ok("direct")));
        for address in [
            "http://proxy:3128",
            "http://ann:secret@proxy:3128",
            "proxy:3128",
        ] {
            assert!(
                matches!(way(Some(address), None), Ok("through")),
                "{address}"
            );
            let exempt = way(Some(address), Some("localhost,.example.com"));
            assert!(matches!(exempt, Ok("direct")), "{address}");
            assert!(matches!(way(Some(address), Some("other")), Ok("through")));
        }
    }

    #[test]
    fn a_proxy_of_another_kind_is_refused_and_not_passed_by() {
        for address in [
            "socks5://proxy:1080",
            "https://proxy",
            "ftp://proxy",
            "a b",
            "",
        ] {
            assert!(way(Some(address), None).is_err(), "{address}");
        }
    }

    #[test]
    fn the_password_of_a_proxy_is_not_told() {
        let proxy = Proxy {
            address: Some("nonsense://ann:secret@proxy".to_owned()),
            exempt: None,
        };
        let told = Leg::to(&Uri::from_static("https://example.com"), &proxy).err();
        let told = format!(
            "{proxy:?} {}",
            told.map(|told| told.to_string()).unwrap_or_default()
        );
        assert!(
            told.contains("HTTPS_PROXY") && !told.contains("secret"),
            "{told}"
        );
    }
}
