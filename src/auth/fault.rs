//! Why somebody is not let in, in words: what happened, and the one next step. `[pure]`

use super::meter::Over;
use crate::store::Key;
use crate::store::KeyState;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use std::time::Duration;

pub(super) fn missing() -> Fault {
    client(
        FaultKind::KeyMissing,
        "This relay asks for a key and the call has none; send one as x-api-key or as Authorization: Bearer. \
         `inference-relay key create NAME` on the relay's machine makes one.",
    )
}

pub(super) fn malformed() -> Fault {
    client(
        FaultKind::KeyMalformed,
        "The key of this call does not have a relay key's form (irk_ and 43 characters): it is cut off, or another \
         service's. Send the text that `inference-relay key create` showed.",
    )
}

pub(super) fn id_in_place() -> Fault {
    client(
        FaultKind::KeyMalformed,
        "This is the id of a key, as `inference-relay key list` shows it, and not the key. Send the text that \
         `inference-relay key create` showed; where it is lost, `inference-relay key rotate NAME` makes a new one.",
    )
}

pub(super) fn unknown() -> Fault {
    client(
        FaultKind::KeyUnknown,
        "No key of this relay has this text: it was deleted, or it is another relay's. \
         `inference-relay key create NAME` on the relay's machine makes a new one.",
    )
}

/// What is said to a caller who holds a key that does not let in; `None`: it does.
pub(super) fn of_state(key: &Key, state: KeyState) -> Option<Fault> {
    let name = &key.name;
    let (kind, public) = match state {
        KeyState::Active => return None,
        KeyState::Disabled => (
            FaultKind::KeyDisabled,
            format!(
                "The key \"{name}\" is disabled; `inference-relay key enable {name}` on the relay's machine lets it \
                 in again."
            ),
        ),
        KeyState::Expired => (
            FaultKind::KeyExpired,
            format!(
                "The key \"{name}\" has expired; `inference-relay key expire {name} --in 30d` on the relay's machine \
                 gives it more time."
            ),
        ),
        KeyState::Replaced => (
            FaultKind::KeyExpired,
            format!(
                "The key \"{name}\" was rotated, and the time in which its old text went on working is over; send \
                 the new text, or make another with `inference-relay key rotate {name}`."
            ),
        ),
    };
    Some(client(kind, public).because(format!("key {}", key.id)))
}

pub(super) fn blocked(wait: Duration) -> Fault {
    let public = format!(
        "Too many bad keys came from this address, so calls without a good one are refused for another {} s; correct \
         the key, a good one is let in at once.",
        whole_seconds(wait)
    );
    client(FaultKind::AuthBlocked, public).retry_after(wait)
}

/// `what` says whose budget it is, and `keys` where it is set.
pub(super) fn over(over: Over, what: &str, keys: &str) -> Fault {
    match over {
        Over::Rate { wait } => {
            let public = format!(
                "{what} has used up its calls for now; wait {} s, call less often, or raise auth.{keys}_calls_per_minute.",
                whole_seconds(wait)
            );
            client(FaultKind::RateLimited, public).retry_after(wait)
        }
        Over::Concurrent { max } => {
            let public = format!(
                "{what} has {max} calls open, which is all it may have; wait for one to end, or raise auth.{keys}_concurrent_max."
            );
            client(FaultKind::TooManyConcurrent, public).retry_after(CONCURRENT_WAIT)
        }
    }
}

fn client(kind: FaultKind, public: impl Into<String>) -> Fault {
    Fault::new(kind, Blame::Client, public)
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis()
        .div_ceil(1000)
        .try_into()
        .unwrap_or(u64::MAX)
}

/// A hint: when a call of the caller's own will have ended, only the caller could know.
const CONCURRENT_WAIT: Duration = Duration::from_secs(1);
