//! The value of a host key: it goes in and never out.

use super::Plane;
use super::ask::Ask;
use super::audit::Change as Told;
use super::reply;
use super::reply::Problem;
use super::reply::Reply;
use super::row;
use crate::catalog::Document;
use crate::catalog::DocumentSet;
use crate::catalog::Kind;
use crate::catalog::Spec;
use crate::clock;
use crate::secret::SecretRef;
use crate::secret::SecretValue;
use serde_json::Value;
use serde_json::json;
use std::sync::PoisonError;

/// Stores a value for a host key, and has its row refer to it.
pub(super) fn set_value(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let body = ask.json().map_err(Problem::invalid)?;
    store_value(plane, ask, body["value"].as_str().unwrap_or_default())?;
    let is_stored = !ask.switch("dry_run");
    Ok(reply::data(
        &json!({ "name": ask.name(), "stored": is_stored }),
    ))
}

pub(super) fn store_value(plane: &Plane, ask: &Ask, text: &str) -> Result<(), Problem> {
    let value = SecretValue::parse(text)
        .ok_or_else(|| Problem::invalid("value: this takes one line of visible ASCII."))?;
    let _one = plane.writing.lock().unwrap_or_else(PoisonError::into_inner);
    let set = row::load(plane);
    let mut row = row::found(plane, Kind::HostKey, ask.name())?;
    row::checked(ask, Some(&row))?;
    if ask.switch("dry_run") {
        return Ok(());
    }
    if let Spec::HostKey(spec) = &mut row.spec {
        spec.value = SecretRef::Stored(ask.name().to_owned());
    }
    keep_value(plane, ask, &set, row, &value)
}

/// Stores the value that a host key's row refers to, and writes the row; the lock of writers is held.
fn keep_value(
    plane: &Plane,
    ask: &Ask,
    set: &DocumentSet,
    row: Document,
    value: &SecretValue,
) -> Result<(), Problem> {
    let Spec::HostKey(spec) = &row.spec else {
        return Ok(());
    };
    let SecretRef::Stored(stored) = &spec.value else {
        return Ok(());
    };
    let (name, stored) = (row.name.clone(), stored.clone());
    let kept = tokio::task::block_in_place(|| {
        plane
            .file
            .set(&stored, value, &plane.config.master, clock::unix_ms())
    });
    kept.map_err(Problem::internal)?;
    let changes = row::putting(set, row);
    row::commit(plane, ask, &changes)?;
    // A change of the row has the catalog read again by itself.
    if changes.is_empty() {
        tokio::task::block_in_place(|| plane.rooms.catalog.reload());
        plane.rooms.hosts.take_up(&plane.rooms.catalog);
    }
    plane.audit.tell(Told {
        actor: ask.actor.name().to_owned(),
        action: "rotate",
        kind: "host-key".to_owned(),
        name,
        before: Value::Null,
        after: json!({ "hash": value.digest().short() }),
    });
    Ok(())
}

/// Writes a host key's row with the value that it refers to, which is typed anew, and so goes where its typist says.
pub(super) fn write_with_value(
    plane: &Plane,
    ask: &Ask,
    wanted: &Document,
    value: &SecretValue,
) -> Result<(), Problem> {
    let _one = plane.writing.lock().unwrap_or_else(PoisonError::into_inner);
    let set = row::load(plane);
    // The tag is of the row that the form is for; a host's first key is none.
    let current = set.find(&wanted.row());
    if current.is_some() {
        row::checked(ask, current)?;
    }
    keep_value(plane, ask, &set, wanted.clone(), value)
}
