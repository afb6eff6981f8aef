//! What a simulated claude does with tools: it asks for the list, puts it to use a little later, and answers pings.
//! `[pure]`

use super::Around;
use super::Claude;
use super::Sign;
use crate::session::ToolEvent;
use crate::session::ToolNotice as Notice;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

/// The one tool that calls bring, by its description; `None`: no tool.
pub(in crate::simulation) type Tool = Option<String>;

/// What it does next with them.
#[derive(Debug, Clone, Copy)]
pub(in crate::simulation) enum ToolStep {
    Lists,
    Reads { time: u64 },
    Uses,
    Pongs(u64),
}

/// The tools of one process.
#[derive(Debug, Default)]
pub(super) struct Tools {
    /// What the server offers now, in which edition.
    offered: (Tool, u64),
    times: u64,
    /// Lists that were given out and are still to be read.
    given: VecDeque<(u64, Tool)>,
    /// Lists that were read, and when.
    read: VecDeque<(Instant, Tool)>,
    used: Tool,
    /// Whether the first description that the model is told of stays, and which one that is.
    keeps: bool,
    kept: Tool,
}

impl Tools {
    pub(super) fn new(keeps: bool) -> Tools {
        Tools {
            keeps,
            ..Tools::default()
        }
    }
}

impl Claude {
    /// It connects, and asks for the list by itself.
    pub(super) fn join(&mut self, around: &mut Around<'_>) {
        let version = String::new();
        self.serve(around, 1..30, ToolEvent::Joined { version });
        self.list(around);
    }

    /// The server says something.
    pub(in crate::simulation) fn handle_notice(
        &mut self,
        notice: &Notice,
        tool: Tool,
        around: &mut Around<'_>,
    ) {
        match notice {
            Notice::Changed(_, edition) => {
                self.tools.offered = (tool, *edition);
                self.tool_step(around, 1..40, ToolStep::Lists);
            }
            Notice::Ping(number) => self.tool_step(around, 1..20, ToolStep::Pongs(*number)),
        }
    }

    pub(in crate::simulation) fn handle_tool_step(
        &mut self,
        step: ToolStep,
        around: &mut Around<'_>,
    ) {
        match step {
            ToolStep::Lists => self.list(around),
            ToolStep::Reads { time } => self.read(time, around),
            ToolStep::Uses => self.put_to_use(around.now),
            ToolStep::Pongs(number) => {
                // Its timers run before it answers.
                self.put_to_use(around.now);
                self.serve(around, 1..10, ToolEvent::Ponged(number));
            }
        }
    }

    /// The description that the model is told.
    pub(super) fn told_tool(&mut self) -> Tool {
        let used = self.tools.used.clone()?;
        match self.tools.keeps {
            true => Some(self.tools.kept.get_or_insert(used).clone()),
            false => Some(used),
        }
    }

    fn list(&mut self, around: &mut Around<'_>) {
        self.tools.times += 1;
        let (time, (tool, edition)) = (self.tools.times, self.tools.offered.clone());
        self.tools.given.push_back((time, tool));
        self.serve(around, 1..5, ToolEvent::Listed { edition, time });
        self.tool_step(around, 1..60, ToolStep::Reads { time });
    }

    fn read(&mut self, time: u64, around: &mut Around<'_>) {
        let place = self
            .tools
            .given
            .iter()
            .position(|(given, _)| *given == time);
        let Some((_, tool)) = place.and_then(|place| self.tools.given.remove(place)) else {
            return;
        };
        self.tools.read.push_back((around.now, tool));
        self.serve(around, 1..5, ToolEvent::Read(time));
        self.tool_step(around, 16..18, ToolStep::Uses);
    }

    fn put_to_use(&mut self, now: Instant) {
        while let Some((_, tool)) = self
            .tools
            .read
            .pop_front_if(|(at, _)| *at + GATHERING <= now)
        {
            self.tools.used = tool;
        }
    }

    fn tool_step(&self, around: &mut Around<'_>, ms: std::ops::Range<u64>, step: ToolStep) {
        let after = around.chance.ms(ms);
        self.sign(around, after, Sign::ToolStep(step));
    }

    fn serve(&self, around: &mut Around<'_>, ms: std::ops::Range<u64>, event: ToolEvent) {
        let after = around.chance.ms(ms);
        self.sign(around, after, Sign::Served(event));
    }
}

/// It gathers changes for so long.
const GATHERING: Duration = Duration::from_millis(16);
