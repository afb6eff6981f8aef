//! Simulated conversations that their sessions stay in: kept, claimed by the next call, or left. `[pure]`

use super::super::call::Call;
use super::super::model::CallId;
use super::super::session::Order;
use super::super::session::Turn;
use super::World;
use super::happening::Command;
use super::happening::Grant;
use super::happening::Happening;
use crate::pool::slot::SlotId;
use crate::session::DeliveryMethod;
use crate::session::Shape;
use crate::session::ToolList;
use crate::session::TurnSpec;

/// What the supervisor knows of a session that stayed.
#[derive(Debug)]
pub(super) struct KeptSession {
    name: u64,
    shape: Shape,
    tool: Option<String>,
    messages: Vec<String>,
}

impl World {
    /// A caller comes back, and tells all that was said.
    pub(super) fn follow_up(&mut self, before: CallId) {
        let Some(before) = self.calls.get(&before).filter(|_| !self.draining) else {
            return;
        };
        let id = self.metrics.calls + 1;
        let call = Call::after(before, id, &mut self.chance, self.now);
        self.begin(id, call);
    }

    /// The session of this slot stays in the call's conversation, in which this was said.
    pub(super) fn keep_for(&mut self, slot: SlotId, call: CallId, said: String) {
        let alive = self.sessions.contains_key(&slot);
        let call = self.calls.get(&call).filter(|_| alive);
        let Some((call, name)) = call.and_then(|call| Some((call, call.name?))) else {
            return self.ledger.handle_returned(slot, self.now);
        };
        let messages = call.messages.iter().cloned().chain([said]).collect();
        let (shape, tool) = (call.shape.clone(), call.tool.clone());
        self.kept.insert(
            slot,
            KeptSession {
                name,
                shape,
                tool,
                messages,
            },
        );
        self.ledger.handle_kept(slot, self.now);
    }

    pub(super) fn handle_rejoin(&mut self, id: CallId) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let admits = |kept: &KeptSession| {
            Some(kept.name) == call.name
                && kept.shape == call.shape
                && kept.tool == call.tool
                && kept.messages == call.history()
        };
        let slot = self.kept.iter().find(|(_, kept)| admits(kept));
        let slot = slot.map(|(slot, _)| *slot);
        let slot = slot.filter(|slot| self.ledger.rejoin(*slot));
        if let Some(slot) = slot {
            self.kept.remove(&slot);
        }
        let name = call.name;
        let useless = self.kept.iter().filter(|(_, kept)| Some(kept.name) == name);
        let useless: Vec<SlotId> = useless.map(|(slot, _)| *slot).collect();
        for slot in useless {
            self.kept.remove(&slot);
            self.ledger.handle_left(slot, self.now);
        }
        let grant = Grant::Onward { slot };
        self.soon(Happening::Granted { call: id, grant });
    }

    /// The ledger gives a kept slot up.
    pub(super) fn empty(&mut self, slot: SlotId) {
        self.kept.remove(&slot);
        self.order(slot, Order::Leave);
    }

    /// The prompt goes right into the session that holds the conversation.
    pub(super) fn hand_onward(&mut self, id: CallId, slot: SlotId) {
        let typed = self.calls.get(&id).map(|call| call.plan.typed(self.edits));
        let Some(Some(typed)) = typed else {
            self.ask(Command::Unclaimed { slot });
            return self.lease(id);
        };
        let (prompt, keys) = (typed.prompt, typed.keys);
        let mut task = TurnSpec::plain(DeliveryMethod::Onward { prompt, keys });
        task.stays = true;
        task.enter = self.enter;
        let call = self.calls.get(&id);
        let tool = call.and_then(|call| call.tool.clone());
        task.tools = ToolList::of(&call.map(Call::tools).unwrap_or_default());
        self.metrics.onward += 1;
        self.serve_at(id, slot);
        let turn = Turn {
            call: id,
            task,
            edited: typed.edited,
            tool,
            told: None,
        };
        self.order(slot, Order::Begin(Box::new(turn)));
    }
}
