//! Pages that show and change a row of the catalog.

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
use super::breakers;
use super::form::FormView;
use super::frame::Frame;
use super::frame::Link;
use super::limits;
use super::page_of;
use super::table::Table;
use super::table::text;
use super::words::choices;
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
    let is_saved = matches!(ask.query("done"), Some("saved" | "period"));
    let (next_href, next) = match is_saved && may_change(ask, kind) {
        true => step_after(kind, &snapshot, &found.name),
        false => ("", ""),
    };
    let (tested, tested_tone) = test_result(told);
    let heading = format!("{} {}", title(kind), found.name);
    let mut page = Row {
        tested,
        tested_tone,
        next_href,
        next,
        problems: problems(plane, &snapshot, kind, &found.name),
        problems_lead: "This row is out, and the others serve. Why:",
        tables: tables(plane, kind, &found.name),
        is_host: kind == Kind::Host,
        is_host_key: kind == Kind::HostKey,
        action: href.clone(),
        delete_href: format!("{href}/delete"),
        href,
        etag: etag::of(&found),
        form: FormView::of_row(plane, kind, &found.to_json()["spec"], found.enabled),
        ..Row::of(ask, kind, heading, yaml(&found, ask, kind))
    };
    if is_saved && !page.problems.is_empty() {
        page.frame.notice = "Saved. It is not in force yet:";
    }
    Ok(page_of(StatusCode::OK, &page))
}

/// Why a row is out, and what in it could not be read.
fn problems(plane: &Plane, snapshot: &Snapshot, kind: Kind, name: &str) -> Vec<String> {
    let problems = snapshot.problems_of(kind, name);
    let problems = problems.map(|problem| problem.message.clone());
    problems
        .chain(row::unread(plane, snapshot, kind, name))
        .collect()
}

/// What is known of a row beside what it says.
fn tables(plane: &Plane, kind: Kind, name: &str) -> Vec<Table> {
    match kind {
        Kind::Host | Kind::HostKey => vec![breakers::table(plane, kind, name)],
        Kind::Policy => limits::of_policy(plane, name),
        Kind::Model | Kind::Binding | Kind::User => Vec::new(),
    }
}

/// What a person does next who saved a row: where, and in which words.
fn step_after(kind: Kind, snapshot: &Snapshot, name: &str) -> (&'static str, &'static str) {
    match kind == Kind::Host && has_key(snapshot, name) {
        true => ("/models/-/new", "add a model"),
        false => next(kind),
    }
}

/// What a test told, and its tone.
fn test_result(told: Option<&Value>) -> (String, &'static str) {
    match told {
        Some(told) if told["good"] == true => (text(&told["message"]), "good"),
        Some(told) => (text(&told["message"]), "bad"),
        None => (String::new(), ""),
    }
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

pub(super) fn may_change(ask: &Ask, kind: Kind) -> bool {
    let needed = if kind == Kind::User {
        UserRole::Admin
    } else {
        UserRole::Operator
    };
    Access::UserRole(needed).lets(ask.actor.role())
}
