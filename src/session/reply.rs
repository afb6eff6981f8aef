//! The caller of a session's turn, from its beginning to its outcome.

use super::reset;
use crate::clock;
use crate::turn::Block;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::Timeline;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

/// Where a turn's events and its outcome go.
#[derive(Debug)]
pub(crate) struct Recipient {
    pub(crate) events: mpsc::Sender<Result<Event, Fault>>,
    pub(crate) outcome: oneshot::Sender<TurnOutcome>,
    pub(crate) timeline: Timeline,
}

/// How a turn ended, for the pool.
#[derive(Debug)]
pub(crate) enum TurnOutcome {
    Told,
    /// The session stays in its conversation: for the results of the tools that the model called, or for the next
    /// prompt. `said` is its message as it was told, `end` what is to be told once the session can be found: the caller
    /// may be back at once.
    Parked {
        said: Vec<Block>,
        end: Box<Event>,
    },
    /// `begun` where something of the answer has gone to the caller.
    Failed {
        fault: Fault,
        begun: bool,
    },
    /// Nothing reached the model.
    Misdelivered,
    /// The process hangs, or is not fit for the call, and is gone: it took nothing up.
    Untouched,
    /// The caller hung up.
    Cancelled,
}

/// The caller reads too slowly, and the turn was settled; its session has to leave it.
#[derive(Debug)]
pub(super) struct TooSlow;

/// Where a session's caller sits; empty between turns.
#[derive(Debug, Default)]
pub(super) struct ReplySink {
    caller: Option<Recipient>,
    /// What failed while nobody sat here.
    fault: Option<Fault>,
}

impl ReplySink {
    /// The reply of a session that is launched with a caller, or without.
    pub(super) fn of(caller: Option<Recipient>) -> ReplySink {
        ReplySink {
            caller,
            fault: None,
        }
    }

    pub(super) fn take(&mut self, caller: Recipient) {
        self.caller = Some(caller);
    }

    pub(super) fn is_taken(&self) -> bool {
        self.caller.is_some()
    }

    /// Tells an event; the last one settles the turn.
    ///
    /// # Errors
    /// Where the caller reads too slowly.
    pub(super) fn tell(&mut self, event: Event) -> Result<(), TooSlow> {
        let Some(caller) = &self.caller else {
            return Ok(());
        };
        let last = matches!(event, Event::End(_));
        if let Err(mpsc::error::TrySendError::Full(_)) = caller.events.try_send(Ok(event)) {
            tracing::warn!("a caller reads too slowly; its turn is given up");
            self.settle(TurnOutcome::Cancelled);
            return Err(TooSlow);
        }
        if last {
            self.settle(TurnOutcome::Told);
        }
        Ok(())
    }

    /// The prompt is on its way to the model.
    pub(super) fn mark_asked(&self) {
        if let Some(caller) = &self.caller {
            caller.timeline.ask(clock::now());
        }
    }

    /// The CLI asked the API for an answer.
    pub(super) fn mark_question(&self) {
        if let Some(caller) = &self.caller {
            caller.timeline.question();
        }
    }

    /// What has this path is not as the model wrote it.
    pub(super) fn mark_emulated(&self, path: String) {
        if let Some(caller) = &self.caller {
            caller.timeline.emulate(path);
        }
    }

    pub(super) fn fail(&mut self, fault: Fault, begun: bool) {
        let fault = until_reset(fault);
        if self.caller.is_some() {
            self.settle(TurnOutcome::Failed { fault, begun });
        } else {
            self.fault = Some(fault);
        }
    }

    pub(super) fn settle(&mut self, outcome: TurnOutcome) {
        if let Some(caller) = self.caller.take() {
            drop(caller.outcome.send(outcome));
        }
    }

    /// What failed while nobody sat here, once.
    pub(super) fn take_fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }

    /// Waits until the caller hangs up; without one, for ever.
    pub(super) async fn hung_up(&self) {
        match &self.caller {
            Some(caller) => caller.events.closed().await,
            None => std::future::pending().await,
        }
    }
}

/// A plan's limit with the wait until it ends, where the CLI's words name the moment.
fn until_reset(fault: Fault) -> Fault {
    let is_asked = fault.kind == FaultKind::UsageLimit && fault.is_wait_estimated;
    let named = || reset::wait(&fault.public, clock::unix_ms(), clock::zone);
    match is_asked.then(named).flatten() {
        Some(wait) => fault.retry_after_or(Some(wait), wait),
        None => fault,
    }
}

/// The first of what a session waits for, or so late that it is never.
pub(super) fn soonest(deadlines: [Option<Instant>; 2]) -> Instant {
    let far = clock::now() + FAR;
    deadlines.into_iter().flatten().min().unwrap_or(far)
}

/// No deadline at all.
const FAR: Duration = Duration::from_secs(3600);
