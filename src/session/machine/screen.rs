//! The session looks at its screen. `[pure]`

use super::super::fault;
use super::Machine;
use super::effect::Effect;
use super::state::Escape;
use super::state::State;
use super::state::Wait;
use super::typing::Confirm;
use crate::terminal::Prompt;
use crate::terminal::Scene;
use crate::terminal::keys;
use crate::turn::Fault;
use std::time::Duration;
use std::time::Instant;

impl Machine {
    /// Looks at the scene with the state's eyes.
    pub(super) fn look(&mut self, now: Instant) {
        if matches!(self.state, State::Gone) {
            return;
        }
        match self.scene.clone() {
            Scene::Trust { .. } if self.boxed => {}
            Scene::Trust { steps } => self.answer_trust(steps, now),
            Scene::Login | Scene::Dialog { .. } if self.boxed && !self.stays(now) => {}
            Scene::Login => self.stop_at(fault::login_required("claude shows its login screen")),
            Scene::Dialog { title } => self.stop_at(fault::dialog_blocked(&title)),
            Scene::Unknown => {}
            Scene::Prompt(prompt) => self.look_at_prompt(prompt, now),
        }
    }

    pub(super) fn look_at_prompt(&mut self, prompt: Prompt, now: Instant) {
        let idle = self.scene.is_idle();
        self.watch_rest(idle, now);
        match &mut self.state {
            State::Starting { .. } if idle && self.empties_first => {
                self.empties_first = false;
                self.state = State::resting(now);
                self.look(now);
            }
            State::Starting { .. } if idle => self.become_ready(),
            State::Resuming { ended: true, .. } if idle => self.handle_resumed(now),
            State::Kept { calm, .. } if idle => *calm = true,
            State::Nearing { .. } if idle => self.arrive(now),
            State::Submitting { confirm, .. }
            | State::Resuming {
                confirm,
                ended: false,
                ..
            } if *confirm == Confirm::WhenTyped && !prompt.empty && !prompt.busy => {
                *confirm = Confirm::Included;
                self.write(keys::ENTER.to_vec());
            }
            State::Answering(_) | State::Interrupting { .. } => self.look_at_turn(prompt, now),
            // An Escape that came after the turn's own end puts its prompt back.
            State::Resting {
                asked: false,
                emptied,
                ..
            } if !prompt.empty && !prompt.busy && !*emptied && self.drew => {
                *emptied = true;
                self.write(keys::CTRL_C.to_vec());
            }
            State::Resting { asked, .. } if idle && !*asked => {
                *asked = true;
                self.effects.push_back(Effect::Blank);
            }
            _ => {}
        }
    }

    /// The prompt box while a turn runs, or is being interrupted.
    fn look_at_turn(&mut self, prompt: Prompt, now: Instant) {
        match &mut self.state {
            State::Answering(answering) if prompt.busy => {
                answering.busy_seen = true;
                answering.sign_until = None;
                if answering.escape == Escape::Wanted {
                    answering.escape = Escape::Sent;
                    self.write(keys::ESCAPE.to_vec());
                }
            }
            State::Interrupting { cut, sent, .. } if prompt.busy && !*sent => {
                *sent = true;
                let cut = *cut;
                self.write(self.escape(cut).to_vec());
            }
            State::Interrupting {
                sent,
                over,
                emptied,
                ..
            } if !prompt.busy && (*sent || *over) => {
                if prompt.empty {
                    self.state = State::resting(now);
                    self.look(now);
                } else if !*emptied {
                    *emptied = true;
                    self.write(keys::CTRL_C.to_vec());
                }
            }
            _ => {}
        }
    }

    /// Yes: the folder is the relay's own, empty and private. The choice is moved first and confirmed once the screen
    /// shows it there, because a dialog that was just drawn may lose keys.
    pub(super) fn answer_trust(&mut self, steps: i32, now: Instant) {
        self.question.get_or_insert_with(|| Wait::from(now));
        self.write(match steps {
            0 => keys::ENTER.to_vec(),
            _ => keys::steps(steps),
        });
    }

    /// Whether the question on the screen was there when it was looked at before.
    fn stays(&mut self, now: Instant) -> bool {
        let wait = self.question.get_or_insert_with(|| Wait::from(now));
        wait.nudges > 0
    }

    /// A screen that no turn can pass.
    pub(super) fn stop_at(&mut self, fault: Fault) {
        let begun = matches!(&self.state, State::Answering(answering) if answering.begun);
        self.tell_held_end();
        self.effects.push_back(Effect::Fail { fault, begun });
        self.kill("a screen that no turn can pass");
    }

    /// It is not ready in time. A version that is known to come up, and is still at it, is slow: the machine is busy, and
    /// another start would take no less.
    pub(super) fn start_is_late(&mut self, now: Instant) {
        let is_still = self.drew_at.is_some_and(|at| at + STILL_MIN <= now);
        let is_slow = self.limits.proven && !is_still;
        if !is_slow || self.extensions == EXTENSIONS_MAX {
            return self.give_up_start(is_slow);
        }
        self.extensions += 1;
        let more = now + self.limits.start;
        match &mut self.state {
            State::Starting { until } | State::Primed { until, .. } => *until = more,
            State::Answering(answering) => answering.sign_until = Some(more),
            _ => {}
        }
    }

    fn give_up_start(&mut self, is_slow: bool) {
        self.effects.push_back(Effect::Fail {
            fault: match is_slow {
                true => fault::slow_start(),
                false => fault::unsupported_screen(),
            },
            begun: false,
        });
        self.kill("no prompt box within the start's limit");
    }

    pub(super) fn become_ready(&mut self) {
        self.state = State::Ready;
        self.effects.push_back(Effect::Ready);
    }
}

/// A screen that has stood for so long is not about to change.
const STILL_MIN: Duration = Duration::from_secs(5);
/// How often a slow start gets the time of a start once more.
const EXTENSIONS_MAX: u32 = 2;
