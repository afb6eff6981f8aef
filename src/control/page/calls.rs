//! The page of calls: a list with its filter.

use super::super::Plane;
use super::super::ask;
use super::super::ask::Ask;
use super::super::question;
use super::super::reply::Reply;
use super::super::system;
use super::super::usage;
use super::super::usage::KeyNames;
use super::frame::Frame;
use super::look::Field;
use super::look::call_table;
use super::page_of;
use super::table::Table;
use super::table::linked;
use super::table::moment;
use super::table::plain;
use super::table::result;
use super::table::said;
use super::table::text;
use super::table::time;
use crate::store::Cursor;
use crate::store::UsageRecord;
use askama::Template;
use hyper::StatusCode;
use serde_json::Value;
use serde_json::json;

#[derive(Template)]
#[template(path = "calls.html")]
struct Calls {
    frame: Frame,
    fields: Vec<Field>,
    error: String,
    table: Table,
    /// Empty: these are the last.
    older: String,
    file: String,
    /// Nothing newer can come before these.
    is_newest: bool,
    /// What was refused before it was a call; empty where older or only some calls are asked for.
    refused: Table,
}

/// The calls that the filter asks for. Where the store does not answer, the last ones that are kept in memory.
pub(super) async fn calls(plane: &Plane, ask: &Ask) -> Reply {
    let keys = KeyNames::of(plane);
    let mut page = Calls {
        frame: Frame::of(ask, "Calls"),
        fields: FIELDS.map(|field| field_of(ask, field)).into(),
        error: String::new(),
        table: Table::default(),
        older: String::new(),
        is_newest: question::given(ask, "cursor").is_none(),
        file: format!("/api/v1/usage?format=csv{}", query(ask, None)),
        refused: Table::default(),
    };
    if ask.query.is_empty() {
        page.refused = refused_table(&usage::refused(plane));
    }
    match usage::found(plane, ask, &keys).await {
        Ok(found) => {
            let rows: Vec<Value> = found.rows.iter().map(as_line).collect();
            page.table = call_table(&rows);
            let next = found.next.as_ref().map(Cursor::text);
            page.older = next.map_or_else(String::new, |next| {
                format!("/calls?{}", query(ask, Some(&next)).trim_start_matches('&'))
            });
        }
        Err(problem) if problem.status.is_server_error() => {
            page.error = format!(
                "{} These are the last calls that are kept in memory.",
                problem.detail
            );
            page.table = call_table(&system::recent(plane));
        }
        Err(problem) => page.error = problem.detail,
    }
    if !ask.query.is_empty() {
        page.table.empty = "No call is as the filter says.";
    }
    page_of(StatusCode::OK, &page)
}

/// A record as the log of the last calls has it.
fn as_line(record: &UsageRecord) -> Value {
    json!({
        "id": record.id,
        "at": time(&record.at_ms.into()),
        "model": record.model,
        "lane": (!record.lane.is_empty()).then_some(&record.lane),
        "status": record.status,
        "code": (!record.code.is_empty()).then_some(&record.code),
        "left": record.is_left,
        "ms": { "total": record.total_ms },
    })
}

fn refused_table(refused: &[Value]) -> Table {
    let row = |one: &Value| {
        let href = format!("/calls/{}", ask::encoded(&text(&one["id"])));
        vec![
            linked(moment(&text(&one["at"])), href),
            plain(text(&one["route"])),
            result(one),
            plain(text(&one["key_name"])),
            said(text(&one["error"]["next"])),
        ]
    };
    Table {
        caption: "Refused before they were calls, the newest first",
        heads: vec!["When", "Request", "Result", "Key", "Next step"],
        rows: refused.iter().take(REFUSED_SHOWN).map(row).collect(),
        empty: "None since the relay was started.",
        ..Table::default()
    }
}

pub(super) fn field_of(
    ask: &Ask,
    (name, label, hint): (&'static str, &'static str, &'static str),
) -> Field {
    Field {
        name,
        label,
        hint,
        value: ask.query(name).unwrap_or_default().to_owned(),
    }
}

/// The filter in force as the end of a query, with where a page begins.
fn query(ask: &Ask, cursor: Option<&str>) -> String {
    let given = FIELDS
        .iter()
        .filter_map(|(name, _, _)| Some((*name, question::given(ask, name)?)));
    let all = given.chain(cursor.map(|cursor| ("cursor", cursor)));
    all.map(|(name, value)| format!("&{name}={}", ask::encoded(value)))
        .collect()
}

/// Refused requests on the page; `GET /api/v1/refused` has all that are kept.
const REFUSED_SHOWN: usize = 20;
const FIELDS: [(&str, &str, &str); 9] = [
    ("status", "Status", "429, 5xx or left"),
    ("code", "Code", "rate_limited"),
    ("model", "Model", ""),
    ("key", "Key", ""),
    ("host", "Host", ""),
    ("lane", "Lane", ""),
    ("policy", "Policy", ""),
    ("since", "Since", "1d or a time"),
    ("until", "Until", "1h or a time"),
];
