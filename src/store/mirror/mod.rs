//! The state folder's files that relays on one PostgreSQL have in common, kept the same on all of them.
//!
//! Catalog, relay keys and sealed secrets stay files, which every relay reads without a server and goes on with while
//! the server is away. What is changed here goes to the server, and what was changed elsewhere comes from it, within a
//! second: the server tells of changes, and the file system does. Of two changes of one file at the same time the
//! server's stands, and the other is kept aside and told in the log. A catalog of more files than one may have is left as it
//! is on each relay, and the log says so.

mod folder;
mod follow;
mod merge;

pub(crate) use follow::Mirror;
