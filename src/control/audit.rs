//! Who changed what: told to the log, and the last of it kept.

use crate::clock;
use serde_json::Value;
use serde_json::json;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

/// One change. It holds no secret: whoever makes it leaves them out.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) actor: String,
    /// `create`, `update`, `delete`, `reset`, `login`, …
    pub(super) action: &'static str,
    /// `host`, `relay-key`, `breaker`, …
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) before: Value,
    pub(super) after: Value,
}

/// The log of changes; clones are one and the same.
#[derive(Clone, Default)]
pub(super) struct Audit(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    entries: VecDeque<Value>,
    count: u64,
}

impl Audit {
    pub(super) fn tell(&self, change: Change) {
        let Change {
            actor,
            action,
            kind,
            name,
            before,
            after,
        } = change;
        tracing::info!(actor, action, kind, name, "control: changed");
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.count += 1;
        let entry = json!({
            "id": format!("aud_{}", kept.count),
            "at_ms": clock::unix_ms(),
            "actor": actor,
            "action": action,
            "kind": kind,
            "name": name,
            "before": before,
            "after": after,
        });
        kept.entries.push_front(entry);
        kept.entries.truncate(ENTRIES_MAX);
    }

    /// The newest first.
    pub(super) fn entries(&self) -> Vec<Value> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entries.iter().cloned().collect()
    }
}

/// Entries that are kept in memory: what a person looks back over.
const ENTRIES_MAX: usize = 1000;
