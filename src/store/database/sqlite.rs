//! SQLite, in a private file.

use super::engine::Engine;
use super::engine::Put;
use super::fault::EngineFault;
use super::value::Row;
use super::value::Value;
use crate::disk::lock_file;
use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::OpenFlags;
use rusqlite::Statement;
use rusqlite::ToSql;
use rusqlite::types::ToSqlOutput;
use rusqlite::types::ValueRef;
use std::path::Path;
use std::time::Duration;

/// A connection to a file.
pub(super) struct Sqlite(Connection);

impl Sqlite {
    /// Opens the file, made where there is none, for this user alone; the files beside it get its mode.
    pub(super) fn open(path: &Path) -> Result<Sqlite, EngineFault> {
        let made = lock_file(path).map_err(|error| EngineFault::Refused(error.to_string()));
        drop(made?);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut opened = Sqlite(Connection::open_with_flags(path, flags).map_err(fault)?);
        opened.prepare_for_use(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; \
                 PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}; \
                 PRAGMA journal_size_limit = {LOG_BYTES_KEPT};"
        ))?;
        Ok(opened)
    }

    /// Opens a file that is there, and changes nothing of it.
    pub(super) fn open_to_read(path: &Path) -> Result<Sqlite, EngineFault> {
        // Not the flag for reading alone: with that, a file whose daemon was killed cannot be looked at.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut opened = Sqlite(Connection::open_with_flags(path, flags).map_err(fault)?);
        opened.prepare_for_use("PRAGMA query_only = ON;")?;
        Ok(opened)
    }

    /// Copies all of it as it is at one moment.
    pub(super) fn copy(&mut self, to: &Path) -> Result<(), EngineFault> {
        let to = to.to_string_lossy();
        self.execute("VACUUM INTO ?1", &[Value::from(&*to)])
            .map(drop)
    }

    fn prepare_for_use(&mut self, pragmas: &str) -> Result<(), EngineFault> {
        self.0.busy_timeout(BUSY_WAIT_MAX).map_err(fault)?;
        self.0.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        let pragmas = format!("{pragmas} PRAGMA cache_size = -{CACHE_KIB};");
        self.0.execute_batch(&pragmas).map_err(fault)
    }

    #[cfg(test)]
    pub(super) fn in_memory() -> Sqlite {
        Sqlite(Connection::open_in_memory().expect("memory must be there"))
    }
}

impl Engine for Sqlite {
    fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, EngineFault> {
        let mut statement = self.0.prepare_cached(sql).map_err(fault)?;
        let changed = statement.execute(rusqlite::params_from_iter(values));
        changed.map(|rows| rows as u64).map_err(fault)
    }

    fn execute_each(
        &mut self,
        sql: &str,
        rows: &mut dyn FnMut(&mut Put<'_>) -> Result<(), EngineFault>,
    ) -> Result<(), EngineFault> {
        // A long text is looked up once, and not for each row.
        let mut statement = self.0.prepare_cached(sql).map_err(fault)?;
        let mut bound = Vec::new();
        rows(&mut |values| {
            bind_changes(&mut statement, &mut bound, values).map_err(fault)?;
            let changed = statement.raw_execute();
            changed.map(|rows| rows as u64).map_err(fault)
        })
    }

    fn sum_of(&self, column: &str) -> String {
        // `SUM` fails beyond 2^63. This is rounded from 2^53 on: nine million of a currency in nano-units.
        format!("CAST(TOTAL({column}) AS INTEGER)")
    }

    fn query(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, EngineFault> {
        let mut statement = self.0.prepare_cached(sql).map_err(fault)?;
        let columns = statement.column_count();
        let rows = statement.query_map(rusqlite::params_from_iter(values), |row| {
            let value = |column| Ok(read(row.get_ref(column)?));
            Ok(Row((0..columns)
                .map(value)
                .collect::<rusqlite::Result<_>>()?))
        });
        rows.and_then(Iterator::collect).map_err(fault)
    }

    fn batch(&mut self, sql: &str) -> Result<(), EngineFault> {
        self.0.execute_batch(sql).map_err(fault)
    }

    fn begin(&mut self) -> Result<(), EngineFault> {
        // A transaction that begins by reading could not wait for another writer later.
        self.batch("BEGIN IMMEDIATE")
    }

    fn lock_schema(&mut self) -> Result<(), EngineFault> {
        Ok(()) // A transaction that writes is the only one.
    }
}

/// Binds what is not what the row before had: most of a record is the same as in the one before.
fn bind_changes(
    statement: &mut Statement<'_>,
    bound: &mut Vec<Value<'static>>,
    values: &[Value<'_>],
) -> rusqlite::Result<()> {
    for (place, value) in values.iter().enumerate() {
        match bound.get_mut(place) {
            Some(before) if *before == *value => continue,
            Some(before) => before.become_like(value),
            None => bound.push(value.clone().into_owned()),
        }
        statement.raw_bind_parameter(place + 1, value)?;
    }
    Ok(())
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

fn read(value: ValueRef<'_>) -> Value<'static> {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "an average is told in whole numbers"
        )]
        ValueRef::Real(number) => Value::Int(number as i64),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            Value::Text(String::from_utf8_lossy(bytes).into_owned().into())
        }
    }
}

fn fault(error: rusqlite::Error) -> EngineFault {
    let passing = [
        ErrorCode::DatabaseBusy,
        ErrorCode::DatabaseLocked,
        ErrorCode::DiskFull,
        ErrorCode::SystemIoFailure,
    ];
    let code = error.sqlite_error_code();
    let text = error.to_string();
    match code.is_some_and(|code| passing.contains(&code)) {
        true => EngineFault::Away(text),
        false => EngineFault::Refused(text),
    }
}

/// How long a connection waits for another process that writes: a command of the user's, or a backup.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(2);
/// What a connection keeps of the file in memory: a transaction of the writer fits in, and what is older is read from
/// the system's own cache.
const CACHE_KIB: u32 = 512;
/// Pages of the log (4 KiB each) after which they are put into the file. Each time waits for the disk twice, so a busy relay
/// does it every few seconds.
const CHECKPOINT_PAGES: u32 = 4000;
/// What the log keeps of the disk once it is in the file; a step of the schema writes as much as the whole file into it.
const LOG_BYTES_KEPT: u32 = 32 << 20;
/// Statements that are kept ready: there are some twenty.
const STATEMENTS_MAX: usize = 32;
