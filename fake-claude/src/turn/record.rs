//! The model's message in the transcript, block by block.

use serde_json::Value;
use serde_json::json;

use crate::conversation::Role;
use crate::id;
use crate::reply::Reply;
use crate::transcript::with;
use crate::turn::course::Turn;
use crate::world::News;
use crate::world::lock;

impl Turn {
    /// One record a block, and the whole message into the conversation; the records of calls are named by call.
    pub(super) fn write_reply(&self, reply: &Reply) -> Vec<(Value, String)> {
        let (mut sources, mut used) = (Vec::new(), Vec::new());
        let mut journal = self.world.journal();
        let is_new = self.world.dialect.is_new();
        for (at, block) in reply.blocks.iter().enumerate() {
            let block = told(block, reply);
            let record =
                journal.assistant(&reply.record(&block, is_new), self.reply_fields(reply, at));
            if let (true, Some(name)) = (is_new, block["name"].as_str()) {
                used.push(name.to_owned());
            }
            sources.push((block["id"].clone(), record));
        }
        drop(journal);
        self.note_reply(&used);
        if !reply.blocks.is_empty() {
            self.world
                .talk()
                .add(Role::Assistant, Value::Array(reply.blocks.clone()));
        }
        self.world.print(|| News::Replied(reply.usage.clone()));
        self.world.tell(News::Written);
        sources
    }

    /// What the newer family notes behind an answer.
    fn note_reply(&self, used: &[String]) {
        if !self.world.dialect.is_new() || self.world.upstream.is_none() {
            return;
        }
        let mut talk = self.world.talk();
        let mut journal = self.world.journal();
        for tool in used {
            talk.ledger.used(tool, &mut journal);
        }
        let tools = Value::Array(talk.tools.clone());
        if used.is_empty() {
            talk.ledger
                .snapshot(&self.world.shape.system, &tools, &mut journal);
        }
    }

    fn reply_fields(&self, reply: &Reply, at: usize) -> Value {
        let mut more = json!({ "requestId": reply.request_id });
        if self.world.dialect.is_new() {
            let rest = json!({
                "apiBlockIndex": at, "requestRef": *lock(&self.request), "requestedModel": reply.model, "promptCacheRequested": "5m",
                "effort": self.world.shape.effort, "perTurnEffort": null, "madeBy": "model",
            });
            more = with(more, rest);
        }
        more
    }

    /// The older family makes a synthetic message of it, the newer one keeps the API's own.
    pub(super) fn write_partial(
        &self,
        journal: &mut crate::transcript::Journal,
        partial: &Reply,
        block: &Value,
        at: usize,
    ) {
        if self.world.dialect.is_new() {
            let more = with(
                self.reply_fields(partial, at),
                json!({ "isAbortedMidStream": true }),
            );
            journal.assistant(&partial.record(block, true), more);
            return;
        }
        let message = synthetic(&json!([block]), "stop_sequence", false);
        journal.assistant(&message, json!({ "isApiErrorMessage": false }));
    }
}

/// The block as the transcript tells it, which a lying script may have changed.
pub(super) fn told(block: &Value, reply: &Reply) -> Value {
    match (&reply.lie, block["type"].as_str()) {
        (Some(lie), Some("text")) => json!({ "type": "text", "text": lie }),
        _ => block.clone(),
    }
}

pub(super) fn is_said(block: &Value) -> bool {
    let text = block["text"].as_str().or(block["thinking"].as_str());
    text.is_some_and(|text| !text.is_empty())
}

/// A message that no model made.
pub(crate) fn synthetic(content: &Value, stop_reason: &str, is_new: bool) -> Value {
    let message = json!({
        "id": id::uuid(), "container": null, "model": "<synthetic>", "role": "assistant", "stop_details": null,
        "stop_reason": stop_reason, "stop_sequence": "", "type": "message", "usage": synthetic_usage(),
        "content": content, "context_management": null,
    });
    match is_new {
        true => with(json!({ "diagnostics": null }), message),
        false => message,
    }
}

fn synthetic_usage() -> Value {
    json!({
        "input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
        "server_tool_use": { "web_search_requests": 0, "web_fetch_requests": 0 }, "service_tier": null,
    })
}
