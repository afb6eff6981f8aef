//! How calls fail before their conversation is gone on with. `[pure]`

use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use std::time::Duration;

pub(super) fn session_busy(depth_max: usize) -> Fault {
    let public = format!(
        "{depth_max} calls wait in this session already, which is `sessions.queue_depth_max`. One call at a time goes \
         on in a session: wait for the answers, or send calls that do not depend on each other under other ids."
    );
    Fault::new(FaultKind::SessionBusy, Blame::Client, public)
        .because("the queue of its conversation is full")
        .retry_after(BUSY_WAIT)
}

pub(super) fn session_waited(wait: Duration) -> Fault {
    let public = format!(
        "The calls before this one in its session were not answered within {} s. Send it again, or under another id.",
        wait.as_secs()
    );
    Fault::new(FaultKind::SessionBusy, Blame::Relay, public)
        .because("the wait for its conversation outlived its deadline")
        .retry_after(BUSY_WAIT)
}

/// The API's own answer to results of calls that are not there.
pub(super) fn calls_unknown() -> Fault {
    let public = "messages.0: these `tool_result` blocks answer calls that are not the last ones of this session: it is \
                  not known any more, or said something else since. Send the whole conversation.";
    Fault::new(FaultKind::InvalidRequest, Blame::Client, public)
}

/// About as long as a short turn takes.
const BUSY_WAIT: Duration = Duration::from_secs(2);

pub(super) fn not_told_in_events() -> Fault {
    let public =
        "The relay lost track of the answer, which is a bug of the relay; please try again.";
    Fault::new(FaultKind::Internal, Blame::Relay, public)
        .because("a lane passed bytes where a conversation needs events")
}
