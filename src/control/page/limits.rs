//! The page of limits and budgets, and how one of them is read wherever it stands.

use super::super::Plane;
use super::super::ask;
use super::super::ask::Ask;
use super::super::limits;
use super::super::reply::Problem;
use super::super::reply::Reply;
use super::frame::Frame;
use super::look::Field;
use super::page_of;
use super::table::Cell;
use super::table::Table;
use super::table::linked;
use super::table::marked;
use super::table::number;
use super::table::plain;
use super::table::text;
use super::usage::money;
use askama::Template;
use hyper::StatusCode;
use serde_json::Value;
use std::time::Duration;

#[derive(Template)]
#[template(path = "budgets.html")]
struct Budgets {
    frame: Frame,
    fields: Vec<Field>,
    only_refusing: bool,
    is_shared: bool,
    tables: Vec<Table>,
    /// Empty: these are the last.
    next_href: String,
}

/// Every budget and limit as it stands now; money before what a minute brings back.
pub(super) fn budgets(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let part = limits::part(plane, ask)?;
    let (money, others): (Vec<&Value>, Vec<&Value>) = part
        .rows
        .iter()
        .partition(|limit| limit["what"] == "budget");
    let next = part.next.as_deref();
    let page = Budgets {
        frame: Frame::of(ask, ask.route.summary),
        fields: FIELDS
            .map(|(name, label)| Field {
                name,
                label,
                hint: "",
                value: ask.query(name).unwrap_or_default().to_owned(),
            })
            .into(),
        only_refusing: ask.switch("refusing"),
        is_shared: plane.rooms.valkey.is_some(),
        tables: vec![budget_table(&money), limit_table(&others)],
        next_href: next.map_or_else(String::new, |next| {
            let kept = ["policy", "key", "refusing"].into_iter();
            let kept = kept.filter_map(|name| Some((name, ask.query(name)?)));
            let kept = kept.map(|(name, value)| format!("{name}={}&", ask::encoded(value)));
            let kept: String = kept.collect();
            format!("/budgets?{kept}cursor={}", ask::encoded(next))
        }),
    };
    Ok(page_of(StatusCode::OK, &page))
}

/// What holds the keys of one policy, for that policy's page.
pub(super) fn of_policy(plane: &Plane, name: &str) -> Vec<Table> {
    let rows = limits::of_policy(plane, name);
    let (money, others): (Vec<&Value>, Vec<&Value>) =
        rows.iter().partition(|limit| limit["what"] == "budget");
    vec![budget_table(&money), limit_table(&others)]
}

fn budget_table(rows: &[&Value]) -> Table {
    let row = |limit: &&Value| {
        vec![
            subject(limit),
            number(amount(limit, "left")),
            number(amount(limit, "max")),
            number(amount(limit, "spent")),
            number(amount(limit, "reserved")),
            standing(limit),
            plain(text(&limit["window"])),
            plain(healed(limit)),
        ]
    };
    Table {
        caption: "Budgets",
        heads: vec![
            "Whose",
            "Left",
            "Of",
            "Spent",
            "Reserved",
            "State",
            "Window",
            "Whole again",
        ],
        rows: rows.iter().map(row).collect(),
        empty: "No budget here: a policy sets one, for all of its keys together or for each.",
        next_href: "/policies",
        next: "To the policies",
    }
}

fn limit_table(rows: &[&Value]) -> Table {
    let row = |limit: &&Value| {
        vec![
            subject(limit),
            plain(text(&limit["what"])),
            number(amount(limit, "left")),
            number(amount(limit, "max")),
            standing(limit),
            plain(healed(limit)),
        ]
    };
    Table {
        caption: "Limits",
        heads: vec!["Whose", "Limit", "Left", "Of", "State", "Whole again"],
        rows: rows.iter().map(row).collect(),
        empty: "No limit here.",
        ..Table::default()
    }
}

/// One limit as the explanation of a route shows it.
pub(super) fn limit_row(limit: &Value) -> Vec<Cell> {
    vec![
        plain(text(&limit["what"])),
        subject(limit),
        number(amount(limit, "left")),
        number(amount(limit, "max")),
        number(amount(limit, "needs")),
        standing(limit),
        plain(healed(limit)),
    ]
}

/// Whose a limit is.
fn subject(limit: &Value) -> Cell {
    let name = text(&limit["name"]);
    let words = format!("{} {name}", text(&limit["subject"]));
    match limit["subject"].as_str() {
        Some("policy") => linked(words, format!("/policies/{}", ask::encoded(&name))),
        Some("host key") => linked(words, format!("/host-keys/{}", ask::encoded(&name))),
        _ => linked(words, format!("/budgets?key={}", ask::encoded(&name))),
    }
}

/// An amount of it: money, or a number.
fn amount(limit: &Value, field: &str) -> String {
    match (limit[field].as_u64(), limit["currency"].as_str()) {
        (None, _) => "not known here".to_owned(),
        (Some(nanos), Some(currency)) => format!("{} {currency}", money(nanos)),
        (Some(count), None) => count.to_string(),
    }
}

/// Whether it lets the next call pass.
fn standing(limit: &Value) -> Cell {
    match (limit["refuses"].as_str(), limit["wait_s"].as_f64()) {
        (None, _) => marked("lets pass", "good"),
        (Some(code), None) => marked(format!("refuses: {code}"), "bad"),
        (Some(code), Some(wait)) => marked(format!("refuses: {code}, {}", spell(wait)), "bad"),
    }
}

/// When it is whole again.
fn healed(limit: &Value) -> String {
    match (limit["window"].as_str(), limit["resets_in_s"].as_f64()) {
        (Some(window), Some(wait)) => format!("after {window}, in {}", spell(wait)),
        (None, Some(wait)) if wait > 0.0 => format!("in {}", spell(wait)),
        (None, Some(_)) => "now".to_owned(),
        (_, None) => "as calls end".to_owned(),
    }
}

/// Seconds as people read them, to two units.
pub(super) fn spell(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds.ceil()).unwrap_or_default();
    let words = humantime::format_duration(whole).to_string();
    words.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

const FIELDS: [(&str, &str); 2] = [("policy", "Policy"), ("key", "Key")];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_wait_is_told_in_two_units() {
        assert_eq!(spell(0.4), "1s");
        assert_eq!(spell(93_784.0), "1day 2h");
    }

    #[test]
    fn what_is_not_known_here_is_not_told_as_nothing() {
        let limit = json!({ "left": null, "max": 4 });
        assert_eq!(
            (amount(&limit, "left"), amount(&limit, "max")),
            ("not known here".to_owned(), "4".to_owned())
        );
    }
}
