//! Which headers go on to a host, and which come back from it. `[pure]`
//!
//! What belongs to one connection ends here, and so does what belongs to an account: a caller's key is for this relay
//! and the host's for the host, and neither side learns of the other's.

use hyper::HeaderMap;
use hyper::header;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;

/// How a host key is shown to its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential<'a> {
    ApiKey(&'a str),
    Bearer(&'a str),
    None,
}

/// The caller's headers as the host gets them.
///
/// # Errors
/// Where the credential has a byte that no header can carry.
pub(crate) fn to_host(
    caller: &HeaderMap,
    credential: Credential<'_>,
) -> Result<HeaderMap, header::InvalidHeaderValue> {
    let mut headers = HeaderMap::with_capacity(caller.len() + ADDED_TO_HOST);
    for (name, value) in caller.iter().filter(|(name, _)| is_for_host(name)) {
        headers.append(name.clone(), value.clone());
    }
    let (name, text) = match credential {
        Credential::None => return Ok(headers),
        Credential::ApiKey(key) => (HeaderName::from_static("x-api-key"), key.to_owned()),
        Credential::Bearer(key) => (header::AUTHORIZATION, format!("Bearer {key}")),
    };
    let mut value = HeaderValue::try_from(text)?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(headers)
}

/// The host's headers as the caller gets them.
pub(crate) fn to_caller(host: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(host.len() + ADDED_TO_CALLER);
    for (name, value) in host.iter().filter(|(name, _)| is_for_caller(name)) {
        headers.append(name.clone(), value.clone());
    }
    headers
}

fn is_for_host(name: &HeaderName) -> bool {
    let name = name.as_str();
    !is_of_connection(name)
        && !NOT_FOR_HOST.contains(&name)
        && !NOT_FOR_HOST_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

fn is_for_caller(name: &HeaderName) -> bool {
    let name = name.as_str();
    !is_of_connection(name)
        && !NOT_FOR_CALLER.contains(&name)
        && !NOT_FOR_CALLER_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

fn is_of_connection(name: &str) -> bool {
    OF_CONNECTION.contains(&name)
}

/// Room for the key, the kind of the body, a version and the host's name, so that the table is not built twice.
const ADDED_TO_HOST: usize = 4;
/// Room for the labels, two names of the request and the limits.
const ADDED_TO_CALLER: usize = 12;

/// What RFC 9110 ends at each connection, and what our own client writes.
const OF_CONNECTION: &[&str] = &[
    "connection",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A caller's own: its credentials, its browser's, its account at the host, and where it comes from. Our client writes
/// the length of the body, which the model's name may have changed, and through whom the call came.
const NOT_FOR_HOST: &[&str] = &[
    "authorization",
    "x-api-key",
    "api-key",
    "cdn-loop",
    "cookie",
    "content-length",
    "expect",
    "forwarded",
    "origin",
    "referer",
    "via",
    "x-real-ip",
    "openai-organization",
    "openai-project",
];
const NOT_FOR_HOST_PREFIXES: &[&str] = &["x-relay-", "x-ir-", "x-forwarded-", "sec-", "cf-"];

/// A host's own: its cookies, its account, its limits, the machines before it, and what a browser would remember of it.
const NOT_FOR_CALLER: &[&str] = &[
    "set-cookie",
    "set-cookie2",
    "server",
    "via",
    "alt-svc",
    "strict-transport-security",
    "nel",
    "report-to",
    "reporting-endpoints",
    "refresh",
    "link",
    "clear-site-data",
    "content-security-policy",
    "content-security-policy-report-only",
    "permissions-policy",
    "referrer-policy",
    "x-frame-options",
    "x-xss-protection",
    "x-dns-prefetch-control",
    "x-permitted-cross-domain-policies",
    "public-key-pins",
    "expect-ct",
    "origin-agent-cluster",
    "service-worker-allowed",
    "sourcemap",
    "speculation-rules",
    "timing-allow-origin",
    "accept-ch",
    "critical-ch",
    "www-authenticate",
    "anthropic-organization-id",
    "openai-organization",
    "openai-project",
    "request-id",
    "x-request-id",
    "x-envoy-upstream-service-time",
    "location",
];
const NOT_FOR_CALLER_PREFIXES: &[&str] = &[
    "x-relay-",
    "cf-",
    "x-ratelimit-",
    "anthropic-ratelimit-",
    "access-control-",
    "cross-origin-",
    "x-amz",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        list.iter().map(pair).collect()
    }

    #[test]
    fn a_host_gets_its_own_key_and_none_of_the_callers() {
        let caller = headers(&[
            ("authorization", "Bearer irk_secret"),
            ("x-api-key", "irk_secret"),
            ("cookie", "a=b"),
            ("connection", "keep-alive"),
            ("content-length", "9"),
            ("x-relay-lane", "http:a"),
            ("x-forwarded-for", "10.0.0.1"),
            ("anthropic-version", "2023-06-01"),
            ("anthropic-beta", "a"),
            ("content-type", "application/json"),
        ]);
        let sent = to_host(&caller, Credential::Bearer("sk-host")).expect("the key fits");
        assert_eq!(sent["authorization"], "Bearer sk-host");
        assert_eq!(sent["anthropic-beta"], "a");
        assert_eq!(sent.len(), 4);
        let sent = to_host(&caller, Credential::ApiKey("sk-host")).expect("the key fits");
        assert_eq!(sent["x-api-key"], "sk-host");
        assert!(!sent.contains_key("authorization"));
        assert!(to_host(&caller, Credential::ApiKey("a\nb")).is_err());
    }

    #[test]
    fn a_host_tells_a_callers_browser_nothing_to_do_or_to_keep() {
        let host = headers(&[
            ("content-type", "application/json"),
            ("refresh", "0; url=https://evil.example"),
            ("clear-site-data", "\"*\""),
            ("content-security-policy", "report-uri https://evil.example"),
            ("content-security-policy-report-only", "default-src x"),
            ("set-cookie2", "a=b"),
            ("reporting-endpoints", "a=\"https://evil.example\""),
            ("link", "<https://evil.example>; rel=preload"),
            ("access-control-allow-credentials", "true"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("www-authenticate", "Basic"),
            ("service-worker-allowed", "/"),
        ]);
        let told = to_caller(&host);
        let names: Vec<&str> = told.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["content-type"]);
    }

    #[test]
    fn a_caller_learns_nothing_of_the_hosts_account() {
        let host = headers(&[
            ("content-type", "application/json"),
            ("content-encoding", "gzip"),
            ("retry-after", "3"),
            ("set-cookie", "a=b"),
            ("openai-organization", "org"),
            ("x-ratelimit-remaining-tokens", "5"),
            ("anthropic-ratelimit-requests-reset", "x"),
            ("cf-ray", "x"),
            ("transfer-encoding", "chunked"),
        ]);
        let told = to_caller(&host);
        let mut names: Vec<&str> = told.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-encoding", "content-type", "retry-after"]);
    }
}
