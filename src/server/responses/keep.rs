//! Remembers an answer before its end is told, so that whoever has the end may go on at once.

use super::super::front::Answered;
use super::super::front::Keep;
use crate::archive::Archive;
use crate::archive::Kind;
use crate::turn::Owner;
use crate::wire::openai::responses::answer::Writer;
use serde_json::Value;

/// What of a call is remembered, and where.
pub(super) struct Keeper {
    pub(super) archive: Archive,
    pub(super) owner: Owner,
    pub(super) writer: Writer,
    /// Items that were known before.
    pub(super) before: Vec<Value>,
    /// Items that are new with the call.
    pub(super) input: Vec<Value>,
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
            Answered::Told(whole, told) => Remembered {
                id: self.writer.id(),
                response: told.unwrap_or_else(|| self.writer.response(&whole)),
                output: match self.conversation {
                    Some(_) => self.writer.output(&whole),
                    None => Vec::new(),
                },
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

    /// What cannot be kept is not known later, and the call that goes on with it is told so.
    async fn remember(self, answered: Answered) {
        let Remembered {
            id,
            response,
            output,
        } = self.remembered(answered);
        if let Some(conversation) = &self.conversation {
            let new = [self.input.clone(), output].concat();
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
            let items = items(&self.before, &self.input);
            let record = format!(r#"{{"response":{response},"items":{items}}}"#);
            let kept = self.archive.put(Kind::Response, &self.owner, &id, record);
            let kept = kept.await;
            if let Err(error) = kept {
                tracing::warn!(%error, "a response could not be kept");
            }
        }
    }
}

/// The items before a call and those of it, in JSON.
fn items(before: &[Value], input: &[Value]) -> String {
    let all: Vec<&Value> = before.iter().chain(input).collect();
    serde_json::to_string(&all).expect("trees must have a form in JSON")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
