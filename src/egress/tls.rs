//! Whom a host's certificate must be signed by, and what this side shows of itself.

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem;
use rustls::pki_types::pem::PemObject;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;

/// The authorities that a host is trusted by.
#[derive(Debug, Clone, Default)]
pub(crate) enum Trust {
    /// Those that the machine trusts, or those of `SSL_CERT_FILE`; read anew for each client.
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

/// The authorities that the machine trusts.
///
/// # Errors
/// Where there are none.
pub(crate) fn machine_roots() -> Result<Arc<RootCertStore>, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.iter().map(ToString::to_string);
        let why = why.collect::<Vec<_>>().join("; ");
        return Err(TlsError::NoRoots(io::Error::other(why)));
    }
    Ok(Arc::new(roots))
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
    let key = PrivateKeyDer::from_pem_file(&identity.key);
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
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match read {
        Ok(certificates) => Some(certificates)
            .filter(|certificates: &Vec<_>| !certificates.is_empty())
            .ok_or_else(|| unread(path, pem::Error::NoItemsFound)),
        Err(source) => Err(unread(path, source)),
    }
}

fn unread(path: &Path, source: pem::Error) -> TlsError {
    let path = path.to_owned();
    TlsError::File { path, source }
}
