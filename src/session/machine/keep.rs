//! A conversation that its session stays in: kept when a turn is over, gone on with, or left. `[pure]`

use super::super::turn_spec::TurnSpec;
use super::Machine;
use super::effect::Effect;
use super::state::NUDGE_WAIT;
use super::state::State;
use super::state::Wait;
use crate::turn::Block;
use crate::turn::Event;
use std::time::Instant;

impl Machine {
    /// The model's message, where the turn is one after which the session may stay: the CLI has ended it by itself, and
    /// holds nothing but what was told.
    pub(super) fn said_to_stay(&self) -> Option<Vec<Block>> {
        match &self.state {
            State::Answering(answering) if answering.task.stays => answering.merge.ended_well(),
            _ => None,
        }
    }

    pub(super) fn keep(&mut self, said: Vec<Block>, end: Event, now: Instant) {
        let busy = matches!(&self.state, State::Answering(answering) if answering.busy_seen);
        self.effects.push_back(Effect::Keep { said, end });
        // An idle box may be one from before the turn, unless it was busy since, or was drawn after the turn's end.
        let calm = (busy || self.drew) && self.scene.is_idle();
        self.state = State::Kept { calm, since: now };
    }

    /// The next prompt came for the conversation that is held. A box in which nothing is drawn any more is idle.
    pub(super) fn go_on(&mut self, task: TurnSpec, calm: bool, since: Instant, now: Instant) {
        let calm = calm || (self.scene.is_idle() && since + NUDGE_WAIT <= now);
        let mut wait = Wait::from(now);
        wait.next = now.max(since + NUDGE_WAIT);
        self.state = match task.keys() {
            Some(keys) if calm => self.submit(task, keys, now),
            Some(_) | None => State::Nearing {
                task: Box::new(task),
                wait,
            },
        };
    }

    /// The prompt box is idle.
    pub(super) fn arrive(&mut self, now: Instant) {
        self.state = match std::mem::replace(&mut self.state, State::Gone) {
            State::Nearing { task, wait } => match task.keys() {
                Some(keys) => self.submit(*task, keys, now),
                None => State::Nearing { task, wait },
            },
            other => other,
        };
    }

    /// A prompt was blocked that nobody sent: the conversation may hold more than was told in it.
    pub(super) fn spoil(&mut self, now: Instant) {
        if let State::Answering(answering) = &mut self.state {
            answering.task.stays = false;
        }
        if let State::Kept { .. } = self.state {
            self.leave(now);
        }
    }

    /// The conversation is not gone on with: the session is to be emptied.
    pub(crate) fn leave(&mut self, now: Instant) {
        match &self.state {
            State::Kept { .. } => {
                self.state = State::resting(now);
                self.look(now);
            }
            State::Parked { .. } => self.leave_parked(now),
            _ => {}
        }
    }
}
