//! What it takes to make one set of rows another one. `[pure]`

use super::document::Document;
use super::emit;
use super::problem::RowId;
use super::set::DocumentSet;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;

/// Whether rows that are not wanted go away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prune {
    Keep,
    Remove,
}

/// The changes, by row.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ChangeSet {
    pub(crate) changes: Vec<Change>,
    /// Rows that are as they are wanted.
    pub(crate) same: usize,
}

/// One row's change.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    pub(crate) row: RowId,
    pub(crate) what: Changed,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Changed {
    Added(Document),
    Edited {
        before: Box<Document>,
        after: Box<Document>,
        fields: Vec<FieldChange>,
    },
    Removed(Document),
}

/// One value's change; `None`: it is not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldChange {
    pub(crate) path: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

/// What has to change for the wanted rows to be in force.
pub(crate) fn diff(current: &DocumentSet, wanted: &DocumentSet, prune: Prune) -> ChangeSet {
    let mut set = ChangeSet::default();
    for document in wanted.iter() {
        let what = match current.find(&document.row()) {
            None => Changed::Added(document.clone()),
            Some(before) if before.says_the_same(document) => {
                set.same += 1;
                continue;
            }
            Some(before) => Changed::Edited {
                fields: fields(before, document),
                before: Box::new(before.clone()),
                after: Box::new(document.clone()),
            },
        };
        let row = document.row();
        set.changes.push(Change { row, what });
    }
    if prune == Prune::Remove {
        let surplus = current
            .iter()
            .filter(|row| wanted.find(&row.row()).is_none());
        set.changes.extend(surplus.map(|document| Change {
            row: document.row(),
            what: Changed::Removed(document.clone()),
        }));
    }
    set
}

/// The rows as they are once the changes are made.
pub(crate) fn apply(current: &DocumentSet, changes: &ChangeSet) -> DocumentSet {
    let mut set = current.clone();
    for change in &changes.changes {
        match &change.what {
            Changed::Added(document) => set.put(document.clone()),
            Changed::Edited { after, .. } => set.put((**after).clone()),
            Changed::Removed(_) => {
                set.remove(&change.row);
            }
        }
    }
    set
}

impl Change {
    /// As programs read it.
    pub(crate) fn json(&self) -> Value {
        let (what, fields) = match &self.what {
            Changed::Added(_) => ("added", &[][..]),
            Changed::Edited { fields, .. } => ("changed", fields.as_slice()),
            Changed::Removed(_) => ("removed", &[][..]),
        };
        let field = |field: &FieldChange| json!({ "path": field.path, "before": field.before, "after": field.after });
        let mut told = json!({
            "kind": self.row.kind.name(),
            "name": self.row.name,
            "change": what,
            "fields": fields.iter().map(field).collect::<Vec<_>>(),
        });
        if let Some(note) = self.note() {
            told["note"] = note.into();
        }
        told
    }

    /// What whoever makes this change should know of it.
    pub(crate) fn note(&self) -> Option<&'static str> {
        let Changed::Edited { fields, .. } = &self.what else {
            return None;
        };
        let mut fields = fields.iter();
        fields
            .any(|field| field.path.ends_with("budget.per"))
            .then_some(NEW_PERIOD)
    }
}

/// Money is counted by day or by month, and what was spent in the one is not known of the other.
const NEW_PERIOD: &str = "The budget's period is another one: what was spent so far stays with the old one, and the new one starts at nothing.";

impl ChangeSet {
    /// One row goes away.
    pub(crate) fn removal(row: Document) -> ChangeSet {
        let change = Change {
            row: row.row(),
            what: Changed::Removed(row),
        };
        ChangeSet {
            changes: vec![change],
            same: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

impl Change {
    /// `+`, `~` or `-`, as listings show it.
    pub(crate) fn sign(&self) -> char {
        match self.what {
            Changed::Added(_) => '+',
            Changed::Edited { .. } => '~',
            Changed::Removed(_) => '-',
        }
    }
}

fn fields(before: &Document, after: &Document) -> Vec<FieldChange> {
    let flat = |document: &Document| {
        emit::flat(&document.to_node())
            .into_iter()
            .collect::<BTreeMap<_, _>>()
    };
    let (before, after) = (flat(before), flat(after));
    let mut paths: Vec<_> = before.keys().chain(after.keys()).collect();
    paths.sort();
    paths.dedup();
    let change = |path: &String| FieldChange {
        path: path.clone(),
        before: shown(path, before.get(path)),
        after: shown(path, after.get(path)),
    };
    let changed = paths
        .into_iter()
        .filter(|path| before.get(*path) != after.get(*path));
    changed.map(change).collect()
}

/// A hash opens nothing, and still nobody needs to see it.
fn shown(path: &str, value: Option<&String>) -> Option<String> {
    match path {
        "spec.passwordHash" => value.map(|_| "(hidden)".to_owned()),
        _ => value.cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::problem::Location;
    use proptest::prelude::*;

    fn set(text: &str) -> DocumentSet {
        let set = DocumentSet::of_text(text, &Location::default());
        assert_eq!(set.problems(), [], "{text}");
        set
    }

    fn host(name: &str, port: u16) -> String {
        format!(
            "---\nkind: Host\nmetadata: {{ name: {name} }}\nspec: {{ url: \"http://10.0.0.1:{port}\", network: private }}\n"
        )
    }

    #[test]
    fn a_diff_names_each_row_and_each_field_that_changes() {
        let current = set(&(host("a", 1) + &host("b", 2) + &host("c", 3)));
        let wanted = set(&(host("a", 1) + &host("b", 9) + &host("d", 4)));
        let changes = diff(&current, &wanted, Prune::Remove);
        let signs: Vec<_> = changes
            .changes
            .iter()
            .map(|c| (c.sign(), c.row.name.as_str()))
            .collect();
        assert_eq!(signs, [('~', "b"), ('+', "d"), ('-', "c")]);
        assert_eq!(changes.same, 1);
        let Changed::Edited { fields, .. } = &changes.changes[0].what else {
            unreachable!("b was edited")
        };
        assert_eq!(fields.len(), 1);
        assert_eq!(fields[0].path, "spec.url");
        assert_eq!(fields[0].after.as_deref(), Some("\"http://10.0.0.1:9\""));
    }

    #[test]
    fn without_pruning_nothing_goes_away() {
        let current = set(&(host("a", 1) + &host("b", 2)));
        let changes = diff(&current, &set(&host("b", 2)), Prune::Keep);
        assert!(changes.is_empty());
        assert_eq!(apply(&current, &changes).len(), 2);
    }

    #[test]
    fn another_period_of_a_budget_is_told_to_start_at_nothing() {
        let policy = |budget: &str| {
            set(&format!(
                "kind: Policy\nmetadata: {{ name: a }}\nspec: {{ all: true, budget: {{ {budget} }} }}\n"
            ))
        };
        let note = |before: &str, after: &str| {
            let changes = diff(&policy(before), &policy(after), Prune::Keep);
            changes.changes[0].note()
        };
        let (day, month) = ("amount: 5, per: day", "amount: 5, per: month");
        assert_eq!(note(day, month), Some(NEW_PERIOD));
        assert_eq!(note(month, day), Some(NEW_PERIOD));
        assert_eq!(note(day, "amount: 6, per: day"), None);
    }

    #[test]
    fn a_password_hash_is_not_shown() {
        let user = |hash| {
            format!(
                "kind: User\nmetadata: {{ name: ada }}\nspec: {{ role: admin, passwordHash: \"$argon2id${hash}\" }}\n"
            )
        };
        let changes = diff(&set(&user("one")), &set(&user("two")), Prune::Keep);
        let text = format!("{changes:?}");
        assert!(
            text.contains("(hidden)") && !text.contains("$one"),
            "{text}"
        );
    }

    proptest! {
        #[test]
        fn applying_a_diff_gives_what_was_wanted_and_then_nothing_differs(
            current in proptest::collection::btree_map("[a-d]", 1..4u16, 0..4),
            wanted in proptest::collection::btree_map("[a-d]", 1..4u16, 0..4),
        ) {
            let of = |rows: &BTreeMap<String, u16>| set(&rows.iter().map(|(name, port)| host(name, *port)).collect::<String>());
            let (current, wanted) = (of(&current), of(&wanted));
            let after = apply(&current, &diff(&current, &wanted, Prune::Remove));
            prop_assert_eq!(after.export(), wanted.export());
            prop_assert!(diff(&after, &wanted, Prune::Remove).is_empty());
        }
    }
}
