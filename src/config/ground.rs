//! What a configuration stands on, beside its keys. `[pure]`

use crate::config::source::Sourced;
use crate::egress::Proxy;
use crate::license::LicenseKey;
use crate::secret::MasterKeySource;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// Where the machine, the user and the command line stand.
#[derive(Debug, Clone)]
pub(crate) struct Ground {
    pub(crate) home: Sourced<PathBuf>,
    pub(crate) user_home: Option<PathBuf>,
    /// The environment that sessions are given, once it is scrubbed.
    pub(crate) inherited: BTreeMap<OsString, OsString>,
    /// What leads from this machine to hosts with TLS.
    pub(crate) proxy: Proxy,
    pub(crate) master_key: MasterKeySource,
    /// The folder that the command was typed in.
    pub(crate) here: PathBuf,
    pub(crate) file: PathBuf,
    pub(crate) file_found: bool,
    pub(crate) license_key: Option<LicenseKey>,
    pub(crate) warnings: Vec<String>,
}
