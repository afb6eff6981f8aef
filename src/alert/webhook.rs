//! Tells a webhook: a POST of JSON, through the one way out.

use crate::cause::causes;
use crate::egress::BaseUrl;
use crate::egress::Client;
use crate::egress::ClientConfig;
use crate::egress::Network;
use crate::egress::Proxy;
use crate::egress::Timeouts;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::Uri;
use hyper::header;
use std::fmt;
use std::time::Duration;
use tokio::time::sleep;

/// Where messages go; its path may be a secret, so it is shown nowhere.
#[derive(Clone)]
pub(crate) struct WebhookConfig {
    address: Uri,
    network: Network,
    proxy: Proxy,
}

impl WebhookConfig {
    /// Reads `https://host/path`, or `http://` to a network that is said to be private.
    ///
    /// # Errors
    /// What is wrong with it; no part of the address is told.
    pub(crate) fn parse(
        text: &str,
        is_private: bool,
        proxy: Proxy,
    ) -> Result<WebhookConfig, String> {
        let network = match is_private {
            true => Network::Private,
            false => Network::Public,
        };
        let address: Uri = text
            .parse()
            .map_err(|_| "this is no address; write https://HOST/PATH".to_owned())?;
        let base = BaseUrl::of(&address)
            .ok_or_else(|| "this is no address; write https://HOST/PATH".to_owned())?;
        network.check_written(base.host()).map_err(|error| {
            format!("{error}; `alerts.private = true` allows a private network")
        })?;
        if !base.is_secure() && !is_private {
            return Err("write https: a webhook's address is a secret".to_owned());
        }
        Ok(WebhookConfig {
            address,
            network,
            proxy,
        })
    }
}

impl fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookConfig(…)")
    }
}

/// The way to the webhook.
pub(super) struct Webhook {
    client: Client<Full<Bytes>>,
    address: Uri,
}

impl Webhook {
    /// # Errors
    /// Where it may not be reached as it is configured.
    pub(super) fn to(config: &WebhookConfig) -> Result<Webhook, String> {
        let base = BaseUrl::of(&config.address).ok_or("its address names no host")?;
        let client = ClientConfig {
            network: config.network,
            proxy: config.proxy.clone(),
            timeouts: Timeouts {
                connect: WAIT,
                head: WAIT,
                idle: WAIT,
            },
            ..ClientConfig::default()
        };
        let client = Client::to(base, &client).map_err(|error| causes(&error))?;
        Ok(Webhook {
            client,
            address: config.address.clone(),
        })
    }

    /// Tells it, with some tries.
    ///
    /// # Errors
    /// Why the last one failed. Nothing that the other side said is told.
    pub(super) async fn tell(&self, message: &serde_json::Value) -> Result<(), String> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match self.send(message).await {
                Ok(()) => return Ok(()),
                Err(_) => sleep(pause).await,
            }
            pause *= 5;
        }
        self.send(message).await
    }

    async fn send(&self, message: &serde_json::Value) -> Result<(), String> {
        let request = Request::post(self.address.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, "inference-relay")
            .body(Full::new(Bytes::from(message.to_string())));
        let request = request.map_err(|_| "its address makes no request".to_owned())?;
        let answer = self.client.send(request).await;
        let status = answer.map_err(|error| causes(&error))?.status();
        match status.is_success() {
            true => Ok(()),
            false => Err(format!("it answers {}", status.as_u16())),
        }
    }
}

/// For a connection and for an answer: nobody waits, and the next message does.
const WAIT: Duration = Duration::from_secs(10);
/// Tries of one message; each budget has two messages a window, so none is worth more.
const TRIES: u32 = 3;
/// Before the second try; five times that before the third.
const PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_checked_when_it_is_written_and_never_shown() {
        let read =
            |text: &str, is_private| WebhookConfig::parse(text, is_private, Proxy::default());
        let good = read("https://hooks.example.com/T0/secret", false).expect("it is one");
        assert!(!format!("{good:?}").contains("secret"));
        assert!(read("http://10.0.0.9/hook", true).is_ok());
        for wrong in [
            "http://hooks.example.com/x",
            "https://127.0.0.1/x",
            "https://169.254.169.254/latest",
            "https://[::1]/x",
            "https://localhost/x",
            "/hook",
            "nowhere",
        ] {
            let told = read(wrong, false).expect_err(wrong);
            assert!(!told.contains("latest"), "{told}");
        }
    }
}
