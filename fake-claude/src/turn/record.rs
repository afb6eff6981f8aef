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
            let mut message = reply.record(&block, is_new);
            if self.world.dialect.is_sparse {
                message["usage"] = reply.usage.clone();
            }
            if let (true, Some(fields)) = (self.world.dialect.is_terse, message.as_object_mut()) {
                fields.shift_remove("stop_details");
            }
            let record = journal.assistant(&message, self.reply_fields(reply, at));
            if let (true, Some(name)) = (is_new, block["name"].as_str()) {
                used.push(name.to_owned());
            }
            sources.push((block["id"].clone(), record));
        }
        drop(journal);
        self.note_used(&used, &reply.usage);
        if !reply.blocks.is_empty() {
            self.world
                .talk()
                .add(Role::Assistant, Value::Array(reply.blocks.clone()));
        }
        self.world.print(|| News::Replied(reply.usage.clone()));
        self.world.tell(News::Written);
        sources
    }

    fn notes_itself(&self) -> bool {
        self.world.dialect.is_new() && self.world.upstream.is_some()
    }

    /// What the newer family notes behind an answer: the tools it uses for the first time, and what it cost.
    fn note_used(&self, used: &[String], usage: &Value) {
        if self.notes_itself() {
            let mut talk = self.world.talk();
            talk.ledger.used(used, &mut self.world.journal());
            talk.ledger.spend(usage);
        }
    }

    /// The newer family's note about what the model was given, made before anything follows the answer.
    pub(super) fn note_prompt(&self) {
        if !self.notes_itself() {
            return;
        }
        let mut talk = self.world.talk();
        let tools = Value::Array(talk.tools.clone());
        let mut journal = self.world.journal();
        talk.ledger
            .snapshot(&self.world.shape.system, &tools, &mut journal);
    }

    fn reply_fields(&self, reply: &Reply, at: usize) -> Value {
        let mut more = json!({});
        if !reply.request_id.is_empty() {
            more["requestId"] = json!(reply.request_id);
        }
        let used = lock(&self.used)
            .clone()
            .filter(|_| !self.world.dialect.is_terse);
        if let Some((server, tool)) = used.as_deref().and_then(place) {
            more["attributionMcpServer"] = json!(server);
            more["attributionMcpTool"] = json!(tool);
        }
        if self.world.dialect.is_new() {
            match reply
                .blocks
                .get(at)
                .and_then(|block| block["type"].as_str())
            {
                Some("tool_use") => more["toolInputStreamMs"] = json!(1),
                Some("thinking") => {
                    more["thinkingDurationMs"] = json!(1);
                    more["thinkingDisplay"] = json!("updates");
                }
                _ => {}
            }
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
            let mut message = partial.record(block, true);
            // Of an answer that was not heard to its end the counts are known that came first.
            message["usage"] = partial.usage.clone();
            journal.assistant(&message, more);
            return;
        }
        let message = self.synthetic(&json!([block]), "stop_sequence");
        journal.assistant(&message, json!({ "isApiErrorMessage": false }));
    }
}

impl Turn {
    /// A message that no model made, as this version tells it.
    pub(super) fn synthetic(&self, content: &Value, stop_reason: &str) -> Value {
        let mut message = synthetic(content, stop_reason, self.world.dialect.is_new());
        if let (true, Some(fields)) = (self.world.dialect.is_terse, message.as_object_mut()) {
            fields.shift_remove("stop_details");
        }
        message
    }
}

/// The block as the transcript tells it, which a lying script may have changed.
pub(crate) fn told(block: &Value, reply: &Reply) -> Value {
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
        "stop_reason": stop_reason, "stop_sequence": "", "type": "message", "usage": synthetic_usage(is_new),
        "content": content, "context_management": null,
    });
    match is_new {
        true => with(json!({ "diagnostics": null }), message),
        false => message,
    }
}

fn synthetic_usage(is_new: bool) -> Value {
    let counts = json!({
        "input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
        "server_tool_use": { "web_search_requests": 0, "web_fetch_requests": 0 }, "service_tier": null,
        "cache_creation": { "ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 0 },
        "inference_geo": null, "iterations": null, "speed": null,
    });
    match is_new {
        true => with(
            with(json!({ "output_tokens_details": null }), counts),
            json!({ "fallback_credit": null }),
        ),
        false => counts,
    }
}

/// Server and tool out of a name such as `mcp__relay__weather`.
fn place(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("mcp__")?.split_once("__")
}
