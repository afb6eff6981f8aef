//! What calls took and cost, out of the store: records, sums, series, and one call's story; as JSON or as CSV.

use super::Plane;
use super::ask::Ask;
use super::csv;
use super::question;
use super::reply;
use super::reply::Problem;
use super::reply::Reply;
use crate::calls::Filter;
use crate::calls::RefusedRequest;
use crate::calls::whole_story;
use crate::clock;
use crate::store::Cursor;
use crate::store::GroupBy;
use crate::store::Page;
use crate::store::Span;
use crate::store::UsageFilter;
use crate::store::UsageRecord;
use crate::store::UsageSums;
use crate::wire::contract;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The relay keys by their ids, which is what records have.
pub(super) struct KeyNames(BTreeMap<String, String>);

impl KeyNames {
    /// A file that does not read costs the names and nothing else.
    pub(super) fn of(plane: &Plane) -> KeyNames {
        let read = tokio::task::block_in_place(|| plane.rooms.keys.read());
        let keys = read.ok().flatten().unwrap_or_default();
        let pair = |key: &crate::store::Key| (key.id.0.clone(), key.name.clone());
        KeyNames(keys.all().iter().map(pair).collect())
    }

    pub(super) fn name(&self, id: &str) -> String {
        self.0.get(id).map_or(id, String::as_str).to_owned()
    }

    /// The id of a key that is given by its name; whatever else is taken for an id.
    pub(super) fn id(&self, name: &str) -> String {
        let found = self.0.iter().find(|(_, known)| *known == name);
        found.map_or(name, |(id, _)| id).to_owned()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.0.values()
    }
}

/// Records that the query asks for, the newest first.
pub(super) async fn found(
    plane: &Plane,
    ask: &Ask,
    keys: &KeyNames,
) -> Result<Page<UsageRecord>, Problem> {
    let filter = question::usage(ask, clock::unix_ms(), |name| keys.id(name))?;
    let (cursor, limit) = question::page(ask, question::LIMIT_DEFAULT)?;
    let page = plane.rooms.store.usage(filter, cursor, limit).await;
    page.map_err(|fault| Problem::store(&fault))
}

pub(super) async fn records(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let keys = KeyNames::of(plane);
    let page = found(plane, ask, &keys).await?;
    let next = page.next.as_ref().map(Cursor::text);
    if wants_csv(ask)? {
        let text = csv::calls(&page.rows, |id| keys.name(id));
        let mut reply = file("calls.csv", text);
        if let Some(next) = next {
            reply::set(&mut reply, NEXT_CURSOR, &super::ask::encoded(&next));
        }
        return Ok(reply);
    }
    let items: Vec<Value> = page.rows.iter().map(|row| record(row, &keys)).collect();
    Ok(reply::data(&json!({ "items": items, "next_cursor": next })))
}

fn record(record: &UsageRecord, keys: &KeyNames) -> Value {
    let mut value = record.json();
    if !record.relay_key.is_empty() {
        value["key_name"] = keys.name(&record.relay_key).into();
    }
    value
}

pub(super) async fn summary(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let keys = KeyNames::of(plane);
    let filter = question::usage(ask, clock::unix_ms(), |name| keys.id(name))?;
    let by = question::by(ask)?;
    let sums = plane.rooms.store.usage_summary(filter.clone(), by).await;
    let sums = sums.map_err(|fault| Problem::store(&fault))?;
    let name = |name: &str| named(by, name, &keys);
    if wants_csv(ask)? {
        let rows: Vec<_> = sums
            .into_iter()
            .map(|(id, sums)| (name(&id), sums))
            .collect();
        return Ok(file("usage.csv", csv::sums(&rows)));
    }
    let items = sums.iter().map(|(id, sums)| {
        let mut row = json!({ "name": name(id) });
        if by == Some(GroupBy::Key) {
            row["id"] = id.clone().into();
        }
        with(row, sums)
    });
    Ok(reply::data(&json!({
        "by": by.map(GroupBy::name),
        "since_ms": filter.since_ms,
        "until_ms": filter.until_ms,
        "items": items.collect::<Vec<_>>(),
    })))
}

pub(super) async fn series(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let keys = KeyNames::of(plane);
    let now_ms = clock::unix_ms();
    let filter = question::usage(ask, now_ms, |name| keys.id(name))?;
    let by = question::by(ask)?;
    let span = question::span(ask)?.unwrap_or_else(|| span_for(&filter, now_ms));
    let points = plane
        .rooms
        .store
        .usage_series(filter.clone(), by, span)
        .await;
    let points = points.map_err(|fault| Problem::store(&fault))?;
    let items = points.iter().map(|(start_s, id, sums)| {
        let row = json!({ "start_ms": start_s * 1000, "name": named(by, id, &keys) });
        with(row, sums)
    });
    Ok(reply::data(&json!({
        "by": by.map(GroupBy::name),
        "span_s": span.seconds(),
        "since_ms": filter.since_ms,
        "until_ms": filter.until_ms,
        "items": items.collect::<Vec<_>>(),
    })))
}

/// A step with which a chart of this time has some dozens to hundreds of them.
fn span_for(filter: &UsageFilter, now_ms: u64) -> Span {
    let age_s = filter
        .since_ms
        .map_or(u64::MAX, |since| now_ms.saturating_sub(since) / 1000);
    match age_s {
        0..=10_800 => Span::Minute,
        10_801..=691_200 => Span::Hour,
        _ => Span::Day,
    }
}

/// The fields of a row, and those of its sums.
fn with(mut row: Value, sums: &UsageSums) -> Value {
    if let (Some(row), Value::Object(fields)) = (row.as_object_mut(), sums.json()) {
        row.extend(fields);
    }
    row
}

/// The name of what sums are told apart by, as people know it.
pub(super) fn named(by: Option<GroupBy>, name: &str, keys: &KeyNames) -> String {
    match by {
        Some(GroupBy::Key) => keys.name(name),
        Some(_) | None => name.to_owned(),
    }
}

fn wants_csv(ask: &Ask) -> Result<bool, Problem> {
    match question::given(ask, "format") {
        None | Some("json") => Ok(false),
        Some("csv") => Ok(true),
        Some(_) => Err(Problem::invalid("format: give json or csv.")),
    }
}

fn file(name: &str, text: String) -> Reply {
    let mut reply = reply::text("text/csv; charset=utf-8", text);
    let disposition = format!("attachment; filename=\"{name}\"");
    reply::set(&mut reply, hyper::header::CONTENT_DISPOSITION, &disposition);
    reply
}

/// One call's whole story: its record with phases, tries and labels, and what its code means. A call that the store has
/// not yet, or not any more, is told as far as it is kept in memory.
pub(super) async fn story(plane: &Plane, id: &str) -> Result<Value, Problem> {
    let kept = match kept(plane, id).await {
        // One that has just ended is on its way to the store.
        None if recent(plane, id).is_ok() => {
            tokio::task::block_in_place(|| plane.rooms.store.flush());
            kept(plane, id).await
        }
        kept => kept,
    };
    let Some(kept) = kept else {
        return recent(plane, id);
    };
    let mut told = record(&kept, &KeyNames::of(plane));
    told["story"] = whole_story(&kept.story);
    told["error"] = error(&kept.code);
    Ok(told)
}

async fn kept(plane: &Plane, id: &str) -> Option<UsageRecord> {
    let filter = UsageFilter {
        id: Some(id.to_owned()),
        ..UsageFilter::default()
    };
    let page = plane.rooms.store.usage(filter, None, 1).await;
    page.ok().and_then(|page| page.rows.into_iter().next())
}

/// What a code of the error contract means.
fn error(code: &str) -> Value {
    let row = contract::find(code);
    row.map_or(Value::Null, |row| {
        json!({
            "code": row.code,
            "happened": row.happened,
            "whose": row.culprit(),
            "next": row.next,
            "again": row.again(),
        })
    })
}

/// Requests that were refused before they were calls, the newest first; each with what its code means and, where it is
/// known, the key.
pub(super) fn refused(plane: &Plane) -> Vec<Value> {
    let keys = KeyNames::of(plane);
    let tell = |one: &Arc<RefusedRequest>| {
        let mut told = one.json();
        if let Some(id) = one.cause.strip_prefix("key ") {
            told["key"] = id.into();
            told["key_name"] = keys.name(id).into();
        }
        told["error"] = error(one.code);
        told
    };
    plane.rooms.calls.refused().iter().map(tell).collect()
}

pub(super) fn refused_list(plane: &Plane) -> Reply {
    reply::data(&json!({ "items": refused(plane) }))
}

fn recent(plane: &Plane, id: &str) -> Result<Value, Problem> {
    let mut filter = Filter::default();
    filter.limit = usize::MAX;
    let calls = plane.rooms.calls.recent(&filter).into_iter();
    let mut calls = calls.chain(refused(plane));
    let found = calls.find(|call| call["id"] == id);
    let mut found = found.ok_or_else(|| {
        Problem::not_found("call of this id; the id is the `request-id` of its answer, and a call that runs has no story yet")
    })?;
    found["error"] = error(found["code"].as_str().unwrap_or_default());
    Ok(found)
}

/// Where the next part of a CSV begins.
const NEXT_CURSOR: hyper::header::HeaderName =
    hyper::header::HeaderName::from_static("x-next-cursor");
