//! What a caller asks for: a conversation whose last message is to be answered, and how.

use super::Block;
use super::Owner;
use super::Places;
use super::Tool;
use super::ToolChoice;
use serde_json::Map;
use serde_json::Value;

/// One call, free of its dialect.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    /// Whose call it is: callers take turns where calls have to wait.
    pub(crate) owner: Owner,
    /// The model's name as the caller wrote it.
    pub(crate) model: String,
    /// System texts in the caller's order; empty where there is none.
    pub(crate) system: Vec<String>,
    /// Invariant: not empty. The last one may be the assistant's, which a lane then continues or refuses.
    pub(crate) messages: Vec<Message>,
    /// Invariant: no two have one name.
    pub(crate) tools: Vec<Tool>,
    pub(crate) tool_choice: Option<ToolChoice>,
    pub(crate) sampling: Sampling,
    /// Betas of the API that the caller names, each once, sorted.
    pub(crate) betas: Vec<String>,
    /// Marks of the cache that the inner language has no place for, in the caller's order.
    pub(crate) marks: Vec<Mark>,
    /// Whether the caller reads along while the answer is written.
    pub(crate) reading: Reading,
    /// What the caller wrote and gets in another way, by path; it becomes a label.
    pub(crate) emulated: Vec<String>,
    /// What claude alone changes, by path, which a lane of claude names as well: blocks that it puts behind others, numbers that
    /// it rounds.
    pub(crate) changed_by_claude: Vec<String>,
    /// Parameters the caller set and no lane honours, by field name; they become a label.
    pub(crate) ignored: Vec<String>,
    /// Where the blocks of the messages stand in what the caller wrote.
    pub(crate) places: Places,
    /// Where the caller's last message stands, in the caller's own dialect.
    pub(crate) last_at: String,
}

/// A mark of the cache, as its caller wrote it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mark {
    pub(crate) on: Marked,
    pub(crate) mark: Value,
}

/// What a mark of the cache stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Marked {
    Text(String),
    /// The result of the call of this id.
    Result(String),
    /// The tool of this name.
    Tool(String),
}

/// One message of the conversation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    pub(crate) role: Role,
    /// Invariant: not empty.
    pub(crate) blocks: Vec<Block>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    User,
    Assistant,
}

/// When the caller reads the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Piece by piece, while it is written.
    Along,
    /// Whole, once it is there.
    #[default]
    Whole,
}

/// How the answer is to be drawn. All of it must be known when a session is launched.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Sampling {
    /// Tokens the answer may have; `None`: as many as the model can.
    pub(crate) max_tokens: Option<u64>,
    pub(crate) stop_sequences: Vec<String>,
    pub(crate) temperature: Option<f64>,
    pub(crate) top_p: Option<f64>,
    pub(crate) top_k: Option<u64>,
    /// The caller's wish for thinking, as its JSON object; `None`: none.
    pub(crate) thinking: Option<Value>,
    /// Fields for the model's API that go on as the caller wrote them: the form of the answer, its effort.
    pub(crate) verbatim: Map<String, Value>,
}

impl Sampling {
    /// Whether thinking may come before the answer.
    pub(crate) fn thinks(&self) -> bool {
        matches!(&self.thinking, Some(wish) if wish["type"] != "disabled")
    }
}

#[cfg(test)]
impl Request {
    /// A call with nothing set but its messages.
    pub(crate) fn plain(messages: Vec<Message>) -> Request {
        Request {
            owner: Owner::anonymous(),
            model: "m".into(),
            system: vec![],
            messages,
            tools: vec![],
            tool_choice: None,
            sampling: Sampling::default(),
            betas: vec![],
            marks: vec![],
            reading: Reading::Whole,
            emulated: vec![],
            changed_by_claude: vec![],
            ignored: vec![],
            places: Places::default(),
            last_at: String::new(),
        }
    }
}

impl Request {
    /// What reaches claude in another way than it was written, by path, as far as the request alone tells.
    pub(crate) fn emulated_by_claude(&self) -> Vec<String> {
        [&*self.emulated, &self.changed_by_claude].concat()
    }

    /// The messages before the one that is to be answered.
    pub(crate) fn history(&self) -> &[Message] {
        self.messages
            .split_last()
            .map_or(&[], |(_, history)| history)
    }

    /// The message that is to be answered.
    pub(crate) fn prompt(&self) -> Option<&Message> {
        self.messages.last()
    }
}

impl Message {
    /// The message's text where it is one text block and nothing else.
    pub(crate) fn sole_text(&self) -> Option<&str> {
        match self.blocks.as_slice() {
            [Block::Text(text)] => Some(text),
            _ => None,
        }
    }
}
