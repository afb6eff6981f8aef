//! Remembers an answer before its end is told, so that whoever has the end may go on at once.

use crate::archive::Archive;
use crate::archive::Kind;
use crate::lane::Events;
use crate::lane::Reply;
use crate::lane::Serving;
use crate::turn::AnswerBuilder;
use crate::turn::CompleteAnswer;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::Owner;
use crate::wire::openai::responses::answer::Writer;
use serde_json::Value;
use serde_json::json;
use tokio::sync::mpsc;

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

type EventSender = mpsc::Sender<Result<Event, Fault>>;

impl Keeper {
    /// Listens to the answer.
    pub(super) fn listen(self, serving: Serving) -> Serving {
        Box::pin(async move {
            match serving.await? {
                Reply::Events(events) => {
                    let (events_tx, told) = mpsc::channel(EVENTS_MAX);
                    tokio::spawn(self.pass_on(events, events_tx));
                    Ok(Reply::Events(Events::of(told)))
                }
                passed @ Reply::Passed(_) => Ok(passed),
            }
        })
    }

    async fn pass_on(self, mut answer: Events, events: EventSender) {
        let mut builder = AnswerBuilder::default();
        let mut is_sound = true;
        loop {
            let told = tokio::select! {
                biased;
                () = events.closed() => return,
                told = answer.next() => told,
            };
            // Whoever reads the events says that they ended without an end.
            let Some(told) = told else { return };
            if let Ok(event) = &told {
                is_sound &= builder.push(event.clone()).is_ok();
            }
            let is_over = matches!(told, Err(_) | Ok(Event::End(_)));
            if is_over
                && is_sound
                && let Some(whole) = std::mem::take(&mut builder).finish()
            {
                self.keep(&whole).await;
            }
            if events.send(told).await.is_err() || is_over {
                return;
            }
        }
    }

    /// What cannot be kept is not known later, and the call that goes on with it is told so.
    async fn keep(&self, whole: &CompleteAnswer) {
        let response = self.writer.response(whole);
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
            let items = [self.before.as_slice(), &self.input].concat();
            let record = json!({"response": response, "items": items});
            let kept = self
                .archive
                .put(Kind::Response, &self.owner, &self.writer.id(), record)
                .await;
            if let Err(error) = kept {
                tracing::warn!(%error, "a response could not be kept");
            }
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Events between the lane and the caller; a lane that is faster waits.
const EVENTS_MAX: usize = 64;
