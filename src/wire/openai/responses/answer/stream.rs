//! The grammar of a response's stream, event by event.

use super::Head;
use super::code;
use super::ended;
use super::error_event;
use super::item;
use super::item::Status;
use super::sentence;
use super::status;
use crate::turn::AnswerBlock;
use crate::turn::BlockKind;
use crate::turn::Delta;
use crate::turn::End;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::StopReason;
use crate::wire::openai::tool::ToolKind;
use crate::wire::openai::unwrap::Unwrap;
use crate::wire::openai::usage;
use crate::wire::sse;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

/// How far a stream is.
#[derive(Debug, Clone, Default)]
pub(super) struct Stream {
    has_begun: bool,
    /// Of the next event.
    sequence_number: u64,
    /// Items that are done.
    done: Vec<Value>,
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
        let mut response = head.told("failed", &output);
        response.error = json!({"code": code(&fault.kind), "message": sentence(fault)});
        let response = serde_json::to_string(&response).unwrap_or_default();
        self.tell_response("response.failed", &response);
        std::mem::take(&mut self.frames)
    }

    fn begin(&mut self, head: &Head) {
        if std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        let response = head.told("in_progress", &[]);
        let response = serde_json::to_string(&response).unwrap_or_default();
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
        self.tell(
            json!({"type": "response.output_item.added", "output_index": index, "item": item}),
        );
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
        let told = match open.shape {
            Shape::Closed => return,
            Shape::Custom => open.unwrap.push(more),
            Shape::Text | Shape::Thought | Shape::Function => more.clone(),
        };
        if !told.is_empty() {
            self.delta(&told);
        }
    }

    /// Texts and thoughts come in parts; each has one.
    fn add_part(&mut self) {
        let Some(open) = self.open.as_mut().filter(|open| !open.has_part) else {
            return;
        };
        open.has_part = true;
        let event = match open.shape {
            Shape::Text => {
                json!({"type": "response.content_part.added", "part": item::text_part("")})
            }
            Shape::Thought => {
                json!({"type": "response.reasoning_summary_part.added", "part": {"type": "summary_text", "text": ""}})
            }
            Shape::Function | Shape::Custom | Shape::Closed => return,
        };
        self.within(event);
    }

    fn delta(&mut self, more: &str) {
        let Some(open) = &self.open else {
            return;
        };
        let (kind, content, summary) = match open.shape {
            Shape::Text => ("response.output_text.delta", Some(0), None),
            Shape::Thought => ("response.reasoning_summary_text.delta", None, Some(0)),
            Shape::Function => ("response.function_call_arguments.delta", None, None),
            Shape::Custom => ("response.custom_tool_call_input.delta", None, None),
            Shape::Closed => return,
        };
        let event = DeltaEvent {
            kind,
            item_id: &open.id,
            output_index: self.done.len(),
            content_index: content,
            summary_index: summary,
            delta: more,
            logprobs: content.map(|_| []),
            sequence_number: self.sequence_number,
        };
        // Maps with texts for names are JSON.
        let text = serde_json::to_string(&event).unwrap_or_default();
        self.write(kind, &text);
    }

    /// Closes the block that is open, where one is, in an answer that stopped so.
    fn close(&mut self, head: &Head, stop: &StopReason) {
        let Some(open) = self.open.as_ref().filter(|open| !open.id.is_empty()) else {
            self.open = None;
            return;
        };
        let tools = &head.wish.tools;
        let item = item::of(&open.block, &open.id, ended(stop), tools);
        let text = open.block.text.clone();
        match open.shape {
            Shape::Text => {
                self.within(
                    json!({"type": "response.output_text.done", "text": text, "logprobs": []}),
                );
                self.within(
                    json!({"type": "response.content_part.done", "part": item::text_part(&text)}),
                );
            }
            Shape::Thought if open.has_part => {
                self.within(json!({"type": "response.reasoning_summary_text.done", "text": text}));
                self.within(json!({"type": "response.reasoning_summary_part.done",
                    "part": {"type": "summary_text", "text": text}}));
            }
            Shape::Function => {
                // A call without any input has none the less an object.
                if text.is_empty() && item["arguments"] != "" {
                    self.delta(item["arguments"].as_str().unwrap_or_default());
                }
                let (arguments, name) = (item["arguments"].clone(), item["name"].clone());
                self.within(
                    json!({"type": "response.function_call_arguments.done", "arguments": arguments,
                    "name": name}),
                );
            }
            Shape::Custom => {
                self.within(
                    json!({"type": "response.custom_tool_call_input.done", "input": item["input"]}),
                );
            }
            Shape::Thought | Shape::Closed => {}
        }
        let index = self.done.len();
        self.tell(
            json!({"type": "response.output_item.done", "output_index": index, "item": item}),
        );
        self.done.push(item);
        self.open = None;
    }

    fn end(&mut self, head: &Head, end: &End) {
        self.close(head, &end.stop);
        let output = std::mem::take(&mut self.done);
        let (status, details) = status(&end.stop);
        let mut response = head.told(status, &output);
        response.incomplete_details = details;
        response.usage = usage::responses(&end.usage);
        let response = serde_json::to_string(&response).unwrap_or_default();
        self.tell_response(&format!("response.{status}"), &response);
    }

    /// Tells what happened within the open item.
    fn within(&mut self, event: Value) {
        let Some(open) = &self.open else {
            return;
        };
        let index = match open.shape {
            Shape::Text => Some("content_index"),
            Shape::Thought => Some("summary_index"),
            Shape::Function | Shape::Custom | Shape::Closed => None,
        };
        let mut placed =
            json!({"type": event["type"], "item_id": open.id, "output_index": self.done.len()});
        if let Some(index) = index {
            placed[index] = 0.into();
        }
        if let (Value::Object(fields), Some(placed)) = (event, placed.as_object_mut()) {
            placed.extend(fields);
        }
        self.tell(placed);
    }

    fn tell(&mut self, mut event: Value) {
        event["sequence_number"] = self.sequence_number.into();
        let kind = event["type"].as_str().unwrap_or_default();
        self.write(kind, &event.to_string());
    }

    /// Tells a response that is written already.
    fn tell_response(&mut self, kind: &str, response: &str) {
        let sequence_number = self.sequence_number;
        let event = format!(
            r#"{{"type":"{kind}","response":{response},"sequence_number":{sequence_number}}}"#
        );
        self.write(kind, &event);
    }

    fn write(&mut self, kind: &str, event: &str) {
        self.sequence_number += 1;
        self.frames.push_str(&sse::encode(kind, event));
    }
}

/// More of an item, as it is written.
#[derive(Serialize)]
struct DeltaEvent<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    item_id: &'a str,
    output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_index: Option<u8>,
    delta: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<[(); 0]>,
    sequence_number: u64,
}
