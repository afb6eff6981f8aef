//! The three APIs by their paths, and what they have in common.

use crate::answer::Answer;
use crate::chat;
use crate::messages;
use crate::responses;
use serde_json::Value;
use serde_json::json;

/// What a host speaks at one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    Messages,
    Chat,
    Responses,
}

impl Api {
    /// The API at a path; `None` where there is none.
    #[must_use]
    pub fn at(path: &str) -> Option<Api> {
        let path = path.split('?').next().unwrap_or_default();
        [Api::Messages, Api::Chat, Api::Responses]
            .into_iter()
            .find(|api| path.ends_with(api.path()))
    }

    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Api::Messages => "/v1/messages",
            Api::Chat => "/v1/chat/completions",
            Api::Responses => "/v1/responses",
        }
    }

    /// The answer as one JSON object.
    #[must_use]
    pub fn whole(self, answer: &Answer) -> Value {
        match self {
            Api::Messages => messages::whole(answer),
            Api::Chat => chat::whole(answer),
            Api::Responses => responses::whole(answer),
        }
    }

    /// The answer as the events of a stream, to its last mark. `counts`: whether Chat Completions tells the tokens.
    #[must_use]
    pub fn events(self, answer: &Answer, counts: bool) -> Vec<String> {
        match self {
            Api::Messages => messages::events(answer),
            Api::Chat => chat::events(answer, counts),
            Api::Responses => responses::events(answer),
        }
    }

    /// The body of a failure: its kind, its code where the API has one, and its words.
    #[must_use]
    pub fn failure(self, kind: &str, code: &str, message: &str) -> Value {
        match self {
            Api::Messages => {
                json!({"type": "error", "error": {"type": kind, "message": message}})
            }
            Api::Chat | Api::Responses => {
                let code = if code.is_empty() { kind } else { code };
                json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
            }
        }
    }

    /// A failure inside the stream of the answer with ids of this stem.
    #[must_use]
    pub fn failed(self, stem: &str, kind: &str, code: &str, message: &str) -> String {
        match self {
            Api::Messages => event(&self.failure(kind, code, message)),
            Api::Chat => format!("data: {}\n\n", self.failure(kind, code, message)),
            Api::Responses => responses::failed(stem, code, message),
        }
    }
}

/// An event of a stream, under the name that its own type is.
#[must_use]
pub fn event(data: &Value) -> String {
    format!(
        "event: {}\ndata: {data}\n\n",
        data["type"].as_str().unwrap_or("message")
    )
}
