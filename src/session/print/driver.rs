//! The loop of one session in print mode: lines, tools and orders in; lines, events and notices out.
//!
//! All decisions are the machine's. The loop takes one input, hands it over, and drains every effect before it takes
//! the next.

use super::input;
use super::line::Lines;
use super::machine::EDITION;
use super::machine::Effect;
use super::machine::Machine;
use super::output::OutputLine;
use super::spawn::Process;
use crate::clock;
use crate::session::driver::Notice;
use crate::session::driver::Notify;
use crate::session::driver::Order;
use crate::session::driver::Turn;
use crate::session::driver::met;
use crate::session::mcp::server::McpServer;
use crate::session::mcp::tool_sync;
use crate::session::mcp::tool_sync::ToolEvent;
use crate::session::pty::reap;
use crate::session::pty::reap::How;
use crate::session::reply;
use crate::session::reply::ReplySink;
use crate::session::reply::TooSlow;
use crate::session::reply::TurnOutcome;
use crate::session::resources::SessionResources;
use crate::session::transcript_pipe::TranscriptPipe;
use crate::session::witness::receiver::Place;
use crate::turn::Event;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::mpsc;

/// What a driver owns.
pub(super) struct Driver {
    pub(super) process: Process,
    pub(super) resources: SessionResources,
    /// Held so that the session's MCP address stays open.
    pub(super) place: Place,
    pub(super) mcp: McpServer,
    pub(super) tool_events: mpsc::Receiver<ToolEvent>,
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) notify: Notify,
    pub(super) machine: Machine,
    pub(super) reply: ReplySink,
    pub(super) lines: Lines,
    /// The pipe of a session that has not got its conversation yet.
    pub(super) transcript_pipe: Option<TranscriptPipe>,
    /// The conversation that a session was launched with, until it may have it.
    pub(super) held: Option<String>,
    /// Where the CLI writes what is said.
    pub(super) transcript: PathBuf,
    pub(super) ending: Option<Instant>,
}

enum Input {
    Said(Vec<OutputLine>),
    Silent,
    Served(ToolEvent),
    Reached(io::Result<()>),
    Ordered(Order),
    HungUp,
    Timeout,
    Exited(String),
}

impl Driver {
    /// Runs until the process is gone and reaped.
    pub(super) async fn run(mut self) {
        self.drain();
        loop {
            let input = self.next().await;
            if let Input::Exited(how) = input {
                self.hear_the_rest();
                self.machine.handle_exit(&how);
                self.drain();
                return self.close(&how);
            }
            self.handle(input);
            self.drain();
        }
    }

    async fn next(&mut self) -> Input {
        let deadline = self.deadline();
        let silent = self.process.output.is_closed() && self.process.output.is_empty();
        tokio::select! {
            biased;
            // What the CLI says of its tools comes after what it did at their address.
            event = self.tool_events.recv() => event.map_or(Input::Timeout, Input::Served),
            said = self.process.output.recv(), if !silent => {
                said.map_or(Input::Silent, |bytes| Input::Said(self.lines.push(&bytes)))
            }
            met = met(self.transcript_pipe.as_mut(), self.process.pid) => Input::Reached(met),
            order = self.orders.recv(), if self.ending.is_none() => Input::Ordered(order.unwrap_or(Order::Retire)),
            how = &mut self.process.exit => Input::Exited(how.unwrap_or_else(|_| "unseen".to_owned())),
            () = self.reply.hung_up() => Input::HungUp,
            () = tokio::time::sleep_until(deadline.into()) => Input::Timeout,
        }
    }

    fn deadline(&self) -> Instant {
        let machine = self.machine.poll_timeout().map(|(at, _)| at);
        reply::soonest([machine, self.ending])
    }

    fn handle(&mut self, input: Input) {
        let now = clock::now();
        match input {
            Input::Said(words) => self.hear(words, now),
            Input::Silent => {
                if self.ending.is_none() {
                    self.end(How::Asked, "its output closed");
                }
            }
            Input::Served(event) => self.machine.handle_tool(event, now),
            Input::Reached(Ok(())) => self.machine.handle_reached(now),
            Input::Reached(Err(error)) => {
                tracing::warn!(%error, "a primed session is given up");
                self.end(How::Forced, "its pipe was read by another program");
            }
            Input::Ordered(Order::Begin(turn)) => self.begin(*turn, now),
            Input::Ordered(Order::Leave) => self.end(How::Forced, "its conversation is left"),
            Input::Ordered(Order::Retire) => self.end(How::Forced, "retired"),
            Input::HungUp => {
                self.machine.cancel();
                self.reply.settle(TurnOutcome::Cancelled);
            }
            Input::Timeout if self.ending.is_some_and(|at| at <= now) => {
                self.end(How::Forced, "it did not end");
            }
            Input::Timeout => self.machine.handle_timeout(now),
            Input::Exited(_) => {}
        }
    }

    fn hear(&mut self, words: Vec<OutputLine>, now: Instant) {
        for word in words {
            self.machine.handle_word(word, now);
            self.drain();
        }
    }

    /// What a process said before it ended counts.
    fn hear_the_rest(&mut self) {
        while let Ok(bytes) = self.process.output.try_recv() {
            let words = self.lines.push(&bytes);
            self.hear(words, clock::now());
        }
    }

    fn begin(&mut self, turn: Turn, now: Instant) {
        self.reply.take(turn.caller);
        let told = match turn.conversation {
            Some(text) => self.converse(text),
            None if self.transcript_pipe.is_some() => Err(io::ErrorKind::InvalidInput.into()),
            None => Ok(()),
        };
        match told {
            Ok(()) => self.machine.begin(turn.task, now),
            Err(error) => {
                tracing::warn!(%error, "a conversation could not be handed over");
                self.reply.settle(TurnOutcome::Misdelivered);
                self.end(How::Forced, "a conversation could not be handed over");
            }
        }
    }

    /// Sends the conversation through the pipe.
    fn converse(&mut self, text: String) -> io::Result<()> {
        let transcript_pipe = self.transcript_pipe.take().ok_or(io::ErrorKind::NotFound)?;
        transcript_pipe.tell(text)
    }

    fn drain(&mut self) {
        while let Some(effect) = self.machine.poll_effect() {
            self.perform(effect);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Write(line) => self.process.write(line),
            Effect::ToolSync(list) => {
                self.mcp.tell(tool_sync::Notice::Changed(list, EDITION));
                let tools = input::tools(&self.place.tools_url());
                self.process.write(tools);
            }
            Effect::Converse => self.converse_held(),
            Effect::Tell(event) => self.tell(event),
            Effect::Fail { fault, begun } => self.reply.fail(fault, begun),
            Effect::Misdelivered => self.reply.settle(TurnOutcome::Misdelivered),
            Effect::Park { said, end } => {
                let end = Box::new(end);
                self.reply.settle(TurnOutcome::Parked { said, end });
            }
            Effect::Answer(answered) => self.mcp.answer(answered),
            Effect::Ready => {
                let resident = reap::resident_bytes(self.process.pid);
                (self.notify)(Notice::Ready { resident });
            }
            Effect::Leave => {
                self.process.leave();
                self.ending = Some(clock::now() + LEAVE_WAIT);
            }
            Effect::Kill(why) => self.end(How::Forced, why),
        }
    }

    fn converse_held(&mut self) {
        let held = self.held.take().unwrap_or_default();
        if let Err(error) = self.converse(held) {
            tracing::warn!(%error, "a held conversation could not be handed over");
            self.reply.settle(TurnOutcome::Misdelivered);
            self.end(How::Forced, "a conversation could not be handed over");
        }
    }

    fn tell(&mut self, event: Event) {
        if let Err(TooSlow) = self.reply.tell(event) {
            self.machine.cancel();
        }
    }

    fn end(&mut self, how: How, why: &str) {
        tracing::debug!(
            pid = self.process.pid,
            why,
            state = self.machine.name(),
            "ending a session"
        );
        reap::end_group(self.process.pid, how);
        self.ending = Some(clock::now() + LEAVE_WAIT);
    }

    fn close(mut self, how: &str) {
        // Whatever the process itself started goes with it.
        reap::end_group(self.process.pid, How::Forced);
        self.reply.settle(TurnOutcome::Cancelled);
        self.resources.forget(&self.transcript);
        self.resources.close(self.process.pid);
        tracing::debug!(pid = self.process.pid, how, "a session is gone");
        (self.notify)(Notice::Gone {
            fault: self.reply.take_fault(),
        });
    }
}

/// How long a process may take to leave; it takes 20 to 60 ms.
const LEAVE_WAIT: Duration = Duration::from_millis(400);
