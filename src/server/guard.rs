//! Which hosts and origins may call.
//!
//! Until a key is made the API asks for none on loopback, so a web page must not reach it. A page can send requests here in two ways:
//! from its own origin, which the browser then names in `Origin`; or by a name of its own that it makes resolve to
//! 127.0.0.1 (DNS rebinding), which then stands in `Host`. Both are refused unless they are listed.

use super::Api;
use super::ServerConfig;
use super::frame::Refusal;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use std::net::IpAddr;

/// A browser asks by it whether a page of the internet may call this machine, and takes no answer for no.
const REQUEST_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-allow-private-network");

/// The layer within the frame.
pub(super) async fn guard<F>(
    api: &Api,
    request: Box<Request>,
    next: impl FnOnce(Box<Request>) -> F,
) -> Result<Response, Refusal>
where
    F: Future<Output = Result<Response, Refusal>>,
{
    host(&request, &api.config)?;
    let Some(origin) = origin(request.headers(), &api.config)? else {
        return next(request).await;
    };
    let mut response = match preflight(&request) {
        Some(response) => response,
        None => next(request).await.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("*"),
    );
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    Ok(response)
}

/// Every name that the request gives for its target must be one of ours.
fn host(request: &Request, config: &ServerConfig) -> Result<(), Fault> {
    let refused = || {
        let public = "The Host header does not name this machine's loopback or a host listed in \
            `server.allowed_hosts`; call 127.0.0.1 or localhost, or add the name there.";
        Fault::new(FaultKind::HostNotAllowed, Blame::Client, public)
    };
    let mut names = request.headers().get_all(header::HOST).iter();
    let name = names
        .next()
        .and_then(|name| name.to_str().ok())
        .ok_or_else(refused)?;
    let target = request
        .uri()
        .authority()
        .map(|authority| authority.as_str());
    let allowed = names.next().is_none()
        && is_allowed_host(name, config)
        && target.is_none_or(|target| is_allowed_host(target, config));
    if allowed { Ok(()) } else { Err(refused()) }
}

fn is_allowed_host(authority: &str, config: &ServerConfig) -> bool {
    let name = without_port(authority);
    if let Ok(address) = name.trim_matches(['[', ']']).parse::<IpAddr>() {
        // An address cannot be rebound; ours is as good as loopback. Which are ours is not known where the relay listens
        // on all: what is mapped to it from outside of a container has other ones.
        if address.is_loopback()
            || !address.is_unspecified() && (address == config.host || config.host.is_unspecified())
        {
            return true;
        }
    }
    let listed = |allowed: &String| {
        allowed.eq_ignore_ascii_case(name) || allowed.eq_ignore_ascii_case(authority)
    };
    name.eq_ignore_ascii_case("localhost") || config.allowed_hosts.iter().any(listed)
}

/// `name:port`, `[v6]:port`, and either without its port.
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') =>
        {
            if name.contains(':') && !name.ends_with(']') {
                authority
            } else {
                name
            }
        }
        Some(_) | None => authority,
    }
}

/// The origin, where there is one and it may call.
fn origin(headers: &HeaderMap, config: &ServerConfig) -> Result<Option<HeaderValue>, Fault> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else {
        return Ok(None);
    };
    let listed = |allowed: &String| {
        let allowed = allowed.trim_end_matches('/');
        allowed.as_bytes().eq_ignore_ascii_case(origin.as_bytes())
    };
    if origins.next().is_none() && config.allowed_origins.iter().any(listed) {
        return Ok(Some(origin.clone()));
    }
    let public = "Web pages may not call this relay, unless their origin is listed in `server.allowed_origins`.";
    Err(Fault::new(
        FaultKind::OriginNotAllowed,
        Blame::Client,
        public,
    ))
}

/// The answer to a browser that asks whether it may.
fn preflight(request: &Request) -> Option<Response> {
    let asks = request
        .headers()
        .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if request.method() != Method::OPTIONS || !asks {
        return None;
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, DELETE"),
    );
    headers.insert(
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static("600"),
    );
    if request.headers().contains_key(REQUEST_PRIVATE_NETWORK) {
        headers.insert(ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
    }
    if let Some(wanted) = request
        .headers()
        .get(header::ACCESS_CONTROL_REQUEST_HEADERS)
    {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::super::test_api::TestApi;
    use super::super::test_api::config;
    use super::*;

    #[test]
    fn loopback_and_listed_names_are_allowed_with_any_port() {
        let config = ServerConfig {
            allowed_hosts: vec!["relay.lan".into()],
            ..config()
        };
        for name in [
            "127.0.0.1",
            "127.0.0.1:7421",
            "localhost",
            "LOCALHOST:1",
            "[::1]",
            "[::1]:7421",
            "::1",
            "relay.lan",
            "Relay.lan:80",
        ] {
            assert!(is_allowed_host(name, &config), "{name}");
        }
        for name in [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:7421",
            "10.0.0.1",
            "0.0.0.0:7421",
            "[::2]:7421",
            "evil@localhost",
            "relay.lan.evil",
        ] {
            assert!(!is_allowed_host(name, &config), "{name}");
        }
    }

    #[test]
    fn any_address_is_ours_where_the_relay_listens_on_all_of_them_and_no_name_is() {
        let config = ServerConfig {
            host: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
            ..config()
        };
        assert!(is_allowed_host("10.0.0.1:7421", &config));
        assert!(is_allowed_host("[2001:db8::1]:7421", &config));
        assert!(!is_allowed_host("0.0.0.0:7421", &config));
        assert!(!is_allowed_host("relay.lan", &config));
    }

    #[tokio::test]
    async fn foreign_hosts_and_origins_are_refused_before_anything_else() {
        let test_api = TestApi::new();
        let answer = test_api
            .with("GET", "/v1/health", &[("host", "evil.example")], "")
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("x-relay-error")),
            (403, "host_not_allowed".into())
        );
        for origin in ["https://evil.example", "null", "http://localhost:7421"] {
            let answer = test_api
                .with(
                    "GET",
                    "/nowhere",
                    &[("host", "localhost"), ("origin", origin)],
                    "",
                )
                .await;
            assert_eq!(
                (answer.status.as_u16(), answer.header("x-relay-error")),
                (403, "origin_not_allowed".into())
            );
        }
    }

    #[tokio::test]
    async fn a_listed_origin_may_ask_and_call() {
        let test_api = TestApi::new();
        let origin = ("origin", "https://app.example");
        let asked = test_api
            .with(
                "OPTIONS",
                "/v1/messages",
                &[
                    ("host", "localhost"),
                    origin,
                    ("access-control-request-method", "POST"),
                    ("access-control-request-headers", "x-api-key"),
                    ("access-control-request-private-network", "true"),
                ],
                "",
            )
            .await;
        assert_eq!(asked.status, StatusCode::NO_CONTENT);
        assert_eq!(asked.header("access-control-allow-headers"), "x-api-key");
        assert_eq!(asked.header("access-control-allow-private-network"), "true");
        let called = test_api
            .with("GET", "/v1/health", &[("host", "localhost"), origin], "")
            .await;
        assert_eq!(called.status, StatusCode::OK);
        assert_eq!(
            called.header("access-control-allow-origin"),
            "https://app.example"
        );
    }
}
