//! Where an authority listens. `[pure]`

use core::net::IpAddr; // `core` knows addresses and no sockets
use hyper::Uri;
use std::str::FromStr;

/// An address that a licence key may be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Invariant: `https`, or `http` on loopback.
    pub(super) uri: Uri,
}

impl Endpoint {
    /// Reads an `https` URL, or an `http` one of loopback.
    pub(crate) fn parse(text: &str) -> Result<Endpoint, String> {
        let wrong =
            || format!("\"{text}\" is no URL such as \"https://licence.example/v1/license\"");
        let uri = Uri::from_str(text).map_err(|_| wrong())?;
        let host = uri.host().ok_or_else(wrong)?.trim_matches(['[', ']']);
        let address: Result<IpAddr, _> = host.parse();
        let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
        match uri.scheme_str() {
            Some("https") => Ok(Endpoint { uri }),
            Some("http") if is_here => Ok(Endpoint { uri }),
            Some("http") => Err(format!(
                "\"{text}\" would send the licence key in the open; use https"
            )),
            Some(_) | None => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn a_licence_key_is_sent_encrypted_or_not_beyond_loopback() {
        for right in [
            "https://licence.example/v1/license",
            "http://127.0.0.1:9000",
            "http://[::1]:9/x",
            "http://localhost/",
        ] {
            assert!(Endpoint::parse(right).is_ok(), "{right}");
        }
        let open = Endpoint::parse("http://licence.example/");
        assert!(open.is_err_and(|why| why.contains("use https")));
        for wrong in [
            "",
            "licence.example",
            "ftp://licence.example/",
            "/v1/license",
        ] {
            assert!(Endpoint::parse(wrong).is_err(), "{wrong}");
        }
    }
}
