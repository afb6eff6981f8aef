//! The page of the audit log.

use super::super::Plane;
use super::super::ask;
use super::super::ask::Ask;
use super::super::question;
use super::super::reply::Reply;
use super::super::system;
use super::frame::Frame;
use super::look::Field;
use super::page_of;
use super::table::Cell;
use super::table::Table;
use super::table::plain;
use super::table::spoken;
use super::table::time;
use crate::store::AuditEntry;
use crate::store::Cursor;
use askama::Template;
use hyper::StatusCode;
use serde_json::Value;

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    fields: Vec<Field>,
    error: String,
    table: Table,
    /// Empty: these are the first.
    older: String,
}

pub(super) async fn audit(plane: &Plane, ask: &Ask) -> Reply {
    let field = |(name, label, hint)| Field {
        name,
        label,
        hint,
        value: ask.query(name).unwrap_or_default().to_owned(),
    };
    let (found, error) = match system::audited(plane, ask).await {
        Ok(found) => (Some(found), String::new()),
        Err(problem) => (None, problem.detail),
    };
    let next = found.as_ref().and_then(|page| page.next.as_ref());
    let rows = found.iter().flat_map(|page| &page.rows);
    let page = AuditPage {
        frame: Frame::of(ask, "Audit"),
        fields: FIELDS.map(field).into(),
        error,
        table: Table {
            caption: "Changes, the newest first",
            heads: vec!["When", "Who", "Did", "To", "What changed"],
            rows: rows.map(row).collect(),
            empty: match ask.query.is_empty() {
                true => "Nothing was changed yet.",
                false => "No change is as the filter says.",
            },
            ..Table::default()
        },
        older: next.map_or_else(String::new, |next| older(ask, next)),
    };
    page_of(StatusCode::OK, &page)
}

fn row(entry: &AuditEntry) -> Vec<Cell> {
    vec![
        plain(time(&entry.at_ms.into())),
        plain(entry.actor.clone()),
        plain(entry.action.clone()),
        plain(format!("{} {}", entry.kind, entry.name)),
        plain(changed(entry)),
    ]
}

/// The fields that differ, with what they were; a row that came or went in one line.
fn changed(entry: &AuditEntry) -> String {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let (before, after) = (read(&entry.before), read(&entry.after));
    let told = match (before.is_null(), after.is_null()) {
        (true, true) => String::new(),
        (true, false) => said(&after),
        (false, true) => format!("was {}", said(&before)),
        (false, false) => {
            let mut changes = Vec::new();
            differences("", &before, &after, &mut changes);
            changes.join("; ")
        }
    };
    told.chars().take(WORDS_SHOWN).collect()
}

/// What a row says, or what else was told of a change.
fn said(value: &Value) -> String {
    match &value["spec"] {
        Value::Null => spoken(value),
        spec => spoken(spec),
    }
}

fn differences(path: &str, before: &Value, after: &Value, changes: &mut Vec<String>) {
    let (Some(old), Some(new)) = (before.as_object(), after.as_object()) else {
        if before != after {
            changes.push(format!("{path}: {before} → {after}"));
        }
        return;
    };
    let added = new.keys().filter(|name| !old.contains_key(*name));
    for name in old.keys().chain(added) {
        let path = match path {
            "" => name.clone(),
            path => format!("{path}.{name}"),
        };
        let of = |map: &serde_json::Map<String, Value>| map.get(name).cloned().unwrap_or_default();
        differences(&path, &of(old), &of(new), changes);
    }
}

fn older(ask: &Ask, next: &Cursor) -> String {
    let given = FIELDS
        .iter()
        .filter_map(|(name, _, _)| Some((*name, question::given(ask, name)?)));
    let given = given.map(|(name, value)| format!("{name}={}&", ask::encoded(value)));
    let filter: String = given.collect();
    format!("/audit?{filter}cursor={}", ask::encoded(&next.text()))
}

const FIELDS: [(&str, &str, &str); 6] = [
    ("actor", "Who", "ada"),
    ("action", "Did", "update"),
    ("kind", "Kind", "host"),
    ("name", "Name", ""),
    ("since", "Since", "7d or a time"),
    ("until", "Until", "1d or a time"),
];
/// Characters of a change in the table; the API has all.
const WORDS_SHOWN: usize = 600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_tells_what_differs_and_what_it_was() {
        let entry = |before: &str, after: &str| AuditEntry {
            before: before.to_owned(),
            after: after.to_owned(),
            ..AuditEntry::default()
        };
        let told = changed(&entry(
            r#"{"spec":{"url":"a","old":1,"same":2}}"#,
            r#"{"spec":{"url":"b","same":2,"new":3}}"#,
        ));
        assert_eq!(
            told,
            r#"spec.url: "a" → "b"; spec.old: 1 → null; spec.new: null → 3"#
        );
        assert_eq!(changed(&entry("", "")), "");
        assert_eq!(changed(&entry("{\"a\":1}", "")), "was a 1");
    }
}
