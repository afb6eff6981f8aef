//! The loopback client of `ask`, `status` and `doctor`: one connection a call.
//!
//! It calls with the key of `INFERENCE_RELAY_KEY`, or else with the one that the daemon left for its own commands, if it
//! is the daemon that it calls.

use crate::config::Config;
use crate::config::Env;
use crate::daemon;
use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::CONTENT_TYPE;
use hyper::header::HOST;
use hyper::header::HeaderValue;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Speaks to what listens on one address.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    key: Option<HeaderValue>,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

/// What listens on an address.
#[derive(Debug)]
pub(crate) enum Listener {
    /// Our daemon, with what it says of its health.
    Ours(Value),
    /// Something that is not our daemon, or does not answer.
    Other,
    Nobody,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum ClientError {
    #[error("no daemon answers on {address} ({cause}); start one with `inference-relay serve`")]
    Nobody {
        address: SocketAddr,
        cause: io::Error,
    },
    /// The daemon's own sentence and code.
    #[error("{message} ({code})")]
    Refused { message: String, code: String },
    #[error("what listens on {address} does not answer in time")]
    TimedOut { address: SocketAddr },
    #[error("the answer of {address} broke off")]
    Broken {
        address: SocketAddr,
        #[source]
        cause: hyper::Error,
    },
    #[error("what listens on {address} is not an inference-relay daemon: its answer is not JSON")]
    NotJson { address: SocketAddr },
}

impl Client {
    /// For the daemon of a configuration, which need not run.
    pub(crate) fn new(config: &Config, env: &Env) -> Self {
        let address = SocketAddr::new(config.server.host, config.server.port);
        Self::at(address, config, env)
    }

    /// For the daemon that listens there.
    pub(crate) fn at(mut address: SocketAddr, config: &Config, env: &Env) -> Self {
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            IpAddr::V4(_) | IpAddr::V6(_) => {}
        }
        let left = || daemon::own_key(&config.home, address.port());
        let key = env.relay_key().or_else(left);
        let key = key.and_then(|key| HeaderValue::from_str(key.trim()).ok());
        let key = key.map(|mut key| {
            key.set_sensitive(true);
            key
        });
        Self { address, key }
    }

    /// For the daemon of this state folder, as its own command: whoever may change its files may have them read.
    pub(crate) fn of_operator(address: SocketAddr, config: &Config) -> Self {
        Self::at(address, config, &Env::default())
    }

    /// Asks for a page of JSON, which comes soon or not at all.
    pub(crate) async fn get(&self, path: &str) -> Result<Reply, ClientError> {
        let request = Request::get(path).header(HOST, self.address.to_string());
        let whole = async { self.whole(self.send(request, Bytes::new()).await?).await };
        timeout(PAGE_WAIT_MAX, whole)
            .await
            .map_err(|_| ClientError::TimedOut {
                address: self.address,
            })?
    }

    /// A page that the daemon has for whoever may see it.
    pub(crate) async fn page(&self, path: &str) -> Result<Value, ClientError> {
        let reply = self.get(path).await?;
        if reply.status.is_success() {
            return Ok(reply.body);
        }
        let message = reply.body["error"]["message"].as_str();
        Err(ClientError::Refused {
            message: message.unwrap_or("the daemon gave no reason").to_owned(),
            code: reply.status.as_str().to_owned(),
        })
    }

    /// Posts a call, and gives the answer as soon as its head is there. A turn takes as long as it takes: the
    /// daemon has the deadline.
    pub(crate) async fn post(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<Response<Incoming>, ClientError> {
        let request = Request::post(path)
            .header(HOST, self.address.to_string())
            .header(CONTENT_TYPE, "application/json")
            .header("anthropic-version", "2023-06-01");
        self.send(request, Bytes::from(body.to_string())).await
    }

    /// Reads an answer to its end.
    pub(crate) async fn whole(&self, response: Response<Incoming>) -> Result<Reply, ClientError> {
        let status = response.status();
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(|cause| self.broken(cause))?;
        let body = serde_json::from_slice(&body.to_bytes()).map_err(|_| ClientError::NotJson {
            address: self.address,
        })?;
        Ok(Reply { status, body })
    }

    /// The next bytes of a streamed answer; `None` at its end.
    pub(crate) async fn next(
        &self,
        response: &mut Response<Incoming>,
    ) -> Result<Option<Bytes>, ClientError> {
        while let Some(frame) = response.frame().await {
            let frame = frame.map_err(|cause| self.broken(cause))?;
            if let Ok(bytes) = frame.into_data() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// Finds out what listens there.
    pub(crate) async fn listener(&self) -> Listener {
        match self.get("/v1/health").await {
            Ok(reply)
                if HEALTH_FIELDS
                    .iter()
                    .all(|name| reply.body.get(name).is_some()) =>
            {
                Listener::Ours(reply.body)
            }
            Ok(_) => Listener::Other,
            Err(ClientError::Nobody { .. }) => Listener::Nobody,
            Err(
                ClientError::TimedOut { .. }
                | ClientError::Refused { .. }
                | ClientError::Broken { .. }
                | ClientError::NotJson { .. },
            ) => Listener::Other,
        }
    }

    async fn send(
        &self,
        mut request: hyper::http::request::Builder,
        body: Bytes,
    ) -> Result<Response<Incoming>, ClientError> {
        if let Some(key) = &self.key {
            request = request.header("x-api-key", key);
        }
        let nobody = |cause| ClientError::Nobody {
            address: self.address,
            cause,
        };
        let request = request
            .body(Full::new(body))
            .map_err(|error| nobody(io::Error::other(error)))?;
        let connect = timeout(CONNECT_WAIT_MAX, TcpStream::connect(self.address)).await;
        let stream = connect
            .map_err(|_| ClientError::TimedOut {
                address: self.address,
            })?
            .map_err(nobody)?;
        stream.set_nodelay(true).map_err(nobody)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|cause| self.broken(cause))?;
        // It ends with the connection; what went wrong on it is told to the request as well.
        tokio::spawn(connection);
        sender
            .send_request(request)
            .await
            .map_err(|cause| self.broken(cause))
    }

    fn broken(&self, cause: hyper::Error) -> ClientError {
        ClientError::Broken {
            address: self.address,
            cause,
        }
    }
}

/// What our daemon's health has, by which it is told from other programs.
const HEALTH_FIELDS: [&str; 4] = ["port", "sessions", "status", "uptime"];
/// On loopback a connection is made at once or never.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(3);
/// Health and lists are answered from memory.
const PAGE_WAIT_MAX: Duration = Duration::from_secs(5);
