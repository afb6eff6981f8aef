//! One call from its request to its last event: gets a session, hands the turn over, and tries another way where
//! nothing has gone to the caller yet.

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
use crate::session::driver::Order;
use crate::session::driver::Turn;
use crate::session::fault as session_fault;
use crate::session::launcher::Birth;
use crate::session::launcher::Launched;
use crate::session::launcher::Launcher;
use crate::session::launcher::Session;
use crate::session::mode::Mode;
use crate::session::prepare::PreparedTurn;
use crate::session::prepare::TurnBuilder;
use crate::session::reply::Recipient;
use crate::session::reply::TurnOutcome;
use crate::session::shape::Shape;
use crate::turn::ConversationId;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::Request;
use crate::turn::Timeline;
use std::sync::Arc;
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
        let shape = Shape::of(&self.request, self.mode);
        // A call without tools has no gate to wait for.
        let gates = !self.request.tools.is_empty() && self.launcher.gates().await;
        let mut delivery_plans = delivery_plans(&self.request, self.mode, gates).into_iter();
        let mut outcome = self.rejoin(&shape, Likeness::Exact).await;
        if matches!(outcome, TurnOutcome::Misdelivered) && delivery_plans.len() == 0 {
            outcome = self.rejoin(&shape, Likeness::Ids).await;
        }
        let mut way = None;
        let mut lost = false;
        loop {
            match outcome {
                TurnOutcome::Told | TurnOutcome::Cancelled => return None,
                TurnOutcome::Parked { end, .. } => {
                    drop(self.events.send(Ok(*end)).await);
                    return None;
                }
                TurnOutcome::Misdelivered => {
                    if way.is_some() {
                        tracing::warn!("a prompt did not arrive as written; it goes another way");
                    }
                    let tried = way.is_some();
                    way = delivery_plans.next();
                    if way.is_none() {
                        return Some(match tried {
                            true => session_fault::misdelivered(),
                            false => session_fault::undeliverable(),
                        });
                    }
                }
                TurnOutcome::Failed { fault, begun }
                    if begun || lost || fault.kind != FaultKind::SessionLost =>
                {
                    return Some(fault);
                }
                TurnOutcome::Failed { fault, .. } => {
                    tracing::warn!(why = fault.private, "a call is tried once more");
                    lost = true;
                    way = way.or_else(|| delivery_plans.next());
                }
            }
            outcome = match &way {
                Some(way) => self.attempt(&shape, way).await,
                None => TurnOutcome::Misdelivered,
            };
        }
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
        let outcome = match self.turns().onward(onward, session.edits) {
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
            Ok(Grant::Permitted { slot }) => match self.launch(slot, shape) {
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
        match (&session.primed, way) {
            (primed, DeliveryPlan::Sent(_)) => self.turns().sent(primed.as_deref()),
            (Some(uuid), _) => Ok(self.turns().primed(uuid)),
            (None, DeliveryPlan::Typed(plan)) => self.turns().typed(plan, session.edits),
            (None, DeliveryPlan::Split(plan)) => self.turns().split(plan, session.edits),
            (None, DeliveryPlan::Launched) => Err(TurnOutcome::Misdelivered),
        }
    }

    fn turns(&self) -> TurnBuilder<'_> {
        TurnBuilder {
            request: &self.request,
            launcher: &self.launcher,
            mode: self.mode,
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

    /// Launches a session that takes the whole conversation up by itself.
    fn launch(&self, slot: SlotId, shape: &Shape) -> Result<oneshot::Receiver<TurnOutcome>, Fault> {
        let (uuid, task) = match shape.mode {
            Mode::Pty => self.turns().launched()?,
            Mode::Print => self.turns().launched_to_print()?,
        };
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
            Err((error, _)) => Err(fault::cannot_launch(&error)),
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

fn failed(fault: Fault) -> TurnOutcome {
    let begun = false;
    TurnOutcome::Failed { fault, begun }
}

/// The driver is gone without a word.
fn lost() -> TurnOutcome {
    failed(session_fault::session_lost("its driver is gone"))
}
