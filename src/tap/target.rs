//! The real address of the API. `[pure]`

use crate::egress::BadUrl;
use crate::egress::BaseUrl;
use crate::egress::SetupError;
use thiserror::Error;

/// Where requests go.
pub(super) type Target = BaseUrl;

/// Why the tap cannot be laid.
#[derive(Debug, Error)]
pub(crate) enum TargetError {
    #[error(
        "\"{}\" is not an address of an API; ANTHROPIC_BASE_URL is \"https://HOST\" or \"http://HOST:PORT\"", .0.0
    )]
    Address(#[from] BadUrl),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("no loopback port can be had")]
    Port(#[source] std::io::Error),
}
