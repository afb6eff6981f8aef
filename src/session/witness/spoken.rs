//! The model's own message, as the tap heard it so far. `[pure]`

use crate::session::tool::name;
use crate::turn::Block;
use crate::turn::BlockKind;
use crate::turn::Built;
use crate::turn::Delta;
use crate::turn::End;
use crate::turn::Event;
use crate::turn::MessageId;
use crate::turn::StopReason;
use crate::turn::Usage;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeSet;

/// A message while it is spoken.
#[derive(Debug)]
pub(crate) struct Spoken {
    pub(super) id: MessageId,
    pub(super) model: String,
    blocks: Vec<Built>,
    /// All text so far, and how much of it was displayed already.
    text: String,
    displayed: usize,
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
            end: None,
        }
    }

    /// Takes the next event; gives it back as the caller sees it.
    pub(super) fn push(&mut self, event: Event) -> Event {
        match event {
            Event::BlockStart { index, kind } => {
                let kind = plain(kind);
                self.blocks.push(Built {
                    kind: kind.clone(),
                    text: String::new(),
                    signature: String::new(),
                });
                Event::BlockStart { index, kind }
            }
            Event::Delta { index, delta } => {
                self.extend(&delta);
                Event::Delta { index, delta }
            }
            other => other,
        }
    }

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
        }
    }

    pub(super) fn finish(&mut self, stop: StopReason, usage: Usage) {
        self.end = Some(End {
            stop,
            usage,
            id: Some(self.id.clone()),
            model: Some(self.model.clone()),
        });
    }

    /// More of the text was displayed; whether it is what was spoken at this place.
    pub(super) fn display(&mut self, text: &str) -> bool {
        let spoken = self.text.as_bytes().get(self.displayed..);
        self.displayed += text.len();
        spoken.is_some_and(|spoken| spoken.starts_with(text.as_bytes()))
    }

    /// Whether there is nothing in it that a caller could take for an answer.
    pub(super) fn is_empty(&self) -> bool {
        !self.says() && self.calls().is_empty()
    }

    /// Whether there is text in it.
    pub(super) fn says(&self) -> bool {
        !self.text.is_empty()
    }

    /// The ids of the model's calls.
    pub(super) fn calls(&self) -> BTreeSet<&str> {
        let ids = self.blocks.iter().filter_map(|block| match &block.kind {
            BlockKind::ToolUse { id, .. } => Some(id.as_str()),
            BlockKind::Text | BlockKind::Thinking | BlockKind::RedactedThinking { .. } => None,
        });
        ids.collect()
    }

    /// The blocks, as the caller will send them back.
    pub(super) fn blocks(&self) -> Vec<Block> {
        self.blocks.iter().map(block).collect()
    }

    /// The whole of it as events, each block in one delta.
    pub(super) fn events(&self) -> Vec<Event> {
        let blocks = self.blocks.iter().enumerate();
        blocks
            .flat_map(|(index, block)| events(index, block))
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

fn block(built: &Built) -> Block {
    Block::Native(match &built.kind {
        BlockKind::Text => return Block::Text(built.text.clone()),
        BlockKind::Thinking => {
            json!({"type": "thinking", "thinking": built.text, "signature": built.signature})
        }
        BlockKind::RedactedThinking { data } => json!({"type": "redacted_thinking", "data": data}),
        BlockKind::ToolUse { id, name } => {
            let input: Value = serde_json::from_str(&built.text).unwrap_or_else(|_| json!({}));
            json!({"type": "tool_use", "id": id, "name": name, "input": input})
        }
    })
}

fn events(index: usize, built: &Built) -> Vec<Event> {
    let text = built.text.clone();
    let deltas = match &built.kind {
        BlockKind::Text => vec![Delta::Text(text)],
        BlockKind::Thinking => vec![
            Delta::Thinking(text),
            Delta::Signature(built.signature.clone()),
        ],
        BlockKind::RedactedThinking { .. } => vec![],
        BlockKind::ToolUse { .. } => vec![Delta::InputJson(text)],
    };
    let kind = built.kind.clone();
    let mut events = vec![Event::BlockStart { index, kind }];
    let deltas = deltas.into_iter();
    events.extend(deltas.map(|delta| Event::Delta { index, delta }));
    events.push(Event::BlockStop { index });
    events
}

#[cfg(test)]
mod tests {
    use super::*;

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
            spoken.blocks(),
            [Block::Text("a\nb".into()), Block::Native(call)]
        );
        assert_eq!(spoken.calls(), BTreeSet::from(["t1"]));
        assert_eq!(spoken.events().len(), 6);
    }

    #[test]
    fn a_display_must_be_what_was_spoken() {
        let mut same = spoken();
        assert!(same.display("a\n") && same.display("b"));
        assert!(!same.display("c"));
        assert!(!spoken().display("b"));
    }
}
