//! Fetches a file of a web server: over TLS, through the user's proxy, where it was moved to; and all of it bounded.

use super::error::UpdateError;
use crate::cause::causes;
use crate::egress::BaseUrl;
use crate::egress::BodyError;
use crate::egress::Client;
use crate::egress::ClientConfig;
use crate::egress::Network;
use crate::egress::Proxy;
use crate::egress::ResponseBody;
use crate::egress::SendError;
use crate::egress::Timeouts;
use crate::egress::Versions;
use http_body_util::Empty;
use hyper::Request;
use hyper::Response;
use hyper::Uri;
use hyper::body::Bytes;
use hyper::header::LOCATION;
use hyper::header::USER_AGENT;
use std::error::Error;
use std::time::Duration;
use tokio::time::timeout;

/// One file to fetch, of at most so many bytes.
pub(super) struct Errand<'a> {
    pub(super) address: &'a str,
    pub(super) bytes_max: u64,
    pub(super) proxy: &'a Proxy,
    pub(super) patience: Patience,
}

/// How long a source is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For its next word. One that is reached says something long before; the next try may find a better line.
    silence: Duration,
    /// For the whole file. A release is some ten megabytes; a line that takes longer is none to update by.
    whole: Duration,
}

impl Patience {
    pub(super) const USUAL: Self = Self {
        silence: Duration::from_secs(30),
        whole: Duration::from_secs(600),
    };
}

impl Errand<'_> {
    /// # Errors
    /// Where the file is not there, too large, or does not come in time.
    pub(super) async fn run(&self) -> Result<Vec<u8>, UpdateError> {
        let whole = self.patience.whole;
        let fetched = timeout(whole, self.follow()).await;
        fetched.unwrap_or_else(|_| Err(self.unfetched(format!("it did not come within {whole:?}"))))
    }

    async fn follow(&self) -> Result<Vec<u8>, UpdateError> {
        let parsed = self.address.parse();
        let mut uri: Uri = parsed.map_err(|error| self.unfetched(error))?;
        for _ in 0..=MOVES_MAX {
            let response = self.ask(&uri).await?;
            match response.status() {
                status if status.is_success() => return self.body(response.into_body()).await,
                status if status.is_redirection() => {
                    uri = moved(&uri, &response).map_err(|why| self.unfetched(why))?;
                }
                status => return Err(self.unfetched(format!("the source answers {status}"))),
            }
        }
        Err(self.unfetched(format!("it is moved more than {MOVES_MAX} times")))
    }

    async fn ask(&self, uri: &Uri) -> Result<Response<ResponseBody>, UpdateError> {
        let base = BaseUrl::of(uri).ok_or_else(|| self.unfetched("that is no address"))?;
        let client = Client::to(base, &self.reach());
        let client = client.map_err(|error| self.unfetched(causes(&error)))?;
        let request = Request::get(uri)
            .header(USER_AGENT, AGENT)
            .body(Empty::<Bytes>::new());
        let request = request.map_err(|error| self.unfetched(error))?;
        let answered = client.send(request).await;
        answered.map_err(|error| match error {
            SendError::HeadTimeout(_) | SendError::ConnectTimeout(_) => self.silent(),
            error => self.unfetched(told(&error)),
        })
    }

    /// How a source is reached. What comes from it is verified, so it may stand anywhere.
    fn reach(&self) -> ClientConfig {
        let silence = self.patience.silence;
        ClientConfig {
            network: Network::Private,
            proxy: self.proxy.clone(),
            versions: Versions::Http1,
            timeouts: Timeouts {
                connect: silence,
                head: silence,
                idle: silence,
            },
            ..ClientConfig::default()
        }
    }

    async fn body(&self, body: ResponseBody) -> Result<Vec<u8>, UpdateError> {
        let whole = body.whole(self.bytes_max).await;
        whole.map(Vec::from).map_err(|error| match error {
            BodyError::Idle(_) => self.silent(),
            BodyError::TooLarge { bytes_max } => UpdateError::TooLarge {
                what: self.address.to_owned(),
                max: bytes_max,
            },
            error @ BodyError::Broke(_) => self.unfetched(told(&error)),
        })
    }

    fn silent(&self) -> UpdateError {
        let silence = self.patience.silence;
        self.unfetched(format!("nothing came from the source for {silence:?}"))
    }

    fn unfetched(&self, why: impl ToString) -> UpdateError {
        UpdateError::Unfetched {
            what: self.address.to_owned(),
            why: why.to_string(),
        }
    }
}

/// The causes in one line, and what to do about the one that a user can mend.
fn told(error: &(dyn Error + 'static)) -> String {
    let text = causes(error);
    match text.contains("UnknownIssuer") {
        true => format!("{text}; {OWN_AUTHORITY}"),
        false => text,
    }
}

/// Where it went; never from a host that proved its name to one that does not.
fn moved<T>(from: &Uri, response: &Response<T>) -> Result<Uri, String> {
    let target = response.headers().get(LOCATION);
    let target = target.and_then(|target| target.to_str().ok());
    let target = target.ok_or("it is moved, and it is not said where")?;
    let refused = || format!("it is moved to {target}, where it is not followed");
    let to = match (from.scheme_str(), from.authority()) {
        (Some(scheme), Some(host)) if target.starts_with('/') && !target.starts_with("//") => {
            format!("{scheme}://{host}{target}").parse()
        }
        _ => target.parse(),
    };
    let to: Uri = to.map_err(|_| refused())?;
    let is_web = to.host().is_some() && matches!(to.scheme_str(), Some("http" | "https"));
    let is_safe = is_secure(&to) || !is_secure(from);
    (is_web && is_safe).then_some(to).ok_or_else(refused)
}

fn is_secure(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https")
}

const AGENT: &str = concat!("inference-relay/", env!("CARGO_PKG_VERSION"));
const OWN_AUTHORITY: &str = "if its certificate authority is your own, name a file with that authority's certificate in SSL_CERT_FILE";
/// A release page moves a download once or twice.
const MOVES_MAX: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;
    use tokio::time::interval;

    /// What becomes of a fetch from a source that says this, then a byte at every tick, without an end.
    async fn fetched(said: &'static [u8], tick: Duration, patience: Patience) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port must be found");
        let address = listener.local_addr().expect("a listener has an address");
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.expect("somebody must ask");
            let mut asked = [0; 1024];
            let _ = socket.read(&mut asked).await;
            let _ = socket.write_all(said).await;
            let mut ticks = interval(tick);
            while socket.write_all(b"x").await.is_ok() {
                ticks.tick().await;
            }
        });
        let errand = Errand {
            address: &format!("http://{address}/file"),
            bytes_max: 100,
            proxy: &Proxy::default(),
            patience,
        };
        let fetched = errand.run().await.map(|bytes| format!("{bytes:?}"));
        fetched.unwrap_or_else(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_source_that_falls_silent_is_given_up() {
        let patience = Patience {
            silence: Duration::from_millis(50),
            ..Patience::USUAL
        };
        for said in [
            &b"HTTP/1.1 200 OK\r\nX: "[..],
            b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\nabc",
        ] {
            let told = fetched(said, Duration::from_secs(3600), patience).await;
            assert!(
                told.ends_with("nothing came from the source for 50ms"),
                "{told}"
            );
        }
    }

    #[tokio::test]
    async fn a_source_that_drips_is_given_up() {
        let patience = Patience {
            whole: Duration::from_millis(200),
            ..Patience::USUAL
        };
        let said = b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n";
        let told = fetched(said, Duration::from_millis(20), patience).await;
        assert!(told.ends_with("it did not come within 200ms"), "{told}");
    }

    #[tokio::test]
    async fn a_file_that_is_too_large_is_not_taken_whole() {
        for said in [
            &b"HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
        ] {
            let told = fetched(said, Duration::from_micros(1), Patience::USUAL).await;
            assert!(told.contains("has more than 100 bytes"), "{told}");
        }
    }

    #[test]
    fn a_moved_file_is_followed_but_not_from_a_host_with_tls_to_one_without() {
        let to = |from: &'static str, target: &str| {
            let response = Response::builder().header(LOCATION, target).body(());
            let response = response.expect("a response must be made");
            moved(&Uri::from_static(from), &response).map(|uri| uri.to_string())
        };
        let (plain, secure) = ("http://a.example:80/x/y", "https://a.example/x/y");
        for (from, target, expected) in [
            (plain, "http://b.example/z", "http://b.example/z"),
            (plain, "https://b.example/z", "https://b.example/z"),
            (secure, "https://b.example/z?q=1", "https://b.example/z?q=1"),
            (secure, "/z?q=1", "https://a.example/z?q=1"),
        ] {
            assert_eq!(to(from, target).as_deref(), Ok(expected), "{from} {target}");
        }
        for target in [
            "http://a.example/z",
            "//b.example/z",
            "file:///etc/x",
            "z",
            "",
        ] {
            assert!(to(secure, target).is_err(), "{target}");
        }
        assert!(moved(&Uri::from_static(plain), &Response::new(())).is_err());
    }
}
