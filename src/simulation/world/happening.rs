//! What is on its way in the simulated pool. `[pure]`

use super::super::claude::Sign;
use super::super::model::CallId;
use super::super::session::Order;
use super::super::session::Outcome;
use crate::pool::place::Place;

/// Something on its way.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    Arrives,
    HangsUp(CallId),
    /// The next call in the conversation of this one.
    FollowsUp(CallId),
    Asked(Ask),
    Granted {
        call: CallId,
        grant: Grant,
    },
    Ordered {
        place: Place,
        order: Order,
    },
    Pressed {
        place: Place,
        keys: Vec<u8>,
    },
    Answered {
        place: Place,
        allowed: bool,
    },
    Signed {
        place: Place,
        sign: Sign,
    },
    Grew {
        place: Place,
    },
    Left {
        place: Place,
        call: CallId,
    },
    Settled {
        call: CallId,
        place: Place,
        outcome: Outcome,
    },
    Ended {
        place: Place,
        forced: bool,
    },
    SessionTimeout {
        place: Place,
    },
    LedgerTimeout,
}

/// What the keeper is asked and told.
#[derive(Debug, Clone)]
pub(super) enum Ask {
    Lease {
        call: CallId,
    },
    Withdrawn,
    Refused {
        place: Place,
    },
    /// `kept` where its session stays in the call's conversation, with what the model said last.
    Returned {
        place: Place,
        kept: Option<(CallId, String)>,
    },
    Rejoin {
        call: CallId,
    },
    Unclaimed {
        place: Place,
    },
    Ready {
        place: Place,
    },
    Gone {
        place: Place,
    },
}

/// What a call gets of the keeper.
#[derive(Debug, Clone)]
pub(super) enum Grant {
    Lent {
        place: Place,
        primed: Option<String>,
    },
    Permitted {
        place: Place,
    },
    /// The session that stayed in the conversation, if there is one.
    Onward {
        place: Option<Place>,
    },
    Refused,
}

/// What keeps its order on its way: one sender's messages to one receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    Screen(Place),
    Transcript(Place),
    Keys(Place),
    Orders(Place),
    Notices(Place),
    Call(CallId),
    Alone,
}
