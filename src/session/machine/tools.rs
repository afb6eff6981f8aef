//! The caller's tools in a session's life: offered before the prompt, called in the answer, parked, taken up. `[pure]`

use super::super::mcp::result::Answered;
use super::super::mcp::tool_list::ToolList;
use super::super::mcp::tool_sync::Notice;
use super::super::mcp::tool_sync::ToolEvent;
use super::super::turn_spec::DeliveryMethod;
use super::super::turn_spec::TurnSpec;
use super::super::witness::Hook;
use super::super::witness::Merge;
use super::super::witness::Named;
use super::Machine;
use super::effect::Effect;
use super::effect::Verdict;
use super::state::Escape;
use super::state::Given;
use super::state::State;
use crate::turn::Block;
use crate::turn::Event;
use std::time::Duration;
use std::time::Instant;

impl Machine {
    /// Something came at the session's MCP address.
    pub(crate) fn handle_tool(&mut self, event: ToolEvent, now: Instant) {
        match event {
            ToolEvent::Ponged(ping) => self.handle_ponged(ping, now),
            ToolEvent::Broken => return self.handle_broken_call(now),
            _ => {}
        }
        let notice = self.tool_sync.handle(&event, now);
        self.notify(notice);
        if self.tool_sync.is_taken_up() {
            self.let_go(now);
        }
        if let ToolEvent::Called(id) = event {
            self.handle_called(&id, now);
        }
    }

    pub(super) fn offer_tools(&mut self, list: &ToolList) {
        let notice = self.tool_sync.change(list);
        self.notify(notice);
    }

    pub(super) fn handle_offer_timeout(&mut self, now: Instant) {
        let notice = self.tool_sync.handle_timeout(now);
        self.notify(notice);
    }

    /// Lets what waits for its tools go on, once they are taken up.
    pub(super) fn let_go(&mut self, now: Instant) {
        if !self.tool_sync.is_taken_up() {
            return;
        }
        if std::mem::take(&mut self.gated) {
            self.effects.push_back(Effect::OpenGate);
        }
        self.state = match std::mem::replace(&mut self.state, State::Gone) {
            State::Submitting {
                task,
                held: Some(_),
                ..
            } => {
                // First: with the verdict the request may come.
                let answering = self.answering(*task, None, now);
                self.effects.push_back(Effect::Verdict(Verdict::Allow));
                answering
            }
            other => other,
        };
    }

    /// The CLI does not take the tools up: the prompt must not go to the model.
    pub(super) fn give_up_tools(&mut self, now: Instant) {
        self.effects.push_back(Effect::Verdict(Verdict::Block));
        self.effects.push_back(Effect::Misdelivered);
        self.state = State::resting(now);
        self.look(now);
    }

    /// A call that nobody can park: whatever it is answered, the model would be asked on.
    fn handle_broken_call(&mut self, now: Instant) {
        match &self.state {
            State::Answering(_) => self.give_up_reading(now),
            State::Parked { .. } | State::Interrupting { .. } | State::Ending { .. } => {
                self.kill_at_once("a call of it cannot be read");
            }
            _ => {}
        }
    }

    /// The CLI has the results of all calls of a message, and would ask the model on. It may where they are the
    /// caller's; else they are its own, such as that there is no such tool, and the turn ends here.
    pub(super) fn handle_batched(&mut self, hook: &Hook, now: Instant) {
        let goes_on = match &self.state {
            State::Answering(answering) => {
                let is_given = matches!(answering.task.route, DeliveryMethod::Answered(_))
                    && answering.results.is_empty();
                hook.conversation == self.conversation && is_given && !answering.merge.has_message()
            }
            _ => false,
        };
        if goes_on {
            return self.effects.push_back(Effect::Verdict(Verdict::Allow));
        }
        self.effects.push_back(Effect::Verdict(Verdict::Block));
        if hook.conversation == self.conversation {
            self.handle_stopped_short(now);
        }
    }

    fn handle_stopped_short(&mut self, now: Instant) {
        match &mut self.state {
            State::Answering(_) => {
                self.drew = false;
                let seen = self.merge(Merge::handle_stopped_short);
                self.handle_seen(seen, now);
            }
            State::Interrupting { over, .. } => {
                *over = true;
                self.look(now);
            }
            State::Ending { .. } | State::Parked { .. } => {
                self.state = State::resting(now);
                self.look(now);
            }
            _ => {}
        }
    }

    fn handle_called(&mut self, id: &str, now: Instant) {
        let seen = self.merge(|merge| merge.handle_called(id));
        if let State::Answering(answering) = &mut self.state {
            answering.nudge = Some((now + NUDGE_PAUSE, NUDGE_PAUSE));
        }
        self.handle_seen(seen, now);
    }

    /// The model's message, where it ended in calls that are parked.
    pub(super) fn calls_of_turn(&self) -> Option<Vec<Block>> {
        match &self.state {
            State::Answering(answering) => answering.merge.parked(),
            _ => None,
        }
    }

    pub(super) fn park(&mut self, said: Vec<Block>, end: Event, now: Instant) {
        let past = match &self.state {
            State::Answering(answering) => answering.merge.named(),
            _ => Named::default(),
        };
        self.effects.push_back(Effect::Park { said, end });
        self.state = State::Parked {
            until: now + PARKED_WAIT,
            past,
        };
    }

    /// Nobody brought the results: the turn is interrupted, and the conversation left.
    pub(super) fn leave_parked(&mut self, now: Instant) {
        self.state = self.interrupt(true, Escape::Unasked, now);
        self.look(now);
    }

    /// The results came: the turn goes on.
    pub(super) fn take_up(
        &mut self,
        results: Vec<Answered>,
        task: TurnSpec,
        past: Named,
        now: Instant,
    ) {
        let mut state = self.answering(task, None, now);
        if let State::Answering(answering) = &mut state {
            answering.merge = std::mem::take(&mut answering.merge).past(past);
            answering.busy_seen = true;
            answering.results = results.into();
        }
        self.state = state;
        self.answer_next(now);
    }

    /// The CLI tells that it has the result of this call, and waits for our word on that. Its pong shows that it has
    /// our word too.
    pub(super) fn handle_used(&mut self, used: &str, now: Instant) {
        let State::Answering(answering) = &mut self.state else {
            return;
        };
        if let Some(given) = &mut answering.given
            && given.id == used
            && given.used.is_none()
        {
            let (ping, notice) = self.tool_sync.ping();
            given.used = Some(ping);
            given.until = now + PONG_WAIT;
            self.notify(Some(notice));
        }
    }

    fn handle_ponged(&mut self, ping: u64, now: Instant) {
        if let State::Answering(answering) = &self.state
            && let Some(given) = &answering.given
            && given.used.is_some_and(|used| used <= ping)
        {
            self.answer_next(now);
        }
    }

    /// One result after the other, each once the CLI tells that it has the one before: so they keep their order.
    pub(super) fn answer_next(&mut self, now: Instant) {
        let State::Answering(answering) = &mut self.state else {
            return;
        };
        let next = answering.results.pop_front();
        answering.given = next.as_ref().map(|next| Given {
            id: next.id.clone(),
            used: None,
            until: now + RESULT_WAIT,
        });
        self.effects.extend(next.map(Effect::Answer));
    }

    fn notify(&mut self, notice: Option<Notice>) {
        self.effects.extend(notice.map(Effect::Notify));
    }
}

/// How long a submitted prompt may wait for its tools; under the receiver's own wait for a verdict.
pub(super) const TOOLS_WAIT: Duration = Duration::from_secs(3);
/// How long results may take: longer than a person needs to allow a call, shorter than a forgotten session may live.
const PARKED_WAIT: Duration = Duration::from_secs(15 * 60);
/// How long the CLI may take to tell that it has a result; a version that does not tell gets the next one then.
const RESULT_WAIT: Duration = Duration::from_secs(5);
/// How long its pong may take then, before the next result goes without it.
const PONG_WAIT: Duration = Duration::from_secs(1);
/// After a call: the CLI writes its transcript within 100 ms by itself, or else at the next thing that happens.
const NUDGE_PAUSE: Duration = Duration::from_millis(120);
pub(super) const NUDGE_PAUSE_MAX: Duration = Duration::from_secs(1);
