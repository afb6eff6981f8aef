//! Where there are no pipes with names that a reader can hold, nobody tells of a request before it is sent.

use super::request_sign::RequestSign;
use std::convert::Infallible;
use std::io;
use std::path::Path;

/// There is none.
pub(crate) struct Diagnostics(Infallible);

/// What is said next of a request; without a pipe, nothing ever. Cancel safe.
pub(crate) async fn next(diagnostics: Option<&mut Diagnostics>) -> Vec<RequestSign> {
    match diagnostics {
        Some(diagnostics) => diagnostics.next().await,
        None => std::future::pending().await,
    }
}

impl Diagnostics {
    /// Makes none.
    ///
    /// # Errors
    /// Always.
    pub(crate) fn open(_path: &Path) -> io::Result<Diagnostics> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Says nothing, since it is not there.
    pub(crate) fn read(&mut self) -> Vec<RequestSign> {
        match self.0 {}
    }

    /// Says nothing, since it is not there.
    pub(crate) async fn next(&mut self) -> Vec<RequestSign> {
        match self.0 {}
    }
}
