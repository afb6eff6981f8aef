//! The seam between the store and a database.
//!
//! One connection, used by one thread. Statements are written once for all engines: places are `?1`, `?2`, …, numbers are
//! `BIGINT`, truth is 0 or 1, and what two engines say in two ways is a method here.

use super::fault::EngineFault;
use super::value::Row;
use super::value::Value;

/// Takes the values of one row.
pub(super) type Put<'a> = dyn FnMut(&[Value<'_>]) -> Result<u64, EngineFault> + 'a;

/// A connection to a database.
pub(super) trait Engine: Send {
    /// Runs a statement; how many rows it changed.
    fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, EngineFault>;

    /// Runs a statement for each row of values that `rows` puts.
    fn execute_each(
        &mut self,
        sql: &str,
        rows: &mut dyn FnMut(&mut Put<'_>) -> Result<(), EngineFault>,
    ) -> Result<(), EngineFault> {
        rows(&mut |values| self.execute(sql, values))
    }

    /// The sum of a column's whole numbers, which is the most that a `BIGINT` can be where it would be more.
    fn sum_of(&self, column: &str) -> String;

    /// The rows that a statement finds.
    fn query(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, EngineFault>;

    /// Runs several statements that take no values.
    fn batch(&mut self, sql: &str) -> Result<(), EngineFault>;

    /// Begins a transaction that will write.
    fn begin(&mut self) -> Result<(), EngineFault>;

    /// Whether several relays may write it at the same time.
    fn is_shared(&self) -> bool {
        false
    }

    /// Within a transaction: nobody else changes the schema until its end.
    fn lock_schema(&mut self) -> Result<(), EngineFault>;
}

/// Does work whole or not at all.
pub(super) fn whole<T, E: From<EngineFault>>(
    engine: &mut dyn Engine,
    work: impl FnOnce(&mut dyn Engine) -> Result<T, E>,
) -> Result<T, E> {
    engine.begin()?;
    let done = work(engine);
    let end = match done {
        Ok(_) => engine.batch("COMMIT"),
        Err(_) => engine.batch("ROLLBACK"),
    };
    match (done, end) {
        (Ok(value), Ok(())) => Ok(value),
        (Ok(_), Err(fault)) => {
            let _ = engine.batch("ROLLBACK"); // A commit that failed may have left it open.
            Err(fault.into())
        }
        (Err(fault), _) => Err(fault),
    }
}
