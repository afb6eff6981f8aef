//! One call from its request to its last event: gets a session, hands the turn over, and tries another way where
//! nothing has gone to the caller yet.

use super::definitions::Offer;
use super::delivery_plan::DeliveryPlan;
use super::delivery_plan::delivery_plans;
use super::fault;
use super::parking::Claim;
use super::parking::Likeness;
use super::parking::Parking;
use super::slot::SlotId;
use super::supervisor::Command;
use super::supervisor::Grant;
use super::supervisor::notify;
use crate::clock;
use crate::session::Birth;
use crate::session::Habits;
use crate::session::Installation;
use crate::session::Launched;
use crate::session::Launcher;
use crate::session::Mode;
use crate::session::Order;
use crate::session::PreparedTurn;
use crate::session::Recipient;
use crate::session::Session;
use crate::session::Shape;
use crate::session::Turn;
use crate::session::TurnBuilder;
use crate::session::TurnOutcome;
use crate::session::misdelivered;
use crate::session::session_lost;
use crate::session::undeliverable;
use crate::turn::ConversationId;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::Request;
use crate::turn::Timeline;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

/// One call being served.
pub(crate) struct ServeCall {
    pub(crate) request: Arc<Request>,
    /// How the session is driven.
    pub(crate) mode: Mode,
    /// The conversation's name, where it has one.
    pub(crate) name: Option<ConversationId>,
    pub(crate) launcher: Launcher,
    pub(crate) supervisor: mpsc::UnboundedSender<Command>,
    pub(crate) events: mpsc::Sender<Result<Event, Fault>>,
    pub(crate) timeline: Timeline,
}

/// How a call was tried, and how it is tried next.
struct Tries {
    plans: std::vec::IntoIter<DeliveryPlan>,
    /// The way that is tried; `None`: no session that remembers the call took it.
    plan: Option<DeliveryPlan>,
    /// Its session was lost once, so the next loss is told.
    is_second: bool,
    /// Sessions that took nothing of it up.
    untouched: u32,
}

impl Tries {
    fn of(plans: Vec<DeliveryPlan>) -> Tries {
        Tries {
            plans: plans.into_iter(),
            plan: None,
            is_second: false,
            untouched: 0,
        }
    }

    /// Takes the next way after one by which the prompt did not arrive.
    fn go_another_way(&mut self) -> ControlFlow<Option<Fault>> {
        let is_tried = self.plan.is_some();
        if is_tried {
            tracing::warn!("a prompt did not arrive as written; it goes another way");
        }
        self.plan = self.plans.next();
        match self.plan {
            Some(_) => ControlFlow::Continue(()),
            None if is_tried => ControlFlow::Break(Some(misdelivered())),
            None => ControlFlow::Break(Some(undeliverable())),
        }
    }
}

impl ServeCall {
    /// Serves the call to its last event.
    pub(crate) async fn run(self) {
        if let Some(fault) = self.serve().await {
            tracing::info!(
                code = fault.kind.code(),
                why = fault.private,
                "a call failed"
            );
            drop(self.events.send(Err(fault)).await);
        }
    }

    /// The fault to tell, if the call failed.
    async fn serve(&self) -> Option<Fault> {
        match self.launcher.installations().usable().await {
            Ok(Some(current)) => self.launcher.rehearse(&current, &self.request.model).await,
            Ok(None) => {}
            Err(fault) => return Some(fault),
        }
        let shape = self.launcher.shape(&self.request, self.mode);
        let mut tries = Tries::of(self.plans().await);
        let mut outcome = self.rejoin(&shape, Likeness::Exact).await;
        if matches!(outcome, TurnOutcome::Misdelivered) && tries.plans.len() == 0 {
            outcome = self.rejoin(&shape, Likeness::Ids).await;
        }
        loop {
            if let ControlFlow::Break(fault) = self.judge(outcome, &mut tries).await {
                return fault;
            }
            outcome = match &tries.plan {
                Some(plan) => self.attempt(&shape, plan).await,
                None => TurnOutcome::Misdelivered,
            };
        }
    }

    /// Whether the call is over with this outcome, and with which fault; if not, what is tried next is in `tries`.
    async fn judge(&self, outcome: TurnOutcome, tries: &mut Tries) -> ControlFlow<Option<Fault>> {
        match outcome {
            TurnOutcome::Told | TurnOutcome::Cancelled => return ControlFlow::Break(None),
            TurnOutcome::Parked { end, .. } => {
                drop(self.events.send(Ok(*end)).await);
                return ControlFlow::Break(None);
            }
            TurnOutcome::Misdelivered => return tries.go_another_way(),
            // Nothing of the call was taken up: another session gets it, however many were of no use.
            TurnOutcome::Untouched if tries.untouched < UNTOUCHED_MAX => {
                tries.untouched += 1;
                tries.plan = tries.plan.take().or_else(|| tries.plans.next());
            }
            TurnOutcome::Untouched => {
                return ControlFlow::Break(Some(session_lost("no session takes it up")));
            }
            TurnOutcome::Failed { fault, begun }
                if begun || tries.is_second || !may_be_tried_again(&fault.kind) =>
            {
                return ControlFlow::Break(Some(fault));
            }
            TurnOutcome::Failed { fault, .. } => {
                tracing::warn!(why = fault.private, "a call is tried once more");
                // It may be another claude by now, which takes it another way.
                *tries = Tries {
                    is_second: true,
                    untouched: tries.untouched,
                    ..Tries::of(self.plans().await)
                };
                tries.plan = tries.plans.next();
            }
        }
        ControlFlow::Continue(())
    }

    /// The ways to try, in order.
    async fn plans(&self) -> Vec<DeliveryPlan> {
        let plans = |gates| delivery_plans(&self.request, self.mode, gates);
        let first_if_gated = plans(true);
        // What can be typed needs no gate, and neither does a call without tools.
        let needs_gate = matches!(first_if_gated.first(), Some(DeliveryPlan::Launched));
        let installations = self.launcher.installations();
        let found = match needs_gate {
            true => installations.current(), // A process is to be started.
            false => installations.recent(),
        };
        let habits = match found.ok() {
            Some(current) if needs_gate && !self.request.tools.is_empty() => {
                current.habits_in_time().await
            }
            Some(current) => current.habits(),
            None => Habits::default(),
        };
        plans(habits.gates)
    }

    /// Goes on in the session that stayed in this conversation; `Misdelivered` where there is none.
    async fn rejoin(&self, shape: &Shape, likeness: Likeness) -> TurnOutcome {
        let (claim, onward) = Claim::of(&self.request, shape, self.name.as_ref(), likeness);
        if onward.is_none() && self.name.is_none() {
            return TurnOutcome::Misdelivered;
        }
        let (reply, found) = oneshot::channel();
        drop(self.supervisor.send(Command::Rejoin { claim, reply }));
        let (Ok(Some((slot, session))), Some(onward)) = (found.await, onward) else {
            return TurnOutcome::Misdelivered;
        };
        let began = clock::now();
        self.timeline.lease(began);
        let turns = self.turns(&session.installation);
        let outcome = match turns.onward(onward, session.edits) {
            Ok(prepared) => {
                self.hand_over(&session, resembling(prepared, likeness))
                    .await
            }
            Err(outcome) => {
                drop(self.supervisor.send(Command::Unclaimed { slot }));
                return outcome;
            }
        };
        self.give_back(slot, shape, &outcome, began);
        outcome
    }

    async fn attempt(&self, shape: &Shape, way: &DeliveryPlan) -> TurnOutcome {
        let Some(grant) = self.lease(shape, way).await else {
            return TurnOutcome::Cancelled;
        };
        let began = clock::now();
        self.timeline.lease(began);
        let (slot, outcome) = match grant {
            Err(fault) => return failed(fault),
            Ok(Grant::Lent { slot, session }) => match self.turn(&session, way) {
                Ok(prepared) => (slot, self.hand_over(&session, prepared).await),
                Err(outcome) => {
                    drop(self.supervisor.send(Command::Refused { slot }));
                    return outcome;
                }
            },
            Ok(Grant::Permitted { slot }) => match self.launch_in_time(slot, shape).await {
                Ok(outcome) => (slot, outcome.await.unwrap_or_else(|_| lost())),
                Err(fault) => {
                    drop(self.supervisor.send(Command::Refused { slot }));
                    return failed(fault);
                }
            },
        };
        self.give_back(slot, shape, &outcome, began);
        outcome
    }

    /// Waits for a session; `None` where the caller hung up.
    async fn lease(&self, shape: &Shape, way: &DeliveryPlan) -> Option<Result<Grant, Fault>> {
        let (reply, mut grant) = oneshot::channel();
        drop(self.supervisor.send(Command::Lease {
            owner: self.request.owner.clone(),
            shape: shape.clone(),
            need: way.need(!self.request.tools.is_empty()),
            offer: Offer::of(&self.request.tools),
            reply,
        }));
        tokio::select! {
            granted = &mut grant => {
                Some(granted.unwrap_or_else(|_| Err(fault::shutting_down())))
            }
            () = self.events.closed() => {
                grant.close();
                // A grant that was on its way already goes back, or its slot would be held for good.
                if let Ok(Ok(Grant::Lent { slot, .. } | Grant::Permitted { slot })) = grant.try_recv() {
                    drop(self.supervisor.send(Command::Refused { slot }));
                }
                let _ = self.supervisor.send(Command::Withdrawn); // A supervisor that is gone has no queue.
                None
            }
        }
    }

    /// The turn as this session can take it.
    fn turn(&self, session: &Session, way: &DeliveryPlan) -> Result<PreparedTurn, TurnOutcome> {
        let turns = self.turns(&session.installation);
        match (&session.primed, way) {
            (primed, DeliveryPlan::Sent(_)) => turns.sent(primed.as_deref()),
            (Some(uuid), _) => Ok(turns.primed(uuid)),
            (None, DeliveryPlan::Typed(plan)) => turns.typed(plan, session.edits),
            (None, DeliveryPlan::Split(plan)) => turns.split(plan, session.edits),
            (None, DeliveryPlan::Launched) => Err(TurnOutcome::Misdelivered),
        }
    }

    /// Turns for a session that runs this claude.
    fn turns<'a>(&'a self, installation: &'a Installation) -> TurnBuilder<'a> {
        TurnBuilder {
            request: &self.request,
            launcher: &self.launcher,
            mode: self.mode,
            installation,
            stays: self.name.is_some(),
        }
    }

    /// Tells the supervisor how the turn left its session.
    fn give_back(&self, slot: SlotId, shape: &Shape, outcome: &TurnOutcome, began: Instant) {
        let took = clock::now().duration_since(began);
        let fault = match outcome {
            TurnOutcome::Failed { fault, .. } => Some(fault.clone()),
            _ => None,
        };
        let parking = match outcome {
            TurnOutcome::Parked { said, .. } => {
                let name = self.name.clone();
                Some(Parking::of(&self.request, shape, said, name))
            }
            _ => None,
        };
        drop(self.supervisor.send(Command::Returned {
            slot,
            fault,
            parking,
            took,
        }));
    }

    /// Hands the turn to a waiting session.
    async fn hand_over(&self, session: &Session, prepared: PreparedTurn) -> TurnOutcome {
        let (caller, outcome) = self.caller();
        let turn = Box::new(Turn { prepared, caller });
        if session.orders.send(Order::Begin(turn)).await.is_err() {
            return lost();
        }
        outcome.await.unwrap_or_else(|_| lost())
    }

    /// The same as `launch`, a few times: while a claude is being replaced it is not there, or not whole.
    async fn launch_in_time(
        &self,
        slot: SlotId,
        shape: &Shape,
    ) -> Result<oneshot::Receiver<TurnOutcome>, Fault> {
        let installations = self.launcher.installations();
        let until = clock::now() + REPLACED_MAX;
        loop {
            match self.launch(slot, shape) {
                Err(LaunchFault::Replaced(_))
                    if installations.last().is_some() && clock::now() < until =>
                {
                    tokio::time::sleep(REPLACED_WAIT).await;
                }
                Err(LaunchFault::Replaced(fault) | LaunchFault::Lasting(fault)) => {
                    return Err(fault);
                }
                Ok(outcome) => return Ok(outcome),
            }
        }
    }

    /// Launches a session that takes the whole conversation up by itself.
    fn launch(
        &self,
        slot: SlotId,
        shape: &Shape,
    ) -> Result<oneshot::Receiver<TurnOutcome>, LaunchFault> {
        let current = self.launcher.installations().current();
        let current = current.map_err(|error| LaunchFault::of(&error))?;
        let turns = self.turns(&current);
        let prepared = match shape.mode {
            Mode::Pty => turns.launched(),
            Mode::Print => turns.launched_to_print(),
        };
        let (uuid, task) = prepared.map_err(LaunchFault::Lasting)?;
        let (caller, outcome) = self.caller();
        let launched = Launched { task, caller, uuid };
        match self.launcher.launch(
            shape,
            Birth::Turn(Box::new(launched)),
            notify(slot, &self.supervisor),
        ) {
            Ok(session) => {
                drop(self.supervisor.send(Command::Launched { slot, session }));
                Ok(outcome)
            }
            Err((error, _)) => Err(LaunchFault::of(&error)),
        }
    }

    fn caller(&self) -> (Recipient, oneshot::Receiver<TurnOutcome>) {
        let (outcome, told) = oneshot::channel();
        let caller = Recipient {
            events: self.events.clone(),
            outcome,
            timeline: self.timeline.clone(),
        };
        (caller, told)
    }
}

/// Says where the model's own calls are not as the session holds them.
fn resembling(mut prepared: PreparedTurn, likeness: Likeness) -> PreparedTurn {
    if likeness == Likeness::Ids {
        let labels = &mut prepared.task.start.labels;
        labels.emulated.push("tool_use.input".to_owned());
    }
    prepared
}

/// Why a launch did not begin.
enum LaunchFault {
    /// As it is while a claude is being replaced.
    Replaced(Fault),
    Lasting(Fault),
}

impl LaunchFault {
    fn of(error: &io::Error) -> LaunchFault {
        let fault = fault::cannot_launch(error);
        match fault.kind {
            FaultKind::ClaudeNotFound | FaultKind::ClaudeUnsupported => {
                LaunchFault::Replaced(fault)
            }
            _ => LaunchFault::Lasting(fault),
        }
    }
}

/// Whether another session may do better.
fn may_be_tried_again(kind: &FaultKind) -> bool {
    matches!(kind, FaultKind::SessionLost | FaultKind::ClaudeEndsAtStart)
}

fn failed(fault: Fault) -> TurnOutcome {
    let begun = false;
    TurnOutcome::Failed { fault, begun }
}

/// The driver is gone without a word.
fn lost() -> TurnOutcome {
    failed(session_lost("its driver is gone"))
}

/// How long a claude that was there may be away, or half written, before a call fails for it: an update takes a moment.
const REPLACED_MAX: Duration = Duration::from_secs(3);
/// Between two tries meanwhile.
const REPLACED_WAIT: Duration = Duration::from_millis(100);
/// Sessions that may take nothing up, one after the other, before a call fails: more than a pool has.
const UNTOUCHED_MAX: u32 = 64;
