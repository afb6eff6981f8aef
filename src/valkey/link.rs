//! The one connection: made, watched, made anew.

use super::PREFIX;
use super::place::ValkeyServer;
use super::private::Private;
use crate::cause::causes;
use crate::clock;
use crate::egress;
use crate::egress::Distrust;
use crate::egress::Trust;
use arc_swap::ArcSwapOption;
use redis::AsyncConnectionConfig;
use redis::Client;
use redis::FromRedisValue;
use redis::PushInfo;
use redis::PushKind;
use redis::RedisError;
use redis::Script;
use redis::aio::MultiplexedConnection;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::broadcast;
use tokio::sync::watch;

/// A server that is shared; clones are one and the same.
#[derive(Clone)]
pub(crate) struct Valkey(Arc<Shared>);

struct Shared {
    way: Way,
    place: String,
    /// `None`: it is away.
    live: ArcSwapOption<Live>,
    /// How many connections there were so far.
    connections: watch::Sender<u64>,
    news: broadcast::Sender<News>,
}

/// How it is connected to.
enum Way {
    Plain(Client),
    Private(Private),
}

struct Live {
    connection: MultiplexedConnection,
    /// Told when it is of no use any more.
    is_gone: Arc<Notify>,
}

/// What another relay told, or this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct News {
    /// The channel, without what all of ours begin with.
    pub(crate) channel: Arc<str>,
    pub(crate) text: Arc<str>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Away {
    #[error("the Valkey of state.url is away")]
    Unconnected,
    #[error("the Valkey of state.url does not answer")]
    Silent,
    #[error("the Valkey of state.url refuses")]
    Refused(#[source] RedisError),
}

/// Why a server of the configuration will not be of use, however long one waits.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("state.url: {0}; ssl_ca_certs must name a file of certificates in PEM")]
    Authority(String),
    #[error(
        "state.url: the Valkey {place} is not trusted: {why}; call it by a name of its certificate, and name the file of its authority (rediss://…?ssl_ca_certs=/PATH)"
    )]
    Untrusted { place: String, why: Distrust },
}

impl Valkey {
    /// A server by its address; nothing is connected before [`Valkey::keep`] runs.
    ///
    /// # Errors
    /// Where the file of its authorities is none.
    pub(crate) fn new(server: &ValkeyServer) -> Result<Valkey, Unusable> {
        Ok(Valkey(Arc::new(Shared {
            way: way(server)?,
            place: server.to_string(),
            live: ArcSwapOption::empty(),
            connections: watch::Sender::new(0),
            news: broadcast::Sender::new(NEWS_BEHIND_MAX),
        })))
    }

    /// Finds out whether its certificate is believed. A server that is away is no reason not to begin, and one that is
    /// another's is.
    ///
    /// # Errors
    /// Where it is not.
    pub(crate) async fn check(&self) -> Result<(), Unusable> {
        if matches!(self.0.way, Way::Plain(_)) {
            return Ok(());
        }
        let Err(error) = self.connect(&[]).await else {
            return Ok(());
        };
        let untrusted = |why| Unusable::Untrusted {
            place: self.0.place.clone(),
            why,
        };
        egress::distrust(&error).map_or(Ok(()), |why| Err(untrusted(why)))
    }

    /// Whether it answers, as far as is known.
    pub(crate) fn is_there(&self) -> bool {
        self.0.live.load().is_some()
    }

    /// Its address, without a password.
    pub(crate) fn place(&self) -> &str {
        &self.0.place
    }

    /// Says each time that a connection was made.
    pub(crate) fn connections(&self) -> watch::Receiver<u64> {
        self.0.connections.subscribe()
    }

    /// What relays tell one another, from now on. A listener that is far behind loses the oldest.
    pub(crate) fn listen(&self) -> broadcast::Receiver<News> {
        self.0.news.subscribe()
    }

    /// Runs a script as a whole; its one key is what all of ours begin with.
    ///
    /// # Errors
    /// Where there is no answer. Then it is not known whether the script was carried out.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        args: &[String],
    ) -> Result<T, Away> {
        let live = self.0.live.load_full().ok_or(Away::Unconnected)?;
        let mut connection = live.connection.clone();
        let mut invocation = script.key(PREFIX);
        for arg in args {
            invocation.arg(arg);
        }
        let answer = invocation.invoke_async(&mut connection);
        live.told(tokio::time::timeout(ANSWER_WAIT_MAX, answer).await)
    }

    /// Keeps a connection for as long as it is polled, and hears these channels.
    pub(crate) async fn keep(self, channels: &'static [&'static str]) -> Infallible {
        let (mut wait, mut is_told) = (RETRY_WAIT_MIN, false);
        loop {
            match self.connect(channels).await {
                Ok(live) => {
                    tracing::info!(
                        place = self.place(),
                        "the Valkey that relays share is there"
                    );
                    (wait, is_told) = (RETRY_WAIT_MIN, false);
                    let is_gone = Arc::clone(&live.is_gone);
                    self.0.live.store(Some(Arc::new(live)));
                    self.0.connections.send_modify(|count| *count += 1);
                    is_gone.notified().await;
                    self.0.live.store(None);
                    tracing::warn!(place = self.place(), "{LOST}");
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::warn!(%error, place = self.place(), "{LOST}");
                    }
                    tokio::time::sleep_until((clock::now() + wait).into()).await;
                    wait = (wait * 2).min(RETRY_WAIT_MAX);
                }
            }
        }
    }

    async fn connect(&self, channels: &[&str]) -> Result<Live, RedisError> {
        let is_gone = Arc::new(Notify::new());
        let (gone, news) = (Arc::clone(&is_gone), self.0.news.clone());
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WAIT_MAX))
            .set_response_timeout(Some(ANSWER_WAIT_MAX))
            .set_push_sender(move |push: PushInfo| -> Result<(), Infallible> {
                match push.kind {
                    PushKind::Disconnection => gone.notify_one(),
                    // Nobody may be listening yet.
                    PushKind::Message => drop(read(push).map(|read| news.send(read))),
                    _ => {}
                }
                Ok(())
            });
        let mut connection = match &self.0.way {
            Way::Plain(client) => {
                let connecting = client.get_multiplexed_async_connection_with_config(&config);
                connecting.await?
            }
            Way::Private(private) => {
                let connecting = tokio::time::timeout(CONNECT_WAIT_MAX, private.connect(config));
                connecting.await.map_err(io::Error::from)??
            }
        };
        for channel in channels {
            connection.subscribe(format!("{PREFIX}{channel}")).await?;
        }
        Ok(Live {
            connection,
            is_gone,
        })
    }
}

impl Live {
    /// An answer as it came; where none came in time, the connection is given up.
    fn told<T>(
        &self,
        answer: Result<Result<T, RedisError>, tokio::time::error::Elapsed>,
    ) -> Result<T, Away> {
        match answer {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) if error.is_timeout() || error.is_unrecoverable_error() => {
                self.is_gone.notify_one();
                Err(Away::Silent)
            }
            Ok(Err(error)) => Err(Away::Refused(error)),
            Err(_) => {
                self.is_gone.notify_one();
                Err(Away::Silent)
            }
        }
    }
}

/// How a server is connected to: with TLS by the authorities of its file, or else the machine's.
fn way(server: &ValkeyServer) -> Result<Way, Unusable> {
    let unusable = |error: &(dyn Error + 'static)| Unusable::Authority(causes(error));
    if let Some(path) = &server.authority {
        egress::tls_client(&Trust::File(path.clone())).map_err(|error| unusable(&error))?;
    }
    match Private::to(server) {
        Some(private) => Ok(Way::Private(private)),
        None => Client::open(server.info.clone())
            .map(Way::Plain)
            .map_err(|error| unusable(&error)),
    }
}

/// The channel and the text of a message.
fn read(push: PushInfo) -> Option<News> {
    let mut data = push.data.into_iter();
    let (channel, text) = (data.next()?, data.next()?);
    let text_of = |value| String::from_redis_value(value).ok();
    let channel = text_of(channel)?;
    Some(News {
        channel: channel.strip_prefix(PREFIX)?.into(),
        text: text_of(text)?.into(),
    })
}

impl fmt::Debug for Valkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Valkey({})", self.0.place)
    }
}

const LOST: &str = "the Valkey that relays share is away: calls with a limit or a budget are refused until it is back, \
                    others go on with what this relay knows";
/// An answer takes a millisecond on the way between two machines. A server that takes half a second is away, and a call
/// must not wait for it.
const ANSWER_WAIT_MAX: Duration = Duration::from_millis(500);
/// A server that is there takes a connection in far less.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(2);
/// Between two tries to connect: doubled from the one to the other.
const RETRY_WAIT_MIN: Duration = Duration::from_millis(50);
const RETRY_WAIT_MAX: Duration = Duration::from_secs(1);
/// Messages that a listener may be behind: breakers open seldom.
const NEWS_BEHIND_MAX: usize = 1024;
