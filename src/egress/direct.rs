//! Connections without TLS, each driven by the call that uses it.
//!
//! The shared client of the HTTP library gives each connection a task of its own. A call then goes from task to task four
//! times, often to another thread, which costs more than all that is done for it. Here whoever waits for the answer or
//! reads its body moves the connection along, and no task stands between. With TLS a host may choose HTTP/2, where many
//! calls share one connection, and that one has its task.

use super::base_url::BaseUrl;
use super::client::PoolLimits;
use super::connector::Connector;
use super::error::Failure;
use super::upload::UploadBody;
use crate::clock;
use crate::sync::lock;
use hyper::Request;
use hyper::Response;
use hyper::Uri;
use hyper::body::Body;
use hyper::body::Bytes;
use hyper::body::Frame;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1;
use hyper::header;
use hyper::header::HeaderValue;
use hyper::http::uri::PathAndQuery;
use hyper::rt::Read;
use hyper::rt::ReadBuf;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::pin::Pin;
use std::pin::pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::Weak;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::time::Duration;
use std::time::Instant;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::task::unconstrained;
use tokio::time::sleep;
use tower_service::Service;

/// The way to one host without TLS.
pub(super) struct Direct {
    connector: Connector,
    builder: http1::Builder,
    target: Uri,
    /// What `Host` says there.
    host: HeaderValue,
    pool: Arc<Pool>,
}

/// Connections on which nothing is asked, the one that was used last at the end. Of each the stream alone is kept: what
/// speaks HTTP on it holds some 40 KiB of buffers, and is made anew for the next call out of what calls just gave back.
struct Pool {
    idle: Mutex<Idle>,
    limits: PoolLimits,
}

struct Idle {
    streams: Vec<(Instant, Stream)>,
    /// Somebody looks after them now and then.
    is_swept: bool,
}

/// A connection with a call on it.
struct Wire<B: Body + Unpin + 'static> {
    sender: http1::SendRequest<UploadBody<B>>,
    /// `None` once it is over.
    connection: Option<http1::Connection<Stream, UploadBody<B>>>,
    pool: Weak<Pool>,
}

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// What moves an answer's body along.
pub(super) trait Drive: Send {
    fn drive(&mut self, context: &mut Context<'_>);

    /// The answer is over: the next call may have the connection, if it is well.
    fn give_back(self: Box<Self>);
}

impl Direct {
    pub(super) fn to(
        base: &BaseUrl,
        connector: Connector,
        limits: PoolLimits,
        builder: http1::Builder,
    ) -> Direct {
        let target = base.with(PathAndQuery::from_static("/"));
        let bare = target.host().filter(|_| target.port_u16() == Some(80));
        let bare = bare.and_then(|host| HeaderValue::from_str(host).ok());
        let idle = Mutex::new(Idle {
            streams: Vec::new(),
            is_swept: false,
        });
        Direct {
            connector,
            builder,
            host: bare.unwrap_or_else(|| base.host_header().clone()),
            target,
            pool: Arc::new(Pool { idle, limits }),
        }
    }

    /// The head of the answer, and what moves its body along. A connection that closed while nothing was asked on it is
    /// replaced.
    ///
    /// # Errors
    /// Where there is no connection, or it broke.
    pub(super) async fn request<B>(
        &self,
        request: Request<UploadBody<B>>,
    ) -> Result<(Response<Incoming>, Box<dyn Drive>), Failure>
    where
        B: Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut request = self.addressed(request);
        loop {
            let kept = self.pool.take();
            let is_kept = kept.is_some();
            let stream = match kept {
                Some(stream) => stream,
                None => Box::pin(self.connect()).await?, // Seldom, and large.
            };
            let mut wire = self.wire(stream).await?;
            match wire.exchange(request).await {
                Ok(answer) => return Ok((answer, wire)),
                Err(mut error) => match error.take_message().filter(|_| is_kept) {
                    Some(unsent) => request = unsent,
                    None => return Err(Failure::Broke(error.into_error().into())),
                },
            }
        }
    }

    /// The request as its own host gets it: by its path alone.
    fn addressed<B>(&self, mut request: Request<B>) -> Request<B> {
        let path = std::mem::take(request.uri_mut())
            .into_parts()
            .path_and_query;
        *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
        let host = || self.host.clone();
        request
            .headers_mut()
            .entry(header::HOST)
            .or_insert_with(host);
        request
    }

    async fn connect(&self) -> Result<Stream, Failure> {
        let connected = self.connector.clone().call(self.target.clone()).await;
        connected.map_err(Failure::Connect)
    }

    async fn wire<B>(&self, stream: Stream) -> Result<Box<Wire<B>>, Failure>
    where
        B: Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let shaken = self.builder.handshake(stream).await;
        let (sender, connection) = shaken.map_err(|error| Failure::Connect(error.into()))?;
        Ok(Box::new(Wire {
            sender,
            connection: Some(connection),
            pool: Arc::downgrade(&self.pool),
        }))
    }
}

impl<B> Wire<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    async fn exchange(
        &mut self,
        request: Request<UploadBody<B>>,
    ) -> Result<Response<Incoming>, TrySendError<Request<UploadBody<B>>>> {
        // Nobody but the connection brings it, which is moved by this task alone; so it wakes nobody, and must not wait
        // for its share of the runtime's time, either.
        let answer = unconstrained(self.sender.try_send_request(request));
        let mut answer = pin!(answer);
        let connection = &mut self.connection;
        poll_fn(|context| {
            moved(connection, context);
            answer.as_mut().poll(&mut quiet())
        })
        .await
    }

    /// Its stream, where another request may go out on it.
    fn stream(mut self) -> Option<Stream> {
        moved(&mut self.connection, &mut quiet());
        let connection = self.connection.take().filter(|_| self.sender.is_ready())?;
        let http1::Parts { io, read_buf, .. } = connection.into_parts();
        read_buf.is_empty().then_some(io)
    }
}

/// Moves a connection along as far as it goes.
fn moved<B>(
    connection: &mut Option<http1::Connection<Stream, UploadBody<B>>>,
    context: &mut Context<'_>,
) where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let is_over = connection
        .as_mut()
        .is_some_and(|open| Pin::new(open).poll(context).is_ready());
    if is_over {
        // How it ended is told to whoever waits for its answer.
        *connection = None;
    }
}

/// Wakes nobody. Answer and connection wake one another, which is of no use where one task moves both: it would only be
/// polled once more for nothing.
fn quiet() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

impl<B> Drive for Wire<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn drive(&mut self, context: &mut Context<'_>) {
        moved(&mut self.connection, context);
    }

    fn give_back(self: Box<Self>) {
        if let Some(pool) = self.pool.upgrade()
            && let Some(stream) = self.stream()
        {
            pool.put(stream);
        }
    }
}

/// The next piece of a body that this connection brings. It wakes the task when there may be more.
pub(super) fn next_frame(
    wire: &mut dyn Drive,
    body: &mut Incoming,
    context: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
    wire.drive(&mut quiet());
    match Pin::new(&mut *body).poll_frame(&mut quiet()) {
        Poll::Pending => {
            wire.drive(context);
            Pin::new(body).poll_frame(&mut quiet())
        }
        ready => ready,
    }
}

/// Whether nothing came on a stream, and it is open. No task is woken by it any more.
fn is_quiet(stream: &mut Stream) -> bool {
    let mut byte = [0];
    let mut unasked = ReadBuf::new(&mut byte);
    let read = Pin::new(stream).poll_read(&mut quiet(), unasked.unfilled());
    read.is_pending()
}

impl Pool {
    fn take(&self) -> Option<Stream> {
        loop {
            let (_, mut stream) = self.idle().streams.pop()?;
            if is_quiet(&mut stream) {
                return Some(stream);
            }
        }
    }

    /// Keeps a connection that is well, where there is a place for it.
    fn put(self: &Arc<Self>, stream: Stream) {
        // Without a runtime it is of no use any more.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let mut idle = self.idle();
        if idle.streams.len() >= self.limits.idle_max {
            drop(idle);
            return;
        }
        idle.streams.push((clock::now(), stream));
        if !std::mem::replace(&mut idle.is_swept, true) {
            drop(idle);
            let every = (self.limits.idle_wait / SWEEPS).max(SWEEP_MIN);
            runtime.spawn(look_after(Arc::downgrade(self), every));
        }
    }

    /// Closes what has been idle for too long, and what its host has closed; whether any is left.
    fn sweep(&self) -> bool {
        let now = clock::now();
        let mut idle = self.idle();
        let wait = self.limits.idle_wait;
        idle.streams
            .retain_mut(|(since, stream)| now.duration_since(*since) < wait && is_quiet(stream));
        idle.is_swept = !idle.streams.is_empty();
        idle.is_swept
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        lock(&self.idle)
    }
}

async fn look_after(pool: Weak<Pool>, every: Duration) {
    loop {
        sleep(every).await;
        match pool.upgrade() {
            Some(pool) if pool.sweep() => {}
            Some(_) | None => return,
        }
    }
}

/// How often an idle connection is looked at while it may be kept: so much longer than it should one may stay open.
const SWEEPS: u32 = 16;
/// Looks are no closer than that.
const SWEEP_MIN: Duration = Duration::from_millis(100);
