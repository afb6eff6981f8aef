//! Pages that show and change rows of the catalog.

use super::super::Plane;
use super::super::access;
use super::super::access::Access;
use super::super::ask;
use super::super::ask::Ask;
use super::super::breaker;
use super::super::detach::KEYS_WOULD_MOVE;
use super::super::etag;
use super::super::reply;
use super::super::reply::Problem;
use super::super::reply::Reply;
use super::super::row;
use super::super::value;
use super::form::FormView;
use super::frame::Frame;
use super::frame::Link;
use super::limits;
use super::page_of;
use super::table::Table;
use super::table::linked;
use super::table::marked;
use super::table::plain;
use super::table::spoken;
use super::table::text;
use super::words::choices;
use super::words::lead;
use super::words::next;
use super::words::skeleton;
use super::words::title;
use crate::catalog::Document;
use crate::catalog::Kind;
use crate::catalog::Snapshot;
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
    /// Rows that a simulation brings.
    brought: Vec<String>,
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
        brought: brought(plane, kind),
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
    form: FormView,
    /// Fields that are wrong, as links to them.
    wrong: Vec<Link>,
    /// The row's own; empty of a new one.
    name: String,
    /// Whether the text is what was typed or asked for, and not the form.
    is_yaml: bool,
    /// Whether the change would send credentials to another address, so that somebody has to say what becomes of them.
    is_moving: bool,
    is_admin: bool,
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
            form: FormView::default(),
            name: ask.name().to_owned(),
            wrong: Vec::new(),
            is_yaml: ask.query("as") == Some("yaml"),
            is_moving: false,
            is_admin: ask.actor.role() == Some(UserRole::Admin),
        }
    }
}

pub(super) fn new(plane: &Plane, ask: &Ask, kind: Kind) -> Reply {
    let page = Row {
        form: FormView::fresh(plane, ask, kind),
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
        .chain(row::unread(plane, &snapshot, kind, &found.name))
        .collect();
    let is_saved = matches!(ask.query("done"), Some("saved" | "period"));
    let (next_href, next) = match is_saved && may_change(ask, kind) {
        true if kind == Kind::Host && has_key(&snapshot, &found.name) => {
            ("/models/-/new", "add a model")
        }
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
            Kind::Policy => limits::of_policy(plane, &found.name),
            Kind::Model | Kind::Binding | Kind::User => Vec::new(),
        },
        is_host: kind == Kind::Host,
        is_host_key: kind == Kind::HostKey,
        action: href.clone(),
        delete_href: format!("{href}/delete"),
        href,
        etag: etag::of(&found),
        form: FormView::of_row(plane, kind, &found.to_json()["spec"], found.enabled),
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

fn has_key(snapshot: &Snapshot, host: &str) -> bool {
    let host = snapshot.host(host);
    host.is_some_and(|host| host.is_open() || !host.keys.is_empty())
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

/// The page again, with what was typed and what is wrong with it.
pub(super) fn again(
    plane: &Plane,
    ask: &Ask,
    kind: Kind,
    yaml: Option<String>,
    problem: &Problem,
) -> Reply {
    let word = access::word(kind);
    let form = match &yaml {
        None => FormView::typed(plane, ask, kind, problem),
        Some(_) if ask.name().is_empty() => FormView::fresh(plane, ask, kind),
        Some(_) => FormView::default(),
    };
    let is_yaml = yaml.is_some();
    let wrong = form.wrong();
    let href = format!("/{word}/{}", ask::encoded(ask.name()));
    let page = Row {
        problems: told(problem, is_yaml, &wrong),
        problems_lead: "Nothing was changed:",
        action: match ask.name() {
            "" => format!("/{word}/-/new"),
            _ => href,
        },
        etag: ask.field("etag").unwrap_or_default(),
        form,
        wrong,
        is_yaml,
        is_moving: problem.code == KEYS_WOULD_MOVE,
        ..Row::of(
            ask,
            kind,
            match ask.name() {
                "" => ask.route.summary.to_owned(),
                name => format!("{} {name}", title(kind)),
            },
            yaml.unwrap_or_else(|| skeleton(kind).to_owned()),
        )
    };
    page_of(problem.status, &page)
}

/// What is wrong that stands at no field; of a text each with its line.
fn told(problem: &Problem, is_yaml: bool, wrong: &[Link]) -> Vec<String> {
    if !wrong.is_empty() {
        return Vec::new();
    }
    let line = |error: &Value| match error["line"].as_u64() {
        Some(line) if is_yaml => format!("line {line}: {}", text(&error["message"])),
        _ => text(&error["message"]),
    };
    match problem.errors.is_empty() {
        true => vec![problem.detail.clone()],
        false => problem.errors.iter().map(line).collect(),
    }
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
    value::store_value(plane, ask, &ask.field("value").unwrap_or_default())?;
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

/// Rows of one page of a list.
const ROWS_SHOWN: usize = 100;
/// Characters of a row in a list; its page has all.
const SUMMARY_CHARACTERS_MAX: usize = 160;
