//! A table of the circuit breakers that a row has.

use super::super::Plane;
use super::super::ask;
use super::super::breaker;
use super::table::Cell;
use super::table::Table;
use super::table::linked;
use super::table::marked;
use super::table::plain;
use super::table::text;
use crate::catalog::Kind;
use serde_json::Value;

pub(super) fn table(plane: &Plane, kind: Kind, name: &str) -> Table {
    let cells = breaker::list(plane);
    let mine = cells.iter().filter(|cell| is_of(cell, kind, name));
    Table {
        caption: "Circuit breakers",
        heads: vec!["Key", "Model", "State", "Why", "Tried again"],
        rows: mine.map(line).collect(),
        empty: "Every circuit breaker is closed: nothing rests.",
        ..Table::default()
    }
}

fn is_of(cell: &Value, kind: Kind, name: &str) -> bool {
    match kind {
        Kind::Host => cell["host"] == name,
        _ => keys(cell).iter().any(|key| *key == name),
    }
}

fn line(cell: &Value) -> Vec<Cell> {
    let tone = match cell["state"] == "closed" {
        true => "good",
        false => "bad",
    };
    let probe = match cell["probe_in_s"].as_u64() {
        Some(seconds) => format!("in {seconds} s"),
        None => "by the next call".to_owned(),
    };
    vec![
        whose(&keys(cell)),
        plain(cell["model"].as_str().unwrap_or("any")),
        marked(text(&cell["state"]), tone),
        plain(text(&cell["class"])),
        plain(probe),
    ]
}

/// The host, or its key or keys.
fn whose(keys: &[&Value]) -> Cell {
    let keys: Vec<_> = keys.iter().map(|key| text(key)).collect();
    match keys.as_slice() {
        [] => plain("the host"),
        [key] => linked(key.clone(), format!("/host-keys/{}", ask::encoded(key))),
        keys => plain(keys.join(", ")),
    }
}

fn keys(cell: &Value) -> Vec<&Value> {
    cell["keys"].as_array().into_iter().flatten().collect()
}
