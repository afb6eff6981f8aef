//! A prompt on its way in: taken-up conversations, keystrokes, the verdict, lost keys. `[pure]`

use super::super::turn_spec::DeliveryMethod;
use super::super::turn_spec::TurnSpec;
use super::super::witness::Hook;
use super::Machine;
use super::effect::Effect;
use super::effect::Verdict;
use super::state::State;
use super::state::Then;
use super::state::Wait;
use super::tools::TOOLS_WAIT;
use crate::terminal::Scene;
use crate::terminal::keys;
use std::path::PathBuf;
use std::time::Instant;

impl Machine {
    pub(super) fn submit(&mut self, task: TurnSpec, keys: Vec<u8>, now: Instant) -> State {
        State::Submitting {
            task: Box::new(task),
            confirm: self.type_in(keys),
            wait: Wait::from(now),
            held: None,
        }
    }

    pub(super) fn resume(&mut self, uuid: String, then: Then, now: Instant) -> State {
        let confirm = self.type_in(take_up(&uuid));
        State::Resuming {
            uuid,
            then,
            confirm,
            ended: false,
            wait: Wait::from(now),
        }
    }

    /// The conversation before is left, and the prompt box is idle.
    pub(super) fn handle_resumed(&mut self, now: Instant) {
        let State::Resuming { uuid, then, .. } = std::mem::replace(&mut self.state, State::Gone)
        else {
            return;
        };
        self.conversation = uuid;
        self.effects.extend(self.left.take().map(Effect::Forget));
        self.state = match then {
            Then::Submit(task) => match task.route.clone() {
                DeliveryMethod::Typed { keys, .. } => self.submit(*task, keys, now),
                DeliveryMethod::Launched
                | DeliveryMethod::Sent(_)
                | DeliveryMethod::Answered(_)
                | DeliveryMethod::Onward { .. } => State::resting(now),
            },
            Then::Rest => State::resting(now),
            Then::Ready => return self.become_ready(),
        };
        self.look(now);
    }

    pub(super) fn handle_submitted(&mut self, hook: &Hook, prompt: &str, now: Instant) {
        if !matches!(self.state, State::Submitting { .. }) {
            self.effects.push_back(Effect::Verdict(Verdict::Block));
            self.spoil(now);
            return self.handle_stray_prompt();
        }
        let State::Submitting {
            task,
            confirm,
            wait,
            ..
        } = std::mem::replace(&mut self.state, State::Gone)
        else {
            return;
        };
        let transcript = PathBuf::from(&hook.transcript);
        if hook.conversation == self.conversation && task.accepts(prompt) {
            // First: what the file holds now is not the answer, and with the verdict the answer may come.
            self.follow(transcript);
            self.state = State::Submitting {
                task,
                confirm,
                wait,
                held: Some(now + TOOLS_WAIT),
            };
            self.let_go(now);
        } else {
            self.effects.push_back(Effect::Verdict(Verdict::Block));
            self.transcript = Some(transcript);
            if !task.cancelled {
                self.effects.push_back(Effect::Misdelivered);
            }
            self.state = State::resting(now);
        }
    }

    /// A launched turn is taken up without a submission; one that is submitted was taken for something typed.
    pub(super) fn handle_stray_prompt(&mut self) {
        if matches!(&self.state, State::Answering(answering) if answering.sign_until.is_some()) {
            self.effects.push_back(Effect::Misdelivered);
            self.kill("a launched turn was submitted as typed text");
        }
    }

    /// A signal is late: the state of the screen tells which key was lost.
    pub(super) fn nudge(&mut self, now: Instant) {
        let Scene::Prompt(prompt) = self.scene else {
            return self.give_up_nudging();
        };
        match &self.state {
            State::Submitting { wait, .. }
            | State::Resuming { wait, .. }
            | State::Nearing { wait, .. }
            | State::Resting { wait, .. }
                if wait.nudges > NUDGES_MAX || wait.stalls > STALLS_MAX =>
            {
                self.give_up_nudging();
            }
            // No picture came of the box that has been idle for so long.
            State::Nearing { .. } if prompt.empty && !prompt.busy => self.arrive(now),
            // A process that has not run since has lost nothing: the same keys again would be too many.
            _ if prompt.busy || !self.drew => {}
            // What was awaited is there: its picture came before its hook, or before the state.
            State::Resting { asked: false, .. } | State::Resuming { ended: true, .. }
                if prompt.empty =>
            {
                self.look(now);
            }
            State::Resting { .. } if !prompt.empty => self.write(keys::CTRL_C.to_vec()),
            State::Submitting { .. } | State::Resuming { .. } if !prompt.empty => {
                self.write(keys::ENTER.to_vec());
            }
            _ => self.type_again(),
        }
    }

    /// What was typed did not arrive.
    fn type_again(&mut self) {
        let keys = match &self.state {
            State::Submitting { task, .. } => task.keys(),
            State::Resuming {
                uuid, ended: false, ..
            } => Some(take_up(uuid)),
            _ => None,
        };
        let Some(keys) = keys else { return };
        let again = self.type_in(keys);
        if let State::Submitting { confirm, .. } | State::Resuming { confirm, .. } = &mut self.state
        {
            *confirm = again;
        }
    }

    pub(super) fn give_up_nudging(&mut self) {
        if self.is_waited_for() {
            self.effects.push_back(Effect::Misdelivered);
        }
        self.kill("a command or a prompt did not arrive");
    }
}

/// The command that takes a conversation up.
fn take_up(uuid: &str) -> Vec<u8> {
    let mut keys = keys::paste(&format!("/resume {uuid}"));
    keys.extend_from_slice(keys::ENTER);
    keys
}

/// Lost keys that are made good before the session is given up.
const NUDGES_MAX: u32 = 4;
/// Waits for a process that does not run at all, about fifteen seconds, before the session is given up.
const STALLS_MAX: u32 = 25;
