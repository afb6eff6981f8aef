//! Why a server's certificate is not believed, in words that somebody can act on. `[pure]`

use rustls::CertificateError;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

/// What is wrong with the certificate that a server showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Distrust {
    /// Nobody who is trusted has signed it.
    Authority,
    /// It is another server's: for which names it is, and which one was called.
    Name { presented: String, called: String },
    /// Its time has not come, or is over.
    Time,
    /// Something else, in the words of TLS.
    Other(String),
}

/// What a failure says of a certificate; `None` where it is one of another kind.
pub(crate) fn distrust(error: &(dyn Error + 'static)) -> Option<Distrust> {
    match within(error)? {
        rustls::Error::InvalidCertificate(error) => Some(Distrust::of(error)),
        _ => None,
    }
}

impl Distrust {
    fn of(error: &CertificateError) -> Distrust {
        match error {
            CertificateError::UnknownIssuer => Distrust::Authority,
            CertificateError::NotValidForNameContext {
                expected,
                presented,
            } => Distrust::Name {
                presented: presented
                    .iter()
                    .map(|name| bare(name))
                    .collect::<Vec<_>>()
                    .join(", "),
                called: expected.to_str().into_owned(),
            },
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Distrust::Time,
            other => Distrust::Other(other.to_string()),
        }
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Distrust::Authority => {
                f.write_str("nobody who is trusted here has signed its certificate")
            }
            Distrust::Name { presented, called } => {
                write!(
                    f,
                    "its certificate is for {presented}, and not for {called}"
                )
            }
            Distrust::Time => f.write_str("its certificate is not valid at this time"),
            Distrust::Other(words) => write!(f, "its certificate is not accepted ({words})"),
        }
    }
}

/// A name of a certificate without what TLS writes around it: `DnsName("db.lan")`, `IpAddress(10.0.0.1)`.
fn bare(name: &str) -> &str {
    let kinds = ["DnsName(", "IpAddress("];
    let inner = kinds.iter().find_map(|kind| name.strip_prefix(kind));
    inner.map_or(name, |inner| inner.trim_end_matches(')').trim_matches('"'))
}

/// The error of TLS in one of another library, which may have it behind a pointer or in an error of input and output.
fn within<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    if let Some(shared) = error.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
        return within(&**shared);
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return within(error.get_ref()?);
    }
    error.downcast_ref().or_else(|| within(error.source()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::ServerName;

    fn told(error: CertificateError) -> String {
        let error = io::Error::other(rustls::Error::InvalidCertificate(error));
        let error: Arc<dyn Error + Send + Sync> = Arc::new(error);
        distrust(&error).map_or_else(String::new, |why| why.to_string())
    }

    #[test]
    fn a_certificate_is_told_by_what_is_wrong_with_it() {
        assert!(told(CertificateError::UnknownIssuer).contains("nobody who is trusted here"));
        let name = ServerName::try_from("db.lan").expect("it is a name");
        let wrong = CertificateError::NotValidForNameContext {
            expected: name,
            presented: vec![
                "DnsName(\"a.lan\")".to_owned(),
                "IpAddress(10.0.0.1)".to_owned(),
            ],
        };
        assert_eq!(
            told(wrong),
            "its certificate is for a.lan, 10.0.0.1, and not for db.lan"
        );
        assert!(told(CertificateError::Expired).contains("at this time"));
        assert!(told(CertificateError::BadEncoding).contains("not accepted"));
    }

    #[test]
    fn what_is_no_certificates_fault_is_none() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(distrust(&refused), None);
        let other = io::Error::other(rustls::Error::DecryptError);
        assert_eq!(distrust(&other), None);
    }
}
