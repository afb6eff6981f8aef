//! Whole sets of rows: compared, applied, exported; as `inference-relay catalog` does it.

use super::Plane;
use super::ask::Ask;
use super::question;
use super::reply;
use super::reply::Problem;
use super::reply::Reply;
use super::row;
use crate::catalog;
use crate::catalog::Change;
use crate::catalog::ChangeSet;
use crate::catalog::Changed;
use crate::catalog::DocumentSet;
use crate::catalog::Kind;
use crate::catalog::Location;
use crate::catalog::Prune;
use crate::sync::lock;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

pub(super) fn problems(plane: &Plane) -> Reply {
    let snapshot = plane.rooms.catalog.snapshot();
    let items: Vec<Value> = snapshot.problems().iter().map(row::error_view).collect();
    reply::data(&json!({ "items": items }))
}

/// Everything but users, whose hashes go nowhere: as YAML, or as JSON where `format` says so.
pub(super) fn export(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let set = row::load(plane);
    let rows = set.iter().filter(|row| row.kind() != Kind::User);
    match question::given(ask, "format") {
        None | Some("yaml") => Ok(reply::text(
            "application/yaml",
            rows.map(catalog::Document::to_yaml).collect(),
        )),
        Some("json") => {
            let rows: Vec<Value> = rows.map(catalog::Document::to_json).collect();
            Ok(reply::data(&json!({ "items": rows })))
        }
        Some(_) => Err(Problem::invalid("format: give yaml or json.")),
    }
}

/// A client that leaves while others' sets are worked on has nothing done for it: a large one takes a core for a while.
pub(super) async fn diff(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let planned = plane.sets.work(|| plan(plane, ask)).await;
    Ok(reply::data(&told(&planned?.1, true)))
}

pub(super) async fn apply(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    plane.sets.work(|| applied(plane, ask)).await
}

fn applied(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let _one = lock(&plane.writing);
    let (_, changes) = plan(plane, ask)?;
    let is_dry = ask.switch("dry_run");
    if !is_dry {
        row::commit(plane, ask, &changes)?;
    }
    Ok(reply::data(&told(&changes, is_dry)))
}

/// What has to change. Users are left alone by a prune: a set that was exported here has none.
fn plan(plane: &Plane, ask: &Ask) -> Result<(Arc<DocumentSet>, ChangeSet), Problem> {
    let text = yaml(&ask.body);
    let count = text.lines().filter(|line| line.starts_with("---")).count();
    if count > DOCUMENTS_MAX {
        let told =
            format!("There are {count} documents, and at most {DOCUMENTS_MAX} are taken at once.");
        return Err(Problem::invalid(told));
    }
    let wanted = tokio::task::block_in_place(|| DocumentSet::of_text(&text, &Location::default()));
    if !wanted.problems().is_empty() {
        return Err(row::wrong(wanted.problems()));
    }
    let prune = match ask.switch("prune") {
        true => Prune::Remove,
        false => Prune::Keep,
    };
    let current = row::load(plane);
    let mut changes = catalog::diff(&current, &wanted, prune);
    changes.changes.retain(|change| {
        change.row.kind != Kind::User || !matches!(change.what, Changed::Removed(_))
    });
    Ok((current, changes))
}

/// The rows that were sent, as YAML. In JSON they are the `items` of a list, as the lists of rows tell them, and what these tell
/// beside a row is left out.
fn yaml(body: &[u8]) -> String {
    let read: Option<Value> = serde_json::from_slice(body).ok();
    let items = read.as_ref().and_then(|body| body["items"].as_array());
    let Some(items) = items else {
        return String::from_utf8_lossy(body).into_owned();
    };
    let row = |item: &Value| {
        let fields = ROW_FIELDS.iter().filter(|field| !item[**field].is_null());
        let row: Map<String, Value> = fields
            .map(|field| ((*field).to_owned(), item[*field].clone()))
            .collect();
        format!("---\n{}\n", Value::Object(row))
    };
    items.iter().map(row).collect()
}

/// What a row is made of.
const ROW_FIELDS: [&str; 4] = ["apiVersion", "kind", "metadata", "spec"];
/// Documents of one set: ten times the largest catalog that is known. Reading as many takes a tenth of a second.
const DOCUMENTS_MAX: usize = 5000;

fn told(changes: &ChangeSet, is_dry: bool) -> Value {
    let list: Vec<Value> = changes.changes.iter().map(Change::json).collect();
    json!({ "changes": list, "same": changes.same, "dry_run": is_dry })
}
