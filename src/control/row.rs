//! Rows of the catalog: listed, shown, changed, removed; and the value of a host key, which goes in and never out.

use super::Plane;
use super::access;
use super::ask::Ask;
use super::audit::Change as Told;
use super::detach;
use super::etag;
use super::question;
use super::reply;
use super::reply::Problem;
use super::reply::Reply;
use super::user;
use crate::catalog;
use crate::catalog::Change;
use crate::catalog::ChangeSet;
use crate::catalog::Changed;
use crate::catalog::Document;
use crate::catalog::DocumentSet;
use crate::catalog::Kind;
use crate::catalog::Location;
use crate::catalog::Problem as RowProblem;
use crate::catalog::Prune;
use crate::catalog::RowId;
use crate::catalog::Snapshot;
use crate::catalog::WriteFault;
use crate::sync::lock;
use hyper::StatusCode;
use hyper::header;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

pub(super) fn list(plane: &Plane, ask: &Ask, kind: Kind) -> Result<Reply, Problem> {
    let rows = rows(plane, kind, ask.query("q"));
    page_of(&rows, ask, |row| {
        row["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    })
}

/// A page of a list, behind the name that the cursor says.
///
/// # Errors
/// Where the limit is none.
pub(super) fn page_of(
    rows: &[Value],
    ask: &Ask,
    name: impl Fn(&Value) -> String,
) -> Result<Reply, Problem> {
    let limit = question::limit(ask, question::LIMIT_DEFAULT)?;
    let begin = match ask.query("cursor") {
        None => 0,
        Some(cursor) => rows
            .iter()
            .position(|row| name(row) == cursor)
            .map_or(rows.len(), |at| at + 1),
    };
    let items = &rows[begin..rows.len().min(begin + limit)];
    let next = items
        .last()
        .filter(|_| begin + limit < rows.len())
        .map(&name);
    Ok(reply::data(&json!({ "items": items, "next_cursor": next })))
}

/// The rows of a kind, each with its tag and what is wrong with it.
pub(super) fn rows(plane: &Plane, kind: Kind, search: Option<&str>) -> Vec<Value> {
    let set = load(plane);
    let low = search.unwrap_or_default().to_lowercase();
    let rows = set.iter().filter(|row| row.kind() == kind);
    let found = rows.filter(|row| row.name.to_lowercase().contains(&low));
    found.map(|row| view(plane, row)).collect()
}

/// A part of a kind's rows, in the order of their names.
pub(super) struct Part {
    pub(super) rows: Vec<Value>,
    /// The name behind which the next part begins.
    pub(super) next: Option<String>,
    /// All rows that were found.
    pub(super) count: usize,
}

/// The rows behind a name, at most so many; only these are looked at closely.
pub(super) fn part(
    plane: &Plane,
    kind: Kind,
    search: Option<&str>,
    behind: Option<&str>,
    limit: usize,
) -> Part {
    let set = load(plane);
    let low = search.unwrap_or_default().to_lowercase();
    let rows = set.iter().filter(|row| row.kind() == kind);
    let found: Vec<&Document> = rows
        .filter(|row| row.name.to_lowercase().contains(&low))
        .collect();
    let begin = behind.map_or(0, |name| {
        let place = found.iter().position(|row| row.name == name);
        place.map_or(found.len(), |at| at + 1)
    });
    let shown = &found[begin..found.len().min(begin + limit)];
    let has_more = begin + limit < found.len();
    Part {
        next: shown
            .last()
            .filter(|_| has_more)
            .map(|row| row.name.clone()),
        rows: shown.iter().map(|row| view(plane, row)).collect(),
        count: found.len(),
    }
}

pub(super) fn show(plane: &Plane, ask: &Ask, kind: Kind) -> Result<Reply, Problem> {
    let row = found(plane, kind, ask.name())?;
    Ok(tagged(StatusCode::OK, &view(plane, &row), &row))
}

pub(super) fn found(plane: &Plane, kind: Kind, name: &str) -> Result<Document, Problem> {
    let (set, id) = (load(plane), RowId::new(kind, name));
    let row = set.find(&id).cloned();
    row.ok_or_else(|| missing(plane, &id))
}

/// A row that is in no file; calls may be served by it all the same.
fn missing(plane: &Plane, id: &RowId) -> Problem {
    let word = id.kind.word();
    Problem::not_found(match plane.rooms.catalog.brought().find(id) {
        None => format!("{word} of this name"),
        Some(_) => format!(
            "{word} of this name in the catalog's files: it is of the simulation, which nobody changes"
        ),
    })
}

/// Makes or changes a row. The body is `{"enabled": …, "spec": {…}}`.
pub(super) fn put(plane: &Plane, ask: &Ask, kind: Kind) -> Result<Reply, Problem> {
    let body = ask.json().map_err(Problem::invalid)?;
    let mut spec = body["spec"].clone();
    if let (Some(enabled), Some(spec)) = (body.get("enabled"), spec.as_object_mut()) {
        spec.entry("enabled").or_insert(enabled.clone());
    }
    let row = json!({ "kind": kind.name(), "metadata": { "name": ask.name() }, "spec": spec });
    let wanted = one_row(&row.to_string(), kind, ask.name())?;
    let written = write_checked(plane, ask, &wanted)?;
    let row = if ask.switch("dry_run") {
        wanted
    } else {
        found(plane, kind, ask.name())?
    };
    let status = if written.is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let mut value = view(plane, &row);
    value["dry_run"] = ask.switch("dry_run").into();
    if let Some(note) = written.note {
        value["note"] = note.into();
    }
    Ok(tagged(status, &value, &row))
}

/// The one row that a text declares.
///
/// # Errors
/// Everything that is wrong with it, by field.
pub(super) fn one_row(text: &str, kind: Kind, name: &str) -> Result<Document, Problem> {
    let set = DocumentSet::of_text(text, &Location::default());
    if !set.problems().is_empty() {
        return Err(wrong(set.problems()));
    }
    let mut rows = set.iter();
    match (rows.next(), rows.next()) {
        (Some(row), None) if row.kind() == kind && (name.is_empty() || row.name == name) => {
            Ok(row.clone())
        }
        _ => Err(Problem::invalid(format!(
            "This takes one row of kind {}{}.",
            kind.name(),
            if name.is_empty() {
                String::new()
            } else {
                format!(" with the name {name}")
            }
        ))),
    }
}

/// What is wrong, with the paths of fields.
pub(super) fn wrong(problems: &[RowProblem]) -> Problem {
    let errors = problems.iter().map(error_view).collect();
    Problem {
        errors,
        ..Problem::invalid("The rows are wrong; nothing was changed.")
    }
}

pub(super) fn error_view(problem: &RowProblem) -> Value {
    let message = problem.message.as_str();
    let unknown = message.strip_prefix("unknown field \"");
    let field = match unknown {
        Some(rest) => rest.split('"').next(),
        None => message
            .strip_suffix(" is missing")
            .or_else(|| message.split_once(": ").map(|(field, _)| field)),
    };
    let field = field.filter(|field| !field.contains(' '));
    json!({
        "kind": problem.row.as_ref().map(|row| row.kind.name()),
        "name": problem.row.as_ref().map(|row| row.name.as_str()),
        "field": field,
        "file": problem.location.path().map(|path| path.display().to_string()),
        "line": problem.location.line,
        "code": problem.code.name(),
        "message": problem.message,
    })
}

/// What became of a row that was written.
pub(super) struct Written {
    pub(super) is_new: bool,
    /// What whoever changed it should know.
    pub(super) note: Option<&'static str>,
}

/// Writes a row, where the tags that were sent allow it, and no credential goes astray.
pub(super) fn write_checked(
    plane: &Plane,
    ask: &Ask,
    wanted: &Document,
) -> Result<Written, Problem> {
    let _one = lock(&plane.writing);
    let set = load(plane);
    let current = set.find(&wanted.row());
    checked(ask, current)?;
    let is_new = current.is_none();
    let detached = detach::wanted(plane, ask, &set, wanted)?;
    let changes = putting(&set, [wanted.clone()]);
    if !ask.switch("dry_run") {
        detach::forget(plane, ask, &detached)?;
        commit(plane, ask, &changes)?;
    }
    let note = changes.changes.iter().find_map(Change::note);
    Ok(Written { is_new, note })
}

/// What changes where these rows are put into a set.
pub(super) fn putting(set: &DocumentSet, rows: impl IntoIterator<Item = Document>) -> ChangeSet {
    let mut wanted = DocumentSet::default();
    rows.into_iter().for_each(|row| wanted.put(row));
    catalog::diff(set, &wanted, Prune::Keep)
}

pub(super) fn checked(ask: &Ask, current: Option<&Document>) -> Result<(), Problem> {
    let field = ask.field("etag").filter(|tag| !tag.is_empty());
    let if_match = ask.tags("if-match");
    let if_match = if_match.as_deref().or(field.as_deref());
    let if_none_match = ask.tags("if-none-match");
    etag::check(current, if_match, if_none_match.as_deref()).map_err(Problem::changed_meanwhile)
}

pub(super) fn delete(plane: &Plane, ask: &Ask, kind: Kind) -> Result<Reply, Problem> {
    let dependents = dependents(plane, kind, ask.name());
    remove(plane, ask, kind)?;
    Ok(reply::data(&json!({
        "removed": ask.name(),
        "dry_run": ask.switch("dry_run"),
        "dependents": dependents,
    })))
}

/// Removes a row.
pub(super) fn remove(plane: &Plane, ask: &Ask, kind: Kind) -> Result<(), Problem> {
    let _one = lock(&plane.writing);
    let row = found(plane, kind, ask.name())?;
    checked(ask, Some(&row))?;
    if ask.switch("dry_run") {
        return Ok(());
    }
    commit(plane, ask, &ChangeSet::removal(row))
}

/// Writes changes, puts them in force, and tells the audit log.
pub(super) fn commit(plane: &Plane, ask: &Ask, changes: &ChangeSet) -> Result<(), Problem> {
    if changes.is_empty() {
        return Ok(());
    }
    let catalog = &plane.rooms.catalog;
    tokio::task::block_in_place(|| {
        let written = catalog::write(catalog.dir(), changes);
        // What is good of it is in force, whatever became of the rest.
        catalog.reload();
        plane.rooms.hosts.take_up(catalog);
        written.map_err(|fault| unwritten(&fault))
    })?;
    end_sessions(plane, changes);
    {
        let mut told = lock(&plane.told);
        *told = Arc::new(catalog::apply(&told, changes));
    }
    let entries = changes.changes.iter();
    plane
        .audit
        .tell_all(entries.map(|change| told(ask.actor.name(), change)));
    Ok(())
}

/// Why a change is not what is in force.
fn unwritten(fault: &WriteFault) -> Problem {
    match fault {
        WriteFault::Store(error) => Problem::internal(error),
        WriteFault::NotTaken { .. } => {
            Problem::new(StatusCode::CONFLICT, "not_in_force", format!("{fault}."))
        }
    }
}

/// Whoever is disabled or gone, or has another password, is out at once, and not back when that is undone.
fn end_sessions(plane: &Plane, changes: &ChangeSet) {
    plane.end_stale_sessions();
    let gone = changes.changes.iter().filter(|change| {
        change.row.kind == Kind::User && matches!(change.what, Changed::Removed(_))
    });
    gone.for_each(|change| plane.end_sessions_of(&change.row.name));
}

/// A change as the audit log tells it.
pub(super) fn told(actor: &str, change: &Change) -> Told {
    let (action, before, after) = match &change.what {
        Changed::Added(row) => ("create", Value::Null, shown(row)),
        Changed::Edited { before, after, .. } => ("update", shown(before), shown(after)),
        Changed::Removed(row) => ("delete", shown(row), Value::Null),
    };
    Told {
        actor: actor.to_owned(),
        action,
        kind: change.row.kind.word().to_owned(),
        name: change.row.name.clone(),
        before,
        after,
    }
}

/// The rows that name a row, and so would be out without it.
pub(super) fn dependents(plane: &Plane, kind: Kind, name: &str) -> Vec<String> {
    let set = load(plane);
    let rows = catalog::dependents(&set, &RowId::new(kind, name));
    let mut found: Vec<String> = rows.iter().map(RowId::to_string).collect();
    if kind == Kind::Policy {
        let keys = plane.rooms.keys.read().ok().flatten().unwrap_or_default();
        let bound = keys.with_policy(name);
        found.extend(bound.map(|key| format!("relay key {}", key.name)));
        if (plane.rooms.default_policy)().as_deref() == Some(name) {
            found.push(
                "policy.default of the settings, and so every relay key that names no policy"
                    .to_owned(),
            );
        }
    }
    found
}

/// Every row as its file says it now.
pub(super) fn load(plane: &Plane) -> Arc<DocumentSet> {
    tokio::task::block_in_place(|| plane.folder.load(plane.rooms.catalog.dir()))
}

/// A row as it may be seen: without the hash of a password.
pub(super) fn shown(row: &Document) -> Value {
    let mut value = row.to_json();
    if row.kind() == Kind::User && value["spec"]["passwordHash"].is_string() {
        value["spec"]["passwordHash"] = "(hidden)".into();
    }
    value
}

pub(super) fn view(plane: &Plane, row: &Document) -> Value {
    let snapshot = plane.rooms.catalog.snapshot();
    let problems = snapshot.problems_of(row.kind(), &row.name).map(error_view);
    let problems = problems.chain(unread(plane, &snapshot, row.kind(), &row.name).map(|why| {
        let name = row.name.as_str();
        json!({ "kind": "User", "name": name, "field": "passwordEnv", "code": "secret", "message": why })
    }));
    let mut value = shown(row);
    value["etag"] = etag::of(row).into();
    value["enabled"] = row.enabled.into();
    value["problems"] = problems.collect();
    value["href"] = format!(
        "/api/v1/{}/{}",
        access::word(row.kind()),
        super::ask::encoded(&row.name)
    )
    .into();
    value
}

/// Why nobody can log in by the name of this row; `None`: somebody can, or it is no user's.
pub(super) fn unread(plane: &Plane, snapshot: &Snapshot, kind: Kind, name: &str) -> Option<String> {
    let user = snapshot.user(name).filter(|_| kind == Kind::User)?;
    user::unread(plane, user)
}

fn tagged(status: StatusCode, value: &Value, row: &Document) -> Reply {
    let mut reply = reply::with_status(status, value);
    reply::set(&mut reply, header::ETAG, &etag::of(row));
    reply
}
