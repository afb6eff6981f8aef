//! Remembers an answer before its end is told, so that whoever has the end may go on at once.

use super::super::front::Keep;
use crate::archive::Archive;
use crate::archive::Kind;
use crate::turn::CompleteAnswer;
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
}

impl Keeper {
    /// Remembers the answer once it is whole.
    pub(super) fn keep(self) -> Keep {
        Box::new(move |whole| Box::pin(async move { self.remember(&whole).await }))
    }

    /// What cannot be kept is not known later, and the call that goes on with it is told so.
    async fn remember(self, whole: &CompleteAnswer) {
        if let Some(id) = &self.conversation {
            let new = [self.input.clone(), self.writer.output(whole)].concat();
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
            let (mut items, id) = (self.before, self.writer.id());
            items.extend(self.input);
            let (response, items) = (self.writer.response(whole), Value::from(items));
            let record = format!(r#"{{"response":{response},"items":{items}}}"#);
            let kept = self.archive.put(Kind::Response, &self.owner, &id, record);
            let kept = kept.await;
            if let Err(error) = kept {
                tracing::warn!(%error, "a response could not be kept");
            }
        }
    }
}
