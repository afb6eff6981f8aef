//! Pages of calls: the list with its filter, and one call's whole story.

use super::super::Plane;
use super::super::ask;
use super::super::ask::Ask;
use super::super::question;
use super::super::reply::Problem;
use super::super::reply::Reply;
use super::super::system;
use super::super::usage;
use super::super::usage::KeyNames;
use super::frame::Frame;
use super::frame::Link;
use super::frame::link;
use super::limits::limit_row;
use super::limits::spell;
use super::look::Field;
use super::look::call_table;
use super::page_of;
use super::table::Cell;
use super::table::Table;
use super::table::linked;
use super::table::marked;
use super::table::moment;
use super::table::number;
use super::table::plain;
use super::table::result;
use super::table::said;
use super::table::spoken;
use super::table::text;
use super::table::time;
use super::table::took;
use super::usage::money;
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

fn field_of(ask: &Ask, (name, label, hint): (&'static str, &'static str, &'static str)) -> Field {
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

/// A lane; one of a host leads to it.
fn lane(lane: &Value) -> Cell {
    let name = text(lane);
    match name.strip_prefix("http:") {
        Some(host) => {
            let href = format!("/hosts/{}", ask::encoded(host));
            linked(name, href)
        }
        None => plain(name),
    }
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
const ROUTE_FIELDS: [(&str, &str, &str); 3] = [
    ("model", "Model", ""),
    ("lane", "Lane (any where empty)", "claude-pty"),
    ("policy", "Policy (of a key without one)", ""),
];
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
