//! Files that relays on one PostgreSQL have in common, each with a version; and what tells of their changes.

use super::engine::Engine;
use super::engine::whole;
use super::fault::EngineFault;
use super::postgres::Postgres;
use super::postgres::listen;
use super::server::PostgresServer;
use super::value::Value;
use crate::clock;

/// A file as the server has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SharedFile {
    pub(crate) name: String,
    pub(crate) version: u64,
    /// `None`: it was removed, which is remembered so that nobody brings it back.
    pub(crate) content: Option<String>,
}

/// A connection to them.
pub(crate) struct SharedFiles {
    engine: Postgres,
}

impl SharedFiles {
    /// Connects; the schema is there already. It blocks, as all of this does.
    ///
    /// # Errors
    /// Where the server does not answer.
    pub(crate) fn open(server: &PostgresServer) -> Result<SharedFiles, EngineFault> {
        Postgres::open(server).map(|engine| SharedFiles { engine })
    }

    /// All of them, those that there are before those that were removed; no more than [`ROWS_MAX`].
    ///
    /// # Errors
    /// Where the server does not answer.
    pub(crate) fn all(&mut self) -> Result<Vec<SharedFile>, EngineFault> {
        let rows = self.engine.query(ALL, &[ROWS_MAX.into()])?;
        let file = |row: &super::value::Row| SharedFile {
            name: row.text(0),
            version: row.sum(1),
            content: (row.sum(3) == 0).then(|| row.text(2)),
        };
        Ok(rows.iter().map(file).collect())
    }

    /// Puts a file in the place of a version, 0 where there is none yet, and tells every relay; whether it did. Where it
    /// did not, somebody else was there first.
    ///
    /// # Errors
    /// Where the server does not answer.
    pub(crate) fn put(
        &mut self,
        name: &str,
        before: u64,
        content: Option<&str>,
    ) -> Result<bool, EngineFault> {
        let values: [Value<'_>; 5] = [
            name.into(),
            before.into(),
            content.unwrap_or_default().into(),
            u64::from(content.is_none()).into(),
            clock::unix_ms().into(),
        ];
        whole(&mut self.engine, |engine| {
            let is_put = match before {
                0 => engine.execute(FIRST, &values)?,
                _ => engine.execute(NEXT, &values)?,
            };
            if is_put == 1 {
                engine.execute(TELL, &[CHANNEL.into()])?;
            }
            Ok(is_put == 1)
        })
    }
}

/// Calls back at each change of any of them, and whenever one may have been missed, until it says that this is enough. It
/// blocks for as long.
pub(crate) fn hear_changes(server: &PostgresServer, told: impl FnMut() -> bool) {
    listen(server, CHANNEL, told);
}

const ALL: &str =
    "SELECT name, version, content, is_gone FROM shared_files ORDER BY is_gone, name LIMIT ?1";
/// Files that are read at once: four times as many as a catalog may have. Of more, those that were removed long ago are
/// not known, and whoever has one yet keeps it.
const ROWS_MAX: u64 = 16_384;
const FIRST: &str = "INSERT INTO shared_files (name, version, content, is_gone, changed_at_ms) \
                     VALUES (?1, ?2 + 1, ?3, ?4, ?5) ON CONFLICT (name) DO NOTHING";
const NEXT: &str = "UPDATE shared_files SET version = version + 1, content = ?3, is_gone = ?4, changed_at_ms = ?5 \
                    WHERE name = ?1 AND version = ?2";
const TELL: &str = "SELECT pg_notify(?1, '')";
const CHANNEL: &str = "inference_relay_files";
