//! The text of the model's message, as the CLI displayed it so far. `[pure]`
//!
//! Each piece is a hook of its own, so they come in any order; their indexes tell the right one.

use crate::turn::AnswerBlock;
use crate::turn::BlockKind;
use crate::turn::Delta;
use crate::turn::Event;
use crate::turn::json::Replaced;
use crate::turn::json::Seam;
use std::collections::BTreeMap;

/// The first message that is displayed in a turn: it is one block of text.
#[derive(Debug, Default)]
pub(super) struct Displayed {
    /// What the CLI calls the message that the conversation's turn before ended in: its display may still come.
    pub(super) past: Option<String>,
    /// What the CLI calls this one.
    message: Option<String>,
    /// Pieces that came before their turn.
    early: BTreeMap<u64, Piece>,
    next: u64,
    text: String,
    seam: Seam,
    extent: Extent,
}

/// A piece of the text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    pub(super) text: String,
    /// What of it is not as it was written.
    pub(super) replaced: Replaced,
    pub(super) last: bool,
}

/// How much of the message was displayed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Extent {
    #[default]
    Nothing,
    Part,
    /// Its last piece came; the block may still be open to the client.
    Whole,
}

impl Displayed {
    /// Takes a piece in; the events of what can be told by it. `None` where it is of the next message.
    pub(super) fn push(&mut self, message: &str, index: u64, piece: Piece) -> Option<Vec<Event>> {
        if self.past.as_deref() == Some(message) {
            return Some(Vec::new());
        }
        if self.message.get_or_insert_with(|| message.to_owned()) != message {
            return None;
        }
        self.early.insert(index, piece);
        let mut events = Vec::new();
        while let Some(piece) = self.early.remove(&self.next) {
            self.next += 1;
            events.extend(self.join(&piece));
        }
        Some(events)
    }

    fn join(&mut self, piece: &Piece) -> Vec<Event> {
        let mut text = self.seam.join(&piece.text, piece.replaced);
        if piece.last {
            text.extend(self.seam.close());
        }
        let events = self.extend(&text);
        if piece.last {
            self.extent = Extent::Whole;
        }
        events
    }

    /// Whether anything in it is not as it was written.
    pub(super) fn has_lost(&self) -> bool {
        self.seam.has_lost()
    }

    /// More of the text, whoever tells it; as events.
    pub(super) fn extend(&mut self, text: &str) -> Vec<Event> {
        let mut events = Vec::new();
        if self.extent == Extent::Nothing {
            self.extent = Extent::Part;
            let kind = BlockKind::Text;
            events.push(Event::BlockStart { index: 0, kind });
        }
        if !text.is_empty() {
            self.text.push_str(text);
            let delta = Delta::Text(text.to_owned());
            events.push(Event::Delta { index: 0, delta });
        }
        events
    }

    /// The whole block as events, to whoever was told none of it.
    pub(super) fn events(&self) -> Vec<Event> {
        let text = AnswerBlock {
            text: self.text.clone(),
            ..AnswerBlock::begun(BlockKind::Text)
        };
        text.events(0)
    }

    pub(super) fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn extent(&self) -> Extent {
        self.extent
    }

    pub(super) fn has_begun(&self) -> bool {
        self.extent != Extent::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(text: &str, last: bool) -> Piece {
        Piece {
            text: text.into(),
            replaced: Replaced::default(),
            last,
        }
    }

    #[test]
    fn pieces_are_told_in_their_order() {
        let mut displayed = Displayed::default();
        assert_eq!(displayed.push("d", 1, piece("two", true)), Some(vec![]));
        let events = displayed.push("d", 0, piece("one ", false));
        assert_eq!(events.map(|events| events.len()), Some(3));
        assert_eq!(displayed.text(), "one two");
        assert_eq!(displayed.extent(), Extent::Whole);
    }

    #[test]
    fn what_is_of_another_message_is_not_its_text() {
        let mut displayed = Displayed {
            past: Some("before".into()),
            ..Displayed::default()
        };
        assert_eq!(
            displayed.push("before", 0, piece("old", true)),
            Some(vec![])
        );
        assert!(displayed.push("d", 0, piece("a", false)).is_some());
        assert_eq!(displayed.push("after", 1, piece("new", true)), None);
        assert_eq!(displayed.text(), "a");
        assert_eq!(displayed.extent(), Extent::Part);
    }
}
