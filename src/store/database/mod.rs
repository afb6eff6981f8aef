//! The store: SQLite in the state folder, for everything that is asked of by time, by sum or by many readers.
//!
//! Usage of every call and its roll-ups, the audit log, settings. The schema is made by numbered migrations, each known
//! by its checksum. Writing is told to a thread and never waited for by a call; reading is another thread's.

mod engine;
mod fault;
mod migration;
mod place;
mod postgres;
mod server;
mod sqlite;
mod tls;
mod value;

mod aside;
mod audit;
mod audit_order;
mod filter;
mod queries;
mod record;
mod rollup;
mod settings;
mod shared;

mod handle;
mod reader;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use aside::tell_audit;
pub(crate) use audit::AuditEntry;
pub(crate) use audit::AuditFilter;
pub(crate) use fault::EngineFault;
pub(crate) use fault::StoreFault;
pub(crate) use filter::Cursor;
pub(crate) use filter::GroupBy;
pub(crate) use filter::Page;
pub(crate) use filter::Span;
pub(crate) use filter::UsageFilter;
pub(crate) use handle::Store;
pub(crate) use place::StoreConfig;
pub(crate) use place::StorePlace;
pub(crate) use reader::StoreReader;
pub(crate) use reader::copy_store;
pub(crate) use record::Recorded;
pub(crate) use record::UsageRecord;
pub(crate) use rollup::UsageSums;
pub(crate) use shared::SharedFile;
pub(crate) use shared::SharedFiles;
pub(crate) use shared::hear_changes;
