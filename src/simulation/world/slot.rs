//! Simulated sessions in their slots: what reaches them, and what comes of it. `[pure]`

use super::super::call::Stage;
use super::super::claude::Around;
use super::super::claude::Sign;
use super::super::model::CallId;
use super::super::model::marks;
use super::super::session::Order;
use super::super::session::Out;
use super::super::session::Session;
use super::super::session::TurnOutcome;
use super::World;
use super::around;
use super::happening::Command;
use super::happening::Happening;
use super::happening::Lane;
use crate::pool::slot::SlotId;
use crate::session::HookEvent;
use crate::session::Machine;
use crate::turn::End;
use crate::turn::Event;
use std::time::Duration;

impl World {
    pub(super) fn order(&mut self, slot: SlotId, order: Order) {
        self.soon_in(Lane::Orders(slot), Happening::Ordered { slot, order });
    }

    pub(super) fn ordered(&mut self, slot: SlotId, order: Order) -> Result<(), String> {
        let ending = self
            .sessions
            .get(&slot)
            .is_none_or(|session| session.ending.is_some());
        match order {
            Order::Begin(turn) if ending => {
                let outcome = TurnOutcome::Failed {
                    fault: crate::session::session_lost("gone"),
                    begun: false,
                };
                self.soon(Happening::Settled {
                    call: turn.call,
                    slot,
                    outcome,
                });
            }
            Order::Begin(turn) => {
                let call = turn.call;
                self.drive(slot, |session, around| session.begin(*turn, around))?;
                if self
                    .calls
                    .get(&call)
                    .is_none_or(|call| call.stage == Stage::Over)
                {
                    self.soon(Happening::Left { slot, call });
                }
            }
            Order::Leave => {
                let now = self.now;
                self.drive(slot, |session, around| {
                    if session.ending.is_some() {
                        return Vec::new();
                    }
                    session.handle(around, |machine| machine.leave(now))
                })?;
            }
            Order::Retire => self.end(slot),
        }
        Ok(())
    }

    pub(super) fn signed(&mut self, slot: SlotId, sign: Sign) -> Result<(), String> {
        let now = self.now;
        match sign {
            Sign::Step { run, step } => {
                self.with(slot, |session, around| {
                    session.claude.handle_step(run, step, around)
                });
            }
            Sign::ToolStep(step) => {
                self.with(slot, |session, around| {
                    session.claude.handle_tool_step(step, around)
                });
            }
            Sign::Served(event) => self.drive(slot, |session, around| {
                session.handle(around, |machine| machine.handle_tool(event, now))
            })?,
            Sign::Exited(how) => return self.exit(slot, how),
            Sign::Written {
                conversation,
                record,
            } => {
                if let Some(transcript) = self.transcript_store.get_mut(&conversation) {
                    transcript.lines.push(record);
                    self.soon(Happening::Grew { slot });
                }
            }
            Sign::Drawn(scene) => self.drive(slot, |session, around| {
                if session.ending.is_some() {
                    return Vec::new();
                }
                session.handle(around, |machine| machine.handle_scene(scene, now))
            })?,
            Sign::Posted(hook) => self.drive(slot, |session, around| {
                if matches!(hook.event, HookEvent::Submitted { .. }) {
                    session.owe();
                }
                session.handle(around, |machine| machine.handle_hook(&hook, now))
            })?,
            Sign::Reached => self.drive(slot, |session, around| {
                session.reached = true;
                session.handle(around, Machine::handle_reached)
            })?,
        }
        Ok(())
    }

    pub(super) fn session_timeout(&mut self, slot: SlotId) -> Result<(), String> {
        let now = self.now;
        if let Some(session) = self.sessions.get_mut(&slot) {
            session.timer = None;
            let due = session
                .machine
                .poll_timeout()
                .is_some_and(|(at, _)| at <= now);
            if due {
                return self.drive(slot, |session, around| {
                    session.handle(around, |machine| machine.handle_timeout(now))
                });
            }
        }
        self.set_timer(slot);
        Ok(())
    }

    pub(super) fn end(&mut self, slot: SlotId) {
        let Some(session) = self
            .sessions
            .get_mut(&slot)
            .filter(|session| session.ending.is_none())
        else {
            return;
        };
        session.ending = Some(self.now);
        self.metrics.killed += 1;
        self.soon(Happening::Ended {
            slot,
            forced: false,
        });
        self.send(END_WAIT, Happening::Ended { slot, forced: true });
    }

    pub(super) fn ended(&mut self, slot: SlotId, forced: bool) {
        self.with(slot, |session, around| {
            session.claude.handle_end(forced, around)
        });
    }

    pub(super) fn exit(&mut self, slot: SlotId, how: &'static str) -> Result<(), String> {
        self.drive(slot, |session, around| {
            let mut out = session.handle(around, |machine| machine.handle_exit(how));
            out.extend(session.settle(TurnOutcome::Cancelled));
            out
        })?;
        if self.sessions.remove(&slot).is_some() {
            self.ask(Command::Gone { slot });
        }
        Ok(())
    }

    /// Lets the claude of a slot do something.
    pub(super) fn with(&mut self, slot: SlotId, act: impl FnOnce(&mut Session, &mut Around<'_>)) {
        let Some(session) = self.sessions.get_mut(&slot) else {
            return;
        };
        let mut around = around(
            &mut self.chance,
            &mut self.model,
            &mut self.transcript_store,
            self.now,
        );
        act(session, &mut around);
        let signs = around.signs;
        self.sign(slot, signs);
    }

    /// Lets the driver of a slot do something, and sends what comes of it on its way.
    pub(super) fn drive(
        &mut self,
        slot: SlotId,
        act: impl FnOnce(&mut Session, &mut Around<'_>) -> Vec<Out>,
    ) -> Result<(), String> {
        let mut outs = Vec::new();
        self.with(slot, |session, around| outs = act(session, around));
        for out in outs {
            match out {
                Out::Keys(keys) => {
                    self.soon_in(Lane::Keys(slot), Happening::Pressed { slot, keys })
                }
                Out::Verdict(allowed) => self.soon(Happening::Answered { slot, allowed }),
                Out::Told(call, event) => self.told(call, event)?,
                Out::Settled(call, outcome) => self.soon(Happening::Settled {
                    call,
                    slot,
                    outcome,
                }),
                Out::Ready => self.ask(Command::Ready { slot }),
                Out::End => self.end(slot),
                Out::Grew => self.soon(Happening::Grew { slot }),
                Out::Wrong(what) => {
                    let wanted = self.sessions.get(&slot).map(|session| &session.wanted);
                    return Err(format!("slot {slot}: {what}, among {wanted:?}"));
                }
            }
        }
        self.set_timer(slot);
        Ok(())
    }

    pub(super) fn told(&mut self, id: CallId, event: Event) -> Result<(), String> {
        let Some(call) = self.calls.get_mut(&id) else {
            return Ok(());
        };
        let end = match &event {
            Event::End(end) => Some(End::clone(end)),
            _ => None,
        };
        call.take(event)
            .map_err(|wrong| format!("call {id}: {wrong:?}"))?;
        let strange = |mark: &CallId| *mark != id && !call.earlier.contains(mark);
        if let Some(other) = marks(&call.text).into_iter().find(strange) {
            return Err(format!(
                "call {id} was told of call {other}: {:?}",
                call.text
            ));
        }
        match end {
            Some(end) => self.model.told(id, &call.text, &end.stop, end.id.is_some()),
            None => Ok(()),
        }
    }

    pub(super) fn sign(&mut self, slot: SlotId, signs: Vec<(Duration, Sign)>) {
        for (after, sign) in signs {
            // What is drawn or written comes in order; hooks do not.
            let lane = match sign {
                Sign::Drawn(_) => Lane::Screen(slot),
                Sign::Written { .. } => Lane::Transcript(slot),
                Sign::Served(_) | Sign::ToolStep(_) => Lane::Tools(slot),
                Sign::Posted(_) | Sign::Reached | Sign::Exited(_) | Sign::Step { .. } => {
                    Lane::Alone
                }
            };
            self.send_in(lane, after, Happening::Signed { slot, sign });
        }
    }

    pub(super) fn set_timer(&mut self, slot: SlotId) {
        let Some(session) = self.sessions.get_mut(&slot) else {
            return;
        };
        let due = session.machine.poll_timeout().map(|(at, _)| at);
        if let Some(at) = due.filter(|at| session.timer.is_none_or(|set| *at < set)) {
            session.timer = Some(at);
            let after = at.saturating_duration_since(self.now);
            self.send(after, Happening::SessionTimeout { slot });
        }
    }
}

/// How long a process may end by itself.
const END_WAIT: Duration = Duration::from_millis(400);
