//! Who changed what: told to the log, and kept in the store.

use crate::store::AuditEntry;
use crate::store::Store;
use serde_json::Value;

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

/// The log of changes.
pub(super) struct Audit(Store);

impl Audit {
    pub(super) fn of(store: Store) -> Audit {
        Audit(store)
    }

    /// Keeps a change, and waits until it is written, for two seconds at the most: whoever changes something is no
    /// call. It blocks.
    pub(super) fn tell(&self, change: Change) {
        self.tell_all([change]);
    }

    /// Keeps changes that were made together, with one wait for all.
    pub(super) fn tell_all(&self, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            let Change {
                actor,
                action,
                kind,
                name,
                ..
            } = &change;
            tracing::info!(actor, action, kind, name, "control: changed");
            self.0.append_audit(entry(change));
        }
        if !tokio::task::block_in_place(|| self.0.flush()) {
            tracing::warn!(
                "the audit log is behind: what was changed is in force and stands above; it is written when the store \
                 can be written again, and a line of its own says so where it never will be"
            );
        }
    }
}

fn entry(change: Change) -> AuditEntry {
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        value => value.to_string(),
    };
    AuditEntry {
        action: change.action.to_owned(),
        before: text(&change.before),
        after: text(&change.after),
        actor: change.actor,
        kind: change.kind,
        name: change.name,
        ..AuditEntry::default()
    }
}
