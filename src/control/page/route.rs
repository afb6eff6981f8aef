//! The page that explains where a call would go.

use super::super::Plane;
use super::super::ask;
use super::super::ask::Ask;
use super::super::question;
use super::super::reply::Reply;
use super::super::usage::KeyNames;
use super::calls::field_of;
use super::frame::Frame;
use super::frame::Link;
use super::frame::link;
use super::limits::limit_row;
use super::limits::spell;
use super::look::Field;
use super::page_of;
use super::story::lane;
use super::table::Cell;
use super::table::Table;
use super::table::linked;
use super::table::marked;
use super::table::number;
use super::table::plain;
use super::table::said;
use super::table::text;
use askama::Template;
use hyper::StatusCode;
use serde_json::Value;

#[derive(Template)]
#[template(path = "route.html")]
struct RoutePage {
    frame: Frame,
    fields: Vec<Field>,
    keys: Vec<Link>,
    error: String,
    verdict: Vec<Cell>,
    next: String,
    tables: Vec<Table>,
}

/// Why a call of a model by a key would go where.
pub(super) fn route(plane: &Plane, ask: &Ask) -> Reply {
    let chosen = question::given(ask, "key").unwrap_or_default();
    let names = KeyNames::of(plane);
    let chosen = names.name(chosen);
    let mut page = RoutePage {
        frame: Frame::of(ask, "Route"),
        fields: ROUTE_FIELDS.map(|field| field_of(ask, field)).into(),
        keys: names
            .names()
            .map(|name| link("", name, *name == chosen))
            .collect(),
        error: String::new(),
        verdict: Vec::new(),
        next: String::new(),
        tables: Vec::new(),
    };
    if question::given(ask, "model").is_some() {
        match super::super::route::explained(plane, ask) {
            Ok(told) => {
                (page.verdict, page.next) = verdict(&told);
                page.tables = vec![candidates(&told), keys(&told), limits(&told)];
            }
            Err(problem) => page.error = problem.detail,
        }
    }
    page_of(StatusCode::OK, &page)
}

fn verdict(told: &Value) -> (Vec<Cell>, String) {
    if told["key"]["state"]
        .as_str()
        .is_some_and(|state| state != "active")
    {
        let why = format!(
            "the key {} is {}",
            text(&told["key"]["name"]),
            text(&told["key"]["state"])
        );
        let cells = vec![marked("would be refused: 401", "bad"), plain(why)];
        return (cells, "Enable or rotate the key.".to_owned());
    }
    if told["served"] == true {
        let cells = vec![marked("would be served", "good"), plain(by_whom(told))];
        return (cells, String::new());
    }
    refused(&told["refusal"])
}

/// The lane that a call would be served by.
fn by_whom(told: &Value) -> String {
    let candidates = told["candidates"].as_array().into_iter().flatten();
    let first = candidates
        .filter(|one| one["step"].is_u64() && one["reason"].is_null())
        .min_by_key(|one| one["step"].as_u64());
    first.map_or_else(String::new, |one| format!("by {}", text(&one["lane"])))
}

fn refused(refusal: &Value) -> (Vec<Cell>, String) {
    let head = format!(
        "would be refused: {} {}",
        text(&refusal["status"]),
        text(&refusal["code"])
    );
    let wait = refusal["retry_after_s"].as_f64();
    let wait = wait.map(|wait| plain(format!("Heals by itself in {}.", spell(wait))));
    let cells = [marked(head, "bad"), plain(text(&refusal["message"]))];
    (
        cells.into_iter().chain(wait).collect(),
        refusal["next"].as_str().unwrap_or_default().to_owned(),
    )
}

fn candidates(told: &Value) -> Table {
    let row = |one: &Value| {
        let binding = match one["binding"].as_str() {
            Some(name) => linked(name, format!("/bindings/{}", ask::encoded(name))),
            None => plain("–"),
        };
        let form = match (one["adapter"].as_str(), one["passes"] == true) {
            (None, _) => "–".to_owned(),
            (Some(adapter), true) => format!("{adapter}, bytes pass"),
            (Some(adapter), false) => format!("{adapter}, written anew"),
        };
        vec![
            number(text(&one["step"])),
            lane(&one["lane"]),
            binding,
            plain(form),
            reason(&one["reason"]),
            said(one["reason"]["next"].as_str().unwrap_or("–")),
        ]
    };
    let all = told["candidates"].as_array().into_iter().flatten();
    Table {
        caption: "Candidates, each with its reason",
        heads: vec!["Try", "Lane", "Binding", "Form", "State", "Next step"],
        rows: all.map(row).collect(),
        empty: "No lane serves this model.",
        next_href: "/bindings/-/new",
        next: "Bind it to one",
    }
}

fn reason(reason: &Value) -> Cell {
    match reason["why"].as_str() {
        None => marked("can serve", "good"),
        Some(why) => {
            let wait = reason["wait_s"].as_f64();
            let wait = wait.map_or_else(String::new, |wait| format!("; {}", spell(wait)));
            marked(format!("{}: {why}{wait}", text(&reason["code"])), "warn")
        }
    }
}

fn keys(told: &Value) -> Table {
    let all = told["candidates"].as_array().into_iter().flatten();
    let rows = all.flat_map(|one| {
        let keys = one["keys"].as_array().into_iter().flatten();
        keys.map(move |key| {
            let name = text(&key["name"]);
            vec![
                plain(text(&one["lane"])),
                linked(name.clone(), format!("/host-keys/{}", ask::encoded(&name))),
                reason(&key["reason"]),
                said(key["reason"]["next"].as_str().unwrap_or("–")),
            ]
        })
    });
    Table {
        caption: "Host keys that were looked at",
        heads: vec!["Lane", "Host key", "State", "Next step"],
        rows: rows.collect(),
        empty: "No host key was looked at.",
        ..Table::default()
    }
}

fn limits(told: &Value) -> Table {
    let all = told["limits"].as_array().into_iter().flatten();
    Table {
        caption: "Limits and budgets that hold it, as they stand now",
        heads: vec![
            "Limit",
            "Whose",
            "Left",
            "Of",
            "A call reserves",
            "State",
            "Whole again",
        ],
        rows: all.map(limit_row).collect(),
        empty: "Nothing limits it.",
        ..Table::default()
    }
}

const ROUTE_FIELDS: [(&str, &str, &str); 3] = [
    ("model", "Model", ""),
    ("lane", "Lane (any where empty)", "claude-pty"),
    ("policy", "Policy (of a key without one)", ""),
];
