//! The newer family's notes about its own requests: shape, blobs, the request itself, tools used, prompt snapshots.

use std::collections::HashSet;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;

use serde_json::Value;
use serde_json::json;

use crate::bill::Bill;
use crate::clock;
use crate::id;
use crate::transcript::Journal;

/// What was noted already, so that it is noted once.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    noted: HashSet<String>,
    last_request: Option<String>,
    sent: usize,
    used: HashSet<String>,
    spent: Bill,
    tools: Option<Value>,
}

impl Ledger {
    /// A request is about to be sent; its name, which the answer's records carry.
    pub(crate) fn request(&mut self, body: &Value, version: &str, journal: &mut Journal) -> String {
        let system: Vec<Value> = body["system"].as_array().map_or_else(Vec::new, |blocks| {
            let text = |block: &Value| json!({ "type": "text", "text": block["text"] });
            blocks.iter().skip(1).map(text).collect()
        });
        let shape = json!({ "system": system, "tools": body["tools"] });
        let shape_hash = hash(&shape);
        let now = clock::iso(clock::unix_ms());
        if self.noted.insert(shape_hash.clone()) {
            journal.note(json!({
                "type": "api-request-shape", "shapeHash": shape_hash, "timestamp": now, "version": version, "shape": shape,
            }));
        }
        let messages: Vec<Value> = body["messages"]
            .as_array()
            .into_iter()
            .flatten()
            .map(bare)
            .collect();
        let hashes: Vec<String> = messages.iter().map(hash).collect();
        for (message, hash) in messages.iter().zip(&hashes) {
            if message["role"] == "system" && self.noted.insert(hash.clone()) {
                journal
                    .note(json!({ "type": "api-request-blob", "hash": hash, "message": message }));
            }
        }
        let request = id::uuid();
        let keep = self.sent.min(hashes.len());
        let mut note = json!({
            "type": "api-request", "id": request, "timestamp": now, "version": version,
            "querySource": "repl_main_thread", "shapeHash": shape_hash,
            "params": { "model": body["model"], "max_tokens": body["max_tokens"] },
        });
        if let Some(base) = self.last_request.replace(request.clone()) {
            note["base"] = json!(base);
        }
        note["keep"] = json!(keep);
        note["tail"] = json!(hashes[keep..]);
        note["requestDigest"] = json!(hash(body));
        journal.note(note);
        self.sent = hashes.len();
        request
    }

    /// Tools were called; the new ones among them are noted.
    pub(crate) fn used(&mut self, tools: &[String], journal: &mut Journal) {
        let new: Vec<&String> = tools
            .iter()
            .filter(|tool| self.used.insert((*tool).clone()))
            .collect();
        if !new.is_empty() {
            journal.note(json!({ "type": "tools-used", "tools": new }));
        }
    }

    /// An answer came.
    pub(crate) fn spend(&mut self, usage: &Value) {
        self.spent.add(usage);
    }

    /// What the answers cost is noted when the session ends, if there were any.
    pub(crate) fn close(&self, model: &str, ms: u64, journal: &mut Journal) {
        if self.spent != Bill::default() {
            journal.note(self.spent.note(model, ms));
        }
    }

    /// The prompt's fixed parts, noted behind an answer when they have changed.
    pub(crate) fn snapshot(&mut self, system: &str, tools: &Value, journal: &mut Journal) {
        if self.tools.as_ref() == Some(tools) {
            return;
        }
        self.tools = Some(tools.clone());
        journal.attachment(&json!({
            "type": "prompt_snapshot", "systemPrompt": [system], "tools": described(tools),
            "cliPrefix": "You are Claude Code, Anthropic's official CLI for Claude.", "reminderFold": false,
            "systemTurns": true, "keptReminders": false, "echoWireToolInputs": false, "contextRendering": "announced",
        }));
    }
}

/// A message as blocks, without the marks of the cache, which move from request to request.
fn bare(message: &Value) -> Value {
    let content = match &message["content"] {
        Value::String(text) => vec![json!({ "type": "text", "text": text })],
        other => other.as_array().cloned().unwrap_or_default(),
    };
    let without = |mut block: Value| {
        if let Some(fields) = block.as_object_mut() {
            fields.remove("cache_control");
        }
        block
    };
    let content: Vec<Value> = content.into_iter().map(without).collect();
    json!({ "role": message["role"], "content": content })
}

/// Each tool with its server, as the snapshot lists them.
fn described(tools: &Value) -> Value {
    let describe = |tool: &Value| {
        let name = tool["name"].as_str().unwrap_or_default();
        let server = name.split("__").nth(1).unwrap_or_default();
        json!({ "name": name, "description": tool["description"], "schema": tool, "server": server })
    };
    tools
        .as_array()
        .into_iter()
        .flatten()
        .map(describe)
        .collect()
}

/// Sixty-four digits that are the same for the same value.
fn hash(value: &Value) -> String {
    let text = value.to_string();
    let part = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, &text).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    };
    (0..4).map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_the_cache_make_no_other_message() {
        let marked = json!({ "role": "user", "content": [{ "type": "text", "text": "a", "cache_control": {} }] });
        assert_eq!(
            bare(&marked),
            bare(&json!({ "role": "user", "content": "a" }))
        );
    }

    #[test]
    fn the_same_value_has_the_same_name() {
        assert_eq!(hash(&json!({ "a": 1 })), hash(&json!({ "a": 1 })));
        assert_ne!(hash(&json!(1)), hash(&json!(2)));
        assert_eq!(hash(&json!(1)).len(), 64);
    }
}
