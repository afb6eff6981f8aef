//! Where there are no pipes with names that a reader can hold, nobody tells of a request before it is sent.

use super::request_sign::RequestSign;
use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// There is none.
pub(crate) struct Diagnostics(Infallible);

/// What is said next of a request; without a pipe, nothing ever. Cancel safe.
pub(crate) async fn next(diagnostics: Option<&mut Diagnostics>) -> Vec<RequestSign> {
    match diagnostics {
        Some(diagnostics) => match diagnostics.0 {},
        None => std::future::pending().await,
    }
}

/// What is said already; without a pipe, nothing.
pub(crate) fn read(diagnostics: Option<&mut Diagnostics>) -> Vec<RequestSign> {
    match diagnostics {
        Some(diagnostics) => match diagnostics.0 {},
        None => Vec::new(),
    }
}

impl Diagnostics {
    /// Makes none.
    ///
    /// # Errors
    /// Always.
    pub(crate) fn open(_path: &Path, _tells_nothing: Arc<AtomicBool>) -> io::Result<Diagnostics> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
