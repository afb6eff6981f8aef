//! How the relay is: versions, health, lanes, calls, the audit log, settings.

use super::Plane;
use super::ask::Ask;
use super::breaker;
use super::reply;
use super::reply::Problem;
use super::reply::Reply;
use super::row;
use crate::calls::Filter;
use crate::calls::since;
use crate::pool::Condition;
use hyper::StatusCode;
use serde_json::Value;
use serde_json::json;

pub(super) fn version() -> Reply {
    reply::data(&json!({ "name": "inference-relay", "version": env!("CARGO_PKG_VERSION") }))
}

pub(super) fn health(plane: &Plane) -> Reply {
    let problems = plane.rooms.catalog.snapshot().problems().len();
    reply::data(&json!({
        "status": "healthy",
        "claude": condition(plane).0,
        "catalog": { "problems": problems },
    }))
}

pub(super) fn ready(plane: &Plane) -> Reply {
    let (word, _) = condition(plane);
    let has_host = plane.rooms.catalog.snapshot().is_configured();
    let is_ready = word == "ready" || word == "degraded" && has_host;
    let status = match is_ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    reply::with_status(status, &json!({ "ready": is_ready, "claude": word }))
}

/// The condition of the claude lanes in a word, and why.
pub(super) fn condition(plane: &Plane) -> (&'static str, Option<String>) {
    match &plane.rooms.pool.borrow().condition {
        Condition::Starting => ("starting", None),
        Condition::Ready => ("ready", None),
        Condition::Degraded(why) => ("degraded", Some(why.clone())),
        Condition::Draining => ("draining", None),
    }
}

pub(super) fn lanes(plane: &Plane) -> Value {
    let (state, why) = condition(plane);
    let pool = plane.rooms.pool.borrow().clone();
    let breakers = breaker::list(plane);
    let snapshot = plane.rooms.catalog.snapshot();
    let hosts = snapshot.hosts().map(|host| {
        let name = host.name.as_str();
        let resting = breakers
            .iter()
            .filter(|cell| cell["host"] == name && cell["state"] != "closed");
        json!({
            "lane": format!("http:{name}"),
            "enabled": host.enabled,
            "is_open": host.is_open(),
            "keys": host.keys.len(),
            "usable_keys": host.keys.iter().filter(|key| key.is_usable()).count(),
            "resting": resting.count(),
        })
    });
    json!({
        "claude": {
            "state": state,
            "why": why,
            "sessions": pool.sessions.len(),
            "waiting": pool.waiting,
            "version": pool.claude.as_ref().and_then(|claude| claude.version.clone()),
        },
        "hosts": hosts.collect::<Vec<_>>(),
        "breakers": breakers,
    })
}

pub(super) fn calls(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let items = recent(plane, ask)?;
    Ok(reply::data(&json!({ "items": items })))
}

/// The last calls that the query's filter lets through.
pub(super) fn recent(plane: &Plane, ask: &Ask) -> Result<Vec<Value>, Problem> {
    let known = ["status", "code", "model", "since", "limit"];
    let pairs = ask
        .query
        .iter()
        .filter(|(name, value)| known.contains(&name.as_str()) && !value.is_empty());
    let query: Vec<String> = pairs
        .map(|(name, value)| format!("{name}={}", super::ask::encoded(value)))
        .collect();
    let filter = Filter::read(&query.join("&"), since);
    let filter = filter.map_err(|problem| Problem::invalid(format!("{problem}.")))?;
    Ok(plane.rooms.calls.recent(&filter))
}

/// One call's whole story, as far as it is kept.
pub(super) fn call(plane: &Plane, id: &str) -> Result<Value, Problem> {
    let mut filter = Filter::default();
    filter.limit = usize::MAX;
    let calls = plane.rooms.calls.recent(&filter);
    let found = calls.into_iter().find(|call| call["id"] == id);
    found.ok_or_else(|| Problem::not_found("call of this id among the last ones"))
}

pub(super) fn audit(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let entries = audited(plane, ask);
    row::page_of(&entries, ask, |entry| {
        entry["id"].as_str().unwrap_or_default().to_owned()
    })
}

/// The entries of the audit log that the query asks for.
pub(super) fn audited(plane: &Plane, ask: &Ask) -> Vec<Value> {
    let fits = |entry: &Value| {
        ["actor", "action", "kind", "name"].iter().all(|field| {
            let wanted = ask.query(field).filter(|wanted| !wanted.is_empty());
            wanted.is_none_or(|wanted| entry[field] == wanted)
        })
    };
    let mut entries = plane.audit.entries();
    entries.retain(fits);
    entries
}

pub(super) fn settings(plane: &Plane) -> Value {
    let catalog = &plane.rooms.catalog;
    let status = catalog.status();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "home": plane.config.home.display().to_string(),
        "catalog_dir": catalog.dir().display().to_string(),
        "catalog_generation": status.generation,
        "catalog_is_configured": catalog.snapshot().is_configured(),
        "control_host": plane.config.host.to_string(),
        "cookie_secure": plane.config.cookie_secure,
        "has_admin_token": plane.config.token.is_some(),
    })
}
