//! What a session is in, with what is true only there. `[pure]`

use super::super::task::Task;
use super::super::witness::Merge;
use std::time::Duration;
use std::time::Instant;

#[derive(Debug)]
pub(super) enum State {
    Starting {
        until: Instant,
    },
    /// It waits at the pipe in its transcript's place, or is on its way there.
    Primed {
        reached: bool,
        until: Instant,
    },
    Ready,
    Resuming {
        uuid: String,
        then: Then,
        ended: bool,
        wait: Wait,
    },
    Submitting {
        task: Task,
        wait: Wait,
    },
    Answering(Box<Answering>),
    Interrupting {
        sent: bool,
        over: bool,
        emptied: bool,
        until: Instant,
    },
    /// The turn is over; once the prompt box is idle, a blank conversation is asked for.
    Resting {
        asked: bool,
        wait: Wait,
    },
    Gone,
}

/// What follows once a conversation is taken up.
#[derive(Debug)]
pub(super) enum Then {
    Submit(Box<Task>),
    /// It is a blank one.
    Ready,
    /// Its caller is gone.
    Rest,
}

/// A wait that is nudged a few times before it is given up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    pub(super) next: Instant,
    pub(super) nudges: u32,
    /// Waits that passed without a sign that the process has run at all.
    pub(super) stalls: u32,
}

#[derive(Debug)]
pub(super) struct Answering {
    pub(super) task: Task,
    pub(super) merge: Merge,
    pub(super) begun: bool,
    pub(super) busy_seen: bool,
    pub(super) escape: Escape,
    /// Until when the session must show life; a session launched with its turn owes a sign by then.
    pub(super) sign_until: Option<Instant>,
    pub(super) settle_until: Option<Instant>,
    pub(super) until: Instant,
}

/// Whether a turn that runs on was interrupted: in an idle prompt box a second Escape opens a menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    Unasked,
    /// As soon as the screen says that something runs.
    Wanted,
    Sent,
}

impl State {
    pub(super) fn resting(now: Instant) -> State {
        State::Resting {
            asked: false,
            wait: Wait::from(now),
        }
    }
}

impl Wait {
    pub(super) fn from(now: Instant) -> Wait {
        Wait {
            next: now + NUDGE_WAIT,
            nudges: 0,
            stalls: 0,
        }
    }
}

/// How long a signal may be late before the screen is asked which key was lost; a healthy one takes under 100 ms.
pub(super) const NUDGE_WAIT: Duration = Duration::from_millis(600);
