//! The test of a host: one request for its models, through the same checks of its address as a call's.

use super::Plane;
use super::reply::Problem;
use crate::catalog::Host;
use crate::catalog::HostAuth;
use crate::catalog::Network as Declared;
use crate::egress;
use crate::egress::BaseUrl;
use crate::egress::Client;
use crate::egress::ClientConfig;
use crate::egress::Network;
use crate::egress::Timeouts;
use crate::egress::Trust;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper::header;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;

/// Asks a host for its models with the first key that can be used, and tells how that went. What the host answered is
/// not shown: it is a stranger's text, and may be an inner service's.
pub(super) async fn host(plane: &Plane, name: &str) -> Result<Value, Problem> {
    let snapshot = plane.rooms.catalog.snapshot();
    let host = snapshot.host(name).cloned();
    let host = host.ok_or_else(|| Problem::not_found("host of this name in force"))?;
    let told = match ask(&host).await {
        Ok((status, key)) => {
            json!({ "good": is_good(status), "status": status, "key": key, "message": verdict(status) })
        }
        Err(why) => json!({ "good": false, "message": why }),
    };
    Ok(told)
}

async fn ask(host: &Host) -> Result<(u16, Option<String>), String> {
    let client = client(host)?;
    let key = host.keys.iter().find(|key| key.is_usable());
    if key.is_none() && host.spec.auth != HostAuth::None {
        return Err(
            "It has no key that can be used: add a host key, or say `auth: none`.".to_owned(),
        );
    }
    let base = BaseUrl::parse(host.url().as_str()).map_err(|error| error.to_string())?;
    let path = base.at("/v1/models").ok_or("its address takes no path")?;
    let mut request = Request::get(path);
    let secret = key.and_then(|key| key.secret.as_ref().ok());
    if let Some(secret) = secret.filter(|_| host.spec.auth != HostAuth::None) {
        if host.spec.auth != HostAuth::Bearer {
            request = request.header("x-api-key", secret.reveal());
            request = request.header("anthropic-version", "2023-06-01");
        }
        if host.spec.auth != HostAuth::ApiKey {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", secret.reveal()));
        }
    }
    let request = request
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let answer = client
        .send(request)
        .await
        .map_err(|error| egress::causes(&error))?;
    Ok((
        answer.status().as_u16(),
        key.map(|key| key.name.to_string()),
    ))
}

fn client(host: &Host) -> Result<Client<Empty<Bytes>>, String> {
    let base = BaseUrl::parse(host.url().as_str()).map_err(|error| error.to_string())?;
    let config = ClientConfig {
        network: match host.network() {
            Declared::Public => Network::Public,
            Declared::Private => Network::Private,
        },
        trust: host.spec.tls.ca.clone().map_or(Trust::Machine, Trust::File),
        timeouts: Timeouts {
            connect: WAIT,
            head: WAIT,
            idle: WAIT,
        },
        ..ClientConfig::default()
    };
    Client::to(base, &config).map_err(|error| egress::causes(&error))
}

fn is_good(status: u16) -> bool {
    (200..300).contains(&status) || status == 404
}

fn verdict(status: u16) -> &'static str {
    match status {
        200..300 => "It answered, and took the key.",
        401 | 403 => "It answered, and did not take the key: store the right value.",
        404 => "It answered, and has no list of models; a call will show the rest.",
        429 => "It answered that it is asked too often.",
        300..400 => {
            "It answered with another address, which is not followed: write that one at the host."
        }
        400..500 => "It answered that it does not understand: look at the address.",
        _ => "It answered that it has a failure of its own.",
    }
}

/// For the connection and for the answer: a person waits.
const WAIT: Duration = Duration::from_secs(5);
