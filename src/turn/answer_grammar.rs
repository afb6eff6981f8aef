//! The grammar of an answer's events. It keeps none of what they say.

use super::BlockKind;
use super::Delta;
use super::Event;

/// How far an answer is.
#[derive(Debug, Default)]
pub(crate) struct AnswerGrammar {
    position: Position,
    /// Blocks that have begun.
    blocks: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Position {
    #[default]
    Unbegun,
    Between,
    Within(Kind),
    Over,
}

/// What the deltas of the open block may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
    Call,
    Foreign,
}

impl AnswerGrammar {
    /// Whether the next event fits behind those before it.
    ///
    /// # Errors
    /// Says which rule it breaks; the answer is then of no further use.
    pub(crate) fn check(&mut self, event: &Event) -> Result<(), &'static str> {
        self.position = match (self.position, event) {
            (Position::Over, _) => return Err("an event after the end"),
            (Position::Unbegun, Event::Start(_)) => Position::Between,
            (Position::Between | Position::Within(_), Event::Start(_)) => {
                return Err("a second start");
            }
            (Position::Unbegun, _) => return Err("an event before the start"),
            (Position::Between, Event::BlockStart { index, kind }) => self.open(*index, kind)?,
            (Position::Within(_), Event::BlockStart { .. }) => {
                return Err("a block inside a block");
            }
            (Position::Within(kind), Event::Delta { index, delta }) if self.is_last(*index) => {
                kind.check(delta)?
            }
            (_, Event::Delta { .. }) => return Err("a delta outside its block"),
            (Position::Within(_), Event::BlockStop { index }) if self.is_last(*index) => {
                Position::Between
            }
            (_, Event::BlockStop { .. }) => return Err("a stop outside its block"),
            (Position::Within(_), Event::End(_)) => return Err("an end inside a block"),
            (Position::Between, Event::End(_)) => Position::Over,
        };
        Ok(())
    }

    fn open(&mut self, index: usize, kind: &BlockKind) -> Result<Position, &'static str> {
        if index != self.blocks {
            return Err("a block out of order");
        }
        self.blocks += 1;
        Ok(Position::Within(Kind::of(kind)))
    }

    fn is_last(&self, index: usize) -> bool {
        index + 1 == self.blocks
    }
}

impl Kind {
    fn of(kind: &BlockKind) -> Kind {
        match kind {
            BlockKind::Text => Kind::Text,
            BlockKind::Thinking => Kind::Thinking,
            BlockKind::ToolUse { .. } => Kind::Call,
            BlockKind::RedactedThinking { .. } | BlockKind::Foreign(_) => Kind::Foreign,
        }
    }

    fn check(self, delta: &Delta) -> Result<Position, &'static str> {
        match (self, delta) {
            (_, Delta::Foreign(_))
            | (Kind::Text, Delta::Text(_))
            | (Kind::Thinking, Delta::Thinking(_) | Delta::Signature(_))
            | (Kind::Call, Delta::InputJson(_)) => Ok(Position::Within(self)),
            _ => Err("a delta of another kind than its block"),
        }
    }
}
