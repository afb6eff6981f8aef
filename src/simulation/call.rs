//! A simulated caller: what it asks for, what it has got so far, and how it ended. `[pure]`

use super::chance::Chance;
use super::model::CallId;
use super::model::mark;
use super::model::marks;
use crate::pool::slot::SlotId;
use crate::session::Delivery;
use crate::session::Shape;
use crate::turn::AnswerBuilder;
use crate::turn::Block;
use crate::turn::Event;
use crate::turn::Message;
use crate::turn::Role;
use crate::turn::Tool;
use crate::turn::Unbuilt;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Instant;

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) shape: Shape,
    pub(super) messages: Vec<String>,
    pub(super) plan: Delivery,
    /// How its tool is described, where it brings one; all tools have one name.
    pub(super) tool: Option<String>,
    pub(super) since: Instant,
    pub(super) stage: Stage,
    pub(super) builder: AnswerBuilder,
    /// The text so far.
    pub(super) text: String,
    pub(super) misdelivered: bool,
    pub(super) lost: bool,
    /// The name of its conversation, where that has one.
    pub(super) name: Option<u64>,
    /// The calls before it in its conversation, whose marks it may be told.
    pub(super) earlier: BTreeSet<CallId>,
}

/// How far a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// In the queue, or on its way there.
    Waiting,
    /// With a session.
    Served {
        slot: SlotId,
    },
    Over,
}

impl Call {
    pub(super) fn new(id: CallId, chance: &mut Chance, now: Instant) -> Call {
        let mark = mark(id);
        let pairs = if chance.hits(300) {
            chance.count(1..3)
        } else {
            0
        };
        let mut messages: Vec<String> =
            (0..pairs * 2).map(|n| format!("said {n} {mark}")).collect();
        messages.push(prompt(&mark, chance));
        let last = messages.last().cloned().unwrap_or_default();
        let shape = Shape::plain(["a", "b", "c", "d"][chance.count(0..8).min(3) % 4]);
        let plan = crate::session::plan_delivery(&user(&last));
        // What cannot be typed is launched, and a launch has its tools by another way than is simulated here.
        let may_have_tool = plan != Delivery::Transcript;
        let tool = match chance.within(0..10) {
            0..2 if may_have_tool => Some(format!("a tool of {mark}")),
            2 if may_have_tool => Some("a common tool".to_owned()),
            _ => None,
        };
        Call {
            shape,
            plan,
            tool,
            messages,
            since: now,
            stage: Stage::Waiting,
            builder: AnswerBuilder::default(),
            text: String::new(),
            misdelivered: false,
            lost: false,
            name: chance.hits(400).then_some(id),
            earlier: BTreeSet::new(),
        }
    }

    /// A call that goes on with one that was told: mostly with just that, in the same shape and by the same name.
    pub(super) fn after(before: &Call, id: CallId, chance: &mut Chance, now: Instant) -> Call {
        let mut call = Call::new(id, chance, now);
        let prompt = call.messages.pop();
        let said = match chance.hits(50) {
            true => format!("edited {}", mark(id)),
            false => before.text.clone(),
        };
        call.messages = before
            .messages
            .iter()
            .cloned()
            .chain([said])
            .chain(prompt)
            .collect();
        if !chance.hits(50) {
            call.shape = before.shape.clone();
        }
        if call.plan != Delivery::Transcript && !chance.hits(50) {
            call.tool.clone_from(&before.tool);
        }
        call.name = before.name.filter(|_| !chance.hits(50));
        call.earlier = before.earlier.clone();
        call.earlier
            .extend(before.messages.iter().flat_map(|text| marks(text)));
        call
    }

    /// Whether it asks for the session that may have stayed in its conversation.
    pub(super) fn goes_on(&self) -> bool {
        let typed = self.plan != Delivery::Transcript;
        typed && self.name.is_some() && !self.history().is_empty()
    }

    /// Its tools, as they are listed.
    pub(super) fn tools(&self) -> Vec<Tool> {
        let tool = self.tool.as_ref().map(|description| Tool {
            name: "find".to_owned(),
            description: description.clone(),
            input_schema: json!({"type": "object"}),
        });
        tool.into_iter().collect()
    }

    /// The messages before the prompt.
    pub(super) fn history(&self) -> &[String] {
        self.messages
            .split_last()
            .map_or(&[], |(_, history)| history)
    }

    /// Takes an event of the answer.
    pub(super) fn take(&mut self, event: Event) -> Result<(), Unbuilt> {
        if let Event::Delta {
            delta: crate::turn::Delta::Text(text),
            ..
        } = &event
        {
            self.text.push_str(text);
        }
        self.builder.push(&event)
    }
}

fn user(text: &str) -> Message {
    Message {
        role: Role::User,
        blocks: vec![Block::Text(text.to_owned())],
    }
}

/// Texts for each of the channels; the mark holds no character that any of them could change.
fn prompt(mark: &str, chance: &mut Chance) -> String {
    match chance.within(0..10) {
        0 => format!("!touch {mark}"),
        1 => format!("/clear {mark}"),
        2 => format!("with\ttab {mark}"),
        3 => "long lines\n".repeat(chance.count(1..80)) + mark,
        _ => format!("ask {mark} please"),
    }
}
