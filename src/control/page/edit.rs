//! Pages that show and change rows of the catalog.

use super::super::Plane;
use super::super::access;
use super::super::access::Access;
use super::super::ask;
use super::super::ask::Ask;
use super::super::breaker;
use super::super::etag;
use super::super::reply;
use super::super::reply::Problem;
use super::super::reply::Reply;
use super::super::row;
use super::frame::Frame;
use super::page_of;
use super::table::Table;
use super::table::linked;
use super::table::marked;
use super::table::plain;
use super::table::spoken;
use super::table::text;
use crate::catalog::Document;
use crate::catalog::Kind;
use crate::catalog::UserRole;
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
}

pub(super) fn rows(plane: &Plane, ask: &Ask, kind: Kind) -> Reply {
    let word = access::word(kind);
    let page = row::part(plane, kind, ask.query("q"), ask.query("cursor"), ROWS_SHOWN);
    let line = |row: &Value| {
        let name = text(&row["metadata"]["name"]);
        let problem = row["problems"][0]["message"].as_str();
        let state = match (problem, row["enabled"].as_bool()) {
            (Some(problem), _) => marked(format!("out: {problem}"), "bad"),
            (None, Some(false)) => marked("disabled", "warn"),
            (None, _) => marked("in force", "good"),
        };
        vec![
            linked(name.clone(), format!("/{word}/{}", ask::encoded(&name))),
            state,
            plain(summary(&row["spec"])),
        ]
    };
    let is_empty_search = ask.query("q").is_some_and(|search| !search.is_empty());
    let page = Rows {
        frame: Frame::of(ask, ask.route.summary),
        next_href: page.next.map_or_else(String::new, |next| {
            let search = ask.query("q").unwrap_or_default();
            format!(
                "/{word}?q={}&cursor={}",
                ask::encoded(search),
                ask::encoded(&next)
            )
        }),
        limit: ROWS_SHOWN,
        count: page.count,
        lead: lead(kind),
        search: ask.query("q").unwrap_or_default().to_owned(),
        new_href: if may_change(ask, kind) {
            format!("/{word}/-/new")
        } else {
            String::new()
        },
        new_text: format!("New {}", kind.word().replace('-', " ")),
        table: Table {
            caption: "Rows of the catalog",
            heads: vec!["Name", "State", "What it says"],
            rows: page.rows.iter().map(line).collect(),
            empty: if is_empty_search {
                "No name has this in it."
            } else {
                "There is none yet."
            },
            ..Table::default()
        },
    };
    page_of(StatusCode::OK, &page)
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

#[derive(Template)]
#[template(path = "row.html")]
struct Row {
    frame: Frame,
    next_href: &'static str,
    next: &'static str,
    tested: String,
    tested_tone: &'static str,
    problems: Vec<String>,
    problems_lead: &'static str,
    tables: Vec<Table>,
    can_change: bool,
    is_host: bool,
    is_host_key: bool,
    href: String,
    action: String,
    etag: String,
    yaml: String,
    lines: usize,
    delete_href: String,
    choices: &'static str,
}

impl Row {
    fn of(ask: &Ask, kind: Kind, title: String, yaml: String) -> Row {
        Row {
            frame: Frame::of(ask, title),
            next_href: "",
            next: "",
            tested: String::new(),
            tested_tone: "",
            problems: Vec::new(),
            problems_lead: "",
            tables: Vec::new(),
            can_change: may_change(ask, kind),
            is_host: false,
            is_host_key: false,
            href: String::new(),
            action: String::new(),
            etag: String::new(),
            lines: (yaml.lines().count() + 2).clamp(8, 30),
            yaml,
            delete_href: String::new(),
            choices: choices(kind),
        }
    }
}

pub(super) fn new(ask: &Ask, kind: Kind) -> Reply {
    let page = Row {
        action: format!("/{}/-/new", access::word(kind)),
        ..Row::of(
            ask,
            kind,
            ask.route.summary.to_owned(),
            skeleton(kind).to_owned(),
        )
    };
    page_of(StatusCode::OK, &page)
}

/// A row's page; with what a test told, where one was made.
pub(super) fn one(
    plane: &Plane,
    ask: &Ask,
    kind: Kind,
    told: Option<&Value>,
) -> Result<Reply, Problem> {
    let found = row::found(plane, kind, ask.name())?;
    let href = format!("/{}/{}", access::word(kind), ask::encoded(&found.name));
    let snapshot = plane.rooms.catalog.snapshot();
    let problems: Vec<String> = snapshot
        .problems_of(kind, &found.name)
        .map(|problem| problem.message.clone())
        .collect();
    let is_saved = ask.query("done") == Some("saved");
    let (next_href, next) = match is_saved && may_change(ask, kind) {
        true => next(kind),
        false => ("", ""),
    };
    let mut page = Row {
        tested: told.map(|told| text(&told["message"])).unwrap_or_default(),
        tested_tone: match told {
            Some(told) if told["good"] == true => "good",
            Some(_) => "bad",
            None => "",
        },
        next_href,
        next,
        problems,
        problems_lead: "This row is out, and the others serve. Why:",
        tables: match kind {
            Kind::Host | Kind::HostKey => vec![breakers(plane, kind, &found.name)],
            _ => Vec::new(),
        },
        is_host: kind == Kind::Host,
        is_host_key: kind == Kind::HostKey,
        action: href.clone(),
        delete_href: format!("{href}/delete"),
        href,
        etag: etag::of(&found),
        ..Row::of(
            ask,
            kind,
            format!("{} {}", title(kind), found.name),
            yaml(&found, ask, kind),
        )
    };
    if is_saved && !page.problems.is_empty() {
        page.frame.notice = "Saved. It is not in force yet:";
    }
    Ok(page_of(StatusCode::OK, &page))
}

/// A kind as a heading has it.
fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::HostKey => "Host key",
        Kind::Host | Kind::Model | Kind::Binding | Kind::Policy | Kind::User => kind.name(),
    }
}

/// The row's text; the hash of a password is only for whoever may change it.
fn yaml(found: &Document, ask: &Ask, kind: Kind) -> String {
    let text = found.to_yaml();
    let is_hidden = |line: &&str| !may_change(ask, kind) && line.contains("passwordHash");
    text.lines()
        .filter(|line| !is_hidden(line))
        .map(|line| format!("{line}\n"))
        .collect()
}

fn breakers(plane: &Plane, kind: Kind, name: &str) -> Table {
    let is_mine = |cell: &&Value| match kind {
        Kind::Host => cell["host"] == name,
        _ => cell["keys"]
            .as_array()
            .is_some_and(|keys| keys.iter().any(|key| key == name)),
    };
    let line = |cell: &Value| {
        let tone = if cell["state"] == "closed" {
            "good"
        } else {
            "bad"
        };
        let keys = cell["keys"]
            .as_array()
            .into_iter()
            .flatten()
            .map(text)
            .collect::<Vec<_>>()
            .join(", ");
        vec![
            match cell["keys"].as_array().map_or(0, Vec::len) {
                0 => plain("the host"),
                1 => {
                    let href = format!("/host-keys/{}", ask::encoded(&keys));
                    linked(keys, href)
                }
                _ => plain(keys),
            },
            plain(cell["model"].as_str().unwrap_or("any")),
            marked(text(&cell["state"]), tone),
            plain(text(&cell["class"])),
            plain(match cell["probe_in_s"].as_u64() {
                Some(seconds) => format!("in {seconds} s"),
                None => "by the next call".to_owned(),
            }),
        ]
    };
    Table {
        caption: "Circuit breakers",
        heads: vec!["Key", "Model", "State", "Why", "Tried again"],
        rows: breaker::list(plane)
            .iter()
            .filter(is_mine)
            .map(line)
            .collect(),
        empty: "Every circuit breaker is closed: nothing rests.",
        ..Table::default()
    }
}

pub(super) fn save(plane: &Plane, ask: &Ask, kind: Kind) -> Result<Reply, Problem> {
    let typed = ask.field("yaml").unwrap_or_default();
    let saved = row::one_row(&typed, kind, ask.name()).and_then(|wanted| {
        if ask.name().is_empty() && row::found(plane, kind, &wanted.name).is_ok() {
            let detail = format!("name: there is a {} of this name already.", kind.word());
            return Err(Problem::invalid(detail));
        }
        row::write_checked(plane, ask, &wanted).map(|_| wanted)
    });
    match saved {
        Ok(wanted) => Ok(reply::see(&format!(
            "/{}/{}?done=saved",
            access::word(kind),
            ask::encoded(&wanted.name)
        ))),
        Err(problem) => Ok(again(ask, kind, typed, &problem)),
    }
}

/// The form again, with what was typed and what is wrong with it.
fn again(ask: &Ask, kind: Kind, typed: String, problem: &Problem) -> Reply {
    let word = access::word(kind);
    let mut problems: Vec<String> = problem
        .errors
        .iter()
        .map(|error| format!("line {}: {}", error["line"], text(&error["message"])))
        .collect();
    if problems.is_empty() {
        problems.push(problem.detail.clone());
    }
    let href = format!("/{word}/{}", ask::encoded(ask.name()));
    let page = Row {
        problems,
        problems_lead: "Nothing was changed:",
        action: if ask.name().is_empty() {
            format!("/{word}/-/new")
        } else {
            href
        },
        etag: ask.field("etag").unwrap_or_default(),
        ..Row::of(ask, kind, ask.route.summary.to_owned(), typed)
    };
    page_of(problem.status, &page)
}

#[derive(Template)]
#[template(path = "confirm.html")]
pub(super) struct Confirm {
    pub(super) frame: Frame,
    pub(super) text: String,
    pub(super) dependents: Vec<String>,
    pub(super) action: String,
    pub(super) button: String,
    pub(super) back: String,
}

pub(super) fn confirm(plane: &Plane, ask: &Ask, kind: Kind) -> Result<Reply, Problem> {
    let found = row::found(plane, kind, ask.name())?;
    let back = format!("/{}/{}", access::word(kind), ask::encoded(&found.name));
    let page = Confirm {
        frame: Frame::of(
            ask,
            format!("Remove {} {}?", kind.word().replace('-', " "), found.name),
        ),
        text: "Its file in the catalog goes. The audit log keeps what it said.".to_owned(),
        dependents: row::dependents(plane, kind, &found.name),
        action: format!("{back}/delete"),
        button: format!("Remove {}", found.name),
        back,
    };
    Ok(page_of(StatusCode::OK, &page))
}

pub(super) fn delete(plane: &Plane, ask: &Ask, kind: Kind) -> Result<Reply, Problem> {
    row::remove(plane, ask, kind)?;
    Ok(reply::see(&format!("/{}?done=removed", access::word(kind))))
}

pub(super) fn store(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    row::store_value(plane, ask, &ask.field("value").unwrap_or_default())?;
    Ok(reply::see(&format!(
        "/host-keys/{}?done=stored",
        ask::encoded(ask.name())
    )))
}

pub(super) fn reset(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    breaker::reset(plane, ask)?;
    Ok(reply::see(&format!(
        "/host-keys/{}?done=reset",
        ask::encoded(ask.name())
    )))
}

fn may_change(ask: &Ask, kind: Kind) -> bool {
    let needed = if kind == Kind::User {
        UserRole::Admin
    } else {
        UserRole::Operator
    };
    Access::UserRole(needed).lets(ask.actor.role())
}

fn lead(kind: Kind) -> &'static str {
    match kind {
        Kind::Host => "HTTP endpoints that serve models: an address, and how it is reached.",
        Kind::HostKey => {
            "Credentials of hosts. Several of one host form a pool; each has its own circuit breaker."
        }
        Kind::Model => "Names that callers use, with aliases and prices.",
        Kind::Binding => "Which lane or host serves a model, by which adapter, in which order.",
        Kind::Policy => "What a relay key may have: models, lanes, limits, a budget.",
        Kind::User => "Who may log in here, and as what: viewer, operator, admin.",
    }
}

/// What comes after a row of this kind on the way to a first call: where, and in words.
fn next(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Host => ("/host-keys/-/new", "add its key"),
        Kind::HostKey => ("/models/-/new", "once its value is stored, add a model"),
        Kind::Model => ("/bindings/-/new", "bind it to a host"),
        Kind::Policy => ("/keys", "make a relay key with it"),
        Kind::Binding => ("/route", "see where a call of it would go"),
        Kind::User => ("", ""),
    }
}

/// What there is to choose from, beside the editor.
fn choices(kind: Kind) -> &'static str {
    match kind {
        Kind::Host => "network: public or private · auth: adapter, bearer, x-api-key or none",
        Kind::HostKey => {
            "value: { secret: NAME }, { env: VARIABLE } or { file: PATH }. Save it, then store the value on its page."
        }
        Kind::Model => "price: per million tokens; without one, its calls count as unpriced",
        Kind::Binding => {
            "lane: http:HOST, claude-pty, claude-print or codex · adapter: anthropic, openai or responses (for hosts)"
        }
        Kind::Policy => "models: [a, b], or all: true · budget: { amount: 50, per: month }",
        Kind::User => {
            "`inference-relay user add NAME --role viewer` makes the hash of a password; passwordEnv names a variable instead"
        }
    }
}

fn skeleton(kind: Kind) -> &'static str {
    match kind {
        Kind::Host => {
            "kind: Host\nmetadata: { name: NAME }\nspec:\n  url: \"https://api.example.com\"\n  network: public\n"
        }
        Kind::HostKey => {
            "kind: HostKey\nmetadata: { name: NAME }\nspec:\n  host: HOST\n  value: { secret: NAME }\n"
        }
        Kind::Model => {
            "kind: Model\nmetadata: { name: NAME }\nspec:\n  aliases: []\n  price: { currency: USD, input: 2.5, output: 10 }\n"
        }
        Kind::Binding => {
            "kind: Binding\nmetadata: { name: NAME }\nspec:\n  model: MODEL\n  lane: \"http:HOST\"\n  adapter: openai\n  upstreamName: NAME\n  order: 1\n"
        }
        Kind::Policy => {
            "kind: Policy\nmetadata: { name: NAME }\nspec:\n  models: []\n  limits: { requestsPerMinute: 600, concurrent: 16 }\n"
        }
        Kind::User => {
            "kind: User\nmetadata: { name: NAME }\nspec:\n  role: viewer\n  passwordEnv: VARIABLE\n"
        }
    }
}

/// Rows of one page of a list.
const ROWS_SHOWN: usize = 100;
/// Characters of a row in a list; its page has all.
const SUMMARY_CHARACTERS_MAX: usize = 160;
