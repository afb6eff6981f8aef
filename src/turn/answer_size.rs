//! How much of an answer is held, and how much may be.

use super::AnswerBlock;
use super::BlockKind;
use super::Delta;
use super::Event;

/// What one answer takes that is held as a whole.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AnswerSize {
    bytes: usize,
}

impl AnswerSize {
    /// Counts the next event; whether the answer may be held with it, which is so up to [`ANSWER_BYTES_MAX`].
    pub(crate) fn has_room_for(&mut self, event: &Event) -> bool {
        self.bytes += bytes(event);
        self.bytes <= ANSWER_BYTES_MAX
    }
}

/// What an event adds to what is held of an answer; the frame of a block counts too.
fn bytes(event: &Event) -> usize {
    match event {
        Event::Start(_) | Event::BlockStop { .. } | Event::End(_) => 0,
        Event::BlockStart { kind, .. } => {
            size_of::<AnswerBlock>()
                + match kind {
                    BlockKind::Text | BlockKind::Thinking => 0,
                    BlockKind::RedactedThinking { data } => data.len(),
                    BlockKind::ToolUse { id, name } => id.len() + name.len(),
                    BlockKind::Foreign(block) => block.to_string().len(),
                }
        }
        Event::Delta { delta, .. } => match delta {
            Delta::Text(more)
            | Delta::Thinking(more)
            | Delta::Signature(more)
            | Delta::InputJson(more) => more.len(),
            Delta::Foreign(piece) => piece.to_string().len(),
        },
    }
}

/// Bytes of an answer that is held as a whole: eight times the longest of today, which has 128,000 tokens. A stream of
/// which nothing is held has no such bound.
pub(crate) const ANSWER_BYTES_MAX: usize = 8 << 20;
