//! One entry of the audit log, written by whoever is not the daemon; whether that runs or not.

use super::audit;
use super::audit::AuditEntry;
use super::audit_order::AuditOrder;
use super::engine::Engine;
use super::engine::whole;
use super::fault::EngineFault;
use super::fault::StoreFault;
use super::migration;
use super::migration::MIGRATIONS;
use super::place::StorePlace;
use super::postgres::Postgres;
use super::sqlite::Sqlite;
use crate::clock;

/// Keeps an entry, which is given its place in the log here; whether there is a log: the first daemon makes it. It blocks.
///
/// # Errors
/// Where it is not written, or another relay's store.
pub(crate) fn tell_audit(place: &StorePlace, mut entry: AuditEntry) -> Result<bool, StoreFault> {
    if let StorePlace::Sqlite(path) = place
        && !path.exists()
    {
        return Ok(false);
    }
    let closed = |cause: EngineFault| StoreFault::Closed {
        place: place.to_string(),
        next: cause.next(),
        cause: cause.to_string(),
    };
    let opened: Result<Box<dyn Engine>, EngineFault> = match place {
        StorePlace::Sqlite(path) => Sqlite::open(path).map(|engine| Box::new(engine) as _),
        StorePlace::Postgres(server) => Postgres::open(server).map(|engine| Box::new(engine) as _),
    };
    let mut engine = opened.map_err(closed)?;
    migration::check(&mut *engine, &place.to_string(), MIGRATIONS)?;
    let node = getrandom::u32().unwrap_or_default();
    (entry.at_ms, entry.id) = AuditOrder::new(node).next(clock::unix_ms());
    whole(&mut *engine, |engine| audit::append(engine, &entry)).map_err(closed)?;
    Ok(true)
}
