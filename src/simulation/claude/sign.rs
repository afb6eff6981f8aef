//! What others get to see of a simulated claude, each sign after a time. `[pure]`

use super::Around;
use super::Claude;
use super::Sign;
use super::Step;
use super::Work;
use super::path;
use crate::session::AssistantMessage;
use crate::session::Hook;
use crate::session::HookEvent;
use crate::session::Record;
use crate::terminal::Prompt;
use crate::terminal::Scene;
use crate::turn::Usage;
use crate::turn::json::Replaced;
use serde_json::json;
use std::time::Duration;

impl Claude {
    pub(super) fn later(&self, around: &mut Around<'_>, ms: std::ops::Range<u64>, step: Step) {
        let after = around.chance.ms(ms);
        self.sign(
            around,
            after,
            Sign::Step {
                run: self.run,
                step,
            },
        );
    }

    pub(super) fn draw(&mut self, around: &mut Around<'_>) {
        let scene = match (self.trusted, &self.work) {
            _ if self.stuck => Scene::Login,
            (false, _) => Scene::Trust { steps: 0 },
            (true, work) => Scene::Prompt(Prompt {
                empty: self.typed.is_empty(),
                busy: matches!(work, Work::Running { .. }),
                logged_out: false,
            }),
        };
        let after = around.chance.delay(1..30, 10, 200..3000);
        let after = after + std::mem::take(&mut self.awaited);
        self.sign(around, after, Sign::Drawn(scene));
    }

    pub(super) fn post(&self, around: &mut Around<'_>, event: HookEvent) -> Duration {
        let hook = Hook {
            conversation: self.conversation.clone(),
            transcript: path(&self.conversation),
            event,
        };
        let after = around.chance.delay(1..30, 10, 200..4000);
        self.sign(around, after, Sign::Posted(hook));
        after
    }

    pub(super) fn display(
        &self,
        around: &mut Around<'_>,
        message: &str,
        index: u64,
        last: bool,
        text: String,
    ) {
        if around.chance.hits(2) {
            return; // It is posted once, and awaited by nobody.
        }
        let message = message.to_owned();
        self.post(
            around,
            HookEvent::Displayed {
                message,
                index,
                last,
                text,
                replaced: Replaced::default(),
            },
        );
    }

    pub(super) fn write_said(&self, around: &mut Around<'_>, text: &str, stop: &str) {
        // One record a block; only the last one tells why the message stopped.
        let half = text.find('\n').filter(|_| around.chance.hits(200));
        let (first, rest) = text.split_at(half.unwrap_or(0));
        if !first.is_empty() {
            self.write(around, self.said(first, None));
        }
        self.write(around, self.said(rest, Some(stop)));
    }

    pub(super) fn said(&self, text: &str, stop: Option<&str>) -> Record {
        let block = json!({"type": "text", "text": text});
        Record::Assistant(AssistantMessage {
            message: format!("msg-{}-{}", self.conversation, self.run),
            model: "m".to_owned(),
            blocks: if text.is_empty() { vec![] } else { vec![block] },
            stop_reason: stop.map(str::to_owned),
            stop_sequence: None,
            details: None,
            replaced: false,
            usage: Usage::default(),
        })
    }

    pub(super) fn write(&self, around: &mut Around<'_>, record: Record) {
        let conversation = self.conversation.clone();
        let after = around.chance.delay(1..190, 10, 1000..5000);
        self.sign(
            around,
            after,
            Sign::Written {
                conversation,
                record,
            },
        );
    }

    pub(super) fn sign(&self, around: &mut Around<'_>, after: Duration, sign: Sign) {
        let slow = u32::try_from(self.slow).unwrap_or(1);
        around.signs.push((after * slow, sign));
    }
}
