//! Which requests of a session are its turn's, and which one must wait. `[pure]`
//!
//! A turn has one answer: the model's first message. From the moment that a turn is allowed to reach the model, the
//! first request to its model is the turn's, and its answer is read. A claude that asks the model again by itself
//! after that (an answer was cut at `max_tokens`, or refused, or a call of a tool was not one) would spend tokens on
//! what no caller sees: such a request waits, not forwarded, until the claude gives it up, for the session is
//! interrupted meanwhile. One that is still waiting when the next turn begins is closed unanswered.
//!
//! A request that the upstream refuses does not count, so that what the claude does then (it renews its login, leaves
//! a beta header away, or tries again if the user told it to) goes on as without a tap. Requests to other models, and
//! to other paths, always pass.

/// A session's gate.
#[derive(Debug, Default)]
pub(super) struct RequestFilter {
    turn: u64,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    /// No turn was begun yet, or its answer cannot be read: the other witnesses tell of it.
    #[default]
    Open,
    /// The turn's request is awaited.
    Armed,
    /// It came.
    Taken,
}

/// What is done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ruling {
    Pass,
    /// It passes, and its answer is this turn's.
    Read(u64),
    /// It waits until this turn is not the last one any more.
    Hold(u64),
}

impl RequestFilter {
    /// A turn begins; gives its number.
    pub(super) fn arm(&mut self) -> u64 {
        self.turn += 1;
        self.stage = Stage::Armed;
        self.turn
    }

    /// A request to the session's own model came.
    pub(super) fn rule(&mut self) -> Ruling {
        match self.stage {
            Stage::Open => Ruling::Pass,
            Stage::Armed => {
                self.stage = Stage::Taken;
                Ruling::Read(self.turn)
            }
            Stage::Taken => Ruling::Hold(self.turn),
        }
    }

    /// The request of this turn got no answer of the model.
    pub(super) fn give_back(&mut self, turn: u64) {
        if turn == self.turn {
            self.stage = Stage::Armed;
        }
    }

    /// The answer of this turn cannot be read, so that nobody here knows when it has come: everything passes.
    pub(super) fn let_be(&mut self, turn: u64) {
        if turn == self.turn {
            self.stage = Stage::Open;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_has_one_request() {
        let mut gate = RequestFilter::default();
        assert_eq!(gate.rule(), Ruling::Pass);
        assert_eq!(gate.arm(), 1);
        assert_eq!(gate.rule(), Ruling::Read(1));
        assert_eq!(gate.rule(), Ruling::Hold(1));
        assert_eq!(gate.arm(), 2);
        assert_eq!(gate.rule(), Ruling::Read(2));
    }

    #[test]
    fn a_refused_request_does_not_count() {
        let mut gate = RequestFilter::default();
        gate.arm();
        assert_eq!(gate.rule(), Ruling::Read(1));
        gate.give_back(1);
        assert_eq!(gate.rule(), Ruling::Read(1));
        gate.arm();
        gate.rule();
        gate.give_back(1);
        assert_eq!(gate.rule(), Ruling::Hold(2));
    }

    #[test]
    fn after_an_answer_that_cannot_be_read_all_requests_pass() {
        let mut gate = RequestFilter::default();
        gate.arm();
        assert_eq!(gate.rule(), Ruling::Read(1));
        gate.let_be(1);
        assert_eq!(gate.rule(), Ruling::Pass);
        gate.arm();
        assert_eq!(gate.rule(), Ruling::Read(2));
    }
}
