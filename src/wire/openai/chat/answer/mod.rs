//! Events as the chunks of a chat stream, and a whole answer as its completion.

mod written;

use super::request::AnswerWish;
use crate::turn::AnswerBlock;
use crate::turn::AnswerSize;
use crate::turn::BlockKind;
use crate::turn::CompleteAnswer;
use crate::turn::Delta;
use crate::turn::End;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::RequestId;
use crate::wire::openai::error;
use crate::wire::openai::stop::Ending;
use crate::wire::openai::tool::ToolKind;
use crate::wire::openai::unwrap::Unwrap;
use crate::wire::sse;
use crate::wire::writer::AnswerWriter;
use serde_json::Value;
use serde_json::json;
use std::cell::OnceCell;
use written::Label;
use written::Message;
use written::Piece;

/// Takes the blocks of an answer, and the id of its first call, for the call that brings the results.
pub(crate) type Keep = dyn Fn(&str, Vec<Value>) + Send + Sync;

/// Writes one answer.
pub(crate) struct Writer {
    id: String,
    /// Seconds since 1970.
    created: u64,
    wish: AnswerWish,
    /// What all chunks begin with, once there was one.
    head: OnceCell<String>,
    /// Calls that were begun.
    calls: usize,
    open: Option<OpenCall>,
    /// What was told, for whoever remembers it, and how much that is.
    told: Vec<AnswerBlock>,
    size: AnswerSize,
    keep: Option<Box<Keep>>,
}

/// A call on its way.
#[derive(Debug)]
struct OpenCall {
    index: usize,
    is_empty: bool,
    /// Where its input is free text.
    custom: Option<Unwrap>,
}

impl Writer {
    pub(crate) fn new(id: &str, created: u64, wish: AnswerWish) -> Writer {
        Writer {
            id: format!("chatcmpl-{id}"),
            created,
            wish,
            head: OnceCell::new(),
            calls: 0,
            open: None,
            told: Vec::new(),
            size: AnswerSize::default(),
            keep: None,
        }
    }

    /// The same, and an answer that thinks before it calls is remembered.
    pub(crate) fn remembered_by(mut self, keep: Box<Keep>) -> Writer {
        self.keep = Some(keep);
        self
    }

    fn listen(&mut self, event: &Event) {
        if self.keep.is_none() {
            return;
        }
        if !self.size.has_room_for(event) {
            return self.forget();
        }
        match event {
            Event::BlockStart { kind, .. } => self.told.push(AnswerBlock::begun(kind.clone())),
            Event::Delta { delta, .. } => {
                // The grammar is checked elsewhere.
                let _ = self.told.last_mut().map(|block| block.extend(delta));
            }
            Event::End(_) => {
                let told = std::mem::take(&mut self.told);
                self.remember(&told);
            }
            Event::Start(_) | Event::BlockStop { .. } => {}
        }
    }

    /// What is longer than may be held is told and not remembered, as is what nobody came back for in time.
    fn forget(&mut self) {
        (self.told, self.keep) = (Vec::new(), None);
    }

    fn remember(&self, told: &[AnswerBlock]) {
        let call = told.iter().find_map(AnswerBlock::call);
        let thinks = told.iter().any(|block| signed(block).is_some());
        if let (Some(call), true, Some(keep)) = (call, thinks, &self.keep) {
            keep(call, told.iter().filter_map(given).collect());
        }
    }

    fn start(&self, kind: &BlockKind) -> Option<OpenCall> {
        let BlockKind::ToolUse { name, .. } = kind else {
            return None;
        };
        let is_custom = self.wish.tools.of(name).kind == ToolKind::Custom;
        Some(OpenCall {
            index: self.calls,
            is_empty: true,
            custom: is_custom.then(Unwrap::default),
        })
    }

    fn begin(&mut self, kind: &BlockKind, stream: &mut String) {
        self.open = self.start(kind);
        let (BlockKind::ToolUse { id, name }, Some(open)) = (kind, &self.open) else {
            return;
        };
        self.calls += 1;
        let name = &self.wish.tools.of(name).name;
        let begun = if self.wish.is_legacy {
            json!({"function_call": {"name": name, "arguments": ""}})
        } else if open.custom.is_some() {
            json!({"tool_calls": [{"index": open.index, "id": id, "type": "custom", "custom": {"name": name, "input": ""}}]})
        } else {
            json!({"tool_calls": [{"index": open.index, "id": id, "type": "function",
                "function": {"name": name, "arguments": ""}}]})
        };
        self.chunk(&Piece::Tree(begun), None, stream);
    }

    fn extend(&mut self, delta: &Delta, stream: &mut String) {
        if delta.is_empty() {
            return;
        }
        match delta {
            Delta::Text(content) => self.chunk(&Piece::Text(content), None, stream),
            Delta::Thinking(text) => self.chunk(&Piece::Thought(text), None, stream),
            Delta::InputJson(piece) => self.input(piece, stream),
            Delta::Signature(_) | Delta::Foreign(_) => {}
        }
    }

    fn input(&mut self, piece: &str, stream: &mut String) {
        let Some(open) = &mut self.open else {
            return;
        };
        open.is_empty = false;
        let index = open.index;
        let Some(custom) = &mut open.custom else {
            let piece = Piece::input(index, piece, self.wish.is_legacy);
            return self.chunk(&piece, None, stream);
        };
        let text = custom.push(piece);
        if !text.is_empty() {
            let piece = json!({"tool_calls": [{"index": index, "custom": {"input": text}}]});
            self.chunk(&Piece::Tree(piece), None, stream);
        }
    }

    /// A call without any input has none the less an object.
    fn close(&mut self, stream: &mut String) {
        if let Some(open) = self.open.take()
            && open.is_empty
            && open.custom.is_none()
        {
            let piece = Piece::input(open.index, "{}", self.wish.is_legacy);
            self.chunk(&piece, None, stream);
        }
    }

    fn end(&self, end: &End, stream: &mut String) {
        let reason = Ending::of(&end.stop).finish_reason(self.called(self.calls));
        self.chunk(&Piece::Nothing, Some(reason), stream);
        if self.wish.has_usage {
            self.label().write_usage(&end.usage, stream);
        }
        stream.push_str("data: [DONE]\n\n");
    }

    /// What a call of a tool is called, where there was one.
    fn called(&self, calls: usize) -> Option<&'static str> {
        let name = match self.wish.is_legacy {
            true => "function_call",
            false => "tool_calls",
        };
        (calls > 0).then_some(name)
    }

    /// Writes the frame of one chunk.
    fn chunk(&self, delta: &Piece<'_>, finish_reason: Option<&str>, stream: &mut String) {
        let head = self.head.get_or_init(|| self.label().chunk_head());
        stream.push_str(head);
        written::chunk(delta, finish_reason, self.wish.has_usage, stream);
    }

    fn label(&self) -> Label<'_> {
        Label {
            id: &self.id,
            created: self.created,
            model: &self.wish.model,
        }
    }

    fn call(&self, block: &AnswerBlock) -> Option<Value> {
        let BlockKind::ToolUse { id, name } = &block.kind else {
            return None;
        };
        let told = self.wish.tools.of(name);
        Some(match told.kind {
            ToolKind::Custom => {
                let input = Unwrap::default().push(&block.text);
                json!({"id": id, "type": "custom", "custom": {"name": told.name, "input": input}})
            }
            ToolKind::Function | ToolKind::LocalShell | ToolKind::Shell | ToolKind::ApplyPatch => {
                json!({"id": id, "type": "function", "function": {"name": told.name, "arguments": input_of(block)}})
            }
        })
    }

    fn message(&self, blocks: &[AnswerBlock]) -> Message {
        let mut calls: Vec<Value> = blocks.iter().filter_map(|block| self.call(block)).collect();
        let text = joined(blocks, &BlockKind::Text);
        let is_said = !text.is_empty() || calls.is_empty();
        let legacy = match self.wish.is_legacy && !calls.is_empty() {
            true => Some(std::mem::take(&mut calls[0]["function"])),
            false => None,
        };
        if legacy.is_some() {
            calls.clear();
        }
        Message {
            content: is_said.then_some(text),
            reasoning_content: joined(blocks, &BlockKind::Thinking),
            thinking_blocks: blocks.iter().filter_map(signed).collect(),
            function_call: legacy,
            tool_calls: calls,
        }
    }
}

impl AnswerWriter for Writer {
    fn frames(&mut self, event: &Event, stream: &mut String) {
        self.listen(event);
        match event {
            Event::Start(_) => self.chunk(&Piece::Role, None, stream),
            Event::BlockStart { kind, .. } => self.begin(kind, stream),
            Event::Delta { delta, .. } => self.extend(delta, stream),
            Event::BlockStop { .. } => self.close(stream),
            Event::End(end) => self.end(end, stream),
        }
    }

    fn keep_alive(&self) -> String {
        sse::comment("keep-alive") + "\n"
    }

    fn failure(&mut self, fault: &Fault, _: &RequestId) -> String {
        error::frame(fault)
    }

    fn whole(&self, whole: &CompleteAnswer) -> Result<String, &'static str> {
        let calls = whole.blocks.iter().filter(|block| block.call().is_some());
        let reason = Ending::of(&whole.end.stop).finish_reason(self.called(calls.count()));
        let message = self.message(&whole.blocks);
        self.remember(&whole.blocks);
        Ok(self.label().completion(&message, reason, &whole.end.usage))
    }
}

/// The input of a call as the model wrote it.
pub(in crate::wire::openai) fn input_of(block: &AnswerBlock) -> &str {
    match block.text.as_str() {
        "" => "{}",
        text => text,
    }
}

fn joined(blocks: &[AnswerBlock], kind: &BlockKind) -> String {
    let same = blocks.iter().filter(|block| block.kind == *kind);
    same.map(|block| block.text.as_str()).collect()
}

/// A block as it was given.
fn given(block: &AnswerBlock) -> Option<Value> {
    match &block.kind {
        BlockKind::Text => Some(json!({"type": "text", "text": block.text})),
        BlockKind::ToolUse { id, name } => {
            let input: Value = serde_json::from_str(input_of(block)).ok()?;
            Some(json!({"type": "tool_use", "id": id, "name": name, "input": input}))
        }
        BlockKind::Thinking | BlockKind::RedactedThinking { .. } => signed(block),
        BlockKind::Foreign(_) => None,
    }
}

/// Thinking as its maker takes it back; some clients keep it with the message.
fn signed(block: &AnswerBlock) -> Option<Value> {
    match &block.kind {
        BlockKind::Thinking if !block.signature.is_empty() => {
            Some(json!({"type": "thinking", "thinking": block.text, "signature": block.signature}))
        }
        BlockKind::RedactedThinking { data } => {
            Some(json!({"type": "redacted_thinking", "data": data}))
        }
        BlockKind::Thinking
        | BlockKind::Text
        | BlockKind::ToolUse { .. }
        | BlockKind::Foreign(_) => None,
    }
}

#[cfg(test)]
mod tests;
