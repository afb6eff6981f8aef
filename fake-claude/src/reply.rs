//! What comes back from a model, wherever it lives: the message, bit by bit, or a failure.

use serde_json::Value;
use serde_json::json;

use crate::bill;
use crate::http::Cancel;
use crate::script::Ask;
use crate::script::Crash;

/// A piece of the answer on its way, or something the script does to the process.
#[derive(Clone, Debug)]
pub(crate) enum Bit {
    Text(String),
    Thinking,
    /// A tool is called: the complete block.
    Tool(Value),
    /// An event of the API's stream, as it is or as it would be.
    Event(Value),
    /// A block is whole: the message so far with that block alone, and the request's id.
    Block(Value, String),
    Stunt(Stunt),
}

/// What no well-behaved CLI does.
#[derive(Clone, Debug)]
pub(crate) enum Stunt {
    Freeze,
    Paint(String),
    /// So many megabytes more, which are never given back.
    Grow(usize),
    /// A question; the flag is set when it was answered.
    Ask(Ask, Cancel),
    Exit(u8),
    Crash(Crash),
    Unexpected(String),
}

/// One message of the assistant.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) id: String,
    pub(crate) model: String,
    pub(crate) request_id: String,
    pub(crate) blocks: Vec<Value>,
    pub(crate) usage: Value,
    pub(crate) stop_reason: Option<String>,
    pub(crate) stop_sequence: Option<String>,
    /// What is told instead of what was said.
    pub(crate) lie: Option<String>,
}

/// Why there is no whole message.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    Api {
        status: u16,
        /// The API's name for it.
        kind: Option<String>,
        message: String,
        body: String,
        /// It came as an event of a stream that had a good status.
        is_event: bool,
    },
    Network(String),
    Interrupted(Box<Reply>),
    Login,
    Limit(String),
}

impl Reply {
    pub(crate) fn empty(model: &str) -> Reply {
        Reply {
            id: String::new(),
            model: model.to_owned(),
            request_id: String::new(),
            blocks: Vec::new(),
            usage: json!({}),
            stop_reason: None,
            stop_sequence: None,
            lie: None,
        }
    }

    /// The message as it is known while it comes, with one of its blocks.
    pub(crate) fn so_far(&self, block: &Value) -> Value {
        json!({
            "id": self.id, "type": "message", "role": "assistant", "model": self.model, "stop_sequence": null,
            "content": [block], "stop_reason": null, "usage": self.usage, "context_management": null,
        })
    }

    /// All text of the message.
    pub(crate) fn text(&self) -> String {
        self.blocks
            .iter()
            .filter_map(|block| block["text"].as_str())
            .collect()
    }

    /// The message's record for one of its blocks, with the fields in the real one's order.
    pub(crate) fn record(&self, block: &Value, is_new: bool) -> Value {
        let mut message = json!({
            "id": self.id, "type": "message", "role": "assistant", "model": self.model,
            "stop_sequence": null, "content": [block], "stop_reason": self.stop_reason,
            "usage": self.full_usage(is_new),
        });
        if self.stop_reason.is_some() {
            message["stop_details"] = Value::Null;
        }
        message
    }

    /// The usage as the transcript keeps it.
    fn full_usage(&self, is_new: bool) -> Value {
        let mut usage = bill::full_usage(&self.usage, is_new);
        if is_new {
            usage["fallback_credit"] = Value::Null;
        }
        usage
    }
}
