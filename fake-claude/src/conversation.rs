//! What has been said in a session, and how it is told upstream.

use serde_json::Value;
use serde_json::json;

use crate::ledger::Ledger;

/// One message of the conversation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) role: Role,
    /// A string or an array of blocks, as the API takes it.
    pub(crate) content: Value,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    User,
    Assistant,
    /// Notes of the CLI itself, of the newer family.
    System,
}

/// What the newer family tells the model by itself, and tells once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attached {
    pub(crate) environment: bool,
    pub(crate) model: bool,
    pub(crate) date: bool,
}

impl Attached {
    /// How many of them were.
    pub(crate) fn count(self) -> usize {
        [self.environment, self.model, self.date]
            .into_iter()
            .filter(|told| *told)
            .count()
    }

    /// A record of the transcript says that this was attached.
    pub(crate) fn note(&mut self, kind: &str) {
        match kind {
            "environment" => self.environment = true,
            "model" => self.model = true,
            "date" => self.date = true,
            _ => {}
        }
    }
}

/// The messages so far, and which notes of the newer family were already made.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    pub(crate) entries: Vec<Entry>,
    pub(crate) told: Attached,
    /// Whether it was taken up from a transcript, so that prompts have no number.
    pub(crate) resumed: bool,
    /// How many prompts of a human there were.
    pub(crate) prompts: usize,
    /// The tools that the newer family has told of, as it told them.
    pub(crate) tools: Vec<Value>,
    /// Its notes about the requests.
    pub(crate) ledger: Ledger,
}

impl Conversation {
    pub(crate) fn add(&mut self, role: Role, content: Value) {
        self.entries.push(Entry { role, content });
    }

    /// The `messages` of a request; `reminder` is put before the first text of the user, as the older family does.
    pub(crate) fn messages(&self, reminder: Option<&str>) -> Value {
        let mut merged: Vec<Entry> = Vec::new();
        if let Some(reminder) = reminder {
            merged.push(Entry {
                role: Role::User,
                content: json!([{ "type": "text", "text": reminder }]),
            });
        }
        let spoken: Vec<Entry> = self.entries.iter().filter_map(spoken).collect();
        for (at, entry) in spoken.iter().enumerate() {
            let closes =
                entry.role == Role::User && at > 0 && spoken[at - 1].role != Role::Assistant;
            match partner(&mut merged, entry.role) {
                Some(before) => before.content = joined(&before.content, &entry.content, closes),
                None => merged.push(entry.clone()),
            }
        }
        if let Some(last) = merged.last_mut() {
            mark_cached(&mut last.content);
        }
        merged
            .iter()
            .map(|entry| json!({ "role": name(entry.role), "content": entry.content }))
            .collect()
    }

    /// What a script answers to: the results of the tools just called, or the user's last text.
    pub(crate) fn last_said(&self) -> String {
        let results: Vec<String> = self
            .entries
            .iter()
            .rev()
            .map_while(|entry| results_of(&entry.content))
            .collect();
        match results.is_empty() {
            true => self.last_user_text(),
            false => results.into_iter().rev().collect::<Vec<_>>().join(", "),
        }
    }

    /// All texts of the conversation but the last message's.
    pub(crate) fn everything(&self) -> String {
        let before = self
            .entries
            .split_last()
            .map_or(&[][..], |(_, before)| before);
        let texts: Vec<String> = before.iter().map(|entry| text_of(&entry.content)).collect();
        texts.join("\n")
    }

    /// The text of the last user message.
    pub(crate) fn last_user_text(&self) -> String {
        let last = self
            .entries
            .iter()
            .rev()
            .find(|entry| entry.role == Role::User);
        last.map(|entry| text_of(&entry.content))
            .unwrap_or_default()
    }
}

/// The text of the results in a message's content; `None` where it brings no result.
fn results_of(content: &Value) -> Option<String> {
    let results = content.as_array()?.iter();
    let texts: Vec<String> = results
        .filter(|block| block["type"] == "tool_result")
        .map(|block| text_of(&block["content"]))
        .collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

/// An entry without its blank texts; `None` where nothing else is in it.
fn spoken(entry: &Entry) -> Option<Entry> {
    let is_blank = |block: &Value| {
        let text = block["text"].as_str();
        block["type"] == "text" && text.is_some_and(|text| text.trim().is_empty())
    };
    let mut entry = entry.clone();
    if let Value::Array(blocks) = &mut entry.content {
        blocks.retain(|block| !is_blank(block));
        if blocks.is_empty() {
            return None;
        }
    }
    Some(entry)
}

/// The message that one of this speaker goes into; a user's goes in front of the notes on what they said before.
fn partner(merged: &mut [Entry], role: Role) -> Option<&mut Entry> {
    let last = merged.len().checked_sub(1)?;
    let behind_notes = role == Role::User && merged[last].role == Role::System && last > 0;
    let at = if behind_notes { last - 1 } else { last };
    merged.get_mut(at).filter(|entry| entry.role == role)
}

/// The text of a message's content.
pub(crate) fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks
            .iter()
            .filter_map(|block| block["text"].as_str())
            .collect::<Vec<_>>()
            .join("\n"),
        _ => String::new(),
    }
}

fn name(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::System => "system",
    }
}

/// Two messages of one speaker as one; where both were messages of their own, the first text gets a newline.
fn joined(before: &Value, after: &Value, closes: bool) -> Value {
    let mut blocks = blocks(before);
    if let (true, Some(text)) = (
        closes,
        blocks.last_mut().filter(|block| block["type"] == "text"),
    ) {
        text["text"] = json!(format!("{}\n", text["text"].as_str().unwrap_or_default()));
    }
    blocks.extend(self::blocks(after));
    Value::Array(blocks)
}

fn blocks(content: &Value) -> Vec<Value> {
    match content {
        Value::Array(blocks) => blocks.clone(),
        Value::String(text) => vec![json!({ "type": "text", "text": text })],
        _ => Vec::new(),
    }
}

fn mark_cached(content: &mut Value) {
    let mut blocks = blocks(content);
    if let Some(last) = blocks
        .last_mut()
        .filter(|block| block["type"] != "thinking")
    {
        last["cache_control"] = json!({ "type": "ephemeral" });
        *content = Value::Array(blocks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_message_carries_the_cache_mark_and_the_others_stay_as_they_were() {
        let mut talk = Conversation::default();
        talk.add(Role::User, json!("one"));
        talk.add(Role::Assistant, json!([{ "type": "text", "text": "two" }]));
        talk.add(Role::User, json!("three"));
        let messages = talk.messages(None);
        assert_eq!(messages[0]["content"], "one");
        assert_eq!(
            messages[2]["content"][0]["cache_control"]["type"],
            "ephemeral"
        );
    }

    #[test]
    fn a_user_who_goes_on_is_told_in_front_of_the_notes() {
        let mut talk = Conversation::default();
        talk.add(Role::User, json!("hello"));
        talk.add(Role::System, json!("env"));
        talk.add(Role::User, json!("go on"));
        let messages = talk.messages(None);
        assert_eq!(messages[0]["content"][0]["text"], "hello\n");
        assert_eq!(messages[0]["content"][1]["text"], "go on");
        assert_eq!(messages[1]["role"], "system");
    }

    #[test]
    fn messages_of_one_speaker_are_told_as_one() {
        let mut talk = Conversation::default();
        talk.add(Role::User, json!("note"));
        talk.add(Role::User, json!("again"));
        let messages = talk.messages(Some("reminder"));
        let texts: Vec<_> = messages[0]["content"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|block| &block["text"])
            .collect();
        assert_eq!(texts, ["reminder", "note\n", "again"]);
    }
}
