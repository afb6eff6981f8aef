//! The client of one host.

use super::address::Network;
use super::base_url::BaseUrl;
use super::body::ResponseBody;
use super::connector::Connector;
use super::direct::Direct;
use super::direct::Drive;
use super::error::Failure;
use super::error::SendError;
use super::error::SetupError;
use super::proxy::Proxy;
use super::silence::Silence;
use super::tls::Identity;
use super::tls::Trust;
use super::upload::Upload;
use super::upload::UploadBody;
use hyper::Request;
use hyper::Response;
use hyper::body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::http::uri::PathAndQuery;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioTimer;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;
use std::time::Instant;

/// The way to one host, for requests with this kind of body. Its connections are kept and shared.
pub(crate) struct Client<B: Body + Unpin + 'static> {
    base: BaseUrl,
    timeouts: Timeouts,
    way: Way<B>,
}

/// How requests get there.
enum Way<B: Body + Unpin + 'static> {
    /// Each on a connection that it drives itself.
    Direct(Direct<B>),
    /// On connections that have tasks, and may be shared.
    Shared(legacy::Client<Connector, UploadBody<B>>),
}

/// How a host is reached.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientConfig {
    pub(crate) network: Network,
    /// What leads to hosts with TLS.
    pub(crate) proxy: Proxy,
    /// Where the proxy may stand, if a row of a catalog names it. `None`: anywhere, since the user of this machine does.
    pub(crate) proxy_network: Option<Network>,
    pub(crate) trust: Trust,
    pub(crate) identity: Option<Identity>,
    pub(crate) versions: Versions,
    pub(crate) header_case: HeaderCase,
    pub(crate) timeouts: Timeouts,
    pub(crate) pool: PoolLimits,
}

/// What is spoken where TLS lets the host choose; without TLS it is HTTP/1.1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Versions {
    Http1,
    /// HTTP/2 where the host offers it: all requests share one connection, at most as many at once as the host allows.
    #[default]
    Both,
}

/// The case of header names over HTTP/1.1, both ways.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum HeaderCase {
    #[default]
    Lower,
    /// As they came in with the request, and as the host wrote them.
    Kept,
}

/// How long a host is waited for. There is no bound on a whole answer: a live stream may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeouts {
    /// For a connection: its name looked up, TCP, the proxy's tunnel, TLS.
    pub(crate) connect: Duration,
    /// For the head of an answer, from the last piece of the request on.
    pub(crate) head: Duration,
    /// For the next piece of an answer's body.
    pub(crate) idle: Duration,
}

/// Which connections are kept while nothing is asked on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PoolLimits {
    pub(crate) idle_max: usize,
    pub(crate) idle_wait: Duration,
}

impl<B> Client<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Connects to nobody yet.
    ///
    /// # Errors
    /// Where the host may not have this address, the proxy's is none, or what TLS needs is not to be had.
    pub(crate) fn to(base: BaseUrl, config: &ClientConfig) -> Result<Client<B>, SetupError> {
        config.network.check_written(base.host())?;
        let connector = Connector::to(&base, config)?;
        let way = match base.is_secure() {
            true => Way::Shared(shared(connector, config)),
            false => {
                let mut builder = http1::Builder::new();
                builder.preserve_header_case(config.header_case == HeaderCase::Kept);
                Way::Direct(Direct::to(&base, connector, config.pool, builder))
            }
        };
        Ok(Client {
            base,
            timeouts: config.timeouts,
            way,
        })
    }

    /// The host that it leads to.
    #[cfg_attr(not(test), expect(dead_code, reason = "hosts of a catalog ask it"))]
    pub(crate) fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// Sends a request to the path and query of its address; whatever host that names, it goes to the client's own.
    /// Its body follows as it comes, and the answer is there with its head. A connection that closed while nothing was
    /// asked on it is replaced; a request of which a byte went out is not sent again. Dropping the future ends all.
    ///
    /// # Errors
    /// Where there is no answer; it says whose fault that is.
    pub(crate) async fn send(
        &self,
        request: Request<B>,
    ) -> Result<Response<ResponseBody>, SendError> {
        self.send_until(request, None).await
    }

    /// The same, over at a moment, however steadily the request goes out.
    ///
    /// # Errors
    /// The same, and `Overdue`.
    pub(crate) async fn send_until(
        &self,
        request: Request<B>,
        until: Option<Instant>,
    ) -> Result<Response<ResponseBody>, SendError> {
        let upload = Upload::begin();
        let mut answer = pin!(self.answer(self.addressed(request, &upload)));
        let Timeouts {
            connect,
            head,
            idle,
        } = self.timeouts;
        let mut silence = Silence::of(head, until);
        let response = poll_fn(|context| {
            if let Poll::Ready(answered) = answer.as_mut().poll(context) {
                let failed = |failure| SendError::of(failure, upload.waits_for(), connect);
                return Poll::Ready(answered.map_err(failed));
            }
            ready!(silence.poll(context, upload.moved_at()));
            Poll::Ready(Err(match silence.is_over() {
                true => SendError::Overdue,
                false => SendError::late(head, upload.waits_for()),
            }))
        });
        let (response, wire) = response.await?;
        Ok(response.map(|body| ResponseBody::of(body, wire, silence.then(idle))))
    }

    async fn answer(&self, request: Request<UploadBody<B>>) -> Result<Answer, Failure> {
        match &self.way {
            Way::Direct(direct) => {
                let (answer, wire) = direct.request(request).await?;
                Ok((answer, Some(wire)))
            }
            Way::Shared(shared) => Ok((shared.request(request).await?, None)),
        }
    }

    fn addressed(&self, request: Request<B>, upload: &Arc<Upload>) -> Request<UploadBody<B>> {
        let (mut head, body) = request.into_parts();
        let path = head.uri.into_parts().path_and_query;
        let path = path.unwrap_or(PathAndQuery::from_static("/"));
        head.uri = self.base.with(path);
        Request::from_parts(head, UploadBody::of(body, Arc::clone(upload)))
    }
}

/// An answer's head, and what brings its body where no task does.
type Answer = (Response<Incoming>, Option<Box<dyn Drive>>);

fn shared<B>(
    connector: Connector,
    config: &ClientConfig,
) -> legacy::Client<Connector, UploadBody<B>>
where
    B: Body + Send + Unpin,
    B::Data: Send,
{
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(config.pool.idle_wait)
        .pool_max_idle_per_host(config.pool.idle_max)
        .http1_preserve_header_case(config.header_case == HeaderCase::Kept);
    builder.build(connector)
}

impl<B: Body + Unpin> fmt::Debug for Client<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            connect: CONNECT_WAIT,
            head: HEAD_WAIT,
            idle: IDLE_WAIT,
        }
    }
}

impl Default for PoolLimits {
    fn default() -> PoolLimits {
        PoolLimits {
            idle_max: IDLE_CONNECTIONS_MAX,
            idle_wait: IDLE_CONNECTION_WAIT,
        }
    }
}

/// A host on another continent needs half a second for all of it; a lost packet or two fit in.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// An answer that is not streamed has its head at its end, and models think for minutes.
const HEAD_WAIT: Duration = Duration::from_secs(600);
/// Hosts that think in the middle of a stream send a sign of life in between, most of them each quarter of a minute.
const IDLE_WAIT: Duration = Duration::from_secs(300);
/// Connections of one host that wait for a next request. More are closed after theirs, so that a burst does not hold
/// descriptors for as long as they may wait.
const IDLE_CONNECTIONS_MAX: usize = 256;
/// How long an unused connection is kept; hosts close theirs after a minute or more.
const IDLE_CONNECTION_WAIT: Duration = Duration::from_secs(50);
