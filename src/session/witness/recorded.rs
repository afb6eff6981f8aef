//! The model's message, as the transcript has it so far. `[pure]`

use super::record::ApiError;
use super::record::AssistantMessage;
use super::record::Record;
use crate::session::block;
use crate::session::mcp::name;
use crate::turn::Block;
use crate::turn::End;
use crate::turn::Event;
use crate::turn::MessageId;
use crate::turn::StopReason;
use crate::turn::Usage;
use crate::turn::may_be_rounded;
use serde_json::Value;
use std::collections::BTreeSet;

/// The API's first message of a turn, and what is written beside it.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// The API's id of the message that the conversation's turn before ended in: it may still be written.
    pub(super) past: Option<String>,
    /// A turn before this one, in the same transcript, may not be closed yet.
    pub(super) behind_another: bool,
    /// How many messages of the caller will be there.
    pub(super) asked_by_caller: u32,
    /// The records of the message, each with some of its blocks.
    said: Vec<AssistantMessage>,
    /// They are the whole message, from another witness.
    whole: bool,
    /// The CLI's own message about a failed request.
    error: Option<ApiError>,
    /// User messages before the model's.
    asked: u32,
    /// Those after it: the caller's own, where a busy CLI writes it late, or the CLI's.
    asked_late: u32,
    /// Nothing more of the message will come.
    closed: bool,
    /// A line of the file could not be read.
    unreadable: bool,
}

impl Recorded {
    /// Takes a record in; what the API calls the message, where the record is the first of it.
    pub(super) fn push(&mut self, record: Record) -> Option<&str> {
        match record {
            Record::Assistant(said) => return self.say(said),
            Record::Error(error) => self.error = Some(error),
            // It closes the turn before.
            Record::Closed if self.behind_another && self.asked == 0 && self.said.is_empty() => {}
            Record::Closed => self.closed = true,
            Record::Asked if self.said.is_empty() => self.asked += 1,
            Record::Asked => self.asked_late += 1,
            Record::Broken => self.unreadable = true,
            Record::Attached(_) | Record::Other => {}
        }
        None
    }

    fn say(&mut self, said: AssistantMessage) -> Option<&str> {
        if self.past.as_ref() == Some(&said.message) {
            return None;
        }
        let begins = self.said.is_empty();
        if self
            .said
            .first()
            .is_some_and(|first| first.message != said.message)
        {
            // The first message is whole in the file once a second one is there.
            self.closed = true;
            return None;
        }
        if self.whole {
            return None;
        }
        self.said.push(said);
        self.said
            .last()
            .filter(|_| begins)
            .map(|said| said.message.as_str())
    }

    /// Takes the whole message from another witness, where what is here is a part of it at most and tells no end; whether
    /// it did.
    pub(super) fn take_whole(&mut self, whole: AssistantMessage) -> bool {
        let is_same = |first: &AssistantMessage| first.message == whole.message;
        let lacks_end = self.stop().is_none() && self.error.is_none() && !self.is_answered_by_cli();
        let taken = lacks_end && self.said.first().is_none_or(is_same);
        if taken {
            self.said = vec![whole];
            self.whole = true;
        }
        taken
    }

    /// Whether it is whole, whatever the transcript has of it.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Nobody waits for more of it.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether there is nothing in the message but texts without a character.
    pub(super) fn is_silent(&self) -> bool {
        self.blocks()
            .all(|block| is(block, "text") && block::text(block, "text").is_empty())
    }

    /// Whether it cannot be known what the message is.
    pub(super) fn is_unreadable(&self) -> bool {
        self.unreadable
    }

    /// Whether nothing of the message came.
    pub(super) fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    pub(super) fn error(&self) -> Option<&ApiError> {
        self.error.as_ref()
    }

    /// Why the model stopped, once the message has an end.
    pub(super) fn stop(&self) -> Option<StopReason> {
        let said = self.said.last()?;
        let name = said.stop_reason.as_deref()?;
        Some(StopReason::named(name, said.stop_sequence.clone()))
    }

    /// All text of the message.
    pub(super) fn text(&self) -> String {
        let texts = self.blocks().filter(|block| is(block, "text"));
        texts.map(|text| block::text(text, "text")).collect()
    }

    /// The ids of the model's calls.
    pub(super) fn calls(&self) -> BTreeSet<&str> {
        let calls = self.blocks().filter(|block| is(block, "tool_use"));
        calls.filter_map(|call| call.get("id")?.as_str()).collect()
    }

    /// Whether this is the same message with more calls than are here.
    pub(super) fn is_part_of_calls(&self, whole: &AssistantMessage) -> bool {
        let first = self.said.first();
        let is_same = first.is_some_and(|first| first.message == whole.message);
        let here = self.said.iter().map(AssistantMessage::calls).sum::<usize>();
        is_same && here < whole.calls()
    }

    /// Whether the model called a tool with an input that is no JSON: the CLI keeps it as a text in a field of its own.
    pub(super) fn has_unparsed_call(&self) -> bool {
        let mut calls = self.blocks().filter(|block| is(block, "tool_use"));
        calls.any(|call| call["input"].get("__unparsedToolInput").is_some())
    }

    /// The CLI answered a call of the model by itself: nothing more comes of the message.
    pub(super) fn is_answered_by_cli(&self) -> bool {
        self.asked + self.asked_late > self.asked_by_caller
    }

    /// The model's own message held nothing, and the CLI asked for more by itself: this one answers the CLI.
    pub(super) fn answers_cli(&self) -> bool {
        self.asked > self.asked_by_caller
    }

    /// What of the message is not as the model wrote it, by path.
    pub(super) fn changed(&self) -> Vec<String> {
        let mut changed = Vec::new();
        if self.said.iter().any(|said| said.replaced) {
            changed.push("content".to_owned());
        }
        let calls = self.blocks().zip(0..);
        let calls = calls.filter(|(block, _)| is(block, "tool_use"));
        let rounded = calls.filter(|(call, _)| may_be_rounded(&call["input"]));
        changed.extend(rounded.map(|(_, index): (_, usize)| format!("content.{index}.input")));
        changed
    }

    /// The blocks, as the caller will send them back.
    pub(super) fn content(&self) -> Vec<Block> {
        self.blocks().map(returned).collect()
    }

    /// What belongs to the texts beside their characters, each as its piece.
    pub(super) fn citations(&self) -> Vec<Value> {
        let texts = self.blocks().filter(|block| is(block, "text"));
        texts
            .filter_map(block::built)
            .flat_map(|built| built.foreign)
            .collect()
    }

    /// The blocks as events.
    pub(super) fn events(&self) -> Vec<Event> {
        numbered(self.blocks(), 0)
    }

    /// The blocks that can be told behind a text that holds all texts: not what was thought before one of them.
    pub(super) fn events_behind_text(&self) -> Vec<Event> {
        let blocks: Vec<&Value> = self.blocks().collect();
        let last_text = blocks.iter().rposition(|block| is(block, "text"));
        let is_told = |at: usize, block: &Value| {
            !is(block, "text") && (!is_thinking(block) || Some(at) > last_text)
        };
        let told = blocks
            .iter()
            .enumerate()
            .filter(|(at, block)| is_told(*at, block));
        numbered(told.map(|(_, block)| *block), 1)
    }

    /// Whether there is one text, and it comes first: as a display tells it, whatever else the message has.
    pub(super) fn begins_with_its_only_text(&self) -> bool {
        let is_first = self.blocks().next().is_none_or(|block| is(block, "text"));
        let texts = self.blocks().filter(|block| is(block, "text")).count();
        is_first && texts <= 1
    }

    /// The end of the answer, with what the message tells of itself.
    pub(super) fn end(&self, stop: StopReason) -> End {
        // A record that does not end its message does not have its usage either.
        let last = self.said.last().filter(|said| said.stop_reason.is_some());
        End {
            stop,
            details: last.and_then(|said| said.details.clone()),
            usage: last.map_or_else(Usage::default, |said| said.usage),
            id: last.map(|said| MessageId(said.message.clone())),
            model: last.map(|said| said.model.clone()),
        }
    }

    fn blocks(&self) -> impl Iterator<Item = &Value> {
        self.said.iter().flat_map(|said| &said.blocks)
    }
}

/// Blocks as events, numbered from this index on.
fn numbered<'b>(blocks: impl Iterator<Item = &'b Value>, first: usize) -> Vec<Event> {
    let built = blocks.filter_map(block::built).zip(first..);
    built
        .flat_map(|(block, index)| block.events(index))
        .collect()
}

/// Whether this is a block of this type.
pub(super) fn is(block: &Value, kind: &str) -> bool {
    block.get("type").and_then(Value::as_str) == Some(kind)
}

/// Whether the model thought this, and said nothing by it.
pub(super) fn is_thinking(block: &Value) -> bool {
    is(block, "thinking") || is(block, "redacted_thinking")
}

/// A block of the transcript as its caller brings it back: whole, a tool call under the name that the caller gave the
/// tool.
fn returned(block: &Value) -> Block {
    if is(block, "text") {
        return Block::Text(block::text(block, "text"));
    }
    let mut block = block.clone();
    if is(&block, "tool_use")
        && let Some(name) = block.get("name").and_then(Value::as_str)
    {
        block["name"] = name::plain(name).into();
    }
    Block::of(block)
}
