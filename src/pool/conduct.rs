//! One call from its request to its last event: gets a session, hands the turn over, and tries another way where
//! nothing has gone to the caller yet.

use super::fault;
use super::keeper::Ask;
use super::keeper::Grant;
use super::keeper::notify;
use super::ledger::Need;
use super::ledger::Place;
use crate::clock;
use crate::session::delivery;
use crate::session::delivery::Delivery;
use crate::session::driver::Caller;
use crate::session::driver::Order;
use crate::session::driver::Outcome;
use crate::session::driver::Turn;
use crate::session::fault as session_fault;
use crate::session::launcher::Birth;
use crate::session::launcher::Launched;
use crate::session::launcher::Launcher;
use crate::session::launcher::Session;
use crate::session::shape::Shape;
use crate::session::task::Confirm;
use crate::session::task::Route;
use crate::session::task::Task;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::Labels;
use crate::turn::Message;
use crate::turn::MessageId;
use crate::turn::Request;
use crate::turn::SessionOrigin;
use crate::turn::Start;
use crate::turn::TextSource;
use crate::turn::Usage;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use uuid::Uuid;

/// One call being served.
pub(crate) struct Conduct {
    pub(crate) request: Request,
    pub(crate) launcher: Launcher,
    pub(crate) keeper: mpsc::UnboundedSender<Ask>,
    pub(crate) events: mpsc::Sender<Result<Event, Fault>>,
}

impl Conduct {
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
        let shape = Shape::of(&self.request);
        let mut plan = delivery::plan(self.request.prompt()?);
        let mut tries = Tries::default();
        loop {
            match self.attempt(&shape, &plan).await {
                Outcome::Told | Outcome::Cancelled => return None,
                Outcome::Misdelivered if tries.misdelivered => {
                    return Some(session_fault::misdelivered());
                }
                Outcome::Misdelivered => {
                    tracing::warn!("a prompt did not arrive as written; it goes by a transcript");
                    tries.misdelivered = true;
                    plan = Delivery::Transcript;
                }
                Outcome::Failed { fault, begun }
                    if begun || tries.lost || fault.kind != FaultKind::SessionLost =>
                {
                    return Some(fault);
                }
                Outcome::Failed { fault, .. } => {
                    tracing::warn!(why = fault.private, "a call is tried once more");
                    tries.lost = true;
                }
            }
        }
    }

    async fn attempt(&self, shape: &Shape, plan: &Delivery) -> Outcome {
        let need = if *plan == Delivery::Transcript {
            Need::Launch
        } else {
            Need::Warm
        };
        let Some(grant) = self.lease(shape, need).await else {
            return Outcome::Cancelled;
        };
        let began = clock::now();
        let (place, outcome) = match grant {
            Err(fault) => {
                return Outcome::Failed {
                    fault,
                    begun: false,
                };
            }
            Ok(Grant::Lent { place, session }) => match self.turn(&session, plan) {
                Ok(handed) => (place, self.hand_over(&session, handed).await),
                Err(outcome) => {
                    drop(self.keeper.send(Ask::Refused { place }));
                    return outcome;
                }
            },
            Ok(Grant::Permitted { place }) => match self.launch(place, shape) {
                Ok(outcome) => (place, outcome.await.unwrap_or_else(|_| lost())),
                Err(fault) => {
                    drop(self.keeper.send(Ask::Refused { place }));
                    return Outcome::Failed {
                        fault,
                        begun: false,
                    };
                }
            },
        };
        let took = clock::now().duration_since(began);
        let fault = match &outcome {
            Outcome::Failed { fault, .. } => Some(fault.clone()),
            _ => None,
        };
        drop(self.keeper.send(Ask::Returned { place, fault, took }));
        outcome
    }

    /// Waits for a session; `None` where the caller hung up.
    async fn lease(&self, shape: &Shape, need: Need) -> Option<Result<Grant, Fault>> {
        let (reply, mut grant) = oneshot::channel();
        drop(self.keeper.send(Ask::Lease {
            shape: shape.clone(),
            need,
            reply,
        }));
        tokio::select! {
            granted = &mut grant => {
                Some(granted.unwrap_or_else(|_| Err(fault::shutting_down())))
            }
            () = self.events.closed() => {
                grant.close();
                // A grant that was on its way already goes back, or its place would be held for good.
                if let Ok(Ok(Grant::Lent { place, .. } | Grant::Permitted { place })) = grant.try_recv() {
                    drop(self.keeper.send(Ask::Refused { place }));
                }
                let _ = self.keeper.send(Ask::Withdrawn); // A keeper that is gone has no queue.
                None
            }
        }
    }

    /// The turn as this session can take it.
    fn turn(&self, session: &Session, plan: &Delivery) -> Result<Handed, Outcome> {
        match &session.primed {
            Some(uuid) => Ok(self.primed(uuid)),
            None => self.typed(session, plan),
        }
    }

    /// Hands the turn to a waiting session.
    async fn hand_over(&self, session: &Session, handed: Handed) -> Outcome {
        let (task, edited, conversation) = handed;
        let (caller, outcome) = self.caller();
        let turn = Box::new(Turn {
            task,
            edited,
            conversation,
            caller,
        });
        if session.orders.send(Order::Begin(turn)).await.is_err() {
            return lost();
        }
        outcome.await.unwrap_or_else(|_| lost())
    }

    /// The whole conversation, for a session that waits for any.
    fn primed(&self, uuid: &str) -> Handed {
        let origin = match self.request.history() {
            [] => SessionOrigin::Warm,
            _ => SessionOrigin::Resumed,
        };
        let text = self
            .launcher
            .compose(uuid, &self.request.messages, &self.request.model);
        let task = self.task(Route::Launched, Confirm::Included, origin);
        (task, None, Some(text))
    }

    /// The prompt as keystrokes, after the history was written.
    fn typed(&self, session: &Session, plan: &Delivery) -> Result<Handed, Outcome> {
        let typed = plan.typed(session.edits).ok_or(Outcome::Misdelivered)?;
        let (resume, origin) = match self.request.history() {
            [] => (None, SessionOrigin::Warm),
            history => match self.write_history(history) {
                Ok(uuid) => (Some(uuid), SessionOrigin::Resumed),
                Err(fault) => {
                    return Err(Outcome::Failed {
                        fault,
                        begun: false,
                    });
                }
            },
        };
        let route = Route::Typed {
            resume,
            prompt: typed.prompt,
            keys: typed.keys,
        };
        Ok((self.task(route, typed.confirm, origin), typed.edited, None))
    }

    /// Launches a session that takes the whole conversation up by itself.
    fn launch(&self, place: Place, shape: &Shape) -> Result<oneshot::Receiver<Outcome>, Fault> {
        let uuid = self.write_history(&self.request.messages)?;
        let task = self.task(Route::Launched, Confirm::Included, SessionOrigin::Cold);
        let (caller, outcome) = self.caller();
        let launched = Launched { task, caller, uuid };
        match self.launcher.launch(
            shape,
            Birth::Turn(Box::new(launched)),
            notify(place, &self.keeper),
        ) {
            Ok(session) => {
                drop(self.keeper.send(Ask::Launched { place, session }));
                Ok(outcome)
            }
            Err((error, _)) => Err(fault::cannot_launch(&error)),
        }
    }

    fn write_history(&self, messages: &[Message]) -> Result<String, Fault> {
        let written = tokio::task::block_in_place(|| {
            self.launcher.write_history(messages, &self.request.model)
        });
        written.map_err(|error| fault::cannot_write(&error))
    }

    fn task(&self, route: Route, confirm: Confirm, session: SessionOrigin) -> Task {
        let mut ignored = self.request.ignored.clone();
        if self.request.sampling.thinking.is_some() {
            ignored.push("thinking".to_owned());
        }
        let labels = Labels {
            lane: LANE,
            text: TextSource::Exact,
            session,
            ignored,
        };
        let id = MessageId(format!("msg_relay_{}", Uuid::new_v4().simple()));
        let start = Start {
            id,
            model: self.request.model.clone(),
            usage: Usage::default(),
            labels,
        };
        Task {
            route,
            start,
            keyed: self.launcher.is_keyed(),
            confirm,
            cancelled: false,
        }
    }

    fn caller(&self) -> (Caller, oneshot::Receiver<Outcome>) {
        let (outcome, told) = oneshot::channel();
        (
            Caller {
                events: self.events.clone(),
                outcome,
            },
            told,
        )
    }
}

/// What was tried already: each is made good once.
#[derive(Default)]
struct Tries {
    misdelivered: bool,
    lost: bool,
}

/// A task, what its editor gives, and the conversation for a primed session.
type Handed = (Task, Option<String>, Option<String>);

/// The driver is gone without a word.
fn lost() -> Outcome {
    Outcome::Failed {
        fault: session_fault::session_lost("its driver is gone"),
        begun: false,
    }
}

/// The lane's name in labels.
const LANE: &str = "claude-pty";
