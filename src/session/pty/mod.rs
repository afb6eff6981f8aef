//! The real claude on this machine: where it is, which version it is, and how it is run in a pseudo-terminal and
//! ended with all it started.
//!
//! **Never.** Nothing here reads the environment: what matters of it is handed in.
//!
//! Start reading at [`discover`]; [`transport`] is the way from a session to its claude.

mod discover;
#[cfg(unix)]
mod ends;
#[cfg(not(unix))]
#[path = "threads.rs"]
mod ends;
pub(crate) mod pulse;
pub(crate) mod reap;
pub(crate) mod spawn;
pub(in crate::session) mod transport;
mod version;

pub(crate) use discover::DiscoverEnv;
pub(crate) use discover::claude_candidates;
pub(crate) use discover::claude_folders;
pub(crate) use discover::claude_misfits;
pub(crate) use version::VersionError;
pub(crate) use version::claude_version;
pub(crate) use version::version_parts;
