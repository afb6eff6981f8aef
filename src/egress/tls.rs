//! Whom a host's certificate must be signed by, and what this side shows of itself.

use super::small_file::read_small_file;
use crate::clock;
use crate::sync::lock;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem;
use rustls::pki_types::pem::PemObject;
use rustls_native_certs::CertificateResult;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;
use thiserror::Error;

/// The authorities that a host is trusted by.
#[derive(Debug, Clone, Default)]
pub(crate) enum Trust {
    /// Those that the machine trusts, or those of `SSL_CERT_FILE`; read again where that was [`ROOTS_AGE_MAX`] ago.
    #[default]
    Machine,
    /// Those of a file in PEM, and no others.
    File(PathBuf),
    /// Some that were read before: for many clients, since the machine's take milliseconds to read.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "a catalog of many hosts reads them once")
    )]
    Roots(Arc<RootCertStore>),
}

/// A certificate that a host may ask for, with those that vouch for it, and its key: two files in PEM.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

/// What TLS needs is not to be had.
#[derive(Debug, Error)]
pub(crate) enum TlsError {
    #[error(
        "this machine trusts no certificates; install its ca-certificates, or name a file of them in SSL_CERT_FILE"
    )]
    NoRoots(#[source] io::Error),
    #[error("{} cannot be read as PEM", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: pem::Error,
    },
    #[error("what is configured for TLS cannot be used")]
    Unusable(#[source] rustls::Error),
}

/// The authorities that the machine trusts. A catalog of many hosts does not read them for each: that takes milliseconds.
///
/// # Errors
/// Where there are none.
pub(super) fn machine_roots() -> Result<Arc<RootCertStore>, TlsError> {
    let mut known = lock(&MACHINE);
    let now = clock::now();
    match &*known {
        Some((roots, read_at)) if now.duration_since(*read_at) < ROOTS_AGE_MAX => {
            Ok(Arc::clone(roots))
        }
        _ => {
            let roots = Arc::new(usable(rustls_native_certs::load_native_certs())?);
            *known = Some((Arc::clone(&roots), now));
            Ok(roots)
        }
    }
}

/// The certificates that can be used; a bad one among them spoils no other, and is counted in the log.
fn usable(found: CertificateResult) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let (used, refused) = roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.iter().map(ToString::to_string);
        let why = why.collect::<Vec<_>>().join("; ");
        return Err(TlsError::NoRoots(io::Error::other(why)));
    }
    if refused + found.errors.len() > 0 {
        let unread = found.errors.first().map(ToString::to_string);
        tracing::warn!(
            used,
            refused,
            unread = found.errors.len(),
            first = unread,
            "some of the certificates that this machine trusts cannot be used; the others are"
        );
    }
    Ok(roots)
}

/// The same for a client that speaks something else than HTTP, and shows no certificate of its own.
///
/// # Errors
/// Where a file is missing or wrong, or the machine trusts nobody.
pub(crate) fn tls_client(trust: &Trust) -> Result<ClientConfig, TlsError> {
    configured(trust, None)
}

/// What connections of a client say and demand, without a protocol of HTTP yet.
///
/// # Errors
/// Where a file is missing or wrong, or the machine trusts nobody.
pub(super) fn configured(
    trust: &Trust,
    identity: Option<&Identity>,
) -> Result<ClientConfig, TlsError> {
    let roots = match trust {
        Trust::Machine => machine_roots()?,
        Trust::File(path) => Arc::new(file_roots(path)?),
        Trust::Roots(roots) => Arc::clone(roots),
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let trusting = builder
        .map_err(TlsError::Unusable)?
        .with_root_certificates(roots);
    let Some(identity) = identity else {
        return Ok(trusting.with_no_client_auth());
    };
    let key = pem_file(&identity.key).and_then(|text| PrivateKeyDer::from_pem_slice(&text));
    let key = key.map_err(|source| unread(&identity.key, source))?;
    trusting
        .with_client_auth_cert(certificates(&identity.chain)?, key)
        .map_err(TlsError::Unusable)
}

fn file_roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(TlsError::Unusable)?;
    }
    Ok(roots)
}

/// One certificate at the least.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = pem_file(path).and_then(|text| CertificateDer::pem_slice_iter(&text).collect());
    match read {
        Ok(certificates) => Some(certificates)
            .filter(|certificates: &Vec<_>| !certificates.is_empty())
            .ok_or_else(|| unread(path, pem::Error::NoItemsFound)),
        Err(source) => Err(unread(path, source)),
    }
}

fn pem_file(path: &Path) -> Result<Vec<u8>, pem::Error> {
    read_small_file(path, PEM_BYTES_MAX).map_err(pem::Error::Io)
}

fn unread(path: &Path, source: pem::Error) -> TlsError {
    let path = path.to_owned();
    TlsError::File { path, source }
}

/// Bytes of a file in PEM: the authorities of a whole machine are a quarter of it.
const PEM_BYTES_MAX: u64 = 1 << 20;
/// What the machine trusts, and when that was read.
static MACHINE: Mutex<Option<(Arc<RootCertStore>, Instant)>> = Mutex::new(None);
/// A machine is given a new authority seldom; a host that is set up ten minutes later trusts it.
const ROOTS_AGE_MAX: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;
    use rustls_native_certs::load_certs_from_paths;
    use std::fs;

    const GOOD: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/it/support/keys/root.pem"
    );

    #[test]
    fn one_bad_certificate_of_the_machine_spoils_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("all.pem");
        let good = fs::read_to_string(GOOD).expect("it is there");
        let bad = "-----BEGIN CERTIFICATE-----\nbm8gY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n";
        fs::write(&file, format!("{bad}{good}{bad}")).expect("it is written");
        let found = load_certs_from_paths(Some(&file), None);
        assert_eq!(found.certs.len(), 2);
        assert_eq!(usable(found).expect("one is good").len(), 1);
        fs::write(&file, bad).expect("it is written");
        let found = load_certs_from_paths(Some(&file), None);
        assert!(matches!(usable(found), Err(TlsError::NoRoots(_))));
    }

    #[test]
    fn the_machines_authorities_are_read_once_for_many_clients() {
        let roots = machine_roots().expect("this machine trusts somebody");
        let again = machine_roots().expect("this machine trusts somebody");
        assert!(Arc::ptr_eq(&roots, &again));
    }
}
