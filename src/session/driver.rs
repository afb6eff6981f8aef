//! The loop of one session: terminal, hooks, transcript and orders in; keystrokes, events and notices out.
//!
//! All decisions are the machine's. The loop takes one input, hands it over, and drains every effect before it takes
//! the next.

use super::machine::Effect;
use super::machine::Machine;
use super::machine::Verdict;
use super::mcp::server::McpServer;
use super::mcp::tool_sync::ToolEvent;
use super::pty::reap;
use super::pty::reap::How;
use super::pty::spawn::Process;
use super::reply;
use super::reply::Recipient;
use super::reply::ReplySink;
use super::reply::TooSlow;
use super::reply::TurnOutcome;
use super::resources::SessionResources;
use super::transcript_pipe::TranscriptPipe;
use super::turn_spec::TurnSpec;
use super::witness::copies::Copied;
use super::witness::copies::Copies;
use super::witness::receiver::Place;
use super::witness::receiver::Post;
use super::witness::tail::Tail;
use crate::clock;
use crate::tap::Observation;
use crate::tap::TapSession;
use crate::terminal::Screen;
use crate::turn::Block;
use crate::turn::Event;
use crate::turn::Fault;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

/// What a session is told to do.
#[derive(Debug)]
pub(crate) enum Order {
    Begin(Box<Turn>),
    /// Leave the conversation that is kept, and be empty.
    Leave,
    Retire,
}

/// A turn and its caller.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) task: TurnSpec,
    /// What the editor puts into the prompt box, where the prompt goes that way.
    pub(crate) edited: Option<String>,
    /// The whole conversation, where the session is a primed one.
    pub(crate) conversation: Option<String>,
    pub(crate) caller: Recipient,
}

/// What the pool is told of a session.
#[derive(Debug)]
pub(crate) enum Notice {
    Ready {
        resident: Option<u64>,
    },
    /// `fault` where it never became ready, and why.
    Gone {
        fault: Option<Fault>,
    },
}

/// Tells the pool; it must not block.
pub(crate) type Notify = Box<dyn FnMut(Notice) + Send>;

/// What a driver owns.
pub(crate) struct Driver {
    pub(crate) process: Process,
    pub(crate) resources: SessionResources,
    /// Held so that the session's hook address stays open.
    pub(crate) _place: Place,
    /// The session's API address, where the user wants one of ours.
    pub(crate) tapped: Option<TapSession>,
    pub(crate) posts: mpsc::Receiver<Post>,
    pub(crate) mcp: McpServer,
    pub(crate) tool_events: mpsc::Receiver<ToolEvent>,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) notify: Notify,
    pub(crate) machine: Machine,
    pub(super) reply: ReplySink,
    pub(crate) tail: Option<Tail>,
    /// Where the CLI copies the API's answers to.
    pub(crate) copies: Option<Copies>,
    /// The pipe of a primed session that has not got its conversation yet.
    pub(crate) transcript_pipe: Option<TranscriptPipe>,
    /// The gate, once it is open.
    pub(crate) gate: Option<File>,
    pub(crate) screen: Screen,
    pub(crate) verdict: Option<oneshot::Sender<Verdict>>,
    pub(crate) ending: Option<Instant>,
}

enum Input {
    Observation(Vec<Observation>),
    Drawn(Vec<u8>),
    TerminalClosed,
    Posted(Post),
    Served(ToolEvent),
    Grew,
    Copied,
    Reached(io::Result<()>),
    Ordered(Order),
    HungUp,
    Timeout,
    Exited(String),
}

impl Driver {
    /// Runs until the process is gone and reaped.
    pub(crate) async fn run(mut self) {
        self.drain();
        loop {
            let input = self.next().await;
            if let Input::Exited(how) = input {
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
        tokio::select! {
            biased;
            // First: a hook tells of what was heard before it.
            heard = heard(self.tapped.as_mut()) => Input::Observation(heard),
            post = self.posts.recv() => post.map_or(Input::Timeout, Input::Posted),
            event = self.tool_events.recv() => event.map_or(Input::Timeout, Input::Served),
            drawn = self.process.output.recv(), if self.ending.is_none() => {
                drawn.map_or(Input::TerminalClosed, Input::Drawn)
            }
            () = grew(self.tail.as_ref()) => Input::Grew,
            () = copied(self.copies.as_ref()) => Input::Copied,
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
            Input::Observation(heard) => self.machine.handle_heard(heard, now),
            Input::Drawn(bytes) => self.handle_drawn(&bytes, now),
            Input::TerminalClosed => self.end(How::Asked, "its terminal closed"),
            Input::Posted(Post { hook, verdict }) => {
                self.verdict = verdict;
                tracing::trace!(
                    pid = self.process.pid,
                    hook = hook.event.name(),
                    state = self.machine.name(),
                    "posted"
                );
                self.machine.handle_hook(&hook, now);
            }
            Input::Served(event) => self.machine.handle_tool(event, now),
            Input::Grew => self.handle_growth(now),
            Input::Copied => self.handle_copies(now),
            Input::Reached(Ok(())) => self.machine.handle_reached(),
            Input::Reached(Err(error)) => {
                tracing::warn!(%error, "a primed session is given up");
                self.end(How::Asked, "its pipe was read by another program");
            }
            Input::Ordered(Order::Begin(turn)) => self.begin(*turn, now),
            Input::Ordered(Order::Leave) => self.machine.leave(now),
            Input::Ordered(Order::Retire) => self.end(How::Asked, "retired"),
            Input::HungUp => {
                self.machine.cancel(now);
                self.reply.settle(TurnOutcome::Cancelled);
            }
            Input::Timeout if self.ending.is_some_and(|at| at <= now) => self.force(),
            Input::Timeout => self.machine.handle_timeout(now),
            Input::Exited(_) => {}
        }
    }

    fn handle_drawn(&mut self, bytes: &[u8], now: Instant) {
        let mut owed = self.screen.feed(bytes);
        // What is there already belongs to the same look.
        while let Ok(more) = self.process.output.try_recv() {
            owed.extend(self.screen.feed(&more));
        }
        if !owed.is_empty() {
            self.process.write(owed);
        }
        let scene = self.screen.scene().clone();
        tracing::trace!(
            pid = self.process.pid,
            scene = scene.name(),
            state = self.machine.name(),
            "drawn"
        );
        self.machine.handle_scene(scene, now);
    }

    fn handle_growth(&mut self, now: Instant) {
        let records = self.tail.as_mut().map(Tail::read).unwrap_or_default();
        if !records.is_empty() {
            self.machine.handle_records(records, now);
        }
    }

    fn handle_copies(&mut self, now: Instant) {
        match self.copies.as_ref().map(Copies::read) {
            Some(Copied::Answer(said)) => self.machine.handle_copied(said, now),
            Some(Copied::Unclear) => self.machine.handle_unclear_copy(),
            Some(Copied::Nothing) | None => {}
        }
    }

    fn begin(&mut self, turn: Turn, now: Instant) {
        self.reply.take(turn.caller);
        let begun = match (turn.edited, turn.conversation) {
            (None, Some(text)) => self.begin_primed(turn.task, text, now),
            (edited, _) => self.begin_waiting(turn.task, edited, now),
        };
        if let Err(error) = begun {
            tracing::warn!(%error, "a prompt could not be staged");
            self.reply.settle(TurnOutcome::Misdelivered);
            self.end(How::Asked, "a prompt could not be staged");
        }
    }

    fn begin_waiting(
        &mut self,
        task: TurnSpec,
        edited: Option<String>,
        now: Instant,
    ) -> io::Result<()> {
        if let Some(text) = edited {
            self.resources.stage_prompt(&text)?;
        }
        self.machine.begin(task, now);
        Ok(())
    }

    /// Sends the conversation through the pipe. The turn has begun before anybody can read it, so that nothing that
    /// comes of it is early.
    fn begin_primed(&mut self, task: TurnSpec, text: String, now: Instant) -> io::Result<()> {
        let transcript_pipe = self.transcript_pipe.take().filter(TranscriptPipe::is_met);
        let transcript_pipe = transcript_pipe.ok_or(io::ErrorKind::NotFound)?;
        self.follow_from(&transcript_pipe.path, text.len() as u64);
        self.reply.mark_asked();
        self.machine
            .begin_primed(task, transcript_pipe.path.clone(), now);
        self.drain();
        transcript_pipe.tell(text)
    }

    fn drain(&mut self) {
        while let Some(effect) = self.machine.poll_effect() {
            self.perform(effect);
        }
    }

    fn perform(&mut self, effect: Effect) {
        tracing::trace!(
            pid = self.process.pid,
            effect = effect.name(),
            state = self.machine.name(),
            "does"
        );
        match effect {
            Effect::Write(keys) => self.process.write(keys),
            Effect::Verdict(verdict) => {
                if verdict == Verdict::Allow {
                    self.reply.mark_asked();
                }
                if let Some(waiting) = self.verdict.take() {
                    let _ = waiting.send(verdict); // The CLI may wait no longer.
                }
            }
            Effect::Listen => self.tapped.iter_mut().for_each(TapSession::arm),
            Effect::Notify(notice) => self.mcp.tell(notice),
            Effect::Nudge => self.mcp.nudge(),
            Effect::Answer(answered) => self.mcp.answer(answered),
            Effect::OpenGate => self.open_gate(),
            Effect::Park { said, end } => self.park(said, end),
            Effect::Keep { said, end } => {
                // What comes to the file until the next prompt is none of its answer.
                self.tail = None;
                self.park(said, end);
            }
            Effect::Follow(path) => self.follow(&path),
            Effect::Tell(event) => self.tell(event),
            Effect::Fail { fault, begun } => self.reply.fail(fault, begun),
            Effect::Misdelivered => self.reply.settle(TurnOutcome::Misdelivered),
            Effect::Blank => {
                self.mcp.clear();
                self.blank();
            }
            Effect::Forget(path) => self.forget(&path),
            Effect::Ready => {
                let resident = reap::resident_bytes(self.process.pid);
                (self.notify)(Notice::Ready { resident });
            }
            Effect::Kill(why) => self.end(How::Asked, why),
        }
    }

    fn follow(&mut self, path: &Path) {
        if self.tail.as_ref().is_some_and(|tail| tail.is_of(path)) {
            return;
        }
        let offset = std::fs::metadata(path).map_or(0, |meta| meta.len());
        self.follow_from(path, offset);
    }

    fn follow_from(&mut self, path: &Path, offset: u64) {
        match self.resources.tails.follow(path, offset) {
            Ok(tail) => self.tail = Some(tail),
            Err(error) => tracing::warn!(%error, "a transcript cannot be followed"),
        }
    }

    fn tell(&mut self, event: Event) {
        if let Err(TooSlow) = self.reply.tell(event) {
            self.machine.cancel(clock::now());
        }
    }

    /// A session stays only where somebody knows of it.
    fn park(&mut self, said: Vec<Block>, end: Event) {
        let end = Box::new(end);
        match self.reply.is_taken() {
            true => self.reply.settle(TurnOutcome::Parked { said, end }),
            false => self.machine.leave(clock::now()),
        }
    }

    fn open_gate(&mut self) {
        match self.resources.open_gate() {
            Ok(pipe) => self.gate = Some(pipe),
            Err(error) => {
                tracing::warn!(%error, "a session's gate cannot be opened");
                self.end(How::Asked, "its gate cannot be opened");
            }
        }
    }

    fn blank(&mut self) {
        self.tail = None;
        match self.resources.transcript_store.write_blank() {
            Ok(uuid) => {
                let path = self.resources.transcript_store.path(&uuid);
                self.machine.handle_blank(uuid, path, clock::now());
            }
            Err(error) => {
                tracing::warn!(%error, "a blank conversation could not be written");
                self.machine.handle_no_blank();
            }
        }
    }

    fn forget(&mut self, path: &Path) {
        self.resources.forget(path);
    }

    /// Asks the process to end, and forces it where it does not.
    fn end(&mut self, how: How, why: &str) {
        if self.ending.is_none() {
            tracing::debug!(pid = self.process.pid, why, "ending a session");
            reap::end_group(self.process.pid, how);
            self.ending = Some(clock::now() + END_WAIT);
        }
    }

    fn force(&mut self) {
        reap::end_group(self.process.pid, How::Forced);
        self.ending = Some(clock::now() + END_WAIT);
    }

    fn close(mut self, how: &str) {
        // Whatever the process itself started goes with it.
        reap::end_group(self.process.pid, How::Forced);
        self.reply.settle(TurnOutcome::Cancelled);
        self.resources.close(self.process.pid);
        tracing::debug!(pid = self.process.pid, how, "a session is gone");
        (self.notify)(Notice::Gone {
            fault: self.reply.take_fault(),
        });
    }
}

async fn heard(tapped: Option<&mut TapSession>) -> Vec<Observation> {
    match tapped {
        Some(tapped) => tapped.next().await,
        None => std::future::pending().await,
    }
}

async fn grew(tail: Option<&Tail>) {
    match tail {
        Some(tail) => tail.grew.notified().await,
        None => std::future::pending().await,
    }
}

async fn copied(copies: Option<&Copies>) {
    match copies {
        Some(copies) => copies.came.notified().await,
        None => std::future::pending().await,
    }
}

pub(super) async fn met(transcript_pipe: Option<&mut TranscriptPipe>, pid: u32) -> io::Result<()> {
    match transcript_pipe {
        Some(transcript_pipe) => transcript_pipe.met(pid).await,
        None => std::future::pending().await,
    }
}

/// How long a process may clean up before it is forced.
const END_WAIT: Duration = Duration::from_millis(400);
