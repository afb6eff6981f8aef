//! How the relay is: versions, health, lanes, calls, the audit log, settings.

use super::Plane;
use super::ask::Ask;
use super::breaker;
use super::question;
use super::reply;
use super::reply::Problem;
use super::reply::Reply;
use crate::calls::Filter;
use crate::catalog::Host;
use crate::clock;
use crate::pool::Condition;
use crate::store::AuditEntry;
use crate::store::Cursor;
use crate::store::Page;
use hyper::StatusCode;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

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
    lanes_shown(plane, usize::MAX).0
}

/// The same with so many hosts at the most, those first that somebody may have to look after; and how many there are.
pub(super) fn lanes_shown(plane: &Plane, hosts_max: usize) -> (Value, usize) {
    let (state, why) = condition(plane);
    let pool = plane.rooms.pool.borrow().clone();
    let breakers = breaker::list(plane);
    let mut resting: BTreeMap<&str, usize> = BTreeMap::new();
    for cell in breakers.iter().filter(|cell| cell["state"] != "closed") {
        *resting
            .entry(cell["host"].as_str().unwrap_or_default())
            .or_default() += 1;
    }
    let resting = |host: &Host| resting.get(host.name.as_str()).copied().unwrap_or(0);
    let snapshot = plane.rooms.catalog.snapshot();
    let mut hosts: Vec<&Arc<Host>> = snapshot.hosts().collect();
    let count = hosts.len();
    if count > hosts_max {
        hosts.sort_by_key(|host| resting(host) == 0 && host.keys.iter().any(|key| key.is_usable()));
        hosts.truncate(hosts_max);
    }
    let hosts = hosts.into_iter().map(|host| {
        json!({
            "lane": format!("http:{}", host.name.as_str()),
            "enabled": host.enabled,
            "is_open": host.is_open(),
            "keys": host.keys.len(),
            "usable_keys": host.keys.iter().filter(|key| key.is_usable()).count(),
            "resting": resting(host),
        })
    });
    let told = json!({
        "claude": {
            "state": state,
            "why": why,
            "sessions": pool.sessions.len(),
            "waiting": pool.waiting,
            "version": pool.claude.as_ref().and_then(|claude| claude.version.clone()),
        },
        "hosts": hosts.collect::<Vec<_>>(),
        "breakers": breakers,
    });
    (told, count)
}

/// The last calls, as they are kept in memory.
pub(super) fn recent(plane: &Plane) -> Vec<Value> {
    plane.rooms.calls.recent(&Filter::default())
}

pub(super) async fn audit(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let page = audited(plane, ask).await?;
    let items: Vec<Value> = page.rows.iter().map(AuditEntry::json).collect();
    let next = page.next.as_ref().map(Cursor::text);
    Ok(reply::data(&json!({ "items": items, "next_cursor": next })))
}

/// The entries of the audit log that the query asks for, the newest first.
pub(super) async fn audited(plane: &Plane, ask: &Ask) -> Result<Page<AuditEntry>, Problem> {
    let filter = question::audit(ask, clock::unix_ms())?;
    let (cursor, limit) = question::page(ask, question::LIMIT_DEFAULT)?;
    let page = plane.rooms.store.audit(filter, cursor, limit).await;
    page.map_err(|fault| Problem::store(&fault))
}

/// How this relay is set up, but for the values of its configuration.
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
        "store": plane.rooms.store.health().place,
    })
}
