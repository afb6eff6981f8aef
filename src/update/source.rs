//! Fetches files of a source: a folder of this machine, or a web server.

use super::error::UpdateError;
use http_body_util::BodyExt;
use http_body_util::Empty;
use http_body_util::Limited;
use hyper::Request;
use hyper::Response;
use hyper::Uri;
use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper::header::LOCATION;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::timeout;

/// Where the files of releases lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Folder(PathBuf),
    /// An address without its last slash.
    Web(String),
}

impl Source {
    /// Reads `file:///folder`, `https://host/path` or `http://host/path`. What comes is verified by its signature, so
    /// the last one is as good, but for who can see what is fetched.
    ///
    /// # Errors
    /// A sentence about a text that is none of these.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("file://") {
            let path = Path::new(path);
            return match path.is_absolute() {
                true => Ok(Self::Folder(path.to_owned())),
                false => Err(format!("\"{text}\" names no folder from the root")),
            };
        }
        let is_web = text.starts_with("https://") || text.starts_with("http://");
        match text.parse::<Uri>() {
            Ok(uri) if is_web && uri.host().is_some() && uri.query().is_none() => {
                Ok(Self::Web(text.trim_end_matches('/').to_owned()))
            }
            Ok(_) | Err(_) => Err(format!(
                "\"{text}\" is no source; write \"https://host/path\" or \"file:///folder\""
            )),
        }
    }

    /// Fetches one file, of at most so many bytes.
    ///
    /// # Errors
    /// Where it is not there, too large, or does not come in time.
    pub(crate) async fn fetch(&self, name: &str, max: u64) -> Result<Vec<u8>, UpdateError> {
        let what = format!("{self}/{name}");
        match self {
            Self::Folder(folder) => read(&folder.join(name), &what, max),
            Self::Web(_) => match timeout(FETCH_WAIT_MAX, get(&what, max)).await {
                Ok(fetched) => fetched,
                Err(_) => {
                    let why = format!("it did not come within {} s", FETCH_WAIT_MAX.as_secs());
                    Err(UpdateError::Unfetched { what, why })
                }
            },
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "file://{}", folder.display()),
            Self::Web(address) => f.write_str(address),
        }
    }
}

fn read(path: &Path, what: &str, max: u64) -> Result<Vec<u8>, UpdateError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(max + 1).read_to_end(&mut bytes));
    read.map_err(|error| unfetched(what, &error))?;
    fits(what, bytes, max)
}

async fn get(address: &str, max: u64) -> Result<Vec<u8>, UpdateError> {
    let mut uri: Uri = address
        .parse()
        .map_err(|error| unfetched(address, &error))?;
    for _ in 0..HOPS_MAX {
        let response = ask(&uri).await.map_err(|why| unfetched(address, &why))?;
        if response.status().is_redirection() {
            uri = moved(&uri, &response).map_err(|why| unfetched(address, &why))?;
            continue;
        }
        if !response.status().is_success() {
            return Err(unfetched(address, &response.status()));
        }
        let limit = usize::try_from(max).unwrap_or(usize::MAX);
        let body = Limited::new(response.into_body(), limit).collect().await;
        return match body {
            Ok(body) => Ok(body.to_bytes().into()),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                let what = address.to_owned();
                Err(UpdateError::TooLarge { what, max })
            }
            Err(error) => Err(unfetched(address, &error)),
        };
    }
    Err(unfetched(address, &"it is moved again and again"))
}

async fn ask(uri: &Uri) -> Result<Response<Incoming>, String> {
    let roots = HttpsConnectorBuilder::new().with_native_roots();
    let roots = roots.map_err(|error| format!("this machine trusts no host: {error}"))?;
    let connector = roots.https_or_http().enable_http1().build();
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let request = Request::get(uri)
        .header(
            "user-agent",
            concat!("inference-relay/", env!("CARGO_PKG_VERSION")),
        )
        .body(Empty::<Bytes>::new());
    let request = request.map_err(|error| error.to_string())?;
    let sent = client.request(request).await;
    sent.map_err(|error| format!("{:#}", anyhow::Error::from(error)))
}

/// Where it went; never from a host that proved its name to one that does not.
fn moved(from: &Uri, response: &Response<Incoming>) -> Result<Uri, String> {
    let target = response.headers().get(LOCATION);
    let target = target.and_then(|target| target.to_str().ok());
    let to: Uri = target
        .and_then(|target| target.parse().ok())
        .ok_or("it is moved, and it is not said where")?;
    let is_safe = from.scheme_str() != Some("https") || to.scheme_str() == Some("https");
    match to.host() {
        Some(_) if is_safe => Ok(to),
        Some(_) | None => Err(format!("it is moved to {to}, where it is not followed")),
    }
}

fn fits(what: &str, bytes: Vec<u8>, max: u64) -> Result<Vec<u8>, UpdateError> {
    if u64::try_from(bytes.len()).is_ok_and(|size| size <= max) {
        return Ok(bytes);
    }
    let what = what.to_owned();
    Err(UpdateError::TooLarge { what, max })
}

fn unfetched(what: &str, why: &dyn fmt::Display) -> UpdateError {
    UpdateError::Unfetched {
        what: what.to_owned(),
        why: why.to_string(),
    }
}

/// A release is some ten megabytes; a line that takes longer is none to update by.
const FETCH_WAIT_MAX: Duration = Duration::from_secs(600);
/// A release page moves a download once or twice.
const HOPS_MAX: u32 = 5;

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn a_source_is_a_folder_or_an_address() {
        assert_eq!(
            Source::read("file:///srv/releases"),
            Ok(Source::Folder("/srv/releases".into()))
        );
        assert_eq!(
            Source::read("https://example.org/relay/"),
            Ok(Source::Web("https://example.org/relay".to_owned()))
        );
        for text in [
            "",
            "ftp://example.org",
            "file://relative",
            "example.org",
            "https://",
        ] {
            assert!(Source::read(text).is_err(), "{text}");
        }
    }
}
