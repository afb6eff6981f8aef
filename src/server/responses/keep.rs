//! Remembers an answer before its end is told, so that whoever has the end may go on at once.

use super::super::front::Answered;
use super::super::front::Keep;
use crate::archive::Archive;
use crate::archive::Kind;
use crate::turn::Owner;
use crate::wire::openai::conversation::with_ids;
use crate::wire::openai::conversation::write_with_ids;
use crate::wire::openai::responses::answer::id_of;
use serde_json::Value;
use std::fmt::Write;

/// What of a call is remembered, and where.
pub(super) struct Keeper {
    pub(super) archive: Archive,
    pub(super) owner: Owner,
    /// Items that were known before.
    pub(super) before: Vec<Value>,
    /// Items that are new with the call, and what the ids of those are made of that have none.
    pub(super) input: Vec<Value>,
    pub(super) stem: String,
    /// The conversation that the call belongs to.
    pub(super) conversation: Option<String>,
    pub(super) is_stored: bool,
    /// The fields of a response that say what a host was not told: what it goes on with, whether its caller waited.
    pub(super) leans_on: Vec<(&'static str, Value)>,
}

/// What is remembered of an answer.
struct Remembered {
    id: String,
    /// The response in JSON.
    response: String,
    /// Its items; none where no conversation wants them.
    output: Vec<Value>,
}

impl Keeper {
    /// Remembers the answer once it is whole.
    pub(super) fn keep(self) -> Keep {
        Box::new(move |answered| Box::pin(async move { self.remember(answered).await }))
    }

    /// What is remembered of an answer; where a host gave it, with what the host was not told that it goes on with.
    fn remembered(&self, answered: Answered) -> Remembered {
        match answered {
            Answered::Told(response) => Remembered {
                id: id_of(&self.stem),
                output: match self.conversation {
                    Some(_) => output(&response),
                    None => Vec::new(),
                },
                response,
            },
            Answered::Passed(mut response) => {
                for (name, said) in &self.leans_on {
                    response[*name] = said.clone();
                }
                Remembered {
                    id: text(&response["id"]),
                    output: list(&response["output"]).to_vec(),
                    response: response.to_string(),
                }
            }
        }
    }

    /// A response, which is JSON, with the items before its call and those of it.
    fn record(&self, response: &str) -> String {
        let mut json = String::with_capacity(response.len() + ITEMS_BYTES_EXPECTED);
        for piece in [r#"{"response":"#, response, r#","items":["#] {
            json.push_str(piece);
        }
        for item in &self.before {
            let _ = write!(json, "{item},"); // A text takes whatever is written.
        }
        write_with_ids(&self.input, &self.stem, &mut json);
        if self.input.is_empty() && !self.before.is_empty() {
            json.pop(); // The comma behind the last one.
        }
        json.push_str("]}");
        json
    }

    /// What cannot be kept is not known later, and the call that goes on with it is told so.
    async fn remember(self, answered: Answered) {
        let Remembered {
            id,
            response,
            output,
        } = self.remembered(answered);
        if let Some(conversation) = &self.conversation {
            let new = [with_ids(&self.input, &self.stem), output].concat();
            let add = move |record: &mut Value| {
                if let Some(items) = record["items"].as_array_mut() {
                    items.extend(new);
                }
            };
            let added = self
                .archive
                .change(Kind::Conversation, &self.owner, conversation, add)
                .await;
            if let Err(error) = added {
                tracing::warn!(%error, "a turn could not be added to its conversation");
            }
        }
        if self.is_stored {
            let record = self.record(&response);
            let kept = self.archive.put(Kind::Response, &self.owner, &id, record);
            let kept = kept.await;
            if let Err(error) = kept {
                tracing::warn!(%error, "a response could not be kept");
            }
        }
    }
}

/// The items of a response, which is JSON.
fn output(response: &str) -> Vec<Value> {
    let mut response: Value = serde_json::from_str(response).expect("what is told must be JSON");
    match response["output"].take() {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Bytes of a few items.
const ITEMS_BYTES_EXPECTED: usize = 1 << 10;
