//! The door of the API: takes the key out of a request's head and asks admission, before any of its body is looked at.

use super::Api;
use super::body;
use super::frame::Framed;
use super::frame::Refusal;
use super::guarded_body::BodyGuard;
use super::guarded_body::GuardedBody;
use crate::auth::AdmissionRequest;
use crate::auth::Caller;
use crate::auth::Credential;
use crate::auth::Peer;
use crate::auth::Permit;
use crate::auth::RouteAccess;
use crate::store::Secret;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::header;
use axum::response::Response;
use std::net::IpAddr;
use std::net::Ipv4Addr;

/// Routes that tell a stranger no more than that the relay is there.
const OPEN_ROUTES: &[&str] = &["/", "/v1/health", "/healthz"];
/// Where a request comes from that came by no socket: it is a test's.
pub(super) const HERE: Peer = Peer::Network(IpAddr::V4(Ipv4Addr::LOCALHOST));
/// What the id of a key begins with.
const ID_PREFIX: &str = "key_";
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The layer within the guard. Behind it a request has a [`Caller`] and carries no key any more.
pub(super) async fn admit<F>(
    api: &Api,
    mut request: Box<Request>,
    peer: Peer,
    framed: Framed,
    next: impl FnOnce(Box<Request>, Framed, Caller) -> F,
) -> Result<Response, Refusal>
where
    F: Future<Output = Response>,
{
    let pass = match api.admission.admit(request_of(&request, peer)) {
        Ok(pass) => pass,
        Err(fault) => {
            // Who is told to wait has been told before, and is worth less.
            if fault.retry_after.is_none() {
                Box::pin(body::discard(*request)).await; // Seldom, and large.
            }
            return Err(fault.into());
        }
    };
    let headers = request.headers_mut();
    headers.remove(API_KEY);
    headers.remove(header::AUTHORIZATION);
    framed.note.admit(pass.caller.key.as_ref());
    let response = next(request, framed, pass.caller.clone()).await;
    Ok(response.map(|body| GuardedBody::body(body, pass)))
}

fn request_of(request: &Request, peer: Peer) -> AdmissionRequest<'_> {
    let headers = request.headers();
    let lines = headers.get_all(FORWARDED_FOR).into_iter();
    AdmissionRequest {
        peer,
        forwarded: lines.filter_map(|line| line.to_str().ok()).collect(),
        credential: credential(headers),
        route: if OPEN_ROUTES.contains(&request.uri().path()) {
            RouteAccess::Open
        } else {
            RouteAccess::Guarded
        },
    }
}

/// A relay key out of either header. SDKs that are given a key and a token send both, and one may be another
/// service's: the one that has a relay key's form counts.
fn credential(headers: &HeaderMap) -> Credential {
    let keys = headers.get_all(API_KEY).into_iter().map(text);
    let tokens = headers.get_all(header::AUTHORIZATION).into_iter();
    let shown: Vec<&str> = keys
        .chain(tokens.map(|value| bearer(text(value))))
        .collect();
    match shown.iter().find_map(|text| Secret::parse(text)) {
        Some(secret) => Credential::Secret(secret),
        None if shown.is_empty() => Credential::None,
        None if shown.iter().any(|text| text.starts_with(ID_PREFIX)) => Credential::Id,
        None => Credential::Malformed,
    }
}

/// What is no text is no key either.
fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default()
}

fn bearer(text: &str) -> &str {
    let (scheme, token) = text.split_once(' ').unwrap_or_default();
    if scheme.eq_ignore_ascii_case("bearer") {
        token.trim()
    } else {
        ""
    }
}

/// It is held until the body is sent, or the client is gone: a stream counts as open while it streams.
impl BodyGuard for Permit {}

#[cfg(test)]
mod tests {
    use super::super::test_api::TestApi;
    use super::super::test_api::hello;
    use super::*;
    use crate::store::Keys;
    use crate::store::new_id;

    const CALL: &str =
        r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;

    fn kept(test_api: TestApi) -> (TestApi, String) {
        let secret = Secret::mint().expect("there is randomness");
        let mut keys = Keys::default();
        keys.create(new_id(), "laptop", &secret, None, 0)
            .expect("the name is good");
        test_api.admission.take_up(Some(keys));
        (test_api, secret.reveal().to_owned())
    }

    #[test]
    fn a_key_is_found_in_either_header() {
        let key = Secret::mint().expect("there is randomness");
        let read = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, HeaderValue::from_str(value).expect("a value"));
            }
            match credential(&headers) {
                Credential::None => "none",
                Credential::Malformed => "malformed",
                Credential::Id => "id",
                Credential::Secret(found) if found == key => "mine",
                Credential::Secret(_) => "another",
            }
        };
        let (text, bearer) = (key.reveal(), format!("bearer {}", key.reveal()));
        assert_eq!(read(&[]), "none");
        assert_eq!(read(&[("x-api-key", text)]), "mine");
        assert_eq!(read(&[("authorization", &bearer)]), "mine");
        assert_eq!(
            read(&[("x-api-key", "unused"), ("authorization", &bearer)]),
            "mine"
        );
        assert_eq!(read(&[("authorization", text)]), "malformed");
        assert_eq!(read(&[("authorization", "Basic dTpw")]), "malformed");
        assert_eq!(read(&[("x-api-key", "")]), "malformed");
        assert_eq!(read(&[("x-api-key", "key_0123456789ab")]), "id");
    }

    #[tokio::test]
    async fn a_call_without_a_good_key_is_refused_before_its_body_is_read() {
        let (test_api, key) = kept(TestApi::new().answering(hello()));
        for (name, value, status, code) in [
            ("x-none", "", 401, "key_missing"),
            ("x-api-key", "unused", 401, "key_malformed"),
            ("x-api-key", key.as_str(), 200, ""),
        ] {
            let headers = [
                ("host", "localhost"),
                ("content-type", "application/json"),
                (name, value),
            ];
            let answer = test_api.with("POST", "/v1/messages", &headers, CALL).await;
            assert_eq!(
                (
                    answer.status.as_u16(),
                    answer.header("x-relay-error").as_str()
                ),
                (status, code)
            );
            if status == 401 {
                assert_eq!(answer.header("www-authenticate"), "Bearer");
                assert_eq!(answer.json()["error"]["type"], "authentication_error");
            }
        }
        assert_eq!(test_api.asked().len(), 1);
        assert_eq!(
            test_api.bare("GET", "/v1/health").await.status.as_u16(),
            200
        );
        assert_eq!(
            test_api.bare("GET", "/v1/sessions").await.status.as_u16(),
            401
        );
    }
}
