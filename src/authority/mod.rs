//! The licence authority: asks it, keeps its answer, and stands at the gate with what is known.
//!
//! **What for.** Where `license.authority` is configured, [`LicenseClient`] asks it every few minutes and on demand, and
//! [`LicenseClient::admit`] lets a call through or not. Where it is not, everybody passes, nothing is counted, and nothing is
//! sent anywhere.
//!
//! **Never.** A call waits for no network here: the gate knows what was answered last. What is sent is the licence key,
//! a random question, this program's version, and how many calls this month had; of a call itself, nothing.
//!
//! **Invariants.** An answer is kept as it was signed and verified again when it is read back, so the file can be
//! deleted, but not written, by whoever wants another verdict. An answer that does not verify changes nothing but the
//! stated problem. HTTP without TLS is spoken to loopback only.
//!
//! Start reading at [`license_client`].

mod client;
mod endpoint;
mod fault;
mod license_client;
mod monthly_calls;
mod view;

pub(crate) use endpoint::Endpoint;
pub(crate) use license_client::LicenseClient;
pub(crate) use view::View;

use crate::license::LicenseKey;
use std::path::PathBuf;
use std::time::Duration;

/// Which authority is asked, and how.
#[derive(Debug, Clone)]
pub(crate) struct AuthorityConfig {
    /// `None`: there is no licence to have.
    pub(crate) place: Option<TrustSource>,
    pub(crate) key: Option<LicenseKey>,
    /// How long the last answer goes on to hold once it is too old.
    pub(crate) grace: Duration,
    pub(crate) refresh_every: Duration,
}

/// Where the authority is, and by which keys it is known.
#[derive(Debug, Clone)]
pub(crate) struct TrustSource {
    pub(crate) endpoint: Endpoint,
    /// A JSON Web Key Set.
    pub(crate) keys: PathBuf,
}
