//! The audit log: who changed what, and when.

use super::engine::Engine;
use super::fault::EngineFault;
use super::filter::Cursor;
use super::filter::Page;
use super::filter::Where;
use super::queries::places;
use super::value::Row;
use super::value::Value;
use serde_json::Value as Json;
use serde_json::json;

/// One change. It holds no secret: whoever makes it leaves them out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AuditEntry {
    pub(crate) id: String,
    /// Milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// Who did it: a user's name, `admin-token`, `catalog files`, or the account of whoever ran a command.
    pub(crate) actor: String,
    /// What was done: `create`, `update`, `delete`, `reset`, `login`, …
    pub(crate) action: String,
    /// What it was done to: `host`, `relay-key`, `breaker`, …
    pub(crate) kind: String,
    pub(crate) name: String,
    /// JSON, or empty where there was nothing.
    pub(crate) before: String,
    pub(crate) after: String,
}

/// Which changes are asked for; what is `None` is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AuditFilter {
    pub(crate) since_ms: Option<u64>,
    pub(crate) until_ms: Option<u64>,
    pub(crate) actor: Option<String>,
    pub(crate) action: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) name: Option<String>,
}

const COLUMNS: &str = "id, at_ms, actor, action, kind, name, before_json, after_json";

impl AuditEntry {
    pub(crate) fn json(&self) -> Json {
        let read = |text: &str| serde_json::from_str::<Json>(text).unwrap_or(Json::Null);
        json!({
            "id": self.id,
            "at_ms": self.at_ms,
            "actor": self.actor,
            "action": self.action,
            "kind": self.kind,
            "name": self.name,
            "before": read(&self.before),
            "after": read(&self.after),
        })
    }

    fn of(row: &Row) -> AuditEntry {
        AuditEntry {
            id: row.text(0),
            at_ms: row.sum(1),
            actor: row.text(2),
            action: row.text(3),
            kind: row.text(4),
            name: row.text(5),
            before: row.text(6),
            after: row.text(7),
        }
    }
}

pub(super) fn append(engine: &mut dyn Engine, entry: &AuditEntry) -> Result<(), EngineFault> {
    let places = places(8);
    let sql =
        format!("INSERT INTO audit_log ({COLUMNS}) VALUES ({places}) ON CONFLICT (id) DO NOTHING");
    let texts = [
        &entry.actor,
        &entry.action,
        &entry.kind,
        &entry.name,
        &entry.before,
        &entry.after,
    ];
    let mut values: Vec<Value<'_>> = vec![entry.id.as_str().into(), entry.at_ms.into()];
    values.extend(texts.map(|text| Value::from(text.as_str())));
    engine.execute(&sql, &values).map(drop)
}

/// Entries, the newest first.
pub(super) fn query(
    engine: &mut dyn Engine,
    filter: &AuditFilter,
    behind: Option<&Cursor>,
    limit: usize,
) -> Result<Page<AuditEntry>, EngineFault> {
    let mut conditions = Where::default();
    conditions.add_if("at_ms >= ?", filter.since_ms);
    conditions.add_if("at_ms < ?", filter.until_ms);
    for (column, value) in [
        ("actor", &filter.actor),
        ("action", &filter.action),
        ("kind", &filter.kind),
        ("name", &filter.name),
    ] {
        conditions.add_if(&format!("{column} = ?"), value.as_deref());
    }
    conditions.behind(behind);
    let sql = format!(
        "SELECT {COLUMNS} FROM audit_log{} ORDER BY at_ms DESC, id DESC LIMIT {}",
        conditions.sql(),
        limit + 1
    );
    let rows = engine.query(&sql, &conditions.values)?;
    let entries = rows.iter().map(AuditEntry::of).collect();
    Ok(Page::of(entries, limit, |entry: &AuditEntry| Cursor {
        at_ms: entry.at_ms,
        id: entry.id.clone(),
    }))
}
