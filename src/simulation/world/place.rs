//! Simulated sessions in their places: what reaches them, and what comes of it. `[pure]`

use super::super::call::Stage;
use super::super::claude::Around;
use super::super::claude::Sign;
use super::super::model::CallId;
use super::super::model::marks;
use super::super::session::Order;
use super::super::session::Out;
use super::super::session::Outcome;
use super::super::session::Session;
use super::World;
use super::around;
use super::happening::Ask;
use super::happening::Happening;
use super::happening::Lane;
use crate::pool::place::Place;
use crate::session::machine::Machine;
use crate::session::witness::HookEvent;
use crate::turn::Event;
use std::time::Duration;

impl World {
    pub(super) fn order(&mut self, place: Place, order: Order) {
        self.soon_in(Lane::Orders(place), Happening::Ordered { place, order });
    }

    pub(super) fn ordered(&mut self, place: Place, order: Order) -> Result<(), String> {
        let ending = self
            .sessions
            .get(&place)
            .is_none_or(|session| session.ending.is_some());
        match order {
            Order::Begin(turn) if ending => {
                let outcome = Outcome::Failed {
                    fault: crate::session::fault::session_lost("gone"),
                    begun: false,
                };
                self.soon(Happening::Settled {
                    call: turn.call,
                    place,
                    outcome,
                });
            }
            Order::Begin(turn) => {
                let call = turn.call;
                self.drive(place, |session, around| session.begin(*turn, around))?;
                if self
                    .calls
                    .get(&call)
                    .is_none_or(|call| call.stage == Stage::Over)
                {
                    self.soon(Happening::Left { place, call });
                }
            }
            Order::Leave => {
                let now = self.now;
                self.drive(place, |session, around| {
                    if session.ending.is_some() {
                        return Vec::new();
                    }
                    session.handle(around, |machine| machine.leave(now))
                })?;
            }
            Order::Retire => self.end(place),
        }
        Ok(())
    }

    pub(super) fn signed(&mut self, place: Place, sign: Sign) -> Result<(), String> {
        let now = self.now;
        match sign {
            Sign::Step { run, step } => {
                self.with(place, |session, around| {
                    session.claude.handle_step(run, step, around)
                });
            }
            Sign::Exited(how) => return self.exit(place, how),
            Sign::Written {
                conversation,
                record,
            } => {
                if let Some(transcript) = self.library.get_mut(&conversation) {
                    transcript.lines.push(record);
                    self.soon(Happening::Grew { place });
                }
            }
            Sign::Drawn(scene) => self.drive(place, |session, around| {
                if session.ending.is_some() {
                    return Vec::new();
                }
                session.handle(around, |machine| machine.handle_scene(scene, now))
            })?,
            Sign::Posted(hook) => self.drive(place, |session, around| {
                if matches!(hook.event, HookEvent::Submitted { .. }) {
                    session.owe();
                }
                session.handle(around, |machine| machine.handle_hook(&hook, now))
            })?,
            Sign::Reached => self.drive(place, |session, around| {
                session.reached = true;
                session.handle(around, Machine::handle_reached)
            })?,
        }
        Ok(())
    }

    pub(super) fn session_timeout(&mut self, place: Place) -> Result<(), String> {
        let now = self.now;
        if let Some(session) = self.sessions.get_mut(&place) {
            session.timer = None;
            let due = session
                .machine
                .poll_timeout()
                .is_some_and(|(at, _)| at <= now);
            if due {
                return self.drive(place, |session, around| {
                    session.handle(around, |machine| machine.handle_timeout(now))
                });
            }
        }
        self.set_timer(place);
        Ok(())
    }

    pub(super) fn end(&mut self, place: Place) {
        let Some(session) = self
            .sessions
            .get_mut(&place)
            .filter(|session| session.ending.is_none())
        else {
            return;
        };
        session.ending = Some(self.now);
        self.tally.killed += 1;
        self.soon(Happening::Ended {
            place,
            forced: false,
        });
        self.send(
            END_WAIT,
            Happening::Ended {
                place,
                forced: true,
            },
        );
    }

    pub(super) fn ended(&mut self, place: Place, forced: bool) {
        self.with(place, |session, around| {
            session.claude.handle_end(forced, around)
        });
    }

    pub(super) fn exit(&mut self, place: Place, how: &'static str) -> Result<(), String> {
        self.drive(place, |session, around| {
            let mut out = session.handle(around, |machine| machine.handle_exit(how));
            out.extend(session.settle(Outcome::Cancelled));
            out
        })?;
        if self.sessions.remove(&place).is_some() {
            self.ask(Ask::Gone { place });
        }
        Ok(())
    }

    /// Lets the claude of a place do something.
    pub(super) fn with(&mut self, place: Place, act: impl FnOnce(&mut Session, &mut Around<'_>)) {
        let Some(session) = self.sessions.get_mut(&place) else {
            return;
        };
        let mut around = around(
            &mut self.chance,
            &mut self.model,
            &mut self.library,
            self.now,
        );
        act(session, &mut around);
        let signs = around.signs;
        self.sign(place, signs);
    }

    /// Lets the driver of a place do something, and sends what comes of it on its way.
    pub(super) fn drive(
        &mut self,
        place: Place,
        act: impl FnOnce(&mut Session, &mut Around<'_>) -> Vec<Out>,
    ) -> Result<(), String> {
        let mut outs = Vec::new();
        self.with(place, |session, around| outs = act(session, around));
        for out in outs {
            match out {
                Out::Keys(keys) => {
                    self.soon_in(Lane::Keys(place), Happening::Pressed { place, keys })
                }
                Out::Verdict(allowed) => self.soon(Happening::Answered { place, allowed }),
                Out::Told(call, event) => self.told(call, event)?,
                Out::Settled(call, outcome) => self.soon(Happening::Settled {
                    call,
                    place,
                    outcome,
                }),
                Out::Ready => self.ask(Ask::Ready { place }),
                Out::End => self.end(place),
                Out::Grew => self.soon(Happening::Grew { place }),
                Out::Wrong(what) => {
                    let wanted = self.sessions.get(&place).map(|session| &session.wanted);
                    return Err(format!("place {place}: {what}, among {wanted:?}"));
                }
            }
        }
        self.set_timer(place);
        Ok(())
    }

    pub(super) fn told(&mut self, id: CallId, event: Event) -> Result<(), String> {
        let Some(call) = self.calls.get_mut(&id) else {
            return Ok(());
        };
        let end = match &event {
            Event::End(end) => Some(end.clone()),
            _ => None,
        };
        call.take(event)
            .map_err(|wrong| format!("call {id}: {wrong}"))?;
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

    pub(super) fn sign(&mut self, place: Place, signs: Vec<(Duration, Sign)>) {
        for (after, sign) in signs {
            // What is drawn or written comes in order; hooks do not.
            let lane = match sign {
                Sign::Drawn(_) => Lane::Screen(place),
                Sign::Written { .. } => Lane::Transcript(place),
                Sign::Posted(_) | Sign::Reached | Sign::Exited(_) | Sign::Step { .. } => {
                    Lane::Alone
                }
            };
            self.send_in(lane, after, Happening::Signed { place, sign });
        }
    }

    pub(super) fn set_timer(&mut self, place: Place) {
        let Some(session) = self.sessions.get_mut(&place) else {
            return;
        };
        let due = session.machine.poll_timeout().map(|(at, _)| at);
        if let Some(at) = due.filter(|at| session.timer.is_none_or(|set| *at < set)) {
            session.timer = Some(at);
            let after = at.saturating_duration_since(self.now);
            self.send(after, Happening::SessionTimeout { place });
        }
    }
}

/// How long a process may end by itself.
const END_WAIT: Duration = Duration::from_millis(400);
