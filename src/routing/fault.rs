//! How a call fails that no lane takes. `[pure]`

use crate::limits::LimitKind;
use crate::limits::Refusal;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::LaneId;
use crate::turn::as_sentence;
use std::time::Duration;

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

/// The failure of the only host that was asked.
pub(super) fn kept_by_host(fault: Fault) -> Fault {
    let why = "No other lane was asked, because `input` refers to an item that a host keeps: send the item itself, and \
               any lane may serve the call.";
    Fault {
        public: format!("{} {why}", as_sentence(&fault.public)),
        ..fault
    }
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

/// A limit or a budget of the policy is reached.
pub(super) fn limited(refusal: &Refusal) -> Fault {
    let kind = match refusal.limit {
        LimitKind::Requests => FaultKind::RateLimited,
        LimitKind::Tokens => FaultKind::TokensLimited,
        LimitKind::Concurrent => FaultKind::TooManyConcurrent,
        LimitKind::Budget => FaultKind::BudgetExceeded,
        LimitKind::Unavailable => return limits_unavailable(),
    };
    let what = match refusal.limit {
        LimitKind::Requests => format!("its limit of {} requests a minute", refusal.max),
        LimitKind::Tokens => format!("its limit of {} tokens a minute", refusal.max),
        LimitKind::Concurrent => format!("its limit of {} calls at once", refusal.max),
        LimitKind::Budget | LimitKind::Unavailable => "its budget".to_owned(),
    };
    let public = format!(
        "The {} {} has reached {what}. Wait as long as `retry-after` says, or have the limit raised.",
        refusal.subject,
        plain(&refusal.id)
    );
    let wait = refusal.wait.unwrap_or(SLOT_WAIT);
    Fault::new(kind, Blame::Client, public)
        .because(format!("a limit of {}", refusal.max))
        .retry_after(wait)
}

/// The server is away that relays count in together.
pub(super) fn state_away() -> Fault {
    let public = "What this key's policy has used cannot be known, since the Valkey that the relays share does not answer. \
                  Try again after `retry-after`; the relay's operator finds it under `state` in /healthz.";
    Fault::new(FaultKind::LimitsUnavailable, Blame::Relay, public)
        .because("the Valkey of state.url does not answer")
        .retry_after(SLOT_WAIT)
}

pub(super) fn limits_unavailable() -> Fault {
    let public = "What this key's policy has spent cannot be known, so no call with a budget passes. Mend the folder \
                  `limits` in the relay's state folder; the log says what is wrong with it.";
    Fault::new(FaultKind::LimitsUnavailable, Blame::Relay, public)
        .because("the journal of budgets cannot be used")
}

/// Names of fields are a caller's text: what a message should not carry becomes `?`.
fn plain(text: &str) -> String {
    let plain = |c: char| match c {
        _ if c.is_ascii_alphanumeric() || "_-.:".contains(c) => c,
        _ => '?',
    };
    text.chars().take(PATH_MAX).map(plain).collect()
}

/// When a call under way may have ended; nobody knows.
const SLOT_WAIT: Duration = Duration::from_secs(1);
/// Parameters that are named in a message; a call that sets more is not read by a person.
const PATHS_MAX: usize = 32;
/// Characters of one such name.
const PATH_MAX: usize = 64;
