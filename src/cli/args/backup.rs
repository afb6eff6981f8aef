//! What is typed to keep a relay, and to bring it back.

use super::ConfigArgs;
use clap::Args;
use std::path::PathBuf;

/// Where a backup goes, or which one is looked at.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file, a tar archive; it must not be there yet
    pub(crate) file: PathBuf,
    /// Write nothing: read a backup, and say whether everything in it is good
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) place: ConfigArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) const BACKUP_EXAMPLES: &str = "\
In it: the store, relay keys (hashes), stored secrets (sealed), the catalog, the configuration, what budgets have spent.
Not in it: the master key, credentials in files of their own, texts of conversations and uploads. A store in PostgreSQL \
is backed up with pg_dump.
`inference-relay restore` puts it back.

Examples:
  inference-relay backup relay.tar
  inference-relay backup relay.tar --check";

/// Which backup is put in place.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The file that `backup` wrote
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) place: ConfigArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) const RESTORE_EXAMPLES: &str = "\
The relay must not run meanwhile. The whole file is read and verified before anything is touched; what stands in the \
places of its parts is moved into `before-restore-…` of the state folder, and moved back where something goes wrong.
The master key is not in a backup: put master.key (or RELAY_MASTER_KEY) beside it.

Examples:
  inference-relay backup relay.tar --check     only look
  inference-relay restore relay.tar";
