//! Simulated callers, and what the service of a call does, told again: a lease, a hand-over, another try. `[pure]`

use super::super::call::Call;
use super::super::call::Stage;
use super::super::claude::Opening;
use super::super::claude::Transcript;
use super::super::claude::path;
use super::super::model::CallId;
use super::super::session::Order;
use super::super::session::Turn;
use super::super::session::TurnOutcome;
use super::World;
use super::happening::Command;
use super::happening::Grant;
use super::happening::Happening;
use crate::pool::slot::SlotId;
use crate::session::Delivery;
use crate::session::DeliveryMethod;
use crate::session::Machine;
use crate::session::ToolList;
use crate::session::TurnSpec;
use crate::turn::FaultKind;
use std::time::Duration;

impl World {
    pub(super) fn arrive(&mut self) {
        if self.draining {
            return;
        }
        let again = self.chance.within(0..self.pace * 2);
        self.send(Duration::from_millis(again), Happening::Arrives);
        let burst = if self.chance.hits(50) {
            self.chance.count(2..9)
        } else {
            1
        };
        for _ in 0..burst {
            let id = self.metrics.calls + 1;
            let call = Call::new(id, &mut self.chance, self.now);
            self.begin(id, call);
        }
    }

    pub(super) fn begin(&mut self, id: CallId, call: Call) {
        self.metrics.calls += 1;
        self.model
            .expect(id, call.messages.clone(), call.tool.clone());
        let goes_on = call.goes_on();
        self.calls.insert(id, call);
        match goes_on {
            true => self.ask(Command::Rejoin { call: id }),
            false => self.lease(id),
        }
        if self.chance.hits(150) {
            let after = self.chance.ms(0..4000);
            self.send(after, Happening::HangsUp(id));
        }
    }

    pub(super) fn lease(&mut self, call: CallId) {
        self.ask(Command::Lease { call });
    }

    pub(super) fn hang_up(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        match std::mem::replace(&mut call.stage, Stage::Over) {
            Stage::Waiting => {
                self.metrics.gone += 1;
                self.ask(Command::Withdrawn);
            }
            Stage::Served { slot } => {
                self.metrics.gone += 1;
                self.soon(Happening::Left { slot, call: id });
            }
            Stage::Over => {}
        }
    }

    pub(super) fn left_by(&mut self, slot: SlotId, call: CallId) -> Result<(), String> {
        let now = self.now;
        self.drive(slot, |session, around| {
            if session.caller != Some(call) {
                return Vec::new();
            }
            let settled = session.settle(TurnOutcome::Cancelled);
            let mut out = session.handle(around, |machine| machine.cancel(now));
            out.extend(settled);
            out
        })
    }

    pub(super) fn granted(&mut self, id: CallId, grant: Grant) {
        let waits = self
            .calls
            .get(&id)
            .is_some_and(|call| call.stage == Stage::Waiting);
        match grant {
            Grant::Refused if waits => self.fail(id),
            Grant::Refused => {}
            Grant::Lent { slot, .. } | Grant::Permitted { slot } if !waits => {
                self.ask(Command::Refused { slot })
            }
            Grant::Onward { slot: None } if waits => self.lease(id),
            Grant::Onward { slot: None } => {}
            Grant::Onward { slot: Some(slot) } if waits => self.hand_onward(id, slot),
            Grant::Onward { slot: Some(slot) } => self.ask(Command::Unclaimed { slot }),
            Grant::Lent { slot, primed } => self.hand_over(id, slot, primed),
            Grant::Permitted { slot } => self.launch(id, slot),
        }
    }

    pub(super) fn hand_over(&mut self, id: CallId, slot: SlotId, primed: Option<String>) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let turn = match primed {
            Some(_) => Some((
                TurnSpec::plain(DeliveryMethod::Launched),
                None,
                Some(call.messages.clone()),
            )),
            None => call.plan.typed(self.edits).map(|typed| {
                let resume = (!call.history().is_empty()).then(|| format!("history-{id}-{slot}"));
                let route = DeliveryMethod::Typed {
                    resume,
                    prompt: typed.prompt,
                    keys: typed.keys,
                };
                (TurnSpec::plain(route), typed.edited, None)
            }),
        };
        let Some((mut task, edited, told)) = turn else {
            self.ask(Command::Refused { slot });
            return self.settled_without(id, TurnOutcome::Misdelivered);
        };
        task.stays = call.name.is_some();
        task.enter = self.enter;
        task.tools = ToolList::of(&call.tools());
        let tool = call.tool.clone();
        if let DeliveryMethod::Typed {
            resume: Some(uuid), ..
        } = &task.route
        {
            let messages = call.history().to_vec();
            self.transcript_store.insert(
                uuid.clone(),
                Transcript {
                    messages,
                    lines: Vec::new(),
                },
            );
        }
        call.stage = Stage::Served { slot };
        self.order(
            slot,
            Order::Begin(Box::new(Turn {
                call: id,
                task,
                edited,
                tool,
                told,
            })),
        );
    }

    pub(super) fn launch(&mut self, id: CallId, slot: SlotId) {
        let call = self.calls.get(&id);
        let has_tool = call.is_some_and(|call| call.tool.is_some());
        // A launch has its tools by another way than is simulated here.
        if has_tool || self.chance.hits(10) {
            self.ask(Command::Refused { slot });
            return self.fail(id);
        }
        let conversation = self.fresh("launched");
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.stage = Stage::Served { slot };
        let messages = call.messages.clone();
        self.transcript_store.insert(
            conversation.clone(),
            Transcript {
                messages,
                lines: Vec::new(),
            },
        );
        let mut task = TurnSpec::plain(DeliveryMethod::Launched);
        task.stays = call.name.is_some();
        task.enter = self.enter;
        let transcript = path(&conversation).into();
        let machine = Machine::launched(
            self.limits,
            conversation.clone(),
            task,
            transcript,
            self.now,
        );
        self.start(slot, machine, Opening::Interrupted, &conversation);
        if let Some(session) = self.sessions.get_mut(&slot) {
            session.caller = Some(id);
        }
    }

    pub(super) fn settled(
        &mut self,
        id: CallId,
        slot: SlotId,
        outcome: TurnOutcome,
    ) -> Result<(), String> {
        let TurnOutcome::Kept { said, end } = outcome else {
            let kept = None;
            self.ask(Command::Returned { slot, kept });
            self.settled_without(id, outcome);
            return Ok(());
        };
        let kept = Some((id, said));
        self.ask(Command::Returned { slot, kept });
        if self
            .calls
            .get(&id)
            .is_some_and(|call| call.stage != Stage::Over)
        {
            self.told(id, *end)?;
        }
        self.settled_without(id, TurnOutcome::Told);
        Ok(())
    }

    pub(super) fn serve_at(&mut self, id: CallId, slot: SlotId) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.stage = Stage::Served { slot };
        }
    }

    /// An attempt is over; another may follow.
    pub(super) fn settled_without(&mut self, id: CallId, outcome: TurnOutcome) {
        let Some(call) = self
            .calls
            .get_mut(&id)
            .filter(|call| call.stage != Stage::Over)
        else {
            return;
        };
        match outcome {
            TurnOutcome::Told => {
                call.stage = Stage::Over;
                self.metrics.told += 1;
                if call.name.is_some() && self.chance.hits(700) {
                    let after = self.chance.delay(0..3000, 100, 3000..70_000);
                    self.send(after, Happening::FollowsUp(id));
                }
            }
            TurnOutcome::Kept { .. } => {}
            TurnOutcome::Cancelled => self.fail(id),
            TurnOutcome::Misdelivered if !call.misdelivered => {
                call.misdelivered = true;
                // Beside tools there is no other way: it is typed once more.
                if call.tool.is_none() {
                    call.plan = Delivery::Transcript;
                }
                call.stage = Stage::Waiting;
                self.lease(id);
            }
            TurnOutcome::Failed {
                fault,
                begun: false,
            } if is_of_the_session(&fault.kind) && !call.lost => {
                call.lost = true;
                call.stage = Stage::Waiting;
                self.lease(id);
            }
            TurnOutcome::Misdelivered | TurnOutcome::Failed { .. } => self.fail(id),
        }
    }

    pub(super) fn fail(&mut self, id: CallId) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.stage = Stage::Over;
            self.metrics.failed += 1;
        }
    }
}

/// Whether another session may do better.
fn is_of_the_session(kind: &FaultKind) -> bool {
    matches!(kind, FaultKind::SessionLost | FaultKind::ClaudeEndsAtStart)
}
