//! The way to the collector: one POST for each batch, over the HTTP that is in the program already.
//!
//! The library's thread waits for it outside of the runtime, so the request itself runs inside.

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::Limited;
use hyper::Request;
use hyper::Response;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::Connect;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::HttpClient;
use opentelemetry_http::HttpError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How long one batch may take. A collector answers in milliseconds; one that does not is as good as dead.
const SEND_WAIT: Duration = Duration::from_secs(5);
/// Bytes of an answer; a good one has a few dozen.
const ANSWER_MAX: usize = 64 << 10;

/// Sends batches, and says in the log whether they arrive.
#[derive(Debug)]
pub(super) struct Sender<C> {
    client: Client<C, Full<Bytes>>,
    runtime: Handle,
    /// What the log was told last.
    is_well: AtomicBool,
}

impl<C: Connect + Clone> Sender<C> {
    /// For the runtime that it is made in.
    pub(super) fn new(connector: C) -> Sender<C> {
        Sender {
            client: Client::builder(TokioExecutor::new()).build(connector),
            runtime: Handle::current(),
            is_well: AtomicBool::new(true),
        }
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
impl<C: Connect + Clone + std::fmt::Debug + Send + Sync + 'static> HttpClient for Sender<C> {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sending = send(self.client.clone(), request);
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
            Err(error) => self.tell(Some(&root(error.as_ref()))),
        }
        answer
    }
}

async fn send<C: Connect + Clone + Send + Sync + 'static>(
    client: Client<C, Full<Bytes>>,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    let (head, body) = client.request(request.map(Full::new)).await?.into_parts();
    let body = Limited::new(body, ANSWER_MAX).collect().await?;
    Ok(Response::from_parts(head, body.to_bytes()))
}

/// The cause at the bottom, which is what a person can act on.
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
