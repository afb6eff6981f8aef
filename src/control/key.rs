//! Relay keys: made, changed, deleted. A key's text is in the one answer that made it.

use super::Plane;
use super::ask::Ask;
use super::audit::Change as Told;
use super::reply;
use super::reply::Problem;
use super::reply::Reply;
use super::row;
use crate::clock;
use crate::store;
use crate::store::Key;
use crate::store::KeyError;
use crate::store::Keys;
use crate::store::Secret;
use crate::store::StoreError;
use crate::store::UseFile;
use hyper::StatusCode;
use serde_json::Value;
use serde_json::json;

pub(super) fn list(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let keys = all(plane)?;
    row::page_of(&keys, ask, |key| {
        key["name"].as_str().unwrap_or_default().to_owned()
    })
}

/// Every key, with its state and when it was last used.
pub(super) fn all(plane: &Plane) -> Result<Vec<Value>, Problem> {
    let read = tokio::task::block_in_place(|| plane.rooms.keys.read());
    let keys = read.map_err(Problem::internal)?.unwrap_or_default();
    let uses = UseFile::of(&plane.config.home).read();
    let seen = |key: &Key| {
        let mut value = view(key);
        value["last_used_at_ms"] = uses.of(&key.id).into();
        value
    };
    Ok(keys.all().iter().map(seen).collect())
}

pub(super) fn mint(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let body = ask.json().map_err(Problem::invalid)?;
    let name = body["name"].as_str().unwrap_or_default();
    let span = body["expires_in_s"].as_u64();
    let (key, secret) = make(plane, ask, name, body["policy"].as_str(), span)?;
    let mut value = view(&key);
    value["key"] = secret.as_ref().map(Secret::reveal).into();
    Ok(reply::with_status(StatusCode::CREATED, &value))
}

/// Makes a key; without its text where that was only tried.
pub(super) fn make(
    plane: &Plane,
    ask: &Ask,
    name: &str,
    policy: Option<&str>,
    span_s: Option<u64>,
) -> Result<(Key, Option<Secret>), Problem> {
    let policy = policy.filter(|policy| !policy.is_empty());
    known(plane, policy)?;
    if name.bytes().all(|byte| byte == b'.') && !name.is_empty() {
        let told =
            "name: a name of dots alone cannot stand in an address; write a letter or a digit.";
        return Err(Problem::invalid(told));
    }
    let secret = Secret::mint().map_err(Problem::internal)?;
    let now = clock::unix_ms();
    let ends_at = span_s.map(|span| end(now, span));
    let create = |keys: &mut Keys| {
        keys.create(store::new_id(), name, &secret, ends_at, now)?;
        keys.bind(name, policy).cloned()
    };
    if ask.switch("dry_run") {
        return Ok((tried(plane, create)?, None));
    }
    let key = changed(plane, create)?;
    tell(plane, ask, "create", &key);
    Ok((key, Some(secret)))
}

/// What of a key becomes another; `None`: that stays.
#[derive(Default)]
pub(super) struct KeyChange<'a> {
    pub(super) disabled: Option<bool>,
    pub(super) policy: Option<Option<&'a str>>,
    /// Seconds from now for which it is still good; within: no end.
    pub(super) expires_in_s: Option<Option<u64>>,
}

/// `{"disabled": true}`, `{"policy": "team"}`, `{"policy": null}`, `{"expires_in_s": 86400}`, `{"expires_in_s": null}`.
pub(super) fn change(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let body = ask.json().map_err(Problem::invalid)?;
    let change = KeyChange {
        disabled: body.get("disabled").and_then(Value::as_bool),
        policy: body.get("policy").map(Value::as_str),
        expires_in_s: body.get("expires_in_s").map(Value::as_u64),
    };
    let key = edit(plane, ask, &change)?;
    Ok(reply::data(&view(&key)))
}

pub(super) fn edit(plane: &Plane, ask: &Ask, change: &KeyChange<'_>) -> Result<Key, Problem> {
    let name = ask.name();
    if let Some(policy) = change.policy {
        known(plane, policy)?;
    }
    let now = clock::unix_ms();
    let apply = |keys: &mut Keys| {
        if let Some(disabled) = change.disabled {
            keys.disable(name, disabled)?;
        }
        if let Some(policy) = change.policy {
            keys.bind(name, policy)?;
        }
        if let Some(span) = change.expires_in_s {
            keys.expire(name, span.map(|span| end(now, span)))?;
        }
        found(keys, name)
    };
    if ask.switch("dry_run") {
        return tried(plane, apply);
    }
    let key = changed(plane, apply)?;
    tell(plane, ask, "update", &key);
    Ok(key)
}

pub(super) fn rotate(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let body = ask.json().map_err(Problem::invalid)?;
    let overlap_s = body["overlap_s"].as_u64().unwrap_or(0);
    if ask.switch("dry_run") {
        let key = tried(plane, |keys| found(keys, ask.name()))?;
        return Ok(reply::data(&view(&key)));
    }
    let (key, secret) = renew(plane, ask, overlap_s)?;
    let mut value = view(&key);
    value["key"] = secret.reveal().into();
    Ok(reply::data(&value))
}

/// Gives a key a new text; the old one goes on working for so many seconds.
pub(super) fn renew(plane: &Plane, ask: &Ask, overlap_s: u64) -> Result<(Key, Secret), Problem> {
    let secret = Secret::mint().map_err(Problem::internal)?;
    let (now, overlap_ms) = (clock::unix_ms(), overlap_s.saturating_mul(1000));
    let key = changed(plane, |keys| {
        keys.rotate(ask.name(), &secret, overlap_ms, now).cloned()
    })?;
    tell(plane, ask, "rotate", &key);
    Ok((key, secret))
}

/// So many seconds from now, in milliseconds since 1970.
fn end(now_ms: u64, span_s: u64) -> u64 {
    now_ms.saturating_add(span_s.saturating_mul(1000))
}

pub(super) fn delete(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    remove(plane, ask)?;
    Ok(reply::data(&json!({ "deleted": ask.name() })))
}

pub(super) fn remove(plane: &Plane, ask: &Ask) -> Result<(), Problem> {
    if ask.switch("dry_run") {
        return tried(plane, |keys| found(keys, ask.name())).map(drop);
    }
    let key = changed(plane, |keys| keys.delete(ask.name()))?;
    tell(plane, ask, "delete", &key);
    Ok(())
}

fn found(keys: &Keys, name: &str) -> Result<Key, KeyError> {
    let found = keys
        .all()
        .iter()
        .find(|key| key.name == name || key.id.0 == name);
    found
        .cloned()
        .ok_or_else(|| KeyError::NoSuchKey(name.to_owned()))
}

/// A policy that there is not would grant nothing: whoever names one has mistyped.
fn known(plane: &Plane, policy: Option<&str>) -> Result<(), Problem> {
    match policy {
        Some(policy) if plane.rooms.catalog.snapshot().policy(policy).is_none() => Err(
            Problem::invalid(format!("policy: there is no policy \"{policy}\".")),
        ),
        Some(_) | None => Ok(()),
    }
}

/// What a change would come to; nothing is written.
fn tried<T>(
    plane: &Plane,
    change: impl FnOnce(&mut Keys) -> Result<T, KeyError>,
) -> Result<T, Problem> {
    let keys = plane.rooms.keys.read().map_err(Problem::internal)?;
    change(&mut keys.unwrap_or_default()).map_err(|error| refused(&error))
}

fn changed<T>(
    plane: &Plane,
    change: impl FnOnce(&mut Keys) -> Result<T, KeyError>,
) -> Result<T, Problem> {
    let done = tokio::task::block_in_place(|| plane.rooms.keys.change(change));
    done.map_err(|error| match &error {
        StoreError::Refused(error) => refused(error),
        other => Problem::internal(other),
    })
}

fn refused(error: &KeyError) -> Problem {
    match error {
        KeyError::NoSuchKey(_) => Problem::not_found("relay key of this name"),
        KeyError::NameTaken(_) => {
            Problem::new(StatusCode::CONFLICT, "name_taken", error.to_string())
        }
        KeyError::Name(_) => Problem::invalid(format!("name: {error}.")),
        KeyError::TooMany => Problem::new(StatusCode::CONFLICT, "too_many", error.to_string()),
    }
}

fn tell(plane: &Plane, ask: &Ask, action: &'static str, key: &Key) {
    plane.audit.tell(Told {
        actor: ask.actor.name().to_owned(),
        action,
        kind: "relay-key".to_owned(),
        name: key.name.clone(),
        before: Value::Null,
        after: view(key),
    });
}

/// A key as it may be seen: without its text.
pub(crate) fn view(key: &Key) -> Value {
    json!({
        "id": key.id.0,
        "name": key.name,
        "state": key.state(clock::unix_ms()).name(),
        "policy": key.policy.as_deref(),
        "created_at_ms": key.created_at,
        "expires_at_ms": key.expires_at,
    })
}
