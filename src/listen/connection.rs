//! A connection: what a request on it may cost before it is known, and when it ends.

use super::hangup::hung_up;
use super::limiter::ActiveRequest;
use super::limiter::Slot;
use super::own_wake::when_woken;
use super::progress::InFlight;
use super::progress::Progress;
use super::stream::Stream;
use super::wire_io::WireIo;
use crate::clock;
use bytes::Bytes;
use hyper::Request;
use hyper::Response;
use hyper::body::Body;
use hyper::body::Frame;
use hyper::body::Incoming;
use hyper::body::SizeHint;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulConnection;
use std::error::Error;
use std::net::SocketAddr;
use std::pin::Pin;
use std::pin::pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::sleep;
use tokio::time::timeout;

/// What a listener does with requests; cheap to clone.
pub(crate) trait Handler: Clone + Send + Sync + Unpin + 'static {
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>
        + Send
        + Unpin
        + 'static;
    type Error: Into<Box<dyn Error + Send + Sync>> + Send + 'static;

    /// How long a connection may be idle between requests; `None`: as long as its client likes, for it is known.
    const IDLE_WAIT_MAX: Option<Duration> = None;
    /// A client that sends no more is followed until its answer begins: it may wait for that, or be gone.
    const FOLLOWS_HALF_CLOSE: bool = false;

    /// Whether a head shows that its sender belongs here. Until one does, its connection is a stranger.
    fn is_known(&self, request: &Request<Incoming>) -> bool;

    /// Answers a request from there; a known one's or not.
    fn answer(
        &self,
        request: Request<Incoming>,
        remote: Remote,
    ) -> Answering<Self::Body, Self::Error>;

    /// What else the listener wants of HTTP.
    fn configure(&self, _builder: &mut http1::Builder) {}

    /// A whole answer, head and all, to a head that cannot be read; the status is why. `None`: the status alone.
    fn unreadable(&self, _status: u16) -> Option<Bytes> {
        None
    }
}

/// An answer on its way.
pub(crate) type Answering<B, E> = Pin<Box<dyn Future<Output = Result<Response<B>, E>> + Send>>;

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remote {
    Network(SocketAddr),
    /// A socket file, which only its owner can open.
    #[cfg(unix)]
    SocketFile,
}

/// How long a connection may go on.
#[derive(Debug, Clone)]
pub(crate) enum Life {
    UntilStopped(watch::Receiver<bool>),
    /// It came after the stop signal.
    OneRequest,
    /// As long as the runtime lives.
    Unbounded,
}

/// Serves a connection to its end.
pub(super) async fn serve<H: Handler>(
    stream: Stream,
    remote: Remote,
    handler: H,
    life: Life,
    slot: Arc<Slot>,
) {
    let (stream, progress) = (Arc::new(stream), Arc::new(Progress::new()));
    let io = WireIo::new(Arc::clone(&stream), Arc::clone(&progress), handler.clone());
    let builder = builder(&handler, &life);
    let service = Counted {
        handler,
        remote,
        slot: Arc::clone(&slot),
        progress: Arc::clone(&progress),
    };
    let connection = pin!(builder.serve_connection(TokioIo::new(io), service));
    tokio::select! {
        biased;
        served = live(connection, life, &slot, H::IDLE_WAIT_MAX) => if let Err(error) = served {
            tracing::debug!(%error, "a connection broke off");
        },
        () = hung_up(&stream, &progress), if H::FOLLOWS_HALF_CLOSE => {
            tracing::debug!("a client went away");
        }
    }
}

fn builder<H: Handler>(handler: &H, life: &Life) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .max_header_size(HEAD_MAX)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_MAX)
        .half_close(H::FOLLOWS_HALF_CLOSE)
        .keep_alive(!matches!(life, Life::OneRequest));
    handler.configure(&mut builder);
    builder
}

/// Drives a connection until it ends by itself, is told to, or was a stranger or idle for too long.
async fn live<C: GracefulConnection>(
    mut connection: Pin<&mut C>,
    life: Life,
    slot: &Slot,
    idle_wait_max: Option<Duration>,
) -> Result<(), C::Error> {
    // A request polls the connection several times, and these have nothing to do with it.
    let told = when_woken(told(life, slot, idle_wait_max));
    let told = tokio::select! {
        biased;
        served = connection.as_mut() => return served,
        told = told => told,
    };
    match told {
        Told::Leave => {
            tracing::debug!(is_stranger = slot.is_stranger(), "a connection makes room");
            leave(connection, slot).await
        }
        Told::Stop => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        Told::Close => Ok(()),
    }
}

/// What ends a connection from outside.
enum Told {
    /// Another one needs its place.
    Leave,
    /// The listener stops.
    Stop,
    /// It has shown nothing for too long.
    Close,
}

async fn told(life: Life, slot: &Slot, idle_wait_max: Option<Duration>) -> Told {
    tokio::select! {
        () = slot.leave.notified() => Told::Leave,
        () = stopped(life) => Told::Stop,
        () = stays_stranger(slot) => Told::Close,
        () = rests(slot, idle_wait_max) => Told::Close,
    }
}

/// Waits until nothing was asked for so long; for ever, where it may be idle for as long as it likes. Its timer is not
/// moved with each request: where it goes off too early, it is set again for what is left.
async fn rests(slot: &Slot, wait_max: Option<Duration>) {
    let Some(wait_max) = wait_max else {
        return std::future::pending().await;
    };
    let mut rested = Duration::ZERO;
    while rested < wait_max {
        sleep(wait_max - rested).await;
        let since = slot.idle_since();
        rested = since.map_or(Duration::ZERO, |since| {
            clock::now().saturating_duration_since(since)
        });
    }
}

/// Waits until a head should have come that shows who it is; for ever, where one has.
async fn stays_stranger(slot: &Slot) {
    sleep(HEAD_WAIT_MAX).await;
    if !slot.is_stranger() {
        std::future::pending().await
    }
}

/// Ends a connection that is to make room. A request that has reached this machine by now is answered, as the last one.
async fn leave<C: GracefulConnection>(
    mut connection: Pin<&mut C>,
    slot: &Slot,
) -> Result<(), C::Error> {
    tokio::select! {
        biased;
        served = connection.as_mut() => return served,
        // The runtime looks at its sockets before this is done, and the connection is polled once more.
        () = yield_now() => {}
    }
    connection.as_mut().graceful_shutdown();
    let wait = match slot.is_stranger() {
        true => Duration::ZERO,
        false => FLUSH_WAIT_MAX,
    };
    match timeout(wait, connection.as_mut()).await {
        Ok(served) => served,
        Err(_) if slot.is_busy() => connection.await,
        Err(_) => Ok(()),
    }
}

async fn stopped(life: Life) {
    if let Life::UntilStopped(mut stop) = life {
        // An error says that the sender is gone, which is a stop too.
        let _ = stop.wait_for(|stop| *stop).await;
    } else {
        std::future::pending().await
    }
}

/// Hands each request to the handler, and knows when its answer is out.
struct Counted<H> {
    handler: H,
    remote: Remote,
    slot: Arc<Slot>,
    progress: Arc<Progress>,
}

impl<H: Handler> Service<Request<Incoming>> for Counted<H> {
    type Response = Response<Held<H::Body>>;
    type Error = H::Error;
    type Future = Counting<H::Body, H::Error>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let active = self.handler.is_known(&request).then(|| self.slot.begin());
        let in_flight = self.progress.begin(request.version());
        Counting {
            answer: self.handler.answer(request, self.remote),
            counted: Some((active, in_flight)),
        }
    }
}

/// An answer on its way, while which its connection is busy.
struct Counting<B, E> {
    answer: Answering<B, E>,
    /// `None` once it is there.
    counted: Option<(Option<ActiveRequest>, InFlight)>,
}

impl<B, E> Future for Counting<B, E> {
    type Output = Result<Response<Held<B>>, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(self.answer.as_mut().poll(context));
        let Some((active, in_flight)) = self.counted.take() else {
            return Poll::Pending; // Nobody asks twice.
        };
        Poll::Ready(answer.map(|answer| {
            in_flight.answer();
            answer.map(|body| Held {
                body,
                _active: active,
                _in_flight: in_flight,
            })
        }))
    }
}

/// An answer's body, while which its connection is busy.
struct Held<B> {
    body: B,
    _active: Option<ActiveRequest>,
    _in_flight: InFlight,
}

impl<B: Body + Unpin> Body for Held<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes of a request's head. Browsers and SDKs send 1 to 4 kB; the answer to more is a 431.
pub(crate) const HEAD_MAX: usize = 32 << 10;
/// Header lines of a request.
pub(crate) const HEADERS_MAX: usize = 100;
/// Bytes buffered for one connection, in each direction.
const BUFFER_MAX: usize = 256 << 10;
/// How long the first head may take. Clients send it with the connection.
const HEAD_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long the end of an answer may take to leave on a connection that makes room: its client is on this machine. Who
/// has sent half a request is not waited for any longer than that either; a stranger not at all.
const FLUSH_WAIT_MAX: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::super::limiter::ConnectionLimiter;
    use super::*;

    #[tokio::test]
    async fn a_connection_is_idle_from_its_last_answer_on() {
        let wait = Duration::from_millis(20);
        let slot = ConnectionLimiter::new(4).join();
        let request = slot.begin();
        let mut resting = pin!(rests(&slot, Some(wait)));
        let busy = timeout(wait * 3, resting.as_mut()).await;
        assert!(busy.is_err(), "it is not idle while it is asked");
        drop(request);
        let since = clock::now();
        resting.await;
        assert!(clock::now().saturating_duration_since(since) >= wait);
        let known = timeout(wait * 3, rests(&slot, None)).await;
        assert!(known.is_err(), "it may be idle for as long as it likes");
    }
}
