//! An answer being told: words of print mode in, events out, with the grammar kept. `[pure]`
//!
//! The answer is the model's *first* message of the turn; the machine ends the process where the CLI would go on.

use super::output::Counts;
use super::output::OutputLine;
use super::output::opened;
use crate::session::block;
use crate::turn::AnswerBlock;
use crate::turn::Block;
use crate::turn::BlockKind;
use crate::turn::Delta;
use crate::turn::End;
use crate::turn::Event;
use crate::turn::MessageId;
use crate::turn::Start;
use crate::turn::StopReason;
use crate::turn::json::Replaced;
use crate::turn::json::Seam;
use serde_json::Value;

/// How far it is.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The head, completed when the message begins.
    start: Start,
    stage: Stage,
    blocks: Vec<AnswerBlock>,
    /// A block is open, and it is one for the caller.
    open: bool,
    /// Where the pieces of the open block meet, and what a piece of it is.
    seam: Seam,
    piece: Option<fn(String) -> Delta>,
    /// Something was told that the model did not write so.
    replaced: bool,
    stop: Option<StopReason>,
    details: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Awaited,
    /// It comes as a stream.
    Streamed,
    /// It comes in whole blocks, because the CLI did not stream.
    Repeated,
    Whole,
}

/// What a word means for the turn.
#[expect(
    clippy::large_enum_variant,
    reason = "one value a call, which moves once or twice"
)]
#[derive(Debug, PartialEq)]
pub(crate) enum AnswerStep {
    /// Nothing more than the events.
    Nothing,
    /// The message is whole, with this end.
    Whole(End),
    /// The words do not fit together: another message begins inside this one.
    Broken,
}

impl Answer {
    pub(crate) fn new(start: Start) -> Answer {
        Answer {
            start,
            stage: Stage::Awaited,
            blocks: Vec::new(),
            open: false,
            seam: Seam::default(),
            piece: None,
            replaced: false,
            stop: None,
            details: None,
        }
    }

    /// Whether anything of it was told.
    pub(crate) fn has_begun(&self) -> bool {
        self.stage != Stage::Awaited
    }

    /// Whether the model said anything at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Whether there is nothing in it that a person could see, after which the CLI asks the model again by itself.
    pub(crate) fn is_blank(&self) -> bool {
        self.blocks.iter().all(|block| match block.kind {
            BlockKind::Text => block.text.trim().is_empty(),
            BlockKind::ToolUse { .. } | BlockKind::Foreign(_) => false,
            BlockKind::Thinking | BlockKind::RedactedThinking { .. } => true,
        })
    }

    /// Whether the model called a tool with what is no input.
    pub(crate) fn has_broken_call(&self) -> bool {
        self.blocks.iter().any(AnswerBlock::is_broken_call)
    }

    /// Whether something was told that the model did not write so.
    pub(crate) fn is_replaced(&self) -> bool {
        self.replaced
    }

    /// Takes the next word in.
    pub(crate) fn handle(&mut self, word: OutputLine, events: &mut Vec<Event>) -> AnswerStep {
        match (word, self.stage) {
            (OutputLine::Started { id, model, usage }, Stage::Awaited) => {
                self.begin(Stage::Streamed, id, model, usage, events);
            }
            (OutputLine::Started { .. }, Stage::Streamed | Stage::Repeated) => {
                return AnswerStep::Broken;
            }
            (OutputLine::Opened(kind, first), Stage::Streamed) => self.open(kind, first, events),
            (OutputLine::More(delta, replaced), Stage::Streamed) => {
                let joined = self.join(delta, replaced);
                self.extend(Some(joined), events);
            }
            (OutputLine::Shut, Stage::Streamed) => self.shut(events),
            (word @ OutputLine::Ending { .. }, Stage::Streamed) => self.take_ending(word),
            (OutputLine::Over, Stage::Streamed) => return self.end(),
            (word @ OutputLine::Said { .. }, Stage::Awaited | Stage::Repeated) => {
                self.take_blocks(word, events);
            }
            // Where the turn failed, the reason that it tells is not that of the message.
            (OutputLine::Closed { stop, error: None }, Stage::Repeated) => {
                self.stop = stop;
                return self.end();
            }
            _ => {}
        }
        AnswerStep::Nothing
    }

    /// Takes in what the message says of its end before it ends.
    fn take_ending(&mut self, word: OutputLine) {
        let OutputLine::Ending {
            stop,
            details,
            usage,
        } = word
        else {
            return;
        };
        self.details = details.or(self.details.take());
        self.start.usage = usage.over(self.start.usage);
        self.stop = stop.or(self.stop.take());
    }

    /// Takes in whole blocks, of this message or of the one that they begin.
    fn take_blocks(&mut self, word: OutputLine, events: &mut Vec<Event>) {
        let OutputLine::Said {
            id,
            model,
            usage,
            blocks,
            replaced,
        } = word
        else {
            return;
        };
        match self.stage {
            Stage::Awaited => self.begin(Stage::Repeated, id, model, usage, events),
            _ if id == self.start.id.0 => {}
            _ => return,
        }
        self.replaced |= replaced;
        self.repeat(&blocks, events);
    }

    /// The answer as the caller was told it.
    pub(crate) fn said(&self) -> Vec<Block> {
        self.blocks.iter().map(block::returned_block).collect()
    }

    /// The ids of the model's calls.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &str> {
        self.blocks.iter().filter_map(AnswerBlock::call)
    }

    fn begin(
        &mut self,
        stage: Stage,
        id: String,
        model: String,
        usage: Counts,
        events: &mut Vec<Event>,
    ) {
        self.stage = stage;
        self.start.id = MessageId(id);
        self.start.model = model;
        self.start.usage = usage.over(self.start.usage);
        events.push(Event::Start(Box::new(self.start.clone())));
    }

    fn open(&mut self, kind: BlockKind, first: Option<Delta>, events: &mut Vec<Event>) {
        self.shut(events);
        self.open = true;
        events.push(Event::BlockStart {
            index: self.blocks.len(),
            kind: kind.clone(),
        });
        self.blocks.push(AnswerBlock::begun(kind));
        self.extend(first, events);
    }

    fn extend(&mut self, delta: Option<Delta>, events: &mut Vec<Event>) {
        let index = self.blocks.len().saturating_sub(1);
        let (Some(block), Some(delta), true) = (self.blocks.last_mut(), delta, self.open) else {
            return;
        };
        if !delta.is_empty() && block.extend(&delta).is_ok() {
            events.push(Event::Delta { index, delta });
        }
    }

    /// A piece as it is told: half of a pair at its end waits for the next one.
    fn join(&mut self, delta: Delta, replaced: Replaced) -> Delta {
        let (text, piece): (String, fn(String) -> Delta) = match delta {
            Delta::Text(text) => (text, Delta::Text),
            Delta::Thinking(text) => (text, Delta::Thinking),
            Delta::InputJson(text) => (text, Delta::InputJson),
            other @ (Delta::Signature(_) | Delta::Foreign(_)) => {
                self.replaced |= replaced.is_any();
                return other;
            }
        };
        self.piece = Some(piece);
        piece(self.seam.join(&text, replaced))
    }

    /// Tells what of the open block still waits.
    fn close_seam(&mut self, events: &mut Vec<Event>) {
        let half = self.seam.close();
        self.replaced |= self.seam.has_lost();
        self.seam = Seam::default();
        if let (Some(half), Some(piece)) = (half, self.piece.take()) {
            self.extend(Some(piece(half.to_string())), events);
        }
    }

    fn shut(&mut self, events: &mut Vec<Event>) {
        self.close_seam(events);
        if std::mem::take(&mut self.open) {
            let index = self.blocks.len().saturating_sub(1);
            events.push(Event::BlockStop { index });
        }
    }

    /// Blocks that come whole.
    fn repeat(&mut self, blocks: &[Value], events: &mut Vec<Event>) {
        for block in blocks {
            let Some((kind, first)) = opened(block) else {
                continue; // None such is read.
            };
            self.open(kind, first, events);
            let signature = block.get("signature").and_then(Value::as_str);
            let signature = signature.map(|text| Delta::Signature(text.to_owned()));
            self.extend(signature, events);
            self.shut(events);
        }
    }

    fn end(&mut self) -> AnswerStep {
        let Some(stop) = self.stop.take().filter(|_| !self.open) else {
            return AnswerStep::Broken;
        };
        self.stage = Stage::Whole;
        AnswerStep::Whole(End {
            stop,
            details: self.details.take(),
            usage: self.start.usage,
            id: Some(self.start.id.clone()),
            model: Some(self.start.model.clone()),
        })
    }
}
