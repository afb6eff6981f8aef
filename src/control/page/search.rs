//! One search for everything that has a name: rows of the catalog, relay keys, pages, and a call by its id.

use super::super::Plane;
use super::super::access;
use super::super::ask;
use super::super::ask::Ask;
use super::super::key;
use super::super::question;
use super::super::reply;
use super::super::reply::Problem;
use super::super::reply::Reply;
use super::super::row;
use super::super::usage;
use super::frame::Frame;
use super::page_of;
use super::table::Cell;
use super::table::Table;
use super::table::linked;
use super::table::plain;
use super::table::text;
use crate::catalog::Document;
use crate::catalog::DocumentSet;
use askama::Template;
use hyper::StatusCode;

#[derive(Template)]
#[template(path = "search.html")]
struct Search {
    frame: Frame,
    searched: String,
    table: Table,
}

pub(super) async fn search(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let searched = question::given(ask, "q").unwrap_or_default();
    if searched.starts_with("req_") && usage::story(plane, searched).await.is_ok() {
        return Ok(reply::see(&format!("/calls/{}", ask::encoded(searched))));
    }
    let frame = Frame::of(ask, "Search");
    let mut rows = Vec::new();
    if !searched.is_empty() {
        rows.extend(pages(&frame, searched));
        rows.extend(named(&row::load(plane), searched));
        rows.extend(keys(plane, searched)?);
    }
    rows.truncate(FOUND_MAX);
    let page = Search {
        frame,
        searched: searched.to_owned(),
        table: Table {
            caption: "What has this in its name",
            heads: vec!["Name", "Kind"],
            rows,
            empty: match searched {
                "" => "Type a part of a name, or the id of a call.",
                _ => "Nothing has this in its name.",
            },
            ..Table::default()
        },
    };
    Ok(page_of(StatusCode::OK, &page))
}

fn has(name: &str, searched: &str) -> bool {
    name.to_lowercase().contains(&searched.to_lowercase())
}

fn pages(frame: &Frame, searched: &str) -> Vec<Vec<Cell>> {
    let found = frame.nav.iter().filter(|page| has(&page.text, searched));
    found
        .map(|page| vec![linked(page.text.clone(), page.href.clone()), plain("page")])
        .collect()
}

/// Rows whose name, or one of whose own aliases, has it.
fn named(set: &DocumentSet, searched: &str) -> Vec<Vec<Cell>> {
    let is_it = |row: &&Document| {
        let spec = row.to_json();
        let aliases = spec["spec"]["aliases"].as_array().into_iter().flatten();
        let mut aliases = aliases.filter_map(|alias| alias.as_str());
        has(&row.name, searched) || aliases.any(|alias| has(alias, searched))
    };
    let line = |row: &Document| {
        let word = access::word(row.kind());
        let href = format!("/{word}/{}", ask::encoded(&row.name));
        vec![
            linked(row.name.clone(), href),
            plain(row.kind().word().replace('-', " ")),
        ]
    };
    set.iter().filter(is_it).map(line).collect()
}

fn keys(plane: &Plane, searched: &str) -> Result<Vec<Vec<Cell>>, Problem> {
    let all = key::all(plane)?;
    let found = all.iter().filter(|key| has(&text(&key["name"]), searched));
    let line = |key: &serde_json::Value| {
        let name = text(&key["name"]);
        let href = format!("/calls?key={}", ask::encoded(&name));
        vec![
            linked(name, href),
            plain(format!("relay key, {}", text(&key["state"]))),
        ]
    };
    Ok(found.map(line).collect())
}

/// Lines of one answer; whoever finds so many types more.
const FOUND_MAX: usize = 100;
