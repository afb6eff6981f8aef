//! What a call's headers and the name of its model ask of the relay itself: a lane, an exact answer. `[pure]`

use crate::lane::LaneWant;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::LaneId;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;

/// Names the lane of one call.
const LANE: HeaderName = HeaderName::from_static("x-relay-lane");
/// The older name of the two claude lanes.
const DRIVER: HeaderName = HeaderName::from_static("x-relay-driver");
/// Asks for an exact answer or none.
const STRICT: HeaderName = HeaderName::from_static("x-relay-strict");

/// The lane behind the name of a model, as in `opus@claude-print`; the name is left without it.
pub(super) fn pinned(model: &mut String) -> Option<LaneId> {
    let (name, lane) = pin(model)?;
    let (end, lane) = (name.len(), LaneId::new(lane));
    model.truncate(end);
    Some(lane)
}

/// A model's name and the lane that stands behind it; `None` where it names none.
pub(super) fn pin(model: &str) -> Option<(&str, &str)> {
    let (name, lane) = model.rsplit_once('@')?;
    let is_lane = LANES.contains(&lane) || lane.starts_with("http:");
    (is_lane && !name.is_empty()).then_some((name, lane))
}

/// The lane that the caller asks for: it then gets no other.
pub(super) fn want(headers: &HeaderMap) -> Result<LaneWant, Fault> {
    if let Some(driver) = headers.get(DRIVER) {
        let lane = match driver.as_bytes() {
            b"pty" => "claude-pty",
            b"print" => "claude-print",
            _ => return Err(unknown("x-relay-driver: Input should be 'pty' or 'print'")),
        };
        return Ok(LaneWant::Only(LaneId::new(lane)));
    }
    match headers.get(LANE).map(HeaderValue::to_str) {
        None => Ok(LaneWant::Any),
        Some(Ok(lane)) => Ok(LaneWant::Only(LaneId::new(lane))),
        Some(Err(_)) => Err(unknown("x-relay-lane: Input should be the name of a lane")),
    }
}

/// Whether a call asks for an exact answer or none: a word that means neither yes nor no is not taken for no.
pub(super) fn is_strict(headers: &HeaderMap) -> Result<bool, Fault> {
    let Some(said) = headers.get(STRICT) else {
        return Ok(false);
    };
    match said.to_str().map(str::to_ascii_lowercase).as_deref() {
        Ok("true" | "1" | "yes" | "on") => Ok(true),
        Ok("false" | "0" | "no" | "off" | "") => Ok(false),
        _ => {
            let public = "x-relay-strict: Input should be 'true' or 'false'";
            Err(Fault::new(FaultKind::InvalidRequest, Blame::Client, public))
        }
    }
}

fn unknown(public: &str) -> Fault {
    Fault::new(FaultKind::InvalidRequest, Blame::Client, public).because("a lane that is not known")
}

/// Lanes that a model's name may be pinned to, beside those of hosts.
const LANES: [&str; 3] = ["claude-pty", "claude-print", "codex"];
