//! The circuit breakers of hosts and host keys: seen, and reset.

use super::Plane;
use super::ask::Ask;
use super::audit::Change as Told;
use super::reply;
use super::reply::Problem;
use super::reply::Reply;
use crate::clock;
use crate::upstream::CellView;
use crate::upstream::Class;
use crate::upstream::HostLane;
use crate::upstream::Standing;
use serde_json::Value;
use serde_json::json;

/// Every breaker that something was held against.
pub(super) fn list(plane: &Plane) -> Vec<Value> {
    let mut lanes = plane.rooms.hosts.all();
    lanes.sort_by_key(|lane| lane.host().name.to_string());
    lanes.iter().flat_map(|lane| views(lane)).collect()
}

fn views(lane: &HostLane) -> Vec<Value> {
    let now = clock::now();
    let view = |cell: CellView| {
        let (digest, model) = cell.key.clone().unzip();
        let keys = lane
            .host()
            .keys
            .iter()
            .filter(|key| Some(key.digest) == digest);
        let (state, wait) = match cell.standing {
            Standing::Closed => ("closed", None),
            Standing::ProbeDue => ("half_open", None),
            Standing::Probing => ("probing", None),
            Standing::OpenUntil(until) => {
                ("open", Some(until.saturating_duration_since(now).as_secs()))
            }
        };
        json!({
            "host": lane.host().name.as_str(),
            "keys": keys.map(|key| key.name.as_str()).collect::<Vec<_>>(),
            "model": model.flatten().as_deref(),
            "state": state,
            "class": cell.class.map(Class::name),
            "probe_in_s": wait,
        })
    };
    lane.breakers().views(now).into_iter().map(view).collect()
}

pub(super) fn reset_one(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    reset(plane, ask)?;
    Ok(reply::data(&json!({ "reset": ask.name() })))
}

/// Ends the rest of a host key, wherever it is known.
pub(super) fn reset(plane: &Plane, ask: &Ask) -> Result<(), Problem> {
    let mut is_known = false;
    for lane in plane.rooms.hosts.all() {
        for key in lane
            .host()
            .keys
            .iter()
            .filter(|key| key.name.as_str() == ask.name())
        {
            lane.breakers().reset(Some(&key.digest));
            is_known = true;
        }
    }
    if !is_known {
        return Err(Problem::not_found("host key of this name in force"));
    }
    tell(plane, ask, ask.name());
    Ok(())
}

pub(super) fn reset_all(plane: &Plane, ask: &Ask) -> Reply {
    let lanes = plane.rooms.hosts.all();
    lanes.iter().for_each(|lane| lane.breakers().reset(None));
    tell(plane, ask, "all");
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
