//! What a session is in, with what is true only there. `[pure]`

use super::super::mcp::result::Answered;
use super::super::turn_spec::TurnSpec;
use super::super::witness::Merge;
use super::super::witness::Named;
use super::typing::Confirm;
use std::collections::VecDeque;
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
        /// When the command's Enter is pressed.
        confirm: Confirm,
        ended: bool,
        wait: Wait,
    },
    Submitting {
        task: Box<TurnSpec>,
        /// When the prompt's Enter is pressed.
        confirm: Confirm,
        wait: Wait,
        /// It was submitted as written, and must not go on before its tools are taken up.
        held: Option<Instant>,
    },
    Answering(Box<Answering>),
    /// The model called tools, and their results are the caller's to bring.
    Parked {
        until: Instant,
        /// The message that the calls are in.
        past: Named,
    },
    /// The answer is told, and the CLI about to come to its own end of the turn.
    Ending {
        until: Instant,
    },
    /// The turn is over, and the session stays in its conversation; `calm` once its prompt box was seen idle since.
    Kept {
        calm: bool,
        since: Instant,
    },
    /// The next prompt of the conversation waits for the prompt box to be idle.
    Nearing {
        task: Box<TurnSpec>,
        wait: Wait,
    },
    Interrupting {
        /// The answer that was told was cut: the CLI asks on as often as it is cut again.
        cut: bool,
        sent: bool,
        over: bool,
        emptied: bool,
        until: Instant,
    },
    /// The turn is over; once the prompt box is idle, a blank conversation is asked for.
    Resting {
        asked: bool,
        /// What stood in the prompt box was taken out of it.
        emptied: bool,
        wait: Wait,
    },
    Gone,
}

/// What follows once a conversation is taken up.
#[derive(Debug)]
pub(super) enum Then {
    Submit(Box<TurnSpec>),
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
    pub(super) task: TurnSpec,
    pub(super) merge: Merge,
    /// Whether a copy of the answer may be taken for it.
    pub(super) believes: bool,
    /// The answers before are all known, so that a copy of none of them is of this turn.
    pub(super) sure: bool,
    pub(super) begun: bool,
    pub(super) busy_seen: bool,
    pub(super) escape: Escape,
    /// An answer has begun to come.
    pub(super) is_answered: bool,
    /// The CLI was interrupted before it asked on by itself, as far as it can be.
    pub(super) is_broken_off: bool,
    /// Until when the session must show life; a session launched with its turn owes a sign by then.
    pub(super) sign_until: Option<Instant>,
    pub(super) settle_until: Option<Instant>,
    /// Until when the turn must have come to an end, while the prompt box is at rest.
    pub(super) idle_until: Option<Instant>,
    /// Results that wait until the CLI has taken the one before.
    pub(super) results: VecDeque<Answered>,
    /// The result that was given last.
    pub(super) given: Option<Given>,
    /// When the CLI is nudged to write its transcript on, and how long after that again.
    pub(super) nudge: Option<(Instant, Duration)>,
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

/// A tool result on its way into the turn.
#[derive(Debug)]
pub(super) struct Given {
    /// The id of its call.
    pub(super) id: String,
    /// The CLI has told that it has it, and this ping shows when it has our word on that.
    pub(super) used: Option<u64>,
    /// Until when it may take to tell.
    pub(super) until: Instant,
}

impl State {
    pub(super) fn resting(now: Instant) -> State {
        State::Resting {
            asked: false,
            emptied: false,
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
