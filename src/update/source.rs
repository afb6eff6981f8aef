//! Fetches files of a source: a folder of this machine, or a web server.

use super::error::UpdateError;
use super::web::Errand;
use super::web::Patience;
use crate::egress::Proxy;
use hyper::Uri;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

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
    pub(crate) async fn fetch(
        &self,
        name: &str,
        bytes_max: u64,
        proxy: &Proxy,
    ) -> Result<Vec<u8>, UpdateError> {
        let what = &format!("{self}/{name}");
        let errand = Errand {
            address: what,
            bytes_max,
            proxy,
            patience: Patience::USUAL,
        };
        match self {
            Self::Folder(folder) => read(&folder.join(name), what, bytes_max),
            Self::Web(_) => errand.run().await,
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
