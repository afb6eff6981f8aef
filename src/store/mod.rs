//! What the relay keeps on disk for itself: its keys, and the store of usage, audit and settings.
//!
//! **What for.** [`Store`] keeps a record of every call with its roll-ups, the audit log and settings, in SQLite
//! (`store.db`); [`StoreReader`] reads it, whether a daemon runs or not. [`KeyFile`] holds the relay's keys, `keys.json` in the state folder. The commands change it, the
//! daemon reads it. [`Keys`] is what stands in it, and every rule about it. [`UseFile`] says when each was last used; the
//! daemon writes it. Keys stay a file of their own: the commands change it without a daemon, every start reads it before
//! anything else, and a store that is gone must not lock anybody out, or let anybody in.
//!
//! **Never.** No call waits for the store: it is told by a bounded queue, and what does not fit is counted. A key's text is not in it: it is shown once, when it is made, and then only its hash is left. A prompt,
//! an answer or a credential of a CLI is not in it either.
//!
//! **Invariants.** A file is replaced whole ([`crate::disk`]): a crash at any moment leaves the old one or the new one. Two commands at the same time wait for one another. Only this user can read what is
//! here (0600). Each file tells its version; [`migrate`] lifts an older one, and a newer one is refused untouched.
//! So does the store's schema, by numbered steps with checksums: one that fails or was altered stops the start.
//!
//! Relays on one PostgreSQL keep catalog, keys and secrets the same ([`Mirror`]): files stay what every start reads.
//!
//! Start reading at [`key`], then [`keyfile`]; of the store at [`database`].

mod catalog_files;
mod database;
mod draft;
mod error;
mod migrate;
mod mirror;

mod file_watch;
mod key;
mod keyfile;
mod secret;
mod uses;
mod watch;

pub(crate) use catalog_files::CATALOG_DEPTH_MAX;
pub(crate) use catalog_files::CATALOG_FILES_MAX;
pub(crate) use catalog_files::is_hidden;
pub(crate) use catalog_files::is_yaml;
pub(crate) use database::AuditEntry;
pub(crate) use database::AuditFilter;
pub(crate) use database::Cursor;
pub(crate) use database::GroupBy;
pub(crate) use database::Page;
pub(crate) use database::Recorded;
pub(crate) use database::Span;
pub(crate) use database::Store;
pub(crate) use database::StoreConfig;
pub(crate) use database::StoreFault;
pub(crate) use database::StorePlace;
pub(crate) use database::StoreReader;
pub(crate) use database::UsageFilter;
pub(crate) use database::UsageRecord;
pub(crate) use database::UsageSums;
pub(crate) use database::copy_store;
pub(crate) use database::tell_audit;
pub(crate) use draft::Drafts;
pub(crate) use draft::Rewritten;
pub(crate) use error::StoreError;
pub(crate) use file_watch::FileWatch;
pub(crate) use key::Key;
pub(crate) use key::KeyError;
pub(crate) use key::KeyState;
pub(crate) use key::Keys;
pub(crate) use keyfile::KeyFile;
pub(crate) use keyfile::new_id;
pub(crate) use mirror::Mirror;
pub(crate) use secret::Digest;
pub(crate) use secret::Secret;
pub(crate) use uses::UseFile;
pub(crate) use uses::Uses;
pub(crate) use watch::Depth;
pub(crate) use watch::Watch;
