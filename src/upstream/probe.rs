//! The test of a host: one request for its models, the way that a call goes. It counts against no breaker.

use super::headers;
use super::headers::Credential;
use super::lane::HostLane;
use super::splice::SplicedBody;
use crate::catalog::HostAuth;
use bytes::Bytes;
use hyper::HeaderMap;
use hyper::Request;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;
use std::time::Duration;
use thiserror::Error;
use tokio::time::timeout;

/// What a host answered to a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostProbe {
    pub(crate) status: u16,
    /// The name of the key that it was asked with.
    pub(crate) key: Option<String>,
}

/// Why a test got no answer.
#[derive(Debug, Error)]
pub(crate) enum ProbeError {
    #[error("It has no key that can be used: add a host key, or say `auth: none`.")]
    NoKey,
    #[error("The host's path is none.")]
    Path,
    #[error("The credential fits into no header.")]
    Credential,
    /// A file, a name, a port or a certificate, as the system tells it: whoever reads it learns what is open and what is
    /// there in the relay's own network and on its machine.
    #[error("{0}")]
    Unreachable(String),
}

impl HostLane {
    /// Asks the host for its models with the first key that can be used, over the connections, the proxy, the
    /// certificate and the headers that calls have. The answer's body is not read.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(crate) async fn probe(&self, wait: Duration) -> Result<HostProbe, ProbeError> {
        let host = self.host();
        let key = host.keys.iter().find(|key| key.is_usable());
        if key.is_none() && host.spec.auth != HostAuth::None {
            return Err(ProbeError::NoKey);
        }
        let secret = key.and_then(|key| key.secret.as_ref().ok());
        let secret = secret.map(|secret| secret.reveal());
        let request = self.question(secret)?;
        let client = self.state().client.as_ref();
        let client = client.map_err(|why| ProbeError::Unreachable(why.clone()))?;
        let answer = match timeout(wait, client.send(request)).await {
            Ok(answer) => answer.map_err(|error| crate::cause::causes(&error)),
            Err(_) => Err(format!("It did not answer within {} s.", wait.as_secs())),
        };
        let answer = answer.map_err(ProbeError::Unreachable)?;
        Ok(HostProbe {
            status: answer.status().as_u16(),
            key: key.map(|key| key.name.to_string()),
        })
    }

    fn question(&self, secret: Option<&str>) -> Result<Request<SplicedBody>, ProbeError> {
        let spec = &self.host().spec;
        let base = &spec.url.base;
        let path = format!("{}/v1/models", base.strip_suffix("/v1").unwrap_or(base));
        let mut request = Request::get(path)
            .body(SplicedBody::whole(Bytes::new()))
            .map_err(|_| ProbeError::Path)?;
        for credential in credentials(spec.auth, secret) {
            let shown = headers::to_host(&HeaderMap::new(), credential);
            let shown = shown.map_err(|_| ProbeError::Credential)?;
            request.headers_mut().extend(shown);
        }
        let version = HeaderValue::from_static("2023-06-01");
        request.headers_mut().insert("anthropic-version", version);
        for (name, value) in &spec.headers {
            let (name, value) = (name.parse::<HeaderName>(), HeaderValue::from_str(value));
            if let (Ok(name), Ok(value)) = (name, value) {
                request.headers_mut().insert(name, value);
            }
        }
        Ok(request)
    }
}

/// Where the adapter says how a key is shown, a test has none: the host takes the form that it knows.
fn credentials(auth: HostAuth, secret: Option<&str>) -> Vec<Credential<'_>> {
    let Some(secret) = secret else {
        return Vec::new();
    };
    match auth {
        HostAuth::None => Vec::new(),
        HostAuth::ApiKey => vec![Credential::ApiKey(secret)],
        HostAuth::Bearer => vec![Credential::Bearer(secret)],
        HostAuth::Adapter => vec![Credential::ApiKey(secret), Credential::Bearer(secret)],
    }
}
