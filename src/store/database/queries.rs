//! The statements: what is written of calls, and what is read of them.

use super::engine::Engine;
use super::fault::EngineFault;
use super::filter::Cursor;
use super::filter::GroupBy;
use super::filter::OUTCOME;
use super::filter::Page;
use super::filter::Span;
use super::filter::UsageFilter;
use super::filter::Where;
use super::record::COLUMN_COUNT;
use super::record::COLUMNS;
use super::record::Recorded;
use super::record::UsageRecord;
use super::rollup::Minutes;
use super::rollup::SUMS;
use super::rollup::UsageSums;
use super::rollup::total_up;
use super::value::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Writes records and what they add to the roll-ups; within a transaction.
pub(super) fn append(engine: &mut dyn Engine, calls: &[&dyn Recorded]) -> Result<(), EngineFault> {
    let mut minutes = Minutes::default();
    engine.execute_each(&ADD_RECORD, &mut |put| {
        calls.iter().try_for_each(|call| {
            let (record, story) = (call.record(), call.story());
            minutes.add(&record);
            let whole = UsageRecord {
                story: &*story,
                ..record
            };
            put(&whole.values()).map(drop)
        })
    })?;
    let rollups = minutes.rolled_up();
    engine.execute_each(&ADD_ROLLUP, &mut |put| {
        rollups.iter().try_for_each(|(key, sums)| {
            let mut values: Vec<Value<'_>> = vec![key.span.seconds().into(), key.start_s.into()];
            values.extend(key.names.map(Value::from));
            values.extend(sums.values());
            put(&values).map(drop)
        })
    })?;
    engine.execute_each(&ADD_TOTAL, &mut |put| {
        total_up(&rollups).iter().try_for_each(|(key, sums)| {
            let mut values: Vec<Value<'_>> = vec![
                key.span.seconds().into(),
                key.kind.into(),
                key.start_s.into(),
                key.name.into(),
                key.outcome.into(),
                key.currency.into(),
            ];
            values.extend(sums.values());
            put(&values).map(drop)
        })
    })
}

static ADD_RECORD: LazyLock<String> = LazyLock::new(|| {
    let places = places(COLUMN_COUNT);
    format!("INSERT INTO usage_records ({COLUMNS}) VALUES ({places}) ON CONFLICT DO NOTHING")
});
static ADD_ROLLUP: LazyLock<String> = LazyLock::new(|| {
    add_sql(
        "usage_rollups",
        "span_s, start_s, relay_key, policy, lane, host, model, outcome, currency",
    )
});
static ADD_TOTAL: LazyLock<String> = LazyLock::new(|| {
    add_sql(
        "usage_totals",
        "span_s, kind, start_s, name, outcome, currency",
    )
});

/// Adds sums to the row of its keys, or makes it. A sum that is full stays at the most that a `BIGINT` can be.
fn add_sql(table: &str, keys: &str) -> String {
    let sums = SUMS.join(", ");
    let places = places(keys.split(',').count() + SUMS.len());
    let more = SUMS.map(|sum| {
        let (most, old, new) = (
            i64::MAX,
            format!("{table}.{sum}"),
            format!("excluded.{sum}"),
        );
        format!("{sum} = CASE WHEN {old} > {most} - {new} THEN {most} ELSE {old} + {new} END")
    });
    let more = more.join(", ");
    format!(
        "INSERT INTO {table} ({keys}, {sums}) VALUES ({places}) ON CONFLICT ({keys}) DO UPDATE SET {more}"
    )
}

pub(super) fn places(count: usize) -> String {
    let places = (1..=count).map(|place| format!("?{place}"));
    places.collect::<Vec<_>>().join(", ")
}

/// Records, the newest first.
pub(super) fn records(
    engine: &mut dyn Engine,
    filter: &UsageFilter,
    behind: Option<&Cursor>,
    limit: usize,
) -> Result<Page<UsageRecord>, EngineFault> {
    let mut conditions = filter.records();
    conditions.behind(behind);
    let sql = format!(
        "SELECT {COLUMNS} FROM usage_records{} ORDER BY at_ms DESC, id DESC LIMIT {}",
        conditions.sql(),
        limit + 1
    );
    let rows = engine.query(&sql, &conditions.values)?;
    let records = rows.iter().map(UsageRecord::of).collect();
    Ok(Page::of(records, limit, |record| Cursor {
        at_ms: record.at_ms,
        id: record.id.clone(),
    }))
}

/// Sums by a name, the one with the most calls first.
pub(super) fn summary(
    engine: &mut dyn Engine,
    filter: &UsageFilter,
    by: Option<GroupBy>,
    span: Span,
) -> Result<Vec<(String, UsageSums)>, EngineFault> {
    let points = grouped(engine, filter, by, span, false)?;
    let mut rows: Vec<_> = points
        .into_iter()
        .map(|((_, name), sums)| (name, sums))
        .collect();
    rows.sort_by(|a, b| b.1.calls.cmp(&a.1.calls).then_with(|| a.0.cmp(&b.0)));
    Ok(rows)
}

/// Sums by a name and by when a span began, in seconds since 1970; spans without a call are left out.
pub(super) fn series(
    engine: &mut dyn Engine,
    filter: &UsageFilter,
    by: Option<GroupBy>,
    span: Span,
) -> Result<Vec<(u64, String, UsageSums)>, EngineFault> {
    let points = grouped(engine, filter, by, span, true)?.into_iter();
    Ok(points
        .map(|((start, name), sums)| (start, name, sums))
        .collect())
}

/// Sums of records where only these know, else of roll-ups. A row of each currency is put together to one of all.
fn grouped(
    engine: &mut dyn Engine,
    filter: &UsageFilter,
    by: Option<GroupBy>,
    span: Span,
    is_series: bool,
) -> Result<BTreeMap<(u64, String), UsageSums>, EngineFault> {
    let (source, conditions) = source(filter, by, span, &|column| engine.sum_of(column));
    let start = if is_series {
        source.start.as_str()
    } else {
        "0"
    };
    let sql = format!(
        // A column would win over an alias of its name.
        "SELECT {start} AS span_start, {name} AS group_name, currency, {sums} FROM {table}{conditions} \
         GROUP BY span_start, group_name, currency ORDER BY span_start, group_name LIMIT {POINTS_MAX}",
        name = source.name,
        sums = source.sums,
        table = source.table,
        conditions = conditions.sql(),
    );
    let mut points: BTreeMap<(u64, String), UsageSums> = BTreeMap::new();
    for row in engine.query(&sql, &conditions.values)? {
        let sums = UsageSums::of_row(&row, 3, &row.text(2));
        points
            .entry((row.sum(0), row.text(1)))
            .or_default()
            .add(&sums);
    }
    Ok(points)
}

/// A table that sums are made of.
struct Source {
    table: &'static str,
    start: String,
    name: &'static str,
    sums: String,
}

fn source(
    filter: &UsageFilter,
    by: Option<GroupBy>,
    span: Span,
    sum: &dyn Fn(&str) -> String,
) -> (Source, Where) {
    if let Some(kind) = filter.total(by, span) {
        let source = Source {
            table: "usage_totals",
            start: "start_s".to_owned(),
            name: match by {
                Some(GroupBy::Outcome) => "outcome",
                Some(_) => "name",
                None => NO_NAME,
            },
            sums: SUMS.map(sum).join(", "),
        };
        return (source, filter.totals(kind, span));
    }
    if !filter.is_fine() {
        let source = Source {
            table: "usage_rollups",
            start: "start_s".to_owned(),
            name: by.map_or(NO_NAME, GroupBy::column),
            sums: SUMS.map(sum).join(", "),
        };
        return (source, filter.rollups(span));
    }
    let seconds = span.seconds();
    let name = match by {
        Some(GroupBy::Outcome) => OUTCOME,
        other => other.map_or(NO_NAME, GroupBy::column),
    };
    let source = Source {
        table: "usage_records",
        start: format!("(at_ms / {} * {seconds})", seconds * 1000),
        name,
        sums: RECORD_SUMS.map(sum).join(", "),
    };
    (source, filter.records())
}

/// All of them under no name.
const NO_NAME: &str = "CAST('' AS TEXT)";
/// What a record adds to each of [`SUMS`].
const RECORD_SUMS: [&str; SUMS.len()] = [
    "1",
    "attempts",
    "is_left",
    "CASE WHEN cost_nanos IS NULL AND (input_tokens IS NOT NULL OR output_tokens IS NOT NULL) THEN 1 ELSE 0 END",
    "COALESCE(input_tokens, 0)",
    "COALESCE(output_tokens, 0)",
    "COALESCE(cache_read_tokens, 0)",
    "COALESCE(cache_write_tokens, 0)",
    "COALESCE(reasoning_tokens, 0)",
    "total_ms",
    "COALESCE(first_byte_ms, 0)",
    "CASE WHEN first_byte_ms IS NULL THEN 0 ELSE 1 END",
    "COALESCE(cost_nanos, 0)",
];

/// Takes away what is older than it is kept for; whether there may be more.
pub(super) fn prune(
    engine: &mut dyn Engine,
    now_ms: u64,
    retention_ms: u64,
) -> Result<bool, EngineFault> {
    let before = now_ms.saturating_sub(retention_ms);
    let sql = format!(
        "DELETE FROM usage_records WHERE at_ms <= (SELECT MAX(at_ms) FROM \
         (SELECT at_ms FROM usage_records WHERE at_ms < ?1 ORDER BY at_ms LIMIT {PRUNED_MAX}) AS oldest)"
    );
    let gone = engine.execute(&sql, &[before.into()])?;
    for span in Span::ALL {
        let before = (now_ms / 1000).saturating_sub(span.kept_s());
        for table in ["usage_rollups", "usage_totals"] {
            let sql = format!("DELETE FROM {table} WHERE span_s = ?1 AND start_s < ?2");
            engine.execute(&sql, &[span.seconds().into(), before.into()])?;
        }
    }
    let before = now_ms.saturating_sub(AUDIT_KEPT_MS);
    let sql = format!(
        "DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE at_ms < ?1 LIMIT {PRUNED_MAX})"
    );
    let forgotten = engine.execute(&sql, &[before.into()])?;
    // Those of one moment go together.
    Ok(gone >= PRUNED_MAX || forgotten == PRUNED_MAX)
}

/// Points of one answer: a month of hours by ten names, with room. More is no chart.
const POINTS_MAX: usize = 20_000;
/// Milliseconds for which it is kept who changed what: three years, as the sums of days, so that both tell of one time.
pub(super) const AUDIT_KEPT_MS: u64 = 3 * 366 * 86_400_000;
/// Records that go at a time, so that the writer is soon back at what waits.
const PRUNED_MAX: u64 = 5_000;
