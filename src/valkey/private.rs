//! The way to a server by TLS, with the authorities that a host's certificate is believed by.
//!
//! The client library reads the machine's certificates by itself, at each connection, also where it was given others,
//! and fails at one bad one among them. So the connection is made here, and the library speaks on it.

use super::place::ValkeyServer;
use crate::egress;
use crate::egress::Trust;
use redis::AsyncConnectionConfig;
use redis::ConnectionAddr;
use redis::RedisConnectionInfo;
use redis::RedisResult;
use redis::aio::MultiplexedConnection;
use rustls::pki_types::ServerName;
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A server that is spoken to by TLS.
pub(super) struct Private {
    host: String,
    port: u16,
    trust: Trust,
    settings: RedisConnectionInfo,
}

impl Private {
    /// The way to this server; `None` where it is spoken to without TLS.
    pub(super) fn to(server: &ValkeyServer) -> Option<Private> {
        let ConnectionAddr::TcpTls { host, port, .. } = server.info.addr() else {
            return None;
        };
        Some(Private {
            host: host.clone(),
            port: *port,
            trust: server.authority.clone().map_or(Trust::Machine, Trust::File),
            settings: server.info.redis_settings().clone(),
        })
    }

    /// A connection, which lives until its last clone is gone.
    ///
    /// # Errors
    /// Where the server is away, is not believed, or refuses.
    pub(super) async fn connect(
        &self,
        config: AsyncConnectionConfig,
    ) -> RedisResult<MultiplexedConnection> {
        let stream = self.stream().await?;
        let made = MultiplexedConnection::new_with_config(&self.settings, stream, config);
        let (connection, driver) = made.await?;
        tokio::spawn(driver);
        Ok(connection)
    }

    async fn stream(&self) -> io::Result<TlsStream<TcpStream>> {
        let client = egress::tls_client(&self.trust).map_err(io::Error::other)?;
        let name = self.host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        TlsConnector::from(Arc::new(client))
            .connect(name, stream)
            .await
    }
}
