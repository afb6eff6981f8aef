//! Small facts that have a name.

use super::engine::Engine;
use super::fault::EngineFault;

pub(super) fn read(engine: &mut dyn Engine, name: &str) -> Result<Option<String>, EngineFault> {
    let rows = engine.query("SELECT value FROM settings WHERE name = ?1", &[name.into()])?;
    Ok(rows.first().map(|row| row.text(0)))
}

pub(super) fn write(
    engine: &mut dyn Engine,
    name: &str,
    value: &str,
    now_ms: u64,
) -> Result<(), EngineFault> {
    let sql = "INSERT INTO settings (name, value, changed_at_ms) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE \
               SET value = excluded.value, changed_at_ms = excluded.changed_at_ms";
    let values = [name.into(), value.into(), now_ms.into()];
    engine.execute(sql, &values).map(drop)
}
