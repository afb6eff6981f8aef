//! Pages that list rows of the catalog.

use super::super::Plane;
use super::super::access;
use super::super::ask;
use super::super::ask::Ask;
use super::super::reply::Reply;
use super::super::row;
use super::edit::may_change;
use super::frame::Frame;
use super::page_of;
use super::table::Cell;
use super::table::Table;
use super::table::linked;
use super::table::marked;
use super::table::plain;
use super::table::spoken;
use super::table::text;
use super::words::lead;
use crate::catalog::Kind;
use askama::Template;
use hyper::StatusCode;
use serde_json::Value;

#[derive(Template)]
#[template(path = "rows.html")]
struct Rows {
    frame: Frame,
    lead: &'static str,
    search: String,
    new_href: String,
    new_text: String,
    table: Table,
    /// Empty: these are the last.
    next_href: String,
    limit: usize,
    count: usize,
    /// Rows that a simulation brings.
    brought: Vec<String>,
}

pub(super) fn rows(plane: &Plane, ask: &Ask, kind: Kind) -> Reply {
    let word = access::word(kind);
    let search = ask.query("q").unwrap_or_default();
    let page = row::part(plane, kind, ask.query("q"), ask.query("cursor"), ROWS_SHOWN);
    let more = |next: String| {
        let (search, next) = (ask::encoded(search), ask::encoded(&next));
        format!("/{word}?q={search}&cursor={next}")
    };
    let page = Rows {
        frame: Frame::of(ask, ask.route.summary),
        next_href: page.next.map_or_else(String::new, more),
        limit: ROWS_SHOWN,
        count: page.count,
        brought: brought(plane, kind),
        lead: lead(kind),
        search: search.to_owned(),
        new_href: match may_change(ask, kind) {
            true => format!("/{word}/-/new"),
            false => String::new(),
        },
        new_text: format!("New {}", kind.word().replace('-', " ")),
        table: table(&page.rows, word, !search.is_empty()),
    };
    page_of(StatusCode::OK, &page)
}

fn table(rows: &[Value], word: &str, is_searched: bool) -> Table {
    Table {
        caption: "Rows of the catalog",
        heads: vec!["Name", "State", "What it says"],
        rows: rows.iter().map(|row| line(row, word)).collect(),
        empty: match is_searched {
            true => "No name has this in it.",
            false => "There is none yet.",
        },
        ..Table::default()
    }
}

fn line(row: &Value, word: &str) -> Vec<Cell> {
    let name = text(&row["metadata"]["name"]);
    let problem = row["problems"][0]["message"].as_str();
    let state = match (problem, row["enabled"].as_bool()) {
        (Some(problem), _) => marked(format!("out: {problem}"), "bad"),
        (None, Some(false)) => marked("disabled", "warn"),
        (None, _) => marked("in force", "good"),
    };
    let href = format!("/{word}/{}", ask::encoded(&name));
    vec![linked(name, href), state, plain(summary(&row["spec"]))]
}

fn brought(plane: &Plane, kind: Kind) -> Vec<String> {
    let rows = plane.rooms.catalog.brought();
    let rows = rows.iter().filter(|row| row.kind() == kind);
    rows.map(|row| row.name.clone()).collect()
}

/// A spec in one line.
fn summary(spec: &Value) -> String {
    let fields = spec.as_object().into_iter().flatten();
    let shown = fields.filter(|(name, _)| *name != "passwordHash" && *name != "enabled");
    let parts: Vec<String> = shown
        .map(|(name, value)| format!("{name}: {}", spoken(value)))
        .collect();
    parts
        .join(" · ")
        .chars()
        .take(SUMMARY_CHARACTERS_MAX)
        .collect()
}

/// Rows of one page of a list.
const ROWS_SHOWN: usize = 100;
/// Characters of a row in a list; its page has all.
const SUMMARY_CHARACTERS_MAX: usize = 160;
