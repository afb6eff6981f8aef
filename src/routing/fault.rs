//! How a call fails that no lane takes. `[pure]`

use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::LaneId;

/// The caller refuses to be served with a part of its call ignored.
pub(super) fn not_honoured(ignored: &[String]) -> Fault {
    let paths = ignored.iter().take(PATHS_MAX).map(|path| plain(path));
    let public = format!(
        "{}: this lane cannot honour it, and strict mode was asked for. Leave it away, or leave strict mode; \
         GET /v1/capabilities tells what is honoured.",
        paths.collect::<Vec<_>>().join(",")
    );
    Fault::new(FaultKind::InvalidRequest, Blame::Client, public)
}

pub(super) fn lane_unknown(lane: &LaneId, lanes: &str) -> Fault {
    let public = format!(
        "{}: no lane of that name serves here. Ask for one of {lanes}, or for none.",
        plain(lane.name())
    );
    Fault::new(FaultKind::InvalidRequest, Blame::Client, public).because("a lane that is not known")
}

pub(super) fn no_lane() -> Fault {
    let public =
        "No lane is configured that could serve this call. Set `claude.driver` in relay.toml.";
    Fault::new(FaultKind::Internal, Blame::Relay, public).because("the plan is empty")
}

pub(super) fn model_unknown(model: &str) -> Fault {
    let public = format!(
        "{}: the catalog has no model of that name. GET /v1/models lists those that this key can reach; \
         `inference-relay model add` and `binding add` declare another.",
        plain(model)
    );
    Fault::new(FaultKind::ModelUnknown, Blame::Client, public)
}

pub(super) fn model_unbound(model: &str) -> Fault {
    let public = format!(
        "{}: no binding that is enabled leads to a lane. Bind the model with `inference-relay binding add`.",
        plain(model)
    );
    Fault::new(FaultKind::ModelUnbound, Blame::Relay, public)
}

pub(super) fn model_disabled(model: &str) -> Fault {
    let public = format!(
        "{}: this model is disabled in the catalog. Ask for another one, or enable it.",
        plain(model)
    );
    Fault::new(FaultKind::ModelDisabled, Blame::Relay, public)
}

pub(super) fn model_not_granted(model: &str) -> Fault {
    let public = format!(
        "{}: the policy of this key does not grant the model. GET /v1/models lists those that it does.",
        plain(model)
    );
    Fault::new(FaultKind::ModelNotGranted, Blame::Client, public)
}

pub(super) fn lane_not_granted(model: &str) -> Fault {
    let public = format!(
        "{}: the policy of this key grants no lane that serves the model. Have the policy changed.",
        plain(model)
    );
    Fault::new(FaultKind::LaneNotGranted, Blame::Client, public)
}

pub(super) fn policy_disabled() -> Fault {
    let public =
        "The policy of this key is disabled. Have it enabled, or use a key of another policy.";
    Fault::new(FaultKind::PolicyDisabled, Blame::Relay, public)
}

pub(super) fn policy_unknown(policy: &str) -> Fault {
    let public = format!(
        "The policy of this key, {}, is not in the catalog. Declare it, or give the key another one with \
         `inference-relay key policy`.",
        plain(policy)
    );
    Fault::new(FaultKind::PolicyDisabled, Blame::Relay, public)
}

/// Names of fields are a caller's text: what a message should not carry becomes `?`.
fn plain(text: &str) -> String {
    let plain = |c: char| match c {
        _ if c.is_ascii_alphanumeric() || "_-.:".contains(c) => c,
        _ => '?',
    };
    text.chars().take(PATH_MAX).map(plain).collect()
}

/// Parameters that are named in a message; a call that sets more is not read by a person.
const PATHS_MAX: usize = 32;
/// Characters of one such name.
const PATH_MAX: usize = 64;
