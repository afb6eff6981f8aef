//! A newer relay, from a source that the user configured: found, verified, put in place of this one, and taken back.
//!
//! **What for.** [`manifest`] says what there is, [`verify`] whether it is genuine, [`decide`](manifest::decide)
//! whether it is wanted; [`source`] fetches, [`mod@unpack`] opens, [`ProgramFiles`] swaps the programs.
//!
//! **Never.** Nothing is asked of anybody unless a source and a key are configured. Nothing that was fetched is run,
//! opened or written beside the program before its signature was verified. No older version is put in place.
//!
//! **Invariants.** The program is there at every moment, whole: it changes by one rename. The one before is kept.
//! Whatever is fetched has a limit in bytes and in time.
//!
//! Start reading at [`manifest`].

mod error;
pub(crate) mod manifest;
mod program_files;
mod source;
mod unpack;
pub(crate) mod verify;
mod web;

pub(crate) use error::UpdateError;
pub(crate) use program_files::ProgramFiles;
pub(crate) use source::Source;
pub(crate) use unpack::unpack;

use crate::egress::Proxy;

/// Where updates come from, and who may sign them.
#[derive(Debug, Clone, Default)]
pub(crate) struct UpdateConfig {
    /// `None`: updates are off.
    pub(crate) source: Option<Source>,
    /// Minisign public keys; more than one while a key is changed for another.
    pub(crate) public_keys: Vec<String>,
    /// What leads to a source with TLS.
    pub(crate) proxy: Proxy,
    /// How long calls in flight may go on before the daemon is told to drain.
    pub(crate) wait_max: std::time::Duration,
}
