//! The state folder's files that relays on one PostgreSQL have in common, kept the same on all of them.
//!
//! Catalog, relay keys and sealed secrets stay files, which every relay reads without a server and goes on with while
//! the server is away. What is changed here goes to the server, and what was changed elsewhere comes from it, within a
//! second: the server tells of changes, and the file system does. Where relay keys or secrets were changed on two relays at the same
//! time, their rows are merged, and what either removed is gone; of two changes of any other file, or of one row, the
//! server's stands, and the other is kept aside and told in the log. Keys and secrets go first: a row of the catalog may lead
//! a value to another address only once that value is forgotten. A catalog of more files than one may have is left as it
//! is on each relay, and the log says so.

mod folder;
mod follow;
mod merge;
mod rows;

pub(crate) use follow::Mirror;
