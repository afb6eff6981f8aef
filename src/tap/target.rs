//! The real address of the API, and a request's path at it. `[pure]`

use crate::egress::ProxyUnusable;
use hyper::Uri;
use hyper::header::HeaderValue;
use hyper::http::uri::Parts;
use hyper::http::uri::PathAndQuery;
use thiserror::Error;

/// Where requests go.
#[derive(Debug, Clone)]
pub(super) struct Target {
    base: Uri,
    /// What `Host` says there.
    pub(super) host: HeaderValue,
}

/// Why the tap cannot be laid.
#[derive(Debug, Error)]
pub(crate) enum TargetError {
    #[error(
        "\"{0}\" is not an address of an API; ANTHROPIC_BASE_URL is \"https://HOST\" or \"http://HOST:PORT\""
    )]
    Address(String),
    #[error(transparent)]
    Proxy(#[from] ProxyUnusable),
    #[error(
        "this machine has no certificates to trust; install its ca-certificates, or turn claude.tap off"
    )]
    Roots(#[source] std::io::Error),
    #[error("no loopback port can be had")]
    Port(#[source] std::io::Error),
}

impl Target {
    /// # Errors
    /// Where it is no address.
    pub(super) fn parse(base: &str) -> Result<Target, TargetError> {
        let wrong = || TargetError::Address(base.to_owned());
        let uri: Uri = base.trim_end_matches('/').parse().map_err(|_| wrong())?;
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        let authority = uri.authority().filter(|_| is_http).ok_or_else(wrong)?;
        let host = match authority.as_str().rsplit_once('@') {
            Some((_, host)) => host,
            None => authority.as_str(),
        };
        Ok(Target {
            host: HeaderValue::from_str(host).map_err(|_| wrong())?,
            base: uri,
        })
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.base
    }

    pub(super) fn is_secure(&self) -> bool {
        self.base.scheme_str() == Some("https")
    }

    /// The address of a path, query and all, below the base.
    pub(super) fn at(&self, path: &str) -> Option<Uri> {
        let path = format!("{}{path}", self.base.path().trim_end_matches('/'));
        let mut parts: Parts = self.base.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
        Uri::from_parts(parts).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_goes_below_the_base() {
        for (base, path, expected) in [
            (
                "https://api.example.com",
                "/v1/messages?beta=true",
                "https://api.example.com/v1/messages?beta=true",
            ),
            (
                "http://127.0.0.1:8080/",
                "/v1/messages",
                "http://127.0.0.1:8080/v1/messages",
            ),
            (
                "https://gate.example.com/a/b/",
                "/v1/x?q=%2F",
                "https://gate.example.com/a/b/v1/x?q=%2F",
            ),
            (
                "https://gate.example.com/a",
                "",
                "https://gate.example.com/a",
            ),
        ] {
            let target = Target::parse(base).expect("the base is an address");
            let uri = target.at(path).expect("the path is one");
            assert_eq!(uri.to_string(), expected);
        }
    }

    #[test]
    fn what_is_no_address_says_so() {
        for base in ["", "api.example.com", "ftp://example.com", "https://"] {
            assert!(Target::parse(base).is_err(), "{base}");
        }
        let host = Target::parse("https://api.example.com:444").map(|target| target.host);
        assert!(host.is_ok_and(|host| host == "api.example.com:444"));
    }
}
