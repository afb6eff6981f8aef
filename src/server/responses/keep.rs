//! Remembers an answer before its end is told, so that whoever has the end may go on at once.

use super::super::front::Answered;
use super::super::front::Keeping;
use super::super::front::Keeps;
use crate::archive::Archive;
use crate::archive::Kind;
use crate::archive::Place;
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
    /// `None`: not yet.
    pub(super) prepared: Option<Prepared>,
}

/// What of a record does not depend on the answer.
pub(super) struct Prepared {
    place: Place,
    /// What stands in it behind the response.
    items: String,
}

impl Keeps for Keeper {
    fn prepare(&mut self) {
        if self.is_stored && self.prepared.is_none() {
            self.prepared = Some(self.prepared());
            if self.conversation.is_none() {
                (self.before, self.input) = (Vec::new(), Vec::new()); // They are written.
            }
        }
    }

    fn keep(self: Box<Self>, answered: Answered) -> Keeping {
        Box::pin(self.remember(answered))
    }
}

/// What is remembered of an answer.
struct Remembered {
    /// `None`: that of the relay.
    id: Option<String>,
    /// The response in JSON.
    response: String,
    /// Its items; none where no conversation wants them.
    output: Vec<Value>,
}

impl Keeper {
    /// What is remembered of an answer; where a host gave it, with what the host was not told that it goes on with.
    fn remembered(&self, answered: Answered) -> Remembered {
        match answered {
            Answered::Told(response) => Remembered {
                id: None,
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
                    id: Some(text(&response["id"])),
                    output: list(&response["output"]).to_vec(),
                    response: response.to_string(),
                }
            }
        }
    }

    /// The place of the response as its caller is told of it, and what is kept behind it: the items before its call and
    /// those of it.
    fn prepared(&self) -> Prepared {
        let mut json = String::with_capacity(ITEMS_BYTES_EXPECTED);
        json.push_str(r#","items":["#);
        for item in &self.before {
            let _ = write!(json, "{item},"); // A text takes whatever is written.
        }
        write_with_ids(&self.input, &self.stem, &mut json);
        if self.input.is_empty() && !self.before.is_empty() {
            json.pop(); // The comma behind the last one.
        }
        json.push_str("]}");
        Prepared {
            place: self.place(&id_of(&self.stem)),
            items: json,
        }
    }

    fn place(&self, id: &str) -> Place {
        Place::of(Kind::Response, &self.owner, id)
    }

    /// What cannot be kept is not known later, and the call that goes on with it is told so.
    async fn remember(mut self: Box<Self>, answered: Answered) {
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
            let prepared = self.prepared.take();
            let Prepared { place, items } = prepared.unwrap_or_else(|| self.prepared());
            let place = id.map_or(place, |id| self.place(&id));
            let record = [r#"{"response":"#, &response, &items];
            let kept = self.archive.put_at(place, &record).await;
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn what_is_kept_is_the_same_whether_it_was_prepared_or_not() {
        for conversation in [None, Some("conv_1".to_owned())] {
            let mut kept = Vec::new();
            for times in 0..3 {
                let (archive, owner) = (Archive::in_memory(), Owner("o".into()));
                let mut keeper = Box::new(Keeper {
                    archive: archive.clone(),
                    owner: owner.clone(),
                    before: vec![json!({"id": "i"})],
                    input: vec![json!({"role": "user", "content": "a"})],
                    stem: "s".to_owned(),
                    conversation: conversation.clone(),
                    is_stored: true,
                    leans_on: Vec::new(),
                    prepared: None,
                });
                (0..times).for_each(|_| keeper.prepare());
                let response = json!({"id": "resp_s", "output": [{"id": "o"}]}).to_string();
                keeper.keep(Answered::Told(response)).await;
                kept.push(archive.get(Kind::Response, &owner, "resp_s").await);
            }
            let items = kept[0].as_ref().map(|record| record["items"].clone());
            assert_eq!(
                items.map(|items| items[1]["id"].clone()),
                Some(json!("msg_si000"))
            );
            assert_eq!((&kept[1], &kept[2]), (&kept[0], &kept[0]));
        }
    }
}
