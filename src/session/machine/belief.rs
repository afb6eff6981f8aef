//! Which of the answers that the CLI copies may be the turn's. `[pure]`
//!
//! A copy does not say which prompt it answers, and may come late. One of a turn before could be of the same text.

use super::super::witness::AssistantMessage;
use crate::turn::MessageId;
use std::collections::VecDeque;

/// What is known of the answers before.
#[derive(Debug)]
pub(super) struct Belief {
    /// The answers that were told last.
    past: VecDeque<MessageId>,
    /// The answer of the turn before is among them, or there was none.
    sure: bool,
}

impl Default for Belief {
    /// A new session has answered nothing.
    fn default() -> Belief {
        Belief {
            past: VecDeque::new(),
            sure: true,
        }
    }
}

impl Belief {
    /// Whether the turn that begins can believe copies: not where the turn before has an answer that nobody knows.
    pub(super) fn begin(&mut self) -> bool {
        std::mem::replace(&mut self.sure, false)
    }

    /// The turn's answer is told.
    pub(super) fn tell(&mut self, answer: MessageId) {
        self.sure = true;
        self.past.push_back(answer);
        if self.past.len() > PAST_MAX {
            self.past.pop_front();
        }
    }

    /// Whether it is the answer of a turn before.
    pub(super) fn is_past(&self, said: &AssistantMessage) -> bool {
        self.past.iter().any(|past| past.0 == said.message)
    }
}

/// Turns whose answer may still be copied: the copy comes within milliseconds, so it is of the last turn if of any.
const PAST_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Usage;

    fn said(id: &str) -> AssistantMessage {
        AssistantMessage {
            message: id.into(),
            model: "m".into(),
            blocks: vec![],
            stop_reason: None,
            stop_sequence: None,
            details: None,
            replaced: false,
            usage: Usage::default(),
        }
    }

    #[test]
    fn a_turn_after_an_unknown_answer_believes_nothing() {
        let mut belief = Belief::default();
        assert!(belief.begin());
        assert!(!belief.begin(), "the turn before was told no end");
        belief.tell(MessageId("a".into()));
        assert!(belief.begin());
    }

    #[test]
    fn the_answers_before_are_known_within_a_bound() {
        let mut belief = Belief::default();
        for number in 0..=PAST_MAX {
            belief.tell(MessageId(number.to_string()));
        }
        assert!(!belief.is_past(&said("0")) && belief.is_past(&said("1")));
    }
}
