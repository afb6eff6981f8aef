//! The value of a host key: it goes in and never out.

use super::Plane;
use super::ask::Ask;
use super::audit::Change as Told;
use super::detach;
use super::reply;
use super::reply::Problem;
use super::reply::Reply;
use super::row;
use crate::catalog::Document;
use crate::catalog::DocumentSet;
use crate::catalog::Kind;
use crate::catalog::Spec;
use crate::clock;
use crate::secret::SecretFault;
use crate::secret::SecretRef;
use crate::secret::SecretValue;
use crate::sync::lock;
use serde_json::Value;
use serde_json::json;

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
    let _one = lock(&plane.writing);
    let set = row::load(plane);
    let mut row = row::found(plane, Kind::HostKey, ask.name())?;
    row::checked(ask, Some(&row))?;
    if ask.switch("dry_run") {
        return Ok(());
    }
    if let Spec::HostKey(spec) = &mut row.spec {
        spec.value = SecretRef::Stored(ask.name().to_owned());
    }
    keep_value(plane, ask, &set, vec![row], &value)
}

/// Stores the value that a host key's row refers to, and writes the rows; the lock of writers is held. Where the value
/// cannot be stored, no row is written.
fn keep_value(
    plane: &Plane,
    ask: &Ask,
    set: &DocumentSet,
    rows: Vec<Document>,
    value: &SecretValue,
) -> Result<(), Problem> {
    let stored = rows.iter().find_map(|row| match &row.spec {
        Spec::HostKey(spec) => match &spec.value {
            SecretRef::Stored(stored) => Some((row.name.clone(), stored.clone())),
            SecretRef::Env(_) | SecretRef::File(_) => None,
        },
        _ => None,
    });
    let Some((name, stored)) = stored else {
        return Ok(());
    };
    let kept = tokio::task::block_in_place(|| {
        plane
            .file
            .set(&stored, value, &plane.config.master, clock::unix_ms())
    });
    kept.map_err(|fault| match fault {
        SecretFault::Name(_) | SecretFault::TooMany => Problem::invalid(fault.to_string()),
        fault => Problem::internal(fault),
    })?;
    let changes = row::putting(set, rows);
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

/// Writes the row of a form, with the value of a host key among `rows`, which is typed anew, and so goes where its typist
/// says. All of it is one change: a host's first key comes with the host, or neither does. The first row is the one that the
/// form is for, and so the tag's.
pub(super) fn write_with_value(
    plane: &Plane,
    ask: &Ask,
    rows: Vec<Document>,
    value: &SecretValue,
) -> Result<(), Problem> {
    let _one = lock(&plane.writing);
    let set = row::load(plane);
    let wanted = rows.first();
    row::checked(ask, wanted.and_then(|wanted| set.find(&wanted.row())))?;
    let host = wanted.filter(|wanted| wanted.kind() == Kind::Host);
    let detached = host.map(|host| detach::wanted(plane, ask, &set, host));
    if ask.switch("dry_run") {
        return detached.transpose().map(drop);
    }
    detach::forget(plane, ask, &detached.transpose()?.unwrap_or_default())?;
    keep_value(plane, ask, &set, rows, value)
}
