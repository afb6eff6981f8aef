//! Reads the store: for the commands in their own thread, for the daemon in one that is kept for it.

use super::audit;
use super::audit::AuditEntry;
use super::audit::AuditFilter;
use super::engine::Engine;
use super::fault::EngineFault;
use super::fault::StoreFault;
use super::filter::Cursor;
use super::filter::GroupBy;
use super::filter::Page;
use super::filter::Span;
use super::filter::UsageFilter;
use super::migration;
use super::migration::MIGRATIONS;
use super::place::StorePlace;
use super::postgres::Postgres;
use super::queries;
use super::record::UsageRecord;
use super::rollup::UsageSums;
use super::settings;
use super::sqlite::Sqlite;
use std::path::Path;

/// A connection that only reads.
pub(crate) struct StoreReader {
    pub(super) engine: Box<dyn Engine>,
}

impl StoreReader {
    /// Opens the store of a daemon, whether that runs or not; `None` where there is none yet.
    ///
    /// # Errors
    /// Where it cannot be read, or another relay wrote it.
    pub(crate) fn open(place: &StorePlace) -> Result<Option<StoreReader>, StoreFault> {
        if let StorePlace::Sqlite(path) = place
            && !path.exists()
        {
            return Ok(None);
        }
        let closed = |cause: EngineFault| StoreFault::Closed {
            place: place.to_string(),
            cause: cause.to_string(),
            next: "look at the rights of the file, or whether the server answers",
        };
        let mut engine = open_to_read(place).map_err(closed)?;
        migration::check(&mut *engine, &place.to_string(), MIGRATIONS)?;
        Ok(Some(StoreReader { engine }))
    }

    /// Looks through the whole database.
    ///
    /// # Errors
    /// Where it is not whole, or does not answer.
    pub(crate) fn verify(&mut self) -> Result<(), StoreFault> {
        let rows = self.engine.query("PRAGMA quick_check(1)", &[])?;
        match rows.first().map(|row| row.text(0)).as_deref() {
            Some("ok") => Ok(()),
            told => Err(StoreFault::Asked(EngineFault::Refused(
                told.unwrap_or("nothing").to_owned(),
            ))),
        }
    }

    /// Records, the newest first.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub(crate) fn usage(
        &mut self,
        filter: &UsageFilter,
        behind: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<UsageRecord>, StoreFault> {
        Ok(queries::records(&mut *self.engine, filter, behind, limit)?)
    }

    /// Sums by a name, the one with the most calls first. Where roll-ups tell, times are those of a whole span.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub(crate) fn usage_summary(
        &mut self,
        filter: &UsageFilter,
        by: Option<GroupBy>,
        now_ms: u64,
    ) -> Result<Vec<(String, UsageSums)>, StoreFault> {
        let age_s = filter
            .since_ms
            .map_or(u64::MAX, |since| now_ms.saturating_sub(since) / 1000);
        let span = Span::for_age(age_s);
        Ok(queries::summary(&mut *self.engine, filter, by, span)?)
    }

    /// Sums by a name over roll-ups of one span, the one with the most calls first.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub(crate) fn usage_sums(
        &mut self,
        filter: &UsageFilter,
        by: Option<GroupBy>,
        span: Span,
    ) -> Result<Vec<(String, UsageSums)>, StoreFault> {
        Ok(queries::summary(&mut *self.engine, filter, by, span)?)
    }

    /// Sums by when a span began, in seconds since 1970, and by a name.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub(crate) fn usage_series(
        &mut self,
        filter: &UsageFilter,
        by: Option<GroupBy>,
        span: Span,
    ) -> Result<Vec<(u64, String, UsageSums)>, StoreFault> {
        Ok(queries::series(&mut *self.engine, filter, by, span)?)
    }

    /// Entries of the audit log, the newest first.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub(crate) fn audit(
        &mut self,
        filter: &AuditFilter,
        behind: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<AuditEntry>, StoreFault> {
        Ok(audit::query(&mut *self.engine, filter, behind, limit)?)
    }

    /// A small fact.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub(crate) fn setting(&mut self, name: &str) -> Result<Option<String>, StoreFault> {
        Ok(settings::read(&mut *self.engine, name)?)
    }
}

/// Copies the store of a daemon, which may be writing meanwhile, to a file that is not there yet; false where there is no
/// store.
///
/// # Errors
/// Where it cannot be read or the copy not be written.
pub(crate) fn copy_store(place: &StorePlace, to: &Path) -> Result<bool, StoreFault> {
    match place {
        StorePlace::Sqlite(path) if path.exists() => {
            Sqlite::open(path)?.copy(to)?;
            Ok(true)
        }
        // A server's own tools copy what is there.
        StorePlace::Sqlite(_) | StorePlace::Postgres(_) => Ok(false),
    }
}

/// A connection that only reads.
pub(super) fn open_to_read(place: &StorePlace) -> Result<Box<dyn Engine>, EngineFault> {
    Ok(match place {
        StorePlace::Sqlite(path) => Box::new(Sqlite::open_to_read(path)?),
        StorePlace::Postgres(config) => Box::new(Postgres::open(config)?),
    })
}
