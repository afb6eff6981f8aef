//! The grammar of an answer's events. It keeps none of what they say.

use super::BlockKind;
use super::Delta;
use super::Event;

/// How far an answer is.
#[derive(Debug, Default)]
pub(crate) struct AnswerGrammar {
    place: Place,
    /// Blocks that have begun.
    blocks: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
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
        self.place = match (self.place, event) {
            (Place::Over, _) => return Err("an event after the end"),
            (Place::Unbegun, Event::Start(_)) => Place::Between,
            (Place::Between | Place::Within(_), Event::Start(_)) => return Err("a second start"),
            (Place::Unbegun, _) => return Err("an event before the start"),
            (Place::Between, Event::BlockStart { index, kind }) => self.open(*index, kind)?,
            (Place::Within(_), Event::BlockStart { .. }) => return Err("a block inside a block"),
            (Place::Within(kind), Event::Delta { index, delta }) if self.is_last(*index) => {
                kind.check(delta)?
            }
            (_, Event::Delta { .. }) => return Err("a delta outside its block"),
            (Place::Within(_), Event::BlockStop { index }) if self.is_last(*index) => {
                Place::Between
            }
            (_, Event::BlockStop { .. }) => return Err("a stop outside its block"),
            (Place::Within(_), Event::End(_)) => return Err("an end inside a block"),
            (Place::Between, Event::End(_)) => Place::Over,
        };
        Ok(())
    }

    fn open(&mut self, index: usize, kind: &BlockKind) -> Result<Place, &'static str> {
        if index != self.blocks {
            return Err("a block out of order");
        }
        self.blocks += 1;
        Ok(Place::Within(Kind::of(kind)))
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

    fn check(self, delta: &Delta) -> Result<Place, &'static str> {
        match (self, delta) {
            (_, Delta::Foreign(_))
            | (Kind::Text, Delta::Text(_))
            | (Kind::Thinking, Delta::Thinking(_) | Delta::Signature(_))
            | (Kind::Call, Delta::InputJson(_)) => Ok(Place::Within(self)),
            _ => Err("a delta of another kind than its block"),
        }
    }
}
