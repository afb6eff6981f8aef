//! Back to rest: interrupted, emptied, or ended. `[pure]`

use super::Machine;
use super::effect::Effect;
use super::state::Escape;
use super::state::State;
use super::state::Then;
use crate::terminal::Prompt;
use crate::terminal::Scene;
use crate::terminal::keys;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

impl Machine {
    /// Escape goes out once the screen says that something runs: in an idle prompt box it would open a menu.
    pub(super) fn interrupt(&mut self, busy_seen: bool, escape: Escape, now: Instant) -> State {
        let sent = escape == Escape::Sent;
        let busy = busy_seen && self.shows_busy();
        let cut = matches!(&self.state, State::Answering(answering) if answering.merge.is_cut());
        if busy && !sent {
            self.write(self.escape(cut).to_vec());
        }
        State::Interrupting {
            cut,
            sent: busy || sent,
            over: false,
            emptied: false,
            until: now + REST_WAIT,
        }
    }

    /// What interrupts: at once where the CLI is about to send what nobody asked it to ask.
    pub(super) fn escape(&self, cut: bool) -> &'static [u8] {
        match cut && self.holds_question {
            true => keys::ESCAPE_AT_ONCE,
            false => keys::ESCAPE,
        }
    }

    pub(super) fn shows_busy(&self) -> bool {
        matches!(self.scene, Scene::Prompt(Prompt { busy: true, .. }))
    }

    /// A blank conversation was written.
    pub(crate) fn handle_blank(&mut self, uuid: String, transcript: PathBuf, now: Instant) {
        if !matches!(self.state, State::Resting { asked: true, .. }) {
            return self.effects.push_back(Effect::Forget(transcript));
        }
        self.left = self.transcript.replace(transcript);
        self.state = self.resume(uuid, Then::Ready, now);
    }

    /// None could be written: the session cannot be emptied.
    pub(crate) fn handle_no_blank(&mut self) {
        self.kill("no blank conversation could be written");
    }

    pub(super) fn follow(&mut self, path: PathBuf) {
        let before = self.transcript.replace(path.clone());
        self.left = before.filter(|before| *before != path).or(self.left.take());
        self.effects.push_back(Effect::Follow(path));
    }

    pub(super) fn forget(&mut self) {
        let known = [self.transcript.take(), self.left.take()];
        self.effects
            .extend(known.into_iter().flatten().map(Effect::Forget));
    }

    pub(super) fn kill(&mut self, why: &'static str) {
        self.end_with(Effect::Kill(why));
    }

    /// The same, where whatever the process does next is paid for by somebody.
    pub(super) fn kill_at_once(&mut self, why: &'static str) {
        self.end_with(Effect::KillAtOnce(why));
    }

    fn end_with(&mut self, end: Effect) {
        self.forget();
        self.state = State::Gone;
        self.question = None;
        self.effects.push_back(end);
    }
}

/// How long an interrupted session may take to come to rest.
const REST_WAIT: Duration = Duration::from_millis(1500);
