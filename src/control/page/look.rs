//! The overview, which shows and changes nothing.

use super::super::Plane;
use super::super::ask;
use super::super::ask::Ask;
use super::super::reply::Reply;
use super::super::system;
use super::frame::Frame;
use super::frame::Link;
use super::frame::link;
use super::page_of;
use super::table::Cell;
use super::table::Table;
use super::table::linked;
use super::table::marked;
use super::table::moment;
use super::table::number;
use super::table::plain;
use super::table::result;
use super::table::spoken;
use super::table::text;
use super::table::took;
use crate::catalog::DocumentSet;
use crate::catalog::Host;
use crate::catalog::Kind;
use crate::catalog::RowId;
use crate::catalog::Snapshot;
use askama::Template;
use hyper::StatusCode;
use serde_json::Value;
use std::sync::Arc;

/// One number that stands for itself.
pub(super) struct Tile {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) note: String,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    tiles: Vec<Tile>,
    problems: Vec<String>,
    /// Problems that are not among them.
    more_problems: usize,
    steps: Vec<Link>,
    table: Table,
    /// Hosts that are not among them.
    more_lanes: usize,
    calls: Table,
}

pub(super) fn overview(plane: &Plane, ask: &Ask) -> Reply {
    let (lanes, count) = system::lanes_shown(plane, LANES_SHOWN);
    let recent = system::recent(plane);
    let snapshot = plane.rooms.catalog.snapshot();
    let problems = snapshot.problems().iter().map(ToString::to_string);
    let page = Overview {
        frame: Frame::of(ask, "Overview"),
        tiles: tiles(&lanes, &recent),
        problems: problems.take(PROBLEMS_SHOWN).collect(),
        more_problems: snapshot.problems().len().saturating_sub(PROBLEMS_SHOWN),
        more_lanes: count.saturating_sub(LANES_SHOWN),
        steps: steps(plane, &snapshot),
        table: lane_table(&lanes, &plane.rooms.catalog.brought()),
        calls: call_table(&recent[..recent.len().min(CALLS_SHOWN)]),
    };
    page_of(StatusCode::OK, &page)
}

fn tiles(lanes: &Value, recent: &[Value]) -> Vec<Tile> {
    let failed = recent
        .iter()
        .filter(|call| call["status"].as_u64().is_some_and(|status| status >= 400));
    let open = lanes["breakers"].as_array().map_or(0, |cells| {
        cells
            .iter()
            .filter(|cell| cell["state"] != "closed")
            .count()
    });
    let tile = |name, value: String, note: &str| Tile {
        name,
        value,
        note: note.to_owned(),
    };
    vec![
        tile(
            "Claude",
            text(&lanes["claude"]["state"]),
            lanes["claude"]["why"].as_str().unwrap_or_default(),
        ),
        tile(
            "Claude sessions",
            text(&lanes["claude"]["sessions"]),
            &format!("{} callers wait", lanes["claude"]["waiting"]),
        ),
        tile("Last calls", recent.len().to_string(), "that are kept"),
        tile("Failed", failed.count().to_string(), "of those"),
        tile("Breakers", open.to_string(), "open or half open"),
    ]
}

/// What is still to do before a host serves a call; empty where one can.
fn steps(plane: &Plane, snapshot: &Snapshot) -> Vec<Link> {
    let brought = plane.rooms.catalog.brought();
    // What a simulation brings is nobody's step.
    let is_own = |kind, name: &str| brought.find(&RowId::new(kind, name)).is_none();
    let models = || {
        let models = snapshot.models();
        models.filter(|model| is_own(Kind::Model, model.name.as_str()))
    };
    let hosts = || {
        let hosts = snapshot.hosts();
        hosts.filter(|host| is_own(Kind::Host, host.name.as_str()))
    };
    let is_usable =
        |host: &Arc<Host>| host.is_open() || host.keys.iter().any(|key| key.is_usable());
    let has_model = models().next().is_some();
    let has_binding = models().any(|model| !model.bindings.is_empty());
    let has_host = hosts().next().is_some();
    let has_key = hosts().any(is_usable);
    let has_relay_key = plane.rooms.keys.read().ok().flatten().is_some();
    let steps = [
        ("/hosts/-/new", "Add a host", has_host),
        (
            "/host-keys/-/new",
            "Add its key, and store the value",
            has_key,
        ),
        ("/models/-/new", "Add a model", has_model),
        ("/bindings/-/new", "Bind the model to the host", has_binding),
        ("/keys", "Make a relay key, and call with it", has_relay_key),
    ];
    match steps.iter().all(|(_, _, is_done)| *is_done) {
        true => Vec::new(),
        false => steps
            .iter()
            .map(|(href, text, is_done)| link(href, text, *is_done))
            .collect(),
    }
}

fn lane_table(lanes: &Value, brought: &DocumentSet) -> Table {
    let hosts = lanes["hosts"].as_array().into_iter().flatten();
    let row = |host: &Value| {
        let state = match (
            host["enabled"].as_bool(),
            host["resting"].as_u64(),
            host["usable_keys"].as_u64(),
        ) {
            (Some(false), _, _) => marked("disabled", "warn"),
            (_, Some(resting), _) if resting > 0 => marked(format!("{resting} resting"), "bad"),
            (_, _, Some(0)) if host["is_open"] == false => {
                marked("no key that can be used", "warn")
            }
            _ => marked("ready", "good"),
        };
        let name = text(&host["lane"]);
        let bare = name.trim_start_matches("http:");
        let href = format!("/hosts/{}", ask::encoded(bare));
        let is_brought = brought.find(&RowId::new(Kind::Host, bare)).is_some();
        vec![
            match is_brought {
                true => plain(format!("{name} (of the simulation)")),
                false => linked(name, href),
            },
            state,
            number(text(&host["usable_keys"])),
            number(text(&host["keys"])),
        ]
    };
    Table {
        caption: "Hosts as lanes",
        heads: vec!["Lane", "State", "Usable keys", "Keys"],
        rows: hosts.map(row).collect(),
        empty: "There is no host: every model is served by claude.",
        next_href: "/hosts/-/new",
        next: "Add a host",
    }
}

pub(super) fn call_table(calls: &[Value]) -> Table {
    let row = |call: &Value| -> Vec<Cell> {
        let id = text(&call["id"]);
        vec![
            linked(
                moment(&text(&call["at"])),
                format!("/calls/{}", ask::encoded(&id)),
            ),
            plain(text(&call["model"])),
            plain(text(&call["lane"])),
            result(call),
            number(took(&call["ms"]["total"])),
        ]
    };
    Table {
        caption: "Calls, the newest first",
        heads: vec!["When", "Model", "Lane", "Result", "Took"],
        rows: calls.iter().map(row).collect(),
        empty: "No call yet. `inference-relay ask \"Say hello.\"` makes one.",
        ..Table::default()
    }
}

/// A field of a form that filters.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    pub(super) value: String,
}

#[derive(Template)]
#[template(path = "tables.html")]
pub(super) struct Tables {
    pub(super) frame: Frame,
    pub(super) lead: &'static str,
    pub(super) tables: Vec<Table>,
    pub(super) forms: Vec<Link>,
    pub(super) pre: String,
}

/// A value's fields, one a row.
pub(super) fn facts(caption: &'static str, value: &Value) -> Table {
    let mut rows = Vec::new();
    flat("", value, &mut rows);
    Table {
        caption,
        heads: vec!["What", "Value"],
        rows: rows
            .into_iter()
            .map(|(name, value)| vec![plain(name), plain(value)])
            .collect(),
        ..Table::default()
    }
}

fn flat(path: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            let dot = if path.is_empty() { "" } else { "." };
            fields
                .iter()
                .for_each(|(name, value)| flat(&format!("{path}{dot}{name}"), value, rows));
        }
        Value::Null => {}
        other => rows.push((path.replace('_', " "), spoken(other))),
    }
}

/// Hosts on the overview; the others are in their list.
const LANES_SHOWN: usize = 20;
/// Problems on the overview; each row says its own.
const PROBLEMS_SHOWN: usize = 10;
/// Calls on the overview.
const CALLS_SHOWN: usize = 10;
