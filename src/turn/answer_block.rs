//! One block of an answer, put together from its pieces.

use super::BlockKind;
use super::Delta;
use super::Event;
use super::json;
use serde_json::Value;

/// One block, as far as it is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AnswerBlock {
    pub(crate) kind: BlockKind,
    /// The text, the thinking, or the tool input's JSON.
    pub(crate) text: String,
    pub(crate) signature: String,
    /// Pieces that only the upstream's dialect knows, in their order.
    pub(crate) foreign: Vec<Value>,
}

impl AnswerBlock {
    /// Whether it is a call whose input is no JSON, as a model may write one.
    pub(crate) fn is_broken_call(&self) -> bool {
        let is_json = || json::is_json(&self.text);
        // A call without an input comes without a piece of one.
        matches!(self.kind, BlockKind::ToolUse { .. }) && !self.text.is_empty() && !is_json()
    }

    /// A block of which nothing has come yet.
    pub(crate) fn begun(kind: BlockKind) -> AnswerBlock {
        AnswerBlock {
            kind,
            text: String::new(),
            signature: String::new(),
            foreign: Vec::new(),
        }
    }

    /// Takes more of the block in.
    ///
    /// # Errors
    /// Where it is of another kind than the block.
    pub(crate) fn extend(&mut self, delta: &Delta) -> Result<(), &'static str> {
        match (&self.kind, delta) {
            (BlockKind::Text, Delta::Text(more))
            | (BlockKind::Thinking, Delta::Thinking(more))
            | (BlockKind::ToolUse { .. }, Delta::InputJson(more)) => self.text.push_str(more),
            (BlockKind::Thinking, Delta::Signature(more)) => self.signature.push_str(more),
            (_, Delta::Foreign(piece)) => self.foreign.push(piece.clone()),
            _ => return Err("a delta of another kind than its block"),
        }
        Ok(())
    }

    /// The id of the call, where the block is one.
    pub(crate) fn call(&self) -> Option<&str> {
        match &self.kind {
            BlockKind::ToolUse { id, .. } => Some(id),
            BlockKind::Text
            | BlockKind::Thinking
            | BlockKind::RedactedThinking { .. }
            | BlockKind::Foreign(_) => None,
        }
    }

    /// All of it at once, as the block of this index.
    pub(crate) fn events(self, index: usize) -> Vec<Event> {
        let mut deltas = match &self.kind {
            BlockKind::Text => vec![Delta::Text(self.text)],
            BlockKind::Thinking => {
                vec![Delta::Thinking(self.text), Delta::Signature(self.signature)]
            }
            BlockKind::RedactedThinking { .. } | BlockKind::Foreign(_) => vec![],
            BlockKind::ToolUse { .. } => vec![Delta::InputJson(self.text)],
        };
        deltas.extend(self.foreign.into_iter().map(Delta::Foreign));
        let deltas = deltas
            .into_iter()
            .map(|delta| Event::Delta { index, delta });
        let kind = self.kind;
        let mut events = vec![Event::BlockStart { index, kind }];
        events.extend(deltas);
        events.push(Event::BlockStop { index });
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_told_at_once_is_built_again_as_it_was() {
        let thinking = AnswerBlock {
            kind: BlockKind::Thinking,
            text: "hm".into(),
            signature: "s".into(),
            foreign: vec![serde_json::json!({"type": "new_delta"})],
        };
        let mut built = AnswerBlock::begun(BlockKind::Thinking);
        for event in thinking.clone().events(3) {
            if let Event::Delta { delta, .. } = event {
                built
                    .extend(&delta)
                    .expect("each delta must be of its block");
            }
        }
        assert_eq!(built, thinking);
        assert!(built.extend(&Delta::Text("a".into())).is_err());
    }
}
