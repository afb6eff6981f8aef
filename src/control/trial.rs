//! The test of a host, the way that a call to it goes.

use super::Plane;
use super::ask::Ask;
use super::reply::Problem;
use crate::catalog::UserRole;
use crate::upstream::ProbeError;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;

/// Asks a host for its models with the first key that can be used, and tells how that went. What the host answered is
/// not shown: it is a stranger's text, and may be an inner service's. Why a host is out of reach is for admins and the
/// log: whoever names hosts and files could look around with it.
pub(super) async fn host(plane: &Plane, ask: &Ask) -> Result<Value, Problem> {
    let name = ask.name();
    let lane = plane.rooms.hosts.lane(name);
    let lane = lane.ok_or_else(|| Problem::not_found("host of this name in force"))?;
    Ok(match lane.probe(WAIT).await {
        Ok(told) => json!({
            "good": is_good(told.status),
            "status": told.status,
            "key": told.key,
            "message": verdict(told.status),
        }),
        Err(why) => json!({ "good": false, "message": failure(ask, &why) }),
    })
}

fn failure(ask: &Ask, why: &ProbeError) -> String {
    let ProbeError::Unreachable(told) = why else {
        return why.to_string();
    };
    tracing::info!(
        host = ask.name(),
        why = told,
        "control: a test of a host failed"
    );
    match ask.actor.role() {
        Some(UserRole::Admin) => told.clone(),
        Some(UserRole::Operator | UserRole::Viewer) | None => UNREACHABLE.to_owned(),
    }
}

fn is_good(status: u16) -> bool {
    (200..300).contains(&status) || status == 404
}

fn verdict(status: u16) -> &'static str {
    match status {
        200..300 => "It answered, and took the key.",
        401 | 403 => "It answered, and did not take the key: store the right value.",
        404 => "It answered, and has no list of models; a call will show the rest.",
        429 => "It answered that it is asked too often.",
        300..400 => {
            "It answered with another address, which is not followed: write that one at the host."
        }
        400..500 => "It answered that it does not understand: look at the address.",
        _ => "It answered that it has a failure of its own.",
    }
}

/// One and the same for a closed port, a silent one, a file that is missing and one that is none.
const UNREACHABLE: &str = "It cannot be reached the way that its row says; the relay's log, and an admin's test, tell why.";
/// For the connection and the answer together: a person waits.
const WAIT: Duration = Duration::from_secs(10);
