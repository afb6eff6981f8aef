//! What the pool's supervisor does, told again: it asks the ledger, and performs its effects. `[pure]`

use super::super::call::Stage;
use super::super::claude::Opening;
use super::super::model::CallId;
use super::super::session::Order;
use super::super::session::Session;
use super::World;
use super::around;
use super::happening::Command;
use super::happening::Grant;
use super::happening::Happening;
use crate::pool::definitions::Offer;
use crate::pool::ledger::Effect;
use crate::pool::ledger::Need;
use crate::pool::ledger::WaiterId;
use crate::pool::slot::SlotId;
use crate::pool::slot::SlotKind;
use crate::session::Delivery;
use crate::session::Machine;
use crate::turn::Owner;

impl World {
    pub(super) fn asked(&mut self, ask: Command) {
        match ask {
            Command::Lease { call } => self.handle_lease(call),
            Command::Withdrawn => self.withdraw_the_gone(),
            Command::Refused { slot } => self.ledger.handle_refused(slot, self.now),
            Command::Returned { slot, kept } => {
                if let Some(session) = self.sessions.get_mut(&slot) {
                    session.primed = None;
                }
                match kept {
                    Some((call, said)) => self.keep_for(slot, call, said),
                    None => self.ledger.handle_returned(slot, self.now),
                }
            }
            Command::Rejoin { call } => self.handle_rejoin(call),
            Command::Unclaimed { slot } => self.ledger.handle_left(slot, self.now),
            Command::Ready { slot } => {
                self.kept.remove(&slot);
                let resident = self.chance.hits(10).then_some(u64::MAX);
                self.ledger.handle_ready(slot, resident, self.now);
            }
            Command::Gone { slot } => {
                self.kept.remove(&slot);
                self.ledger.handle_gone(slot, self.now);
            }
        }
    }

    pub(super) fn handle_lease(&mut self, id: CallId) {
        self.withdraw_the_gone();
        let Some(call) = self
            .calls
            .get(&id)
            .filter(|call| call.stage == Stage::Waiting)
        else {
            return;
        };
        if self.draining {
            return self.soon(Happening::Granted {
                call: id,
                grant: Grant::Refused,
            });
        }
        let need = match call.plan {
            _ if call.tool.is_some() => Need::Typed,
            Delivery::Transcript => Need::Launch,
            Delivery::Paste(_) | Delivery::Editor(_) => Need::Warm,
        };
        let owner = Owner((id % OWNERS).to_string());
        match self.ledger.ask(
            &owner,
            &call.shape,
            need,
            Offer::of(&call.tools()),
            self.now,
        ) {
            Ok(waiter) => drop(self.replies.insert(waiter, id)),
            Err(_) => self.soon(Happening::Granted {
                call: id,
                grant: Grant::Refused,
            }),
        }
    }

    pub(super) fn withdraw_the_gone(&mut self) {
        let gone = |call: &CallId| {
            self.calls
                .get(call)
                .is_none_or(|call| call.stage == Stage::Over)
        };
        let gone: Vec<WaiterId> = self
            .replies
            .iter()
            .filter(|(_, call)| gone(call))
            .map(|(waiter, _)| *waiter)
            .collect();
        for waiter in gone {
            self.replies.remove(&waiter);
            self.ledger.withdraw(waiter, self.now);
        }
    }

    /// Performs the ledger's effects, and sets its timer.
    pub(super) fn keep(&mut self) {
        while let Some(effect) = self.ledger.poll_effect() {
            match effect {
                Effect::Lend { waiter, slot } => {
                    let primed = self
                        .sessions
                        .get(&slot)
                        .and_then(|session| session.primed.clone());
                    self.grant(waiter, slot, Grant::Lent { slot, primed });
                }
                Effect::Permit { waiter, slot } => {
                    self.grant(waiter, slot, Grant::Permitted { slot })
                }
                Effect::Warm { slot, kind, .. } => self.warm(slot, kind),
                Effect::Retire { slot } => self.order(slot, Order::Retire),
                Effect::Empty { slot } => self.empty(slot),
                Effect::Expire { waiter } | Effect::Displace { waiter } => {
                    if let Some(call) = self.replies.remove(&waiter) {
                        self.soon(Happening::Granted {
                            call,
                            grant: Grant::Refused,
                        });
                    }
                }
            }
        }
        let due = self.ledger.poll_timeout();
        if let Some(at) = due.filter(|at| self.ledger_timer.is_none_or(|set| *at < set)) {
            self.ledger_timer = Some(at);
            self.send(
                at.saturating_duration_since(self.now),
                Happening::LedgerTimeout,
            );
        }
    }

    pub(super) fn grant(&mut self, waiter: WaiterId, slot: SlotId, grant: Grant) {
        let call = self.replies.remove(&waiter);
        let waits = |call: &CallId| {
            self.calls
                .get(call)
                .is_some_and(|call| call.stage == Stage::Waiting)
        };
        match call.filter(waits) {
            Some(call) => self.soon(Happening::Granted { call, grant }),
            None => self.ledger.handle_refused(slot, self.now),
        }
    }

    pub(super) fn warm(&mut self, slot: SlotId, kind: SlotKind) {
        if self.chance.hits(10) {
            return self.ledger.handle_gone(slot, self.now);
        }
        let conversation = self.fresh("warm");
        let (machine, opening) = match kind {
            SlotKind::Typed => (
                Machine::waiting(self.limits, conversation.clone(), self.now),
                Opening::Empty,
            ),
            SlotKind::Primed => (
                Machine::primed(self.limits, conversation.clone(), self.now),
                Opening::Primed,
            ),
        };
        self.start(slot, machine, opening, &conversation);
    }

    pub(super) fn start(
        &mut self,
        slot: SlotId,
        machine: Machine,
        opening: Opening,
        conversation: &str,
    ) {
        let mut around = around(
            &mut self.chance,
            &mut self.model,
            &mut self.transcript_store,
            self.now,
        );
        let session = Session::start(machine, opening, conversation, self.keeps, &mut around);
        let signs = around.signs;
        self.sessions.insert(slot, session);
        self.sign(slot, signs);
        self.set_timer(slot);
    }
}

/// Callers that take turns.
const OWNERS: u64 = 3;
