//! A claude in print mode: lines and tools in, lines out.

use super::input;
use super::line::Lines;
use super::machine::EDITION;
use super::machine::Effect;
use super::machine::Machine;
use super::output::OutputLine;
use super::spawn::Process;
use crate::clock;
use crate::session::driver::RunningSession;
use crate::session::driver::Transport;
use crate::session::mcp::server::McpServer;
use crate::session::mcp::tool_sync;
use crate::session::mcp::tool_sync::ToolEvent;
use crate::session::prepare::PreparedTurn;
use crate::session::pty::reap::EndMode;
use crate::session::reply::TooSlow;
use crate::session::reply::TurnOutcome;
use crate::session::witness::diagnostics;
use crate::session::witness::diagnostics::Diagnostics;
use crate::session::witness::receiver::HookAddress;
use crate::session::witness::request_sign::RequestSign;
use std::io;
use std::path::PathBuf;
use std::time::Instant;
use tokio::sync::mpsc;

/// The way to a claude in print mode.
pub(super) struct PrintTransport {
    pub(super) process: Process,
    /// Held so that the session's MCP address stays open.
    pub(super) address: HookAddress,
    pub(super) mcp: McpServer,
    pub(super) tool_events: mpsc::Receiver<ToolEvent>,
    pub(super) machine: Machine,
    pub(super) lines: Lines,
    pub(super) diagnostics: Option<Diagnostics>,
    /// The conversation that a session was launched with, until it may have it.
    pub(super) held: Option<String>,
    /// How much the conversation that it was launched with has told of what the CLI tells by itself; `None` where that
    /// conversation comes with the turn.
    pub(super) told: Option<usize>,
    /// Where the CLI writes what is said.
    pub(super) transcript: PathBuf,
}

/// What a claude in print mode does.
pub(super) enum Input {
    Said(Vec<OutputLine>),
    Signed(Vec<RequestSign>),
    Silent,
    Served(ToolEvent),
}

impl Transport for PrintTransport {
    type Input = Input;

    /// It serves one conversation, which is over.
    const END: EndMode = EndMode::Forced;

    async fn next(&mut self, _is_ending: bool) -> Input {
        let silent = self.process.output.is_closed() && self.process.output.is_empty();
        tokio::select! {
            biased;
            // What the CLI says of its tools comes after what it did at their address.
            Some(event) = self.tool_events.recv() => Input::Served(event),
            // What it says of a request comes before what it says of its end.
            signs = diagnostics::next(self.diagnostics.as_mut()) => Input::Signed(signs),
            said = self.process.output.recv(), if !silent => {
                said.map_or(Input::Silent, |bytes| Input::Said(self.lines.push(&bytes)))
            }
            else => std::future::pending().await,
        }
    }

    fn handle(&mut self, input: Input, session: &mut RunningSession, now: Instant) {
        match input {
            Input::Said(words) => self.hear(words, session, now),
            Input::Signed(signs) => self.handle_signs(signs),
            Input::Silent => session.end(EndMode::Asked, "its output closed"),
            Input::Served(event) => self.machine.handle_tool(event, now),
        }
    }

    fn handle_reached(&mut self, now: Instant) {
        self.machine.handle_reached(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.machine.handle_timeout(now);
    }

    fn handle_exit(&mut self, session: &mut RunningSession, how: &str) {
        while let Ok(bytes) = self.process.output.try_recv() {
            let words = self.lines.push(&bytes);
            self.hear(words, session, clock::awake());
        }
        self.machine.handle_exit(how);
        session.resources.forget(&self.transcript);
    }

    fn begin(
        &mut self,
        turn: PreparedTurn,
        session: &mut RunningSession,
        now: Instant,
    ) -> io::Result<()> {
        if self.is_outdated(session) {
            session.give_up_outdated();
            return Ok(());
        }
        match turn.conversation {
            Some(text) => converse(text, session)?,
            None if session.transcript_pipe.is_some() => {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            None => {}
        }
        self.machine.begin(turn.task, now);
        Ok(())
    }

    fn leave(&mut self, session: &mut RunningSession, _now: Instant) {
        session.end(EndMode::Forced, "its conversation is left");
    }

    fn cancel(&mut self, _now: Instant) {
        self.machine.cancel();
    }

    fn drain(&mut self, session: &mut RunningSession) {
        while let Some(effect) = self.machine.poll_effect() {
            self.perform(effect, session);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.machine.poll_timeout().map(|(at, _)| at)
    }
}

impl PrintTransport {
    /// Whether it came up before it was known what the CLI tells by itself: it cannot take up another conversation.
    fn is_outdated(&self, session: &RunningSession) -> bool {
        let known = session.resources.transcript_store.tells(session.reader());
        self.told.is_some_and(|told| told < known)
    }

    fn handle_signs(&mut self, signs: Vec<RequestSign>) {
        for sign in signs {
            self.machine.handle_request_sign(sign);
        }
    }

    fn hear(&mut self, words: Vec<OutputLine>, session: &mut RunningSession, now: Instant) {
        for word in words {
            // What the API refused a request with is said before the turn's failure is.
            if matches!(word, OutputLine::Closed { error: Some(_), .. }) {
                let signs = diagnostics::read(self.diagnostics.as_mut());
                self.handle_signs(signs);
            }
            self.machine.handle_word(word, now);
            self.drain(session);
        }
    }

    fn perform(&mut self, effect: Effect, session: &mut RunningSession) {
        tracing::trace!(pid = self.process.pid, state = self.machine.name(), "does");
        match effect {
            Effect::Write(line) => self.process.write(line),
            Effect::ToolSync(list) => {
                self.mcp.tell(tool_sync::Notice::Changed(list, EDITION));
                let tools = input::tools(&self.address.tools_url());
                self.process.write(tools);
            }
            Effect::Converse => self.converse_held(session),
            Effect::Emulated(path) => session.reply.mark_emulated(path),
            Effect::Tell(event) => {
                if let Err(TooSlow) = session.reply.tell(event) {
                    self.machine.cancel();
                }
            }
            Effect::Fail { fault, begun } => session.reply.fail(fault, begun),
            Effect::Misdelivered => session.reply.settle(TurnOutcome::Misdelivered),
            Effect::Park { said, end } => {
                let end = Box::new(end);
                session.reply.settle(TurnOutcome::Parked { said, end });
            }
            Effect::Answer(answered) => self.mcp.answer(answered),
            Effect::Ready => session.ready(),
            Effect::Leave => {
                self.process.leave();
                session.expect_end();
            }
            Effect::Kill(why) => session.end(EndMode::Forced, why),
        }
    }

    fn converse_held(&mut self, session: &mut RunningSession) {
        let held = self.held.take().unwrap_or_default();
        if let Err(error) = converse(held, session) {
            session.misdeliver(EndMode::Forced, &error);
        }
    }
}

/// Sends the conversation through the pipe.
fn converse(text: String, session: &mut RunningSession) -> io::Result<()> {
    let transcript_pipe = session.transcript_pipe.take();
    let transcript_pipe = transcript_pipe.ok_or(io::ErrorKind::NotFound)?;
    transcript_pipe.tell(text)
}
