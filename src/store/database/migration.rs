//! The schema, in numbered steps; each is known by its checksum and done whole or not at all.

use super::engine::Engine;
use super::engine::whole;
use super::fault::EngineFault;
use super::fault::StoreFault;
use super::value::Value;
use crate::hex::to_hex;
use sha2::Digest;
use sha2::Sha256;

/// One step. Its text is the same for every engine, and never changes once a release had it.
pub(super) struct Migration {
    pub(super) number: u64,
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
    pub(super) scope: Scope,
}

/// Which databases a step changes; it is known to all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    All,
    /// Those of one relay alone: on a server, relays of the version before go on writing in their way.
    Own,
}

/// All steps, in order.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "usage",
        sql: include_str!("migrations/0001_usage.sql"),
        scope: Scope::All,
    },
    Migration {
        number: 2,
        name: "audit_and_settings",
        sql: include_str!("migrations/0002_audit_and_settings.sql"),
        scope: Scope::All,
    },
    Migration {
        number: 3,
        name: "usage_totals",
        sql: include_str!("migrations/0003_usage_totals.sql"),
        scope: Scope::All,
    },
    Migration {
        number: 4,
        name: "shared_files",
        sql: include_str!("migrations/0004_shared_files.sql"),
        scope: Scope::All,
    },
    Migration {
        number: 5,
        name: "usage_in_order",
        sql: include_str!("migrations/0005_usage_in_order.sql"),
        scope: Scope::Own,
    },
];

const LEDGER: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (number BIGINT NOT NULL PRIMARY KEY, \
                      name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at_ms BIGINT NOT NULL)";

impl Migration {
    fn checksum(&self) -> String {
        to_hex(&Sha256::digest(self.sql.as_bytes()))
    }
}

/// Brings the schema to the newest step, or says in one line why not; then it is as it was. Several processes may do so
/// at the same time.
pub(super) fn migrate(
    engine: &mut dyn Engine,
    place: &str,
    steps: &[Migration],
    now_ms: u64,
) -> Result<(), StoreFault> {
    let ledger = whole(engine, |engine| {
        engine.lock_schema()?;
        engine.batch(LEDGER)
    });
    ledger.map_err(|cause: EngineFault| closed(place, &cause))?;
    for step in steps {
        step_once(engine, place, step, steps, now_ms)?;
    }
    check(engine, place, steps).map(drop)
}

/// Looks at the schema and changes nothing: whether it is what this relay knows.
pub(super) fn check(
    engine: &mut dyn Engine,
    place: &str,
    steps: &[Migration],
) -> Result<Vec<u64>, StoreFault> {
    let sql = "SELECT number, name, checksum FROM schema_migrations ORDER BY number";
    let rows = engine
        .query(sql, &[])
        .map_err(|cause| closed(place, &cause))?;
    let known = steps.last().map_or(0, |step| step.number);
    for row in &rows {
        let number = row.sum(0);
        let Some(step) = steps.iter().find(|step| step.number == number) else {
            let place = place.to_owned();
            return Err(StoreFault::Newer {
                place,
                number,
                known,
            });
        };
        if step.checksum() != row.text(2) {
            return Err(StoreFault::Altered {
                place: place.to_owned(),
                number,
                name: row.text(1),
            });
        }
    }
    Ok(rows.iter().map(|row| row.sum(0)).collect())
}

fn step_once(
    engine: &mut dyn Engine,
    place: &str,
    step: &Migration,
    steps: &[Migration],
    now_ms: u64,
) -> Result<(), StoreFault> {
    whole(engine, |engine| {
        engine.lock_schema()?;
        if check(engine, place, steps)?.contains(&step.number) {
            return Ok(());
        }
        let failed = |cause: EngineFault| StoreFault::Failed {
            place: place.to_owned(),
            number: step.number,
            name: step.name,
            cause: cause.to_string(),
        };
        if step.scope == Scope::All || !engine.is_shared() {
            engine.batch(step.sql).map_err(failed)?;
        }
        let checksum = step.checksum();
        let values: [Value<'_>; 4] = [
            step.number.into(),
            step.name.into(),
            checksum.as_str().into(),
            now_ms.into(),
        ];
        let sql = "INSERT INTO schema_migrations (number, name, checksum, applied_at_ms) VALUES (?1, ?2, ?3, ?4)";
        engine.execute(sql, &values).map_err(failed)?;
        tracing::info!(
            number = step.number,
            name = step.name,
            place,
            "the store's schema is a step further"
        );
        Ok(())
    })
}

/// A store that gives no answer to the first question.
fn closed(place: &str, cause: &EngineFault) -> StoreFault {
    StoreFault::Closed {
        place: place.to_owned(),
        cause: cause.to_string(),
        next: "free some space and look at its rights, or put a good backup back",
    }
}

#[cfg(test)]
mod tests {
    use super::super::sqlite::Sqlite;
    use super::*;

    fn told(result: Result<(), StoreFault>) -> String {
        let told = result.expect_err("it must be refused").to_string();
        assert_eq!(told.lines().count(), 1, "{told}");
        told
    }

    fn tables(engine: &mut Sqlite) -> usize {
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table'";
        engine.query(sql, &[]).expect("it answers").len()
    }

    #[test]
    fn a_schema_is_made_once_and_found_again() {
        let mut engine = Sqlite::in_memory();
        for _ in 0..2 {
            migrate(&mut engine, "here", MIGRATIONS, 1).expect("it migrates");
            let done = check(&mut engine, "here", MIGRATIONS).expect("it is known");
            assert_eq!(done.len(), MIGRATIONS.len());
        }
    }

    #[test]
    fn an_altered_step_and_a_newer_store_are_refused_with_the_next_step() {
        let mut engine = Sqlite::in_memory();
        migrate(&mut engine, "here", MIGRATIONS, 1).expect("it migrates");
        let fewer = &MIGRATIONS[..1];
        let newer = told(migrate(&mut engine, "here", fewer, 1));
        assert!(
            newer.contains("migration 2") && newer.contains("update this one"),
            "{newer}"
        );
        let sql = "UPDATE schema_migrations SET checksum = 'x' WHERE number = 1";
        engine.execute(sql, &[]).expect("it is changed");
        let altered = told(migrate(&mut engine, "here", MIGRATIONS, 1));
        assert!(altered.contains("migration 1 (usage)"), "{altered}");
    }

    #[test]
    fn a_step_that_fails_leaves_nothing_behind() {
        let mut engine = Sqlite::in_memory();
        let bad = Migration {
            number: 1,
            name: "bad",
            sql: "CREATE TABLE one (a BIGINT); CREATE TABLE two (a BIGINT, a BIGINT);",
            scope: Scope::All,
        };
        let failed = told(migrate(&mut engine, "here", &[bad], 1));
        assert!(
            failed.contains("migration 1 (bad)") && failed.contains("mend that"),
            "{failed}"
        );
        assert_eq!(tables(&mut engine), 1, "the ledger alone");
    }
}
