//! What a lane says while it answers, in order.

use super::End;
use super::Labels;
use super::MessageId;
use super::Usage;
use serde_json::Value;

/// One step of an answer. Nearly all are deltas, which move through many hands, so that what is large beside them is boxed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    Start(Box<Start>),
    BlockStart { index: usize, kind: BlockKind },
    Delta { index: usize, delta: Delta },
    BlockStop { index: usize },
    End(Box<End>),
}

/// The head of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Start {
    /// The id the stream goes by. Where the upstream's own id is known only at the end, [`End`] has it.
    pub(crate) id: MessageId,
    pub(crate) model: String,
    /// What is known of the usage when the answer begins: an estimate, unless the lane says better.
    pub(crate) usage: Usage,
    pub(crate) labels: Labels,
}

/// What kind of block begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum BlockKind {
    Text,
    Thinking,
    RedactedThinking {
        data: String,
    },
    ToolUse {
        id: String,
        name: String,
    },
    /// A block that only the upstream's dialect knows, as its JSON object; it may come with its content already.
    Foreign(Value),
}

/// More of the block that is open.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Delta {
    Text(String),
    Thinking(String),
    Signature(String),
    /// A piece of a tool call's input, as JSON text.
    InputJson(String),
    /// A piece that only the upstream's dialect knows, as its JSON object: a citation, or what is new.
    Foreign(Value),
}

impl Delta {
    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Delta::Text(more)
            | Delta::Thinking(more)
            | Delta::Signature(more)
            | Delta::InputJson(more) => more.is_empty(),
            Delta::Foreign(_) => false,
        }
    }
}
