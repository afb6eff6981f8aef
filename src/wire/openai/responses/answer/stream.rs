//! The grammar of a response's stream, event by event.

use super::Head;
use super::Telling;
use super::code;
use super::ended;
use super::error_event;
use super::item;
use super::item::Status;
use super::json as json_of;
use super::sentence;
use super::status;
use super::written::ArgumentsDone;
use super::written::InputDone;
use super::written::More;
use super::written::PartOf;
use super::written::SummaryPart;
use super::written::Text;
use super::written::TextDelta;
use super::written::TextDone;
use super::written::TextPart;
use super::written::Within;
use crate::turn::AnswerBlock;
use crate::turn::BlockKind;
use crate::turn::Delta;
use crate::turn::End;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::StopReason;
use crate::wire::openai::tool::ToolKind;
use crate::wire::openai::unwrap::Unwrap;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

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
    frames: String,
}

/// A block on its way.
#[derive(Debug, Clone)]
struct Open {
    block: AnswerBlock,
    /// Empty until the item was added.
    id: String,
    shape: Shape,
    /// A part of it was added.
    has_part: bool,
    unwrap: Unwrap,
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

impl Stream {
    pub(super) fn event(&mut self, head: &Head, event: &Event) -> String {
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
        std::mem::take(&mut self.frames)
    }

    /// The last frames of a stream that fails; what is open stays so.
    pub(super) fn failure(&mut self, head: &Head, fault: &Fault) -> String {
        self.begin(head);
        self.tell(error_event(fault));
        let output = std::mem::take(&mut self.done);
        let error = json!({"code": code(&fault.kind), "message": sentence(fault)});
        let response = head.told(Telling {
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
        let response = head.told(Telling {
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
        self.open = Some(Open {
            block: AnswerBlock::begun(kind.clone()),
            id: String::new(),
            shape,
            has_part: false,
            unwrap: Unwrap::default(),
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
        let item = item::of(&open.block, &open.id, Status::InProgress, &head.wish.tools);
        self.tell_item("response.output_item.added", index, &item.to_string());
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
        self.add(head);
        self.add_part();
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
            Shape::Text => self.within(
                "response.content_part.added",
                PartOf {
                    part: TextPart::of(""),
                },
            ),
            Shape::Thought => self.within(
                "response.reasoning_summary_part.added",
                PartOf {
                    part: SummaryPart::of(""),
                },
            ),
            Shape::Function | Shape::Custom | Shape::Closed => {}
        }
    }

    fn delta(&mut self, delta: &str) {
        let Some(open) = &self.open else {
            return;
        };
        let logprobs = [];
        match open.shape {
            Shape::Text => self.within("response.output_text.delta", TextDelta { delta, logprobs }),
            Shape::Thought => self.within("response.reasoning_summary_text.delta", More { delta }),
            Shape::Function => {
                self.within("response.function_call_arguments.delta", More { delta })
            }
            Shape::Custom => self.within("response.custom_tool_call_input.delta", More { delta }),
            Shape::Closed => {}
        }
    }

    /// Closes the block that is open, where one is, in an answer that stopped so.
    fn close(&mut self, head: &Head, stop: &StopReason) {
        let Some(open) = self.open.as_mut().filter(|open| !open.id.is_empty()) else {
            self.open = None;
            return;
        };
        let tools = &head.wish.tools;
        let item = item::of(&open.block, &open.id, ended(stop), tools);
        let (shape, has_part) = (open.shape, open.has_part);
        let text = std::mem::take(&mut open.block.text);
        match shape {
            Shape::Text => self.close_text(&text),
            Shape::Thought if has_part => self.close_thought(&text),
            Shape::Function => {
                let said = |name: &str| item[name].as_str().unwrap_or_default();
                let (arguments, name) = (said("arguments"), said("name"));
                // A call without any input has none the less an object.
                if text.is_empty() && !arguments.is_empty() {
                    self.delta(arguments);
                }
                let done = ArgumentsDone { arguments, name };
                self.within("response.function_call_arguments.done", done);
            }
            Shape::Custom => {
                let input = item["input"].as_str().unwrap_or_default();
                self.within("response.custom_tool_call_input.done", InputDone { input });
            }
            Shape::Thought | Shape::Closed => {}
        }
        let (index, item) = (self.done.len(), item.to_string());
        self.tell_item("response.output_item.done", index, &item);
        self.done.push(item);
        self.open = None;
    }

    fn close_text(&mut self, text: &str) {
        let logprobs = [];
        self.within("response.output_text.done", TextDone { text, logprobs });
        let part = TextPart::of(text);
        self.within("response.content_part.done", PartOf { part });
    }

    fn close_thought(&mut self, text: &str) {
        self.within("response.reasoning_summary_text.done", Text { text });
        let part = SummaryPart::of(text);
        self.within("response.reasoning_summary_part.done", PartOf { part });
    }

    fn end(&mut self, head: &Head, end: &End) {
        self.close(head, &end.stop);
        let output = std::mem::take(&mut self.done);
        let (status, _) = status(&end.stop);
        let response = head.ended(&output, end);
        self.tell_response(&format!("response.{status}"), &response);
    }

    /// Tells what happened within the open item.
    fn within(&mut self, kind: &'static str, said: impl Serialize) {
        let Some(open) = &self.open else {
            return;
        };
        let (content_index, summary_index) = match open.shape {
            Shape::Text => (Some(0), None),
            Shape::Thought => (None, Some(0)),
            Shape::Function | Shape::Custom | Shape::Closed => (None, None),
        };
        let event = json_of(&Within {
            kind,
            item_id: &open.id,
            output_index: self.done.len(),
            content_index,
            summary_index,
            said,
            sequence_number: self.sequence_number,
        });
        self.write(kind, &event);
    }

    fn tell(&mut self, mut event: Value) {
        event["sequence_number"] = self.sequence_number.into();
        let kind = event["type"].as_str().unwrap_or_default();
        self.write(kind, &event.to_string());
    }

    /// Tells an item, which is JSON.
    fn tell_item(&mut self, kind: &str, index: usize, item: &str) {
        let sequence_number = self.sequence_number;
        let event = format!(
            r#"{{"type":"{kind}","output_index":{index},"item":{item},"sequence_number":{sequence_number}}}"#
        );
        self.write(kind, &event);
    }

    /// Tells a response that is written already.
    fn tell_response(&mut self, kind: &str, response: &str) {
        let sequence_number = self.sequence_number;
        let event = format!(
            r#"{{"type":"{kind}","response":{response},"sequence_number":{sequence_number}}}"#
        );
        self.write(kind, &event);
    }

    /// Writes an event, which is one line.
    fn write(&mut self, kind: &str, event: &str) {
        self.sequence_number += 1;
        for piece in ["event: ", kind, "\ndata: ", event, "\n\n"] {
            self.frames.push_str(piece);
        }
    }
}
