//! Who is free, who waits, who is worn out: the sessions, shared among callers.
//!
//! **What for.** [`Pool::lane`] gives the lanes that serve calls; behind it are the bounded queue, in which callers take turns, the
//! sessions by shape, and their renewal.
//!
//! **Never.** It does not know HTTP, dialects or terminals.
//!
//! **Invariants.** A session serves one turn at a time; a caller never gets a session that holds another caller's
//! text, or a part of its own conversation that it did not tell; dropping the receiver of a call's events interrupts its turn.

pub(crate) mod definitions;
mod delivery_plan;
mod demand;
mod fault;
mod health;
mod lane;
pub(crate) mod ledger;
mod parking;
mod pause;
mod queue;
mod serve;
pub(crate) mod slot;
mod snapshot;
mod supervisor;
mod unfit;

pub(crate) use lane::ClaudeLane;
pub(crate) use snapshot::ClaudeView;
pub(crate) use snapshot::Condition;
pub(crate) use snapshot::SessionView;
pub(crate) use snapshot::Snapshot;

use crate::lane::Call;
use crate::session::Launcher;
use crate::session::Mode;
use crate::session::Shape;
use crate::turn::ConversationId;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::LaneId;
use serve::ServeCall;
use std::sync::Arc;
use std::time::Duration;
use supervisor::Command;
use supervisor::Supervisor;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;

/// Bounds and habits of the pool.
#[derive(Debug, Clone)]
pub(crate) struct PoolConfig {
    /// Empty sessions kept warm.
    pub(crate) idle: usize,
    /// Sessions alive at once.
    pub(crate) max: usize,
    /// Callers that may wait for a session; more get `queue_full`.
    pub(crate) queue_depth_max: usize,
    /// How long a caller may wait for a session.
    pub(crate) queue_wait_max: Duration,
    /// How long a turn may take from delivery to its end.
    pub(crate) turn_wait_max: Duration,
    /// Turns after which a session is replaced.
    pub(crate) session_turns_max: u32,
    /// Age after which a session is replaced.
    pub(crate) session_age_max: Duration,
    /// Resident memory, in bytes, past which a session is replaced.
    pub(crate) session_resident_max: u64,
    /// Sessions that may stay in a conversation that has a name.
    pub(crate) kept_max: usize,
    /// How long one stays there without a call.
    pub(crate) kept_wait_max: Duration,
}

type EventReceiver = mpsc::Receiver<Result<Event, Fault>>;

/// Which of the pool's lanes serve a call that names none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ClaudeOrder {
    /// Warmed before any call comes.
    pub(crate) first: Mode,
    /// Takes a call that the first cannot carry; `None`: it fails.
    pub(crate) fallback: Option<Mode>,
}

impl ClaudeOrder {
    /// The names of the lanes, in order.
    pub(crate) fn lanes(self) -> Vec<LaneId> {
        let modes = [Some(self.first), self.fallback];
        let modes = modes.into_iter().flatten();
        modes.map(|mode| LaneId::new(mode.lane())).collect()
    }
}

/// A handle to the pool; cheap to clone.
#[derive(Clone)]
pub(crate) struct Pool {
    launcher: Launcher,
    supervisor: mpsc::UnboundedSender<Command>,
    snapshot: watch::Receiver<Snapshot>,
}

impl Pool {
    /// Starts the pool, which begins to warm sessions of the given model and driver.
    pub(crate) fn start(config: PoolConfig, launcher: Launcher, model: &str, mode: Mode) -> Pool {
        let (views, snapshot) = watch::channel(Snapshot::of(Condition::Starting, None));
        let plain = Shape {
            mode,
            ..Shape::plain(model)
        };
        let (supervisor, inbox) = Supervisor::new(config, launcher.clone(), plain, views);
        tokio::spawn(supervisor.run());
        Pool {
            launcher,
            supervisor: inbox,
            snapshot,
        }
    }

    /// Begins to serve a request. It returns at once: queueing, delivery and the model's work are behind the
    /// events, and a failure is the last of them.
    ///
    /// In a conversation that has a name, the session stays for the next call.
    ///
    /// Dropping the receiver tells the pool that the caller is gone.
    fn serve(&self, call: &Call, mode: Mode) -> Result<EventReceiver, Fault> {
        let request = Arc::clone(call.request()?);
        let (events_tx, events) = mpsc::channel(EVENTS_MAX);
        tokio::spawn(
            ServeCall {
                request,
                mode,
                name: call.conversation.clone(),
                launcher: self.launcher.clone(),
                supervisor: self.supervisor.clone(),
                events: events_tx,
                timeline: call.timeline.clone(),
            }
            .run(),
        );
        Ok(events)
    }

    /// The lane that serves by sessions of this mode.
    pub(crate) fn lane(&self, mode: Mode) -> ClaudeLane {
        ClaudeLane::new(self.clone(), mode)
    }

    /// Nobody goes on in this conversation any more: the session that stays in it is emptied.
    pub(crate) fn leave(&self, name: &ConversationId) {
        let name = name.clone();
        let _ = self.supervisor.send(Command::Left { name }); // A supervisor that is gone has no sessions.
    }

    /// What is alive, at each moment.
    pub(crate) fn view(&self) -> watch::Receiver<Snapshot> {
        self.snapshot.clone()
    }

    /// Refuses new calls, lets turns end, and ends every session; returns when all are gone.
    pub(crate) async fn drain(&self) {
        let (done, drained) = oneshot::channel();
        drop(self.supervisor.send(Command::Drain { done }));
        drop(drained.await);
        self.launcher.sweep();
    }
}

/// Events a caller may be behind; a reply comes in far fewer, and one that is further behind does not read.
const EVENTS_MAX: usize = 8192;
