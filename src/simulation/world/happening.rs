//! What is on its way in the simulated pool. `[pure]`

use super::super::claude::Sign;
use super::super::model::CallId;
use super::super::session::Order;
use super::super::session::TurnOutcome;
use crate::pool::slot::SlotId;

/// Something on its way.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    Arrives,
    HangsUp(CallId),
    /// The next call in the conversation of this one.
    FollowsUp(CallId),
    Asked(Command),
    Granted {
        call: CallId,
        grant: Grant,
    },
    Ordered {
        slot: SlotId,
        order: Order,
    },
    Pressed {
        slot: SlotId,
        keys: Vec<u8>,
    },
    Answered {
        slot: SlotId,
        allowed: bool,
    },
    Signed {
        slot: SlotId,
        sign: Sign,
    },
    Grew {
        slot: SlotId,
    },
    Left {
        slot: SlotId,
        call: CallId,
    },
    Settled {
        call: CallId,
        slot: SlotId,
        outcome: TurnOutcome,
    },
    Ended {
        slot: SlotId,
        forced: bool,
    },
    SessionTimeout {
        slot: SlotId,
    },
    LedgerTimeout,
}

/// What the supervisor is asked and told.
#[derive(Debug, Clone)]
pub(super) enum Command {
    Lease {
        call: CallId,
    },
    Withdrawn,
    Refused {
        slot: SlotId,
    },
    /// `kept` where its session stays in the call's conversation, with what the model said last.
    Returned {
        slot: SlotId,
        kept: Option<(CallId, String)>,
    },
    Rejoin {
        call: CallId,
    },
    Unclaimed {
        slot: SlotId,
    },
    Ready {
        slot: SlotId,
    },
    Gone {
        slot: SlotId,
    },
}

/// What a call gets of the supervisor.
#[derive(Debug, Clone)]
pub(super) enum Grant {
    Lent {
        slot: SlotId,
        primed: Option<String>,
    },
    Permitted {
        slot: SlotId,
    },
    /// The session that stayed in the conversation, if there is one.
    Onward {
        slot: Option<SlotId>,
    },
    Refused,
}

/// What keeps its order on its way: one sender's messages to one receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    Screen(SlotId),
    Transcript(SlotId),
    Keys(SlotId),
    Tools(SlotId),
    Orders(SlotId),
    Notices(SlotId),
    Call(CallId),
    Alone,
}
