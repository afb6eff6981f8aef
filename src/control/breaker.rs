//! The circuit breakers of hosts and host keys: seen, and reset.

use super::Plane;
use super::ask::Ask;
use super::audit::Change as Told;
use super::reply;
use super::reply::Problem;
use super::reply::Reply;
use super::row;
use crate::catalog::Kind;
use crate::clock;
use serde_json::Value;
use serde_json::json;

/// Every breaker that something was held against.
pub(super) fn list(plane: &Plane) -> Vec<Value> {
    let mut lanes = plane.rooms.hosts.all();
    lanes.sort_by(|a, b| a.host().name.cmp(&b.host().name));
    let now = clock::now();
    lanes
        .iter()
        .flat_map(|lane| lane.breakers_json(now))
        .collect()
}

pub(super) fn reset_one(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    reset(plane, ask)?;
    Ok(reply::data(&json!({ "reset": ask.name() })))
}

/// Ends the rest of a host key, wherever it is known.
pub(super) fn reset(plane: &Plane, ask: &Ask) -> Result<(), Problem> {
    if ask.switch("dry_run") {
        return row::found(plane, Kind::HostKey, ask.name()).map(drop);
    }
    let lanes = plane.rooms.hosts.all();
    let ended: usize = lanes.iter().map(|lane| lane.reset_key(ask.name())).sum();
    if ended == 0 {
        return Err(Problem::not_found("host key of this name in force"));
    }
    tell(plane, ask, ask.name());
    Ok(())
}

pub(super) fn reset_all(plane: &Plane, ask: &Ask) -> Reply {
    if !ask.switch("dry_run") {
        let lanes = plane.rooms.hosts.all();
        lanes.iter().for_each(|lane| lane.breakers().reset(None));
        tell(plane, ask, "all");
    }
    reply::data(&json!({ "reset": "all" }))
}

fn tell(plane: &Plane, ask: &Ask, name: &str) {
    plane.audit.tell(Told {
        actor: ask.actor.name().to_owned(),
        action: "reset",
        kind: "breaker".to_owned(),
        name: name.to_owned(),
        before: Value::Null,
        after: Value::Null,
    });
}
