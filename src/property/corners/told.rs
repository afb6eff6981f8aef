//! What a caller was told of an answer, and whether that is all of it.

#![cfg(test)]

use super::SECOND;
use super::answer;
use super::answer::Answer;
use super::answer::Block;
use crate::session::print;
use crate::turn::AnswerBlock;
use crate::turn::AnswerBuilder;
use crate::turn::BlockKind;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::Reading;
use crate::wire::anthropic::event;
use serde_json::Value;
use serde_json::json;

#[derive(Default)]
pub(super) struct ToldAnswer {
    builder: AnswerBuilder,
    over: bool,
    fault: Option<Fault>,
    pub(super) emulated: Vec<String>,
}

impl ToldAnswer {
    pub(super) fn hear(&mut self, event: Event) {
        assert!(!self.over, "nothing may follow the end");
        self.over = matches!(event, Event::End(_));
        self.builder
            .push(&event)
            .expect("the events keep the grammar");
    }

    pub(super) fn fail(&mut self, fault: Fault) {
        // A session that failed may go on to fail; its caller is gone by then.
        if !self.over {
            self.over = true;
            self.fault = Some(fault);
        }
    }

    pub(super) fn hear_print(&mut self, effect: print::machine::Effect) {
        match effect {
            print::machine::Effect::Tell(event) => self.hear(event),
            print::machine::Effect::Park { end, .. } => self.hear(end),
            print::machine::Effect::Emulated(path) => self.emulated.push(path),
            print::machine::Effect::Fail { fault, .. } => self.fail(fault),
            _ => {}
        }
    }

    /// The answer is whole or labelled, or has failed for a reason of its own.
    pub(super) fn judge(self, answer: &Answer, reading: Reading, way: &str, seed: u64) {
        let at = format!("{way} {reading:?}, seed {seed}: {answer:?}");
        assert!(self.over, "a hang: {at}");
        if let Some(fault) = &self.fault {
            return assert!(is_honest(fault, answer), "{fault:?} for {at}");
        }
        let whole = self.builder.finish().expect("the end came");
        assert_eq!(whole.end.stop.name(), answer.stop, "{at}");
        let told: Vec<(String, Value)> = whole.blocks.iter().map(told).collect();
        let wanted: Vec<(String, Value)> = answer.blocks.iter().map(Block::wanted).collect();
        let is_moved = told != wanted;
        let (told, wanted) = match reading {
            Reading::Along if is_moved => (apart(told), apart(without_moved_thoughts(wanted))),
            Reading::Along | Reading::Whole => (told, wanted),
        };
        assert_eq!(told, wanted, "{at}");
        assert!(!format!("{told:?}").contains(SECOND), "{at}");
        if answer.is_broken() {
            return; // It was cut, and is told as far as it came, byte for byte.
        }
        let mut labels = self.emulated;
        labels.extend(event::changed(&whole));
        let loses = answer.blocks.iter().any(|block| match block {
            Block::Call(_, _, input) => *input == answer::LARGE || input.contains("\\ud99c"),
            block => block.loses(),
        });
        let is_other = loses || is_moved;
        assert_eq!(is_other, !labels.is_empty(), "labels {labels:?} for {at}");
        assert!(event::message(&whole).is_ok(), "{at}");
    }
}
/// What of an answer is a failure: nothing at all, or a call that is none.
fn is_honest(fault: &Fault, answer: &Answer) -> bool {
    match fault.kind {
        FaultKind::EmptyTurn => {
            let is_silent = |block: &Block| matches!(block, Block::Text(text) if text.is_empty());
            answer.blocks.iter().all(is_silent)
        }
        FaultKind::UpstreamFailed { status: 502 } => {
            answer.is_broken() || (answer.stop == "refusal" && answer.blocks.is_empty())
        }
        _ => false,
    }
}

fn told(block: &AnswerBlock) -> (String, Value) {
    match &block.kind {
        BlockKind::Text => ("text".into(), json!(block.text)),
        BlockKind::Thinking => ("thinking".into(), json!(block.text)),
        BlockKind::RedactedThinking { data } => ("redacted_thinking".into(), json!(data)),
        BlockKind::ToolUse { id, name } => ("tool_use".into(), json!([id, name])),
        BlockKind::Foreign(block) => ("foreign".into(), block.clone()),
    }
}

fn is_thought((kind, _): &(String, Value)) -> bool {
    kind == "thinking" || kind == "redacted_thinking"
}

/// What was thought before a text is not told behind it.
fn without_moved_thoughts(blocks: Vec<(String, Value)>) -> Vec<(String, Value)> {
    let last_text = blocks.iter().rposition(|(kind, _)| kind == "text");
    let numbered = blocks.into_iter().enumerate();
    let stays =
        |(at, block): &(usize, (String, Value))| !is_thought(block) || Some(*at) > last_text;
    numbered.filter(stays).map(|(_, block)| block).collect()
}

/// All texts as one, before the other blocks: so they are told along, where only the display tells them.
fn apart(blocks: Vec<(String, Value)>) -> Vec<(String, Value)> {
    let (texts, others): (Vec<_>, Vec<_>) =
        blocks.into_iter().partition(|(kind, _)| kind == "text");
    let text: String = texts.iter().filter_map(|(_, text)| text.as_str()).collect();
    [("text".to_owned(), json!(text))]
        .into_iter()
        .chain(others)
        .collect()
}
