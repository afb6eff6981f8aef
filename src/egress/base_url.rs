//! The address of a host, and the addresses below it. `[pure]`

use hyper::Uri;
use hyper::header::HeaderValue;
use hyper::http::uri::Authority;
use hyper::http::uri::Parts;
use hyper::http::uri::PathAndQuery;
use hyper::http::uri::Scheme;
use thiserror::Error;

/// Where a host is reached: `http` or `https`, its name or address, a port, and the path below which requests go. A
/// user and a password before the name are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    scheme: Scheme,
    authority: Authority,
    /// Without its last slash.
    path: String,
    /// What `Host` says there.
    host: HeaderValue,
}

/// A text that is no such address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("\"{0}\" is no address of a host; write \"https://HOST\" or \"http://HOST:PORT\"")]
pub(crate) struct BadUrl(pub(crate) String);

impl BaseUrl {
    /// # Errors
    /// Where it is no `http` or `https` address with a host.
    pub(crate) fn parse(text: &str) -> Result<BaseUrl, BadUrl> {
        let parsed = text.trim_end_matches('/').parse();
        let uri: Uri = parsed.map_err(|_| BadUrl(text.to_owned()))?;
        BaseUrl::of(&uri).ok_or_else(|| BadUrl(text.to_owned()))
    }

    /// The host of an address, with its path; `None` where it has none.
    pub(crate) fn of(uri: &Uri) -> Option<BaseUrl> {
        let scheme = uri.scheme().filter(|scheme| is_web(scheme))?.clone();
        let authority = uri.authority()?;
        let authority = match authority.as_str().rsplit_once('@') {
            Some((_, host)) => Authority::try_from(host).ok()?,
            None => authority.clone(),
        };
        Some(BaseUrl {
            host: HeaderValue::from_str(authority.as_str()).ok()?,
            path: uri.path().trim_end_matches('/').to_owned(),
            scheme,
            authority,
        })
    }

    /// The address of a path, query and all, below this one.
    pub(crate) fn at(&self, path: &str) -> Option<Uri> {
        let path = format!("{}{path}", self.path);
        Some(self.with(PathAndQuery::try_from(path).ok()?))
    }

    /// The address of a path at this host, whatever the path of this one is.
    pub(crate) fn with(&self, path: PathAndQuery) -> Uri {
        let mut parts = Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).expect("a URI of three valid parts must be valid")
    }

    /// What `Host` says there.
    pub(crate) fn host_header(&self) -> &HeaderValue {
        &self.host
    }

    /// The name or the address alone; an IPv6 address in brackets.
    pub(crate) fn host(&self) -> &str {
        self.authority.host()
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }
}

fn is_web(scheme: &Scheme) -> bool {
    *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS
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
            ("http://ann:secret@h.example", "/a", "http://h.example/a"),
        ] {
            let base = BaseUrl::parse(base).expect("the base is an address");
            let uri = base.at(path).expect("the path is one");
            assert_eq!(uri.to_string(), expected);
        }
    }

    #[test]
    fn what_is_no_address_says_so() {
        for base in ["", "api.example.com", "ftp://example.com", "https://", "/a"] {
            assert!(BaseUrl::parse(base).is_err(), "{base}");
        }
        let base = BaseUrl::parse("https://[2001:db8::1]:444/a");
        let base = base.expect("that is an address");
        assert_eq!(base.host_header(), "[2001:db8::1]:444");
        assert_eq!(base.host(), "[2001:db8::1]");
    }
}
