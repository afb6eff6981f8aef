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
pub(super) struct Direct<B: Body + Unpin + 'static> {
    connector: Connector,
    builder: http1::Builder,
    target: Uri,
    /// What `Host` says there.
    host: HeaderValue,
    pool: Arc<Pool<B>>,
}

/// Connections on which nothing is asked.
struct Pool<B: Body + Unpin + 'static> {
    idle: Mutex<Idle<B>>,
    limits: PoolLimits,
}

/// The one that was used last is at the end. Of most the stream alone is kept: what speaks HTTP on it holds some 30 KiB of
/// buffers, and is made anew for the next call out of what calls just gave back.
struct Idle<B: Body + Unpin + 'static> {
    ready: Vec<(Instant, Box<Wire<B>>)>,
    bare: Vec<(Instant, Stream)>,
    /// Somebody looks after them now and then.
    is_swept: bool,
}

/// An idle connection that was taken.
enum Kept<B: Body + Unpin + 'static> {
    Ready(Box<Wire<B>>),
    Bare(Stream),
}

/// A connection.
struct Wire<B: Body + Unpin + 'static> {
    sender: http1::SendRequest<UploadBody<B>>,
    /// `None` once it is over.
    connection: Option<http1::Connection<Stream, UploadBody<B>>>,
    pool: Weak<Pool<B>>,
}

/// Boxed, since it moves with every call, and has room for TLS.
type Stream = Box<MaybeHttpsStream<TokioIo<TcpStream>>>;

/// What moves an answer's body along.
pub(super) trait Drive: Send {
    fn drive(&mut self, context: &mut Context<'_>);

    /// The answer is over: the next call may have the connection, if it is well.
    fn give_back(self: Box<Self>);
}

impl<B> Direct<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    pub(super) fn to(
        base: &BaseUrl,
        connector: Connector,
        limits: PoolLimits,
        builder: http1::Builder,
    ) -> Direct<B> {
        let target = base.with(PathAndQuery::from_static("/"));
        let bare = target.host().filter(|_| target.port_u16() == Some(80));
        let bare = bare.and_then(|host| HeaderValue::from_str(host).ok());
        let idle = Mutex::new(Idle {
            ready: Vec::new(),
            bare: Vec::new(),
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
    pub(super) async fn request(
        &self,
        request: Request<UploadBody<B>>,
    ) -> Result<(Response<Incoming>, Box<dyn Drive>), Failure> {
        let mut request = self.addressed(request);
        loop {
            let kept = self.pool.take();
            let is_kept = kept.is_some();
            let mut wire = match kept {
                Some(Kept::Ready(wire)) => wire,
                Some(Kept::Bare(stream)) => self.wire(stream).await?,
                None => Box::pin(self.connect()).await?, // Seldom, and large.
            };
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
    fn addressed(&self, mut request: Request<UploadBody<B>>) -> Request<UploadBody<B>> {
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

    async fn connect(&self) -> Result<Box<Wire<B>>, Failure> {
        let connected = self.connector.clone().call(self.target.clone()).await;
        let stream = connected.map_err(Failure::Connect)?;
        self.wire(Box::new(stream)).await
    }

    async fn wire(&self, stream: Stream) -> Result<Box<Wire<B>>, Failure> {
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

    /// Whether another request may go out on it. No task is woken by it any more.
    fn is_well(&mut self) -> bool {
        moved(&mut self.connection, &mut quiet());
        self.connection.is_some() && self.sender.is_ready()
    }

    /// Its stream, where nothing was read of it that is no answer.
    fn stream(self) -> Option<Stream> {
        let http1::Parts { io, read_buf, .. } = self.connection?.into_parts();
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

    fn give_back(mut self: Box<Self>) {
        if self.is_well()
            && let Some(pool) = self.pool.upgrade()
        {
            pool.put(self);
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

impl<B> Kept<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn is_well(&mut self) -> bool {
        match self {
            Kept::Ready(wire) => wire.is_well(),
            Kept::Bare(stream) => is_quiet(stream),
        }
    }
}

impl<B: Body + Unpin> Idle<B> {
    fn len(&self) -> usize {
        self.ready.len() + self.bare.len()
    }

    fn push(&mut self, kept: Kept<B>, now: Instant) {
        match kept {
            Kept::Ready(wire) => self.ready.push((now, wire)),
            Kept::Bare(stream) => self.bare.push((now, stream)),
        }
    }

    fn pop(&mut self) -> Option<Kept<B>> {
        let ready = self.ready.pop().map(|(_, wire)| Kept::Ready(wire));
        ready.or_else(|| self.bare.pop().map(|(_, stream)| Kept::Bare(stream)))
    }
}

impl<B> Pool<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn take(&self) -> Option<Kept<B>> {
        loop {
            let mut kept = self.idle().pop()?;
            if kept.is_well() {
                return Some(kept);
            }
        }
    }

    /// Keeps a connection that is well, where there is a place for it.
    fn put(self: &Arc<Self>, wire: Box<Wire<B>>) {
        // Without a runtime it is of no use any more.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        // What it holds is not given back under the lock.
        let is_crowded = self.idle().ready.len() >= READY_MAX;
        let kept = match is_crowded {
            false => Some(Kept::Ready(wire)),
            true => wire.stream().map(Kept::Bare),
        };
        let Some(kept) = kept else { return };
        let mut idle = self.idle();
        if idle.len() >= self.limits.idle_max {
            drop(idle);
            return;
        }
        idle.push(kept, clock::now());
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
        let is_young = |since: Instant| now.duration_since(since) < self.limits.idle_wait;
        idle.ready
            .retain_mut(|(since, wire)| is_young(*since) && wire.is_well());
        idle.bare
            .retain_mut(|(since, stream)| is_young(*since) && is_quiet(stream));
        idle.is_swept = idle.len() > 0;
        idle.is_swept
    }

    fn idle(&self) -> MutexGuard<'_, Idle<B>> {
        lock(&self.idle)
    }
}

async fn look_after<B>(pool: Weak<Pool<B>>, every: Duration)
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    loop {
        sleep(every).await;
        match pool.upgrade() {
            Some(pool) if pool.sweep() => {}
            Some(_) | None => return,
        }
    }
}

/// Idle connections to a host that the next calls have as they are, so that those of a few callers make nothing anew: a
/// quarter of a megabyte.
pub(super) const READY_MAX: usize = 8;
/// How often an idle connection is looked at while it may be kept: so much longer than it should one may stay open.
const SWEEPS: u32 = 16;
/// Looks are no closer than that.
const SWEEP_MIN: Duration = Duration::from_millis(100);
