//! Reads a transcript that is taken up: the conversation's messages in the order of their chain.

use std::collections::HashMap;
use std::collections::HashSet;
use std::path::Path;

use serde_json::Value;

use crate::conversation::Attached;
use crate::conversation::Entry;
use crate::conversation::Role;

/// What a transcript holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) entries: Vec<Entry>,
    /// The record the next one points at.
    pub(crate) last: Option<String>,
    /// The last record says that a request failed: the user's message before it is gone on with.
    pub(crate) is_open: bool,
    /// That failure is one that may pass, so that its turn may be gone on with.
    pub(crate) may_pass: bool,
    /// Before the first message stands one that says that a request failed.
    pub(crate) begins_in_failure: bool,
    /// What it says was told to the model beside the messages.
    pub(crate) told: Attached,
}

impl History {
    /// Reads a file; `None` where there is none.
    pub(crate) fn read(path: &Path) -> Option<History> {
        Some(History::parse(&std::fs::read_to_string(path).ok()?))
    }

    /// Records need not stand in order: each names the one before it.
    pub(crate) fn parse(text: &str) -> History {
        let records: Vec<Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let chain = chain(&records);
        let entries = chain.iter().filter_map(|record| entry(record)).collect();
        let mut told = Attached::default();
        let attached = chain
            .iter()
            .filter_map(|record| record["attachment"]["type"].as_str());
        attached.for_each(|kind| told.note(kind));
        let last = chain
            .last()
            .and_then(|record| record["uuid"].as_str())
            .map(str::to_owned);
        let failure = chain
            .last()
            .filter(|record| record["isApiErrorMessage"] == Value::Bool(true));
        History {
            entries,
            last,
            is_open: failure.is_some(),
            may_pass: failure.is_some_and(|record| record["apiError"] != "dlp_request_denied"),
            begins_in_failure: chain
                .iter()
                .find(|record| matches!(record["type"].as_str(), Some("user" | "assistant")))
                .is_some_and(|record| record["isApiErrorMessage"] == Value::Bool(true)),
            told,
        }
    }

    /// Whether the user's last message was never answered.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.entries
            .last()
            .is_some_and(|entry| entry.role == Role::User)
    }

    /// Whether that message brings only results of tools.
    pub(crate) fn ends_with_result(&self) -> bool {
        let last = self
            .entries
            .last()
            .and_then(|entry| entry.content.as_array());
        last.is_some_and(|blocks| blocks.iter().any(|block| block["type"] == "tool_result"))
    }
}

/// From the newest record that no other points at, back to the first.
fn chain(records: &[Value]) -> Vec<&Value> {
    let by_id: HashMap<&str, &Value> = records
        .iter()
        .filter_map(|record| Some((record["uuid"].as_str()?, record)))
        .collect();
    let parents: HashSet<&str> = records
        .iter()
        .filter_map(|record| record["parentUuid"].as_str())
        .collect();
    let leaves = records.iter().filter(|record| {
        record["uuid"]
            .as_str()
            .is_some_and(|uuid| !parents.contains(uuid))
    });
    let leaf = leaves.max_by_key(|record| record["timestamp"].as_str().unwrap_or_default());
    let mut chain = Vec::new();
    let mut next = leaf;
    while let Some(record) = next.filter(|_| chain.len() <= records.len()) {
        chain.push(record);
        next = record["parentUuid"]
            .as_str()
            .and_then(|uuid| by_id.get(uuid).copied());
    }
    chain.reverse();
    chain
}

fn entry(record: &Value) -> Option<Entry> {
    let role = match record["type"].as_str()? {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "attachment" => return shown(record),
        _ => return None,
    };
    if record["isApiErrorMessage"] == Value::Bool(true)
        || record["isSidechain"] == Value::Bool(true)
    {
        return None;
    }
    Some(Entry {
        role,
        content: record["message"]["content"].clone(),
    })
}

/// What the record of an attachment says was shown to the model; a blank is left away.
fn shown(record: &Value) -> Option<Entry> {
    let text = record["rendered"][0]["content"].as_str()?;
    let text = text
        .trim()
        .trim_start_matches("<system-reminder>\n")
        .trim_end_matches("\n</system-reminder>");
    (!text.is_empty()).then(|| Entry {
        role: Role::System,
        content: Value::String(text.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_decides_the_order_not_the_file() {
        let text = concat!(
            r#"{"type":"mode"}"#,
            "\n",
            r#"{"type":"assistant","uuid":"b","parentUuid":"a","timestamp":"2","message":{"content":[{"type":"text","text":"yes"}]}}"#,
            "\n",
            r#"{"type":"user","uuid":"a","parentUuid":null,"timestamp":"1","message":{"content":"tab\there"}}"#,
            "\n",
        );
        let history = History::parse(text);
        assert_eq!(history.entries[0].content, "tab\there");
        assert_eq!(history.last.as_deref(), Some("b"));
        assert!(!history.is_interrupted());
    }
}
