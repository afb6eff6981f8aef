//! The grammar of a response's stream, event by event.

use super::Head;
use super::Telling;
use super::code;
use super::ended;
use super::error_event;
use super::item;
use super::item::Status;
use super::sentence;
use super::written::Said;
use crate::quote::count;
use crate::quote::quote;
use crate::turn::AnswerBlock;
use crate::turn::BlockKind;
use crate::turn::Delta;
use crate::turn::End;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::StopReason;
use crate::wire::openai::stop::Ending;
use crate::wire::openai::tool::ToolKind;
use crate::wire::openai::unwrap::Unwrap;
use serde_json::Value;
use serde_json::json;
use std::fmt::Write;

/// How far a stream is.
#[derive(Debug, Clone, Default)]
pub(super) struct Stream {
    has_begun: bool,
    /// Of the next event.
    sequence_number: u64,
    /// Items that are done, in JSON.
    done: Vec<String>,
    /// The block that is on its way, or came whole and waits for what follows: only then it is known whether it was cut.
    open: Option<Open>,
    /// The response that was told at the end.
    told: Option<String>,
    /// The first frames, where they were written before they are told.
    ahead: String,
    frames: String,
}

/// A block on its way.
#[derive(Debug, Clone)]
struct Open {
    block: AnswerBlock,
    /// Empty until the item was added.
    id: String,
    shape: Shape,
    /// The item was added, and its part, where it comes in one.
    has_part: bool,
    unwrap: Unwrap,
    /// What each of its deltas begins with, once there was one.
    delta_head: String,
}

/// What is told of an item between its beginning and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    Thought,
    Function,
    Custom,
    /// Nothing.
    Closed,
}

impl Shape {
    /// The event that tells more of it.
    fn delta(self) -> Option<&'static str> {
        Some(match self {
            Shape::Text => "response.output_text.delta",
            Shape::Thought => "response.reasoning_summary_text.delta",
            Shape::Function => "response.function_call_arguments.delta",
            Shape::Custom => "response.custom_tool_call_input.delta",
            Shape::Closed => return None,
        })
    }
}

impl Stream {
    /// Writes the first frames before there is an event to tell of.
    pub(super) fn prepare(&mut self, head: &Head) {
        if !self.has_begun && self.ahead.is_empty() {
            self.frames.reserve(FRAMES_BYTES_EXPECTED);
            self.first(head);
            std::mem::swap(&mut self.frames, &mut self.ahead);
        }
    }

    /// Writes the frames of an event behind those before it.
    pub(super) fn event(&mut self, head: &Head, event: &Event, stream: &mut String) {
        std::mem::swap(&mut self.frames, stream);
        match event {
            Event::Start(_) => self.begin(head),
            Event::BlockStart { kind, .. } => {
                self.close(head, &StopReason::EndTurn);
                self.open(head, kind);
            }
            Event::Delta { delta, .. } => self.extend(head, delta),
            Event::BlockStop { .. } => {}
            Event::End(end) => self.end(head, end),
        }
        std::mem::swap(&mut self.frames, stream);
    }

    /// The last frames of a stream that fails; what is open stays so.
    pub(super) fn failure(&mut self, head: &Head, fault: &Fault) -> String {
        self.begin(head);
        self.tell(error_event(fault));
        let output = std::mem::take(&mut self.done);
        let error = json!({"code": code(&fault.kind), "message": sentence(fault)});
        let response = head.told(&Telling {
            status: "failed",
            error: Some(error.to_string()),
            incomplete_details: None,
            output: &output,
            usage: None,
        });
        self.tell_response("response.failed", &response);
        std::mem::take(&mut self.frames)
    }

    fn begin(&mut self, head: &Head) {
        if std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        match std::mem::take(&mut self.ahead) {
            ahead if ahead.is_empty() => self.first(head),
            ahead if self.frames.is_empty() => self.frames = ahead,
            ahead => self.frames.push_str(&ahead),
        }
    }

    fn first(&mut self, head: &Head) {
        let response = head.told(&Telling {
            status: "in_progress",
            error: None,
            incomplete_details: None,
            output: &[],
            usage: None,
        });
        self.tell_response("response.created", &response);
        self.tell_response("response.in_progress", &response);
    }

    fn open(&mut self, head: &Head, kind: &BlockKind) {
        let shape = match kind {
            BlockKind::Text => Shape::Text,
            BlockKind::Thinking | BlockKind::RedactedThinking { .. } => Shape::Thought,
            BlockKind::ToolUse { name, .. } => match head.wish.tools.of(name).kind {
                ToolKind::Function => Shape::Function,
                ToolKind::Custom => Shape::Custom,
                ToolKind::LocalShell | ToolKind::Shell | ToolKind::ApplyPatch => Shape::Closed,
            },
            BlockKind::Foreign(_) => return,
        };
        let mut block = AnswerBlock::begun(kind.clone());
        block.text.reserve(TEXT_BYTES_EXPECTED);
        self.open = Some(Open {
            block,
            id: String::new(),
            shape,
            has_part: false,
            unwrap: Unwrap::default(),
            delta_head: String::new(),
        });
        // A text that will say nothing is no item.
        if shape != Shape::Text {
            self.add(head);
        }
    }

    /// Adds the item of the open block, unless it was.
    fn add(&mut self, head: &Head) {
        let index = self.done.len();
        let Some(open) = self.open.as_mut().filter(|open| open.id.is_empty()) else {
            return;
        };
        open.id = item::id(&open.block.kind, &head.wish.tools, &head.stem, index);
        let item = item::written(&open.block, &open.id, Status::InProgress, &head.wish.tools);
        self.tell_item("response.output_item.added", index, &item);
    }

    fn extend(&mut self, head: &Head, delta: &Delta) {
        let Some(open) = self.open.as_mut().filter(|_| !delta.is_empty()) else {
            return;
        };
        // The grammar is checked elsewhere.
        if open.block.extend(delta).is_err() {
            return;
        }
        let (Delta::Text(more) | Delta::Thinking(more) | Delta::InputJson(more)) = delta else {
            return;
        };
        if !open.has_part {
            self.add(head);
            self.add_part();
        }
        let Some(open) = &mut self.open else {
            return;
        };
        match open.shape {
            Shape::Closed => {}
            Shape::Custom => match open.unwrap.push(more) {
                told if told.is_empty() => {}
                told => self.delta(&told),
            },
            Shape::Text | Shape::Thought | Shape::Function => self.delta(more),
        }
    }

    /// Texts and thoughts come in parts; each has one.
    fn add_part(&mut self) {
        let Some(open) = self.open.as_mut().filter(|open| !open.has_part) else {
            return;
        };
        open.has_part = true;
        match open.shape {
            Shape::Text => self.within("response.content_part.added", Said::TextPart("")),
            Shape::Thought => self.within(
                "response.reasoning_summary_part.added",
                Said::ThoughtPart(""),
            ),
            Shape::Function | Shape::Custom | Shape::Closed => {}
        }
    }

    /// Nearly all of an answer is told here: what its deltas have in common is written once.
    fn delta(&mut self, delta: &str) {
        let place = self.done.len();
        let Some(open) = &mut self.open else {
            return;
        };
        let Some(kind) = open.shape.delta() else {
            return;
        };
        if open.delta_head.is_empty() {
            let mut head = String::with_capacity(DELTA_HEAD_BYTES_EXPECTED);
            begin_within(kind, open, place, &mut head);
            head.push_str("\"delta\":");
            open.delta_head = head;
        }
        self.frames.push_str(&open.delta_head);
        quote(delta, &mut self.frames);
        if open.shape == Shape::Text {
            self.frames.push_str(r#","logprobs":[]"#);
        }
        self.end_event();
    }

    /// Closes the block that is open, where one is, in an answer that stopped so.
    fn close(&mut self, head: &Head, stop: &StopReason) {
        let Some(open) = self.open.as_mut().filter(|open| !open.id.is_empty()) else {
            self.open = None;
            return;
        };
        let (status, tools) = (ended(stop), &head.wish.tools);
        let item = match open.shape {
            Shape::Text => {
                let item = item::written(&open.block, &open.id, status, tools);
                let text = std::mem::take(&mut open.block.text);
                self.close_text(&text);
                item
            }
            Shape::Thought | Shape::Function | Shape::Custom | Shape::Closed => {
                let item = item::of(&open.block, &open.id, status, tools);
                let text = std::mem::take(&mut open.block.text);
                self.close_other(&item, &text);
                item.to_string()
            }
        };
        self.tell_item("response.output_item.done", self.done.len(), &item);
        self.done.push(item);
        self.open = None;
    }

    /// Closes a block that is no text, by its item.
    fn close_other(&mut self, item: &Value, text: &str) {
        let Some(open) = &self.open else {
            return;
        };
        let (shape, has_part) = (open.shape, open.has_part);
        let said = |name: &str| item[name].as_str().unwrap_or_default();
        match shape {
            Shape::Thought if has_part => self.close_thought(text),
            Shape::Function => {
                let (arguments, name) = (said("arguments"), said("name"));
                // A call without any input has none the less an object.
                if text.is_empty() && !arguments.is_empty() {
                    self.delta(arguments);
                }
                let done = Said::ArgumentsDone { arguments, name };
                self.within("response.function_call_arguments.done", done);
            }
            Shape::Custom => {
                let done = Said::InputDone(said("input"));
                self.within("response.custom_tool_call_input.done", done);
            }
            Shape::Text | Shape::Thought | Shape::Closed => {}
        }
    }

    fn close_text(&mut self, text: &str) {
        self.within("response.output_text.done", Said::TextDone(text));
        self.within("response.content_part.done", Said::TextPart(text));
    }

    fn close_thought(&mut self, text: &str) {
        let (done, part) = (Said::ThoughtDone(text), Said::ThoughtPart(text));
        self.within("response.reasoning_summary_text.done", done);
        self.within("response.reasoning_summary_part.done", part);
    }

    fn end(&mut self, head: &Head, end: &End) {
        self.close(head, &end.stop);
        let output = std::mem::take(&mut self.done);
        let response = head.ended(&output, end);
        let kind = match Ending::of(&end.stop) {
            Ending::Whole => "response.completed",
            Ending::Cut | Ending::Filtered => "response.incomplete",
        };
        self.tell_response(kind, &response);
        self.told = Some(response);
    }

    /// The response as it was told at the end.
    pub(super) fn told(&mut self) -> Option<String> {
        self.told.take()
    }

    /// Tells what happened within the open item.
    fn within(&mut self, kind: &str, said: Said<'_>) {
        let Some(open) = &self.open else {
            return;
        };
        begin_within(kind, open, self.done.len(), &mut self.frames);
        said.write(&mut self.frames);
        self.end_event();
    }

    fn tell(&mut self, mut event: Value) {
        event["sequence_number"] = self.sequence_number.into();
        let kind = event["type"].as_str().unwrap_or_default();
        let _ = write!(self.frames, "event: {kind}\ndata: {event}\n\n");
        self.sequence_number += 1;
    }

    /// Tells an item, which is JSON.
    fn tell_item(&mut self, kind: &str, index: usize, item: &str) {
        begin_event(kind, &mut self.frames);
        self.frames.push_str(r#","output_index":"#);
        count(index as u64, &mut self.frames);
        self.frames.push_str(r#","item":"#);
        self.frames.push_str(item);
        self.end_event();
    }

    /// Tells a response that is written already.
    fn tell_response(&mut self, kind: &str, response: &str) {
        begin_event(kind, &mut self.frames);
        self.frames.push_str(r#","response":"#);
        self.frames.push_str(response);
        self.end_event();
    }

    fn end_event(&mut self) {
        self.frames.push_str(r#","sequence_number":"#);
        count(self.sequence_number, &mut self.frames);
        self.frames.push_str("}\n\n");
        self.sequence_number += 1;
    }
}

/// Begins an event, which is one line.
fn begin_event(kind: &str, frames: &mut String) {
    for piece in ["event: ", kind, "\ndata: {\"type\":\"", kind, "\""] {
        frames.push_str(piece);
    }
}

/// Begins an event within an item, which stands at this place.
fn begin_within(kind: &str, open: &Open, place: usize, frames: &mut String) {
    begin_event(kind, frames);
    for piece in [r#","item_id":""#, &open.id, r#"","output_index":"#] {
        frames.push_str(piece);
    }
    count(place as u64, frames);
    frames.push_str(match open.shape {
        Shape::Text => r#","content_index":0,"#,
        Shape::Thought => r#","summary_index":0,"#,
        Shape::Function | Shape::Custom | Shape::Closed => ",",
    });
}

/// Bytes of all frames of a short answer, which often come at once.
const FRAMES_BYTES_EXPECTED: usize = 16 << 10;
/// Bytes of a short text.
const TEXT_BYTES_EXPECTED: usize = 256;
/// Bytes of what the deltas of a block begin with.
const DELTA_HEAD_BYTES_EXPECTED: usize = 256;
