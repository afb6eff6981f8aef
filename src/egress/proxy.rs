//! The user's proxy, and which hosts are reached without it.
//!
//! A proxy is asked for a tunnel, so it sees the host's name and nothing else. No part of its address is ever told: it
//! may hold a password.

use hyper::Uri;
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::client::proxy::matcher::Matcher;
use std::fmt;
use thiserror::Error;

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

impl Proxy {
    /// The proxy to go through towards a host with TLS; `None`: there is none, or the host is exempt.
    ///
    /// # Errors
    /// Where there is a proxy, and its address is none that can be used.
    pub(super) fn towards(&self, target: &Uri) -> Result<Option<Intercept>, ProxyUnusable> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn way(address: Option<&str>, exempt: Option<&str>) -> Result<&'static str, ProxyUnusable> {
        let proxy = Proxy {
            address: address.map(str::to_owned),
            exempt: exempt.map(str::to_owned),
        };
        let target = Uri::from_static("https://api.example.com/v1");
        let proxy = proxy.towards(&target)?;
        Ok(proxy.map_or("direct", |_| "through"))
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
        let told = proxy.towards(&Uri::from_static("https://example.com"));
        let told = told.err();
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
