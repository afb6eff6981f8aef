//! The way to the API: HTTP/1.1 or 2 as the host offers, through the user's proxy where there is one, with headers in
//! the case that they have.

use super::TapConfig;
use super::body::PeekedBody;
use super::target::Target;
use super::target::TargetError;
use crate::egress::Client;
use crate::egress::ClientConfig;
use crate::egress::HeaderCase;
use crate::egress::Network;
use crate::egress::ResponseBody;
use crate::egress::SendError;
use crate::egress::Timeouts;
use hyper::Request;
use hyper::Response;
use std::time::Duration;

/// The way to one API; connections are kept and shared.
pub(super) struct Connector {
    client: Client<PeekedBody>,
}

impl Connector {
    /// # Errors
    /// Where the proxy's address is none, or the machine trusts nobody.
    pub(super) fn to(target: &Target, config: &TapConfig) -> Result<Connector, TargetError> {
        let config = ClientConfig {
            network: Network::Private,
            proxy: config.proxy.clone(),
            header_case: HeaderCase::Kept,
            timeouts: TIMEOUTS,
            ..ClientConfig::default()
        };
        let client = Client::to(target.clone(), &config)?;
        Ok(Connector { client })
    }

    /// Sends a request; its body follows as it comes.
    pub(super) async fn send(
        &self,
        request: Request<PeekedBody>,
    ) -> Result<Response<ResponseBody>, SendError> {
        self.client.send(request).await
    }
}

/// The claude has waits of its own, and a way through must not be shorter than any of them. These end what a claude
/// would wait for without a bound.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(120),
    head: Duration::from_secs(3600),
    idle: Duration::from_secs(3600),
};
