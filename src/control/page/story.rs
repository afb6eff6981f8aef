//! The page of one call: its whole story.

use super::super::Plane;
use super::super::ask;
use super::super::ask::Ask;
use super::super::reply::Problem;
use super::super::reply::Reply;
use super::super::usage;
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
use super::table::time;
use super::table::took;
use super::usage::money;
use askama::Template;
use hyper::StatusCode;
use serde_json::Value;
use serde_json::json;

#[derive(Template)]
#[template(path = "story.html")]
struct Story {
    frame: Frame,
    lead: Vec<Cell>,
    error: Vec<(String, String)>,
    tables: Vec<Table>,
    links: Vec<Link>,
}

pub(super) async fn call(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let call = usage::story(plane, ask.name()).await?;
    let mut page = Story {
        frame: Frame::of(ask, format!("Call {}", ask.name())),
        lead: vec![result(&call), plain(when(&call))],
        error: error(&call["error"]),
        tables: vec![facts(&call)],
        links: links(&call),
    };
    // What was refused before it was a call has no route of lanes and no phases.
    if call["route"].is_null() {
        page.lead.push(plain(total(&call)));
        page.tables.splice(0..0, [tries(&call), phases(&call)]);
    }
    Ok(page_of(StatusCode::OK, &page))
}

fn when(call: &Value) -> String {
    match &call["at_ms"] {
        Value::Null => moment(&text(&call["at"])),
        at => time(at),
    }
}

fn total(call: &Value) -> String {
    let total = match &call["total_ms"] {
        Value::Null => &call["ms"]["total"],
        total => total,
    };
    format!("took {}", took(total))
}

/// What the code means, and the one next step.
fn error(error: &Value) -> Vec<(String, String)> {
    let rows = [
        ("What happened", "happened"),
        ("Whose fault", "whose"),
        ("Next step", "next"),
        ("Does trying again help", "again"),
    ];
    let told = rows
        .iter()
        .filter_map(|(name, field)| Some(((*name).to_owned(), error[*field].as_str()?.to_owned())));
    told.collect()
}

fn tries(call: &Value) -> Table {
    let row = |(place, tried): (usize, &Value)| {
        let outcome = text(&tried["outcome"]);
        let tone = match outcome.as_str() {
            "ok" | "success" | "answered" | "served" => "good",
            _ => "warn",
        };
        vec![
            number((place + 1).to_string()),
            lane(&tried["lane"]),
            match tried["key"].as_str() {
                Some(key) => linked(key, format!("/host-keys/{}", ask::encoded(key))),
                None => plain("–"),
            },
            marked(outcome, tone),
            number(took(&tried["after_ms"])),
            number(took(&tried["took_ms"])),
        ]
    };
    let tries = call["story"]["tries"].as_array().into_iter().flatten();
    Table {
        caption: "Route: what was tried, in order",
        heads: vec!["Try", "Lane", "Host key", "Outcome", "Began after", "Took"],
        rows: tries.enumerate().map(row).collect(),
        empty: match call["story"].is_null() {
            true => "What was tried is not in the store.",
            false => "No lane was tried.",
        },
        ..Table::default()
    }
}

fn phases(call: &Value) -> Table {
    let ms = match &call["story"]["ms"] {
        Value::Null => &call["ms"],
        ms => ms,
    };
    let row = |(field, name, what): &(&str, &str, &str)| {
        (!ms[*field].is_null()).then(|| vec![plain(*name), number(took(&ms[*field])), plain(*what)])
    };
    Table {
        caption: "Phases: where the time went",
        heads: vec!["Phase", "Took", "What it is"],
        rows: PHASES.iter().filter_map(row).collect(),
        empty: "No phase was reached.",
        ..Table::default()
    }
}

/// What is known beside tries and phases, a line each.
fn facts(call: &Value) -> Table {
    let known = |name: &'static str, value: &Value| match value {
        Value::Null => None,
        value => Some(vec![plain(name), plain(spoken(value))]),
    };
    let (tokens, story) = (&call["tokens"], &call["story"]);
    let key = match &call["key_name"] {
        Value::Null => &call["key"],
        name => name,
    };
    let rows = [
        known("Relay key", key),
        known("Policy", &call["policy"]),
        known("Model asked for", &call["model"]),
        known("Model that answered", &call["served"]),
        known("Lane", &call["lane"]),
        known("Host key", &call["host_key"]),
        known("Streamed", &call["stream"]),
        known("Input tokens", &tokens["input"]),
        known("Output tokens", &tokens["output"]),
        known("Cache read tokens", &tokens["cache_read"]),
        known("Cache write tokens", &tokens["cache_write"]),
        known("Reasoning tokens", &tokens["reasoning"]),
        known("Cost", &cost(call)),
        known("Bytes in", &call["bytes_in"]),
        known("Bytes out", &call["bytes_out"]),
        known("Stop reason", &story["stop"]),
        known("Not as the model wrote it", &emulated(story)),
        known("Requests to the upstream", seen_requests(story)),
        known("Message", &story["message"]),
        known("Request, refused before it was a call", &call["route"]),
    ];
    Table {
        caption: "What is known of it",
        heads: vec!["What", "Value"],
        rows: rows.into_iter().flatten().collect(),
        empty: "Nothing more is known.",
        ..Table::default()
    }
}

/// Zero where nobody could see them, as on the lane of a host.
fn seen_requests(story: &Value) -> &Value {
    match &story["upstream_requests"] {
        none if *none == json!(0) => &Value::Null,
        seen => seen,
    }
}

/// What a call cost, in words; null where nobody knows.
fn cost(call: &Value) -> Value {
    let Some(nanos) = call["cost_nanos"].as_u64() else {
        return Value::Null;
    };
    let estimate = match call["estimate"] == true {
        true => " (an estimate: nobody told the tokens)",
        false => "",
    };
    let (money, currency) = (money(nanos), text(&call["currency"]));
    json!(format!("{money} {currency}{estimate}"))
}

/// Where an answer is not as the model wrote it; null where it is.
fn emulated(story: &Value) -> Value {
    let paths = story["emulated"].as_array().into_iter().flatten();
    let paths: Vec<_> = paths.map(text).collect();
    match paths.is_empty() {
        true => Value::Null,
        false => json!(paths.join(", ")),
    }
}

fn links(call: &Value) -> Vec<Link> {
    let part = |value: &Value| value.as_str().map(ask::encoded);
    let mut links = Vec::new();
    if let Some(model) = part(&call["model"]) {
        let key = part(&call["key"]).map_or_else(String::new, |key| format!("&key={key}"));
        let href = format!("/route?model={model}{key}");
        links.push(link(
            &href,
            "Where the same call would go now, and why",
            false,
        ));
        let href = format!("/calls?model={model}");
        links.push(link(&href, "Other calls of this model", false));
    }
    if let Some(key) = part(&call["key"]) {
        let href = format!("/calls?key={key}");
        links.push(link(&href, "Other calls of this key", false));
    }
    if call["code"]
        .as_str()
        .is_some_and(|code| code.starts_with("key_"))
    {
        links.push(link(
            "/keys",
            "The relay keys, and what state each is in",
            false,
        ));
    }
    links
}

/// A lane; one of a host leads to it.
pub(super) fn lane(lane: &Value) -> Cell {
    let name = text(lane);
    match name.strip_prefix("http:") {
        Some(host) => {
            let href = format!("/hosts/{}", ask::encoded(host));
            linked(name, href)
        }
        None => plain(name),
    }
}

const PHASES: [(&str, &str, &str); 6] = [
    (
        "queue",
        "Queue",
        "waiting for a session, and for calls before it",
    ),
    (
        "delivery",
        "Delivery",
        "from the session to the prompt on its way",
    ),
    (
        "first_byte",
        "First byte",
        "from there to the answer's first byte",
    ),
    ("end", "Answer", "from its first byte to its last"),
    ("total", "Total", "from the request's head to the last byte"),
    ("overhead", "Overhead", "what the relay itself added"),
];
