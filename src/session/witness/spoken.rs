//! The model's own message, as the tap heard it so far. `[pure]`

use crate::session::block;
use crate::session::mcp::name;
use crate::turn::AnswerBlock;
use crate::turn::Block;
use crate::turn::BlockKind;
use crate::turn::Delta;
use crate::turn::End;
use crate::turn::Event;
use crate::turn::MessageId;
use crate::turn::StopReason;
use crate::turn::Usage;
use serde_json::Value;
use std::collections::BTreeSet;

/// A message while it is spoken.
#[derive(Debug)]
pub(crate) struct Spoken {
    pub(super) id: MessageId,
    pub(super) model: String,
    blocks: Vec<AnswerBlock>,
    /// All text so far, and how much of it was displayed already.
    text: String,
    displayed: usize,
    /// Another witness said otherwise.
    contradicted: bool,
    /// Something in it is not as the model wrote it.
    pub(super) replaced: bool,
    pub(super) end: Option<End>,
}

impl Spoken {
    pub(super) fn begun(id: MessageId, model: String) -> Spoken {
        Spoken {
            id,
            model,
            blocks: Vec::new(),
            text: String::new(),
            displayed: 0,
            contradicted: false,
            replaced: false,
            end: None,
        }
    }

    /// Takes the next event; gives it back as the caller sees it.
    pub(super) fn push(&mut self, event: Event) -> Event {
        match event {
            Event::BlockStart { index, kind } => {
                let kind = plain(kind);
                self.blocks.push(AnswerBlock::begun(kind.clone()));
                Event::BlockStart { index, kind }
            }
            Event::Delta { index, delta } => {
                self.extend(&delta);
                Event::Delta { index, delta }
            }
            other => other,
        }
    }

    /// Keeps what came, of whatever kind: where it does not fit its block, whoever puts the answer together says so.
    fn extend(&mut self, delta: &Delta) {
        let Some(block) = self.blocks.last_mut() else {
            return;
        };
        match delta {
            Delta::Text(more) => {
                block.text.push_str(more);
                self.text.push_str(more);
            }
            Delta::Thinking(more) | Delta::InputJson(more) => block.text.push_str(more),
            Delta::Signature(more) => block.signature.push_str(more),
            Delta::Foreign(piece) => block.foreign.push(piece.clone()),
        }
    }

    pub(super) fn finish(&mut self, stop: StopReason, details: Option<Value>, usage: Usage) {
        self.end = Some(End {
            stop,
            details,
            usage,
            id: Some(self.id.clone()),
            model: Some(self.model.clone()),
        });
    }

    /// More of the text was displayed: it must be what was spoken at this place.
    pub(super) fn handle_displayed(&mut self, text: &str) {
        let spoken = self.text.as_bytes().get(self.displayed..);
        self.displayed += text.len();
        self.contradicted |= !spoken.is_some_and(|spoken| spoken.starts_with(text.as_bytes()));
    }

    /// A message is recorded: it must be this one.
    pub(super) fn handle_recorded(&mut self, message: &str) {
        self.contradicted |= self.id.0 != message;
    }

    pub(super) fn is_contradicted(&self) -> bool {
        self.contradicted
    }

    /// Whether there is nothing in it but texts without a character.
    pub(super) fn is_empty(&self) -> bool {
        let is_empty = |block: &AnswerBlock| block.kind == BlockKind::Text && block.text.is_empty();
        self.blocks.iter().all(is_empty)
    }

    /// Whether who answers its calls decides how the turn goes on. Some upstreams say of a message with calls that the
    /// turn is over.
    pub(super) fn awaits_calls(&self, end: &End) -> bool {
        let goes_on = matches!(
            end.stop,
            StopReason::ToolUse | StopReason::EndTurn | StopReason::Other(_)
        );
        end.stop == StopReason::ToolUse || (goes_on && !self.calls().is_empty())
    }

    /// Whether there is nothing in it that a person could see, after which the CLI asks the model again by itself.
    fn is_blank(&self) -> bool {
        self.text.trim().is_empty() && self.calls().is_empty()
    }

    /// Whether the CLI comes to rest by itself after it.
    pub(super) fn rests(&self) -> bool {
        let rests = self.end.as_ref().is_some_and(|end| {
            matches!(
                end.stop,
                StopReason::EndTurn
                    | StopReason::StopSequence(_)
                    | StopReason::PauseTurn
                    | StopReason::Other(_)
            )
        });
        rests && !self.is_blank()
    }

    /// Whether there is text in it.
    pub(super) fn says(&self) -> bool {
        !self.text.is_empty()
    }

    /// Whether the model called a tool with what is no input.
    pub(super) fn has_broken_call(&self) -> bool {
        self.blocks.iter().any(AnswerBlock::is_broken_call)
    }

    /// The ids of the model's calls.
    pub(super) fn calls(&self) -> BTreeSet<&str> {
        self.blocks.iter().filter_map(AnswerBlock::call).collect()
    }

    /// The blocks, as the caller will send them back.
    pub(super) fn content(&self) -> Vec<Block> {
        self.blocks.iter().map(block::returned_block).collect()
    }

    /// The whole of it as events, each block in one delta.
    pub(super) fn events(&self) -> Vec<Event> {
        let blocks = self.blocks.iter().cloned().zip(0..);
        blocks
            .flat_map(|(block, index)| block.events(index))
            .collect()
    }
}

/// A tool call under the name that the caller gave the tool.
fn plain(kind: BlockKind) -> BlockKind {
    match kind {
        BlockKind::ToolUse { id, name } => BlockKind::ToolUse {
            id,
            name: name::plain(&name).to_owned(),
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn delta(index: usize, delta: Delta) -> Event {
        Event::Delta { index, delta }
    }

    fn spoken() -> Spoken {
        let mut spoken = Spoken::begun(MessageId("msg".into()), "m".into());
        let call = BlockKind::ToolUse {
            id: "t1".into(),
            name: "mcp__relay__f".into(),
        };
        for event in [
            Event::BlockStart {
                index: 0,
                kind: BlockKind::Text,
            },
            delta(0, Delta::Text("a\n".into())),
            delta(0, Delta::Text("b".into())),
            Event::BlockStop { index: 0 },
            Event::BlockStart {
                index: 1,
                kind: call,
            },
            delta(1, Delta::InputJson("{\"b\":1,".into())),
            delta(1, Delta::InputJson("\"a\":2}".into())),
            Event::BlockStop { index: 1 },
        ] {
            drop(spoken.push(event));
        }
        spoken
    }

    #[test]
    fn a_message_is_as_the_caller_sends_it_back() {
        let spoken = spoken();
        let call = json!({"type": "tool_use", "id": "t1", "name": "f", "input": {"b": 1, "a": 2}});
        assert_eq!(
            spoken.content(),
            [Block::Text("a\nb".into()), Block::of(call)]
        );
        assert_eq!(spoken.calls(), BTreeSet::from(["t1"]));
        assert_eq!(spoken.events().len(), 6);
    }

    #[test]
    fn a_display_must_be_what_was_spoken() {
        let contradicts = |pieces: &[&str]| {
            let mut spoken = spoken();
            pieces
                .iter()
                .for_each(|piece| spoken.handle_displayed(piece));
            spoken.is_contradicted()
        };
        assert!(!contradicts(&["a\n", "b"]));
        assert!(contradicts(&["a\n", "b", "c"]));
        assert!(contradicts(&["b"]));
    }
}
