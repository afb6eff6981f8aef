//! Remembers an answer before its end is told, so that whoever has the end may go on at once.

use super::super::front::Answered;
use super::super::front::Keep;
use crate::archive::Archive;
use crate::archive::Kind;
use crate::turn::Owner;
use crate::wire::openai::responses::answer::Writer;
use serde_json::Map;
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
    /// The fields of a response that name what it goes on with.
    pub(super) leans_on: Vec<(&'static str, Value)>,
}

impl Keeper {
    /// Remembers the answer once it is whole.
    pub(super) fn keep(self) -> Keep {
        Box::new(move |answered| Box::pin(async move { self.remember(answered).await }))
    }

    /// The response as it is told; where a host gave it, with what the host was not told that it goes on with.
    fn response(&self, answered: Answered) -> Value {
        match answered {
            Answered::Told(whole) => self.writer.response(&whole),
            Answered::Passed(mut response) => {
                for (name, said) in &self.leans_on {
                    response[*name] = said.clone();
                }
                response
            }
        }
    }

    /// What cannot be kept is not known later, and the call that goes on with it is told so.
    async fn remember(self, answered: Answered) {
        let id = match &answered {
            Answered::Told(_) => self.writer.id(),
            Answered::Passed(response) => text(&response["id"]),
        };
        let response = self.response(answered);
        if let Some(id) = &self.conversation {
            let new = [self.input.as_slice(), list(&response["output"])].concat();
            let add = move |record: &mut Value| {
                if let Some(items) = record["items"].as_array_mut() {
                    items.extend(new);
                }
            };
            let added = self
                .archive
                .change(Kind::Conversation, &self.owner, id, add)
                .await;
            if let Err(error) = added {
                tracing::warn!(%error, "a turn could not be added to its conversation");
            }
        }
        if self.is_stored {
            let mut items = self.before;
            items.extend(self.input);
            let record = Map::from_iter([
                ("response".to_owned(), response),
                ("items".to_owned(), items.into()),
            ]);
            let kept = self
                .archive
                .put(Kind::Response, &self.owner, &id, record.into());
            let kept = kept.await;
            if let Err(error) = kept {
                tracing::warn!(%error, "a response could not be kept");
            }
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
