//! What a simulated model says, before any API's words for it.

use serde_json::Value;
use serde_json::json;

/// One answer, whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The model that it names as its own.
    pub model: String,
    /// What the ids of it and of all in it are made of.
    pub stem: String,
    /// In their order.
    pub parts: Vec<Part>,
    pub stop: Stop,
    pub counts: Counts,
}

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    Think(String),
    /// A text, in the pieces in which a stream tells it.
    Say(Vec<String>),
    /// What the model would not say.
    Refuse(String),
    /// A call of a tool; the arguments are as the model wrote them.
    Call {
        /// `None`: the API counts its own.
        id: Option<String>,
        tool: String,
        arguments: String,
    },
}

/// Why it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    End,
    MaxTokens,
    Tools,
    Refusal,
    Filter,
}

/// Its tokens, disjoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Neither read from a cache nor written to one.
    pub input: u64,
    /// `None`: the host says nothing of a cache.
    pub cache_read: Option<u64>,
    pub cache_write: Option<u64>,
    pub output: u64,
    /// A part of the output.
    pub reasoning: u64,
}

impl Answer {
    /// A text in one piece.
    #[must_use]
    pub fn text(model: &str, text: &str, counts: Counts) -> Answer {
        Answer {
            model: model.to_owned(),
            stem: "1".to_owned(),
            parts: vec![Part::Say(vec![text.to_owned()])],
            stop: Stop::End,
            counts,
        }
    }
}

impl Counts {
    /// All that was read, cached or not.
    #[must_use]
    pub fn all_input(&self) -> u64 {
        self.input + self.cache_read.unwrap_or(0) + self.cache_write.unwrap_or(0)
    }
}

/// What a model wrote as arguments, as the object that an API tells.
pub(crate) fn object(arguments: &str) -> Value {
    serde_json::from_str(arguments).unwrap_or_else(|_| json!({}))
}
