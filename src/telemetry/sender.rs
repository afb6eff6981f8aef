//! The way to the collector: one POST for each batch, over the HTTP that is in the program already.
//!
//! The library's thread waits for it outside of the runtime, so the request itself runs inside.

use super::Endpoint;
use crate::cause::causes;
use crate::cause::root_cause;
use crate::egress::BaseUrl;
use crate::egress::Client;
use crate::egress::ClientConfig;
use crate::egress::Network;
use crate::egress::Versions;
use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::Response;
use opentelemetry_http::HttpClient;
use opentelemetry_http::HttpError;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How long one batch may take. A collector answers in milliseconds; one that does not is as good as dead.
const SEND_WAIT: Duration = Duration::from_secs(5);
/// Bytes of an answer; a good one has a few dozen.
const ANSWER_MAX: u64 = 64 << 10;

/// Sends batches, and says in the log whether they arrive.
#[derive(Debug)]
pub(super) struct Sender {
    client: Arc<Client<Full<Bytes>>>,
    runtime: Handle,
    /// What the log was told last.
    is_well: AtomicBool,
}

impl Sender {
    /// For the runtime that it is made in.
    ///
    /// # Errors
    /// Says why the collector cannot be asked.
    pub(super) fn to(endpoint: &Endpoint) -> Result<Sender, String> {
        // A collector stands on this machine or in its network more often than not.
        let config = ClientConfig {
            network: Network::Private,
            versions: Versions::Http1,
            ..ClientConfig::default()
        };
        let base = BaseUrl::parse(&endpoint.traces()).map_err(|error| error.to_string())?;
        let client = Client::to(base, &config).map_err(|error| causes(&error))?;
        Ok(Sender {
            client: Arc::new(client),
            runtime: Handle::current(),
            is_well: AtomicBool::new(true),
        })
    }

    fn tell(&self, problem: Option<&str>) {
        let was_well = self.is_well.swap(problem.is_none(), Ordering::Relaxed);
        match (problem, was_well) {
            (Some(problem), true) => tracing::warn!(
                problem,
                "the collector of traces takes none; calls are served all the same. Start it, or mend telemetry.otlp"
            ),
            (None, false) => tracing::info!("the collector takes traces again"),
            (Some(_), false) | (None, true) => {}
        }
    }
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sending = send(Arc::clone(&self.client), request);
        // The timer, too, has to be made inside.
        let sent = self
            .runtime
            .spawn(async { timeout(SEND_WAIT, sending).await });
        let sent = sent.await;
        let late = |_| HttpError::from(format!("no answer within {SEND_WAIT:?}"));
        // A runtime that ends takes its tasks with it.
        let answer = sent
            .map_err(HttpError::from)
            .and_then(|sent| sent.map_err(late)?);
        match &answer {
            Ok(answer) if answer.status().is_success() => self.tell(None),
            Ok(answer) => self.tell(Some(&format!("it answered {}", answer.status()))),
            Err(error) => self.tell(Some(&root_cause(error.as_ref()))),
        }
        answer
    }
}

async fn send(
    client: Arc<Client<Full<Bytes>>>,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    let response = client.send(request.map(Full::new)).await?;
    let (head, body) = response.into_parts();
    Ok(Response::from_parts(head, body.whole(ANSWER_MAX).await?))
}
