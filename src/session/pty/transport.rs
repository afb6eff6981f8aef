//! A claude on a pseudo-terminal: its screen, hooks, transcript and tap in; keystrokes and verdicts out.

use super::reap::EndMode;
use super::spawn::Process;
use crate::clock;
use crate::session::driver::RunningSession;
use crate::session::driver::Transport;
use crate::session::inbox::Inbox;
use crate::session::launcher::Witnesses;
use crate::session::machine::Effect;
use crate::session::machine::Machine;
use crate::session::machine::Verdict;
use crate::session::mcp::server::McpServer;
use crate::session::mcp::tool_sync::ToolEvent;
use crate::session::prepare::PreparedTurn;
use crate::session::reply::TooSlow;
use crate::session::reply::TurnOutcome;
use crate::session::transcript_pipe::TranscriptPipe;
use crate::session::turn_spec::DeliveryMethod;
use crate::session::turn_spec::TurnSpec;
use crate::session::witness::HookEvent;
use crate::session::witness::copies::Copies;
use crate::session::witness::copies::Readable;
use crate::session::witness::diagnostics;
use crate::session::witness::diagnostics::Diagnostics;
use crate::session::witness::receiver::HookAddress;
use crate::session::witness::receiver::Post;
use crate::session::witness::request_sign::RequestSign;
use crate::session::witness::tail::Tail;
use crate::tap::Observation;
use crate::tap::TapSession;
use crate::terminal::Screen;
use crate::turn::Block;
use crate::turn::Event;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Instant;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

/// The way to a claude on a pseudo-terminal.
pub(in crate::session) struct PtyTransport {
    pub(in crate::session) process: Process,
    /// Held so that the session's hook address stays open.
    pub(in crate::session) _address: HookAddress,
    /// The session's API address, where the user wants one of ours.
    pub(in crate::session) tapped: Option<TapSession>,
    pub(in crate::session) posts: mpsc::Receiver<Post>,
    pub(in crate::session) mcp: McpServer,
    pub(in crate::session) tool_events: mpsc::Receiver<ToolEvent>,
    pub(in crate::session) machine: Machine,
    pub(in crate::session) tail: Option<Tail>,
    /// Where the CLI copies the API's answers to.
    pub(in crate::session) copies: Option<Copies>,
    /// Where the CLI tells of its requests before it sends them.
    pub(in crate::session) diagnostics: Option<Diagnostics>,
    /// The gate, once it is open.
    pub(in crate::session) gate: Option<File>,
    pub(in crate::session) screen: Screen,
    pub(in crate::session) verdict: Option<oneshot::Sender<Verdict>>,
    /// How much the conversation that it rests in has told of what the CLI tells by itself.
    pub(in crate::session) told: usize,
}

impl PtyTransport {
    fn handle_signs(&mut self, signs: Vec<RequestSign>, now: Instant) {
        for sign in signs {
            self.machine.handle_request_sign(sign, now);
        }
    }

    pub(in crate::session) fn new(
        process: Process,
        inbox: Inbox,
        (machine, tail): (Machine, Option<Tail>),
        tapped: Option<TapSession>,
        (copies, diagnostics): Witnesses,
    ) -> PtyTransport {
        PtyTransport {
            process,
            _address: inbox.address,
            tapped,
            posts: inbox.posts,
            mcp: inbox.mcp,
            tool_events: inbox.tool_events,
            machine,
            tail,
            copies,
            diagnostics,
            gate: None,
            screen: Screen::new(),
            verdict: None,
            told: 0,
        }
    }
}

/// What a claude on a pseudo-terminal does.
pub(in crate::session) enum Input {
    Observation(Vec<Observation>),
    Drawn(Vec<u8>),
    TerminalClosed,
    Posted(Post),
    Served(ToolEvent),
    Grew,
    Copied,
    Signed(Vec<RequestSign>),
}

impl Transport for PtyTransport {
    type Input = Input;

    /// It may write the last lines of its transcript.
    const END: EndMode = EndMode::Asked;

    async fn next(&mut self, is_ending: bool) -> Input {
        tokio::select! {
            biased;
            // Before all else: there is little time until it is sent.
            signs = diagnostics::next(self.diagnostics.as_mut()) => Input::Signed(signs),
            // First of the others: a hook tells of what was heard before it.
            heard = heard(self.tapped.as_mut()) => Input::Observation(heard),
            Some(post) = self.posts.recv() => Input::Posted(post),
            Some(event) = self.tool_events.recv() => Input::Served(event),
            drawn = self.process.output.recv(), if !is_ending => {
                drawn.map_or(Input::TerminalClosed, Input::Drawn)
            }
            () = grew(self.tail.as_ref()) => Input::Grew,
            () = copied(self.copies.as_ref()) => Input::Copied,
        }
    }

    fn handle(&mut self, input: Input, session: &mut RunningSession, now: Instant) {
        match input {
            Input::Observation(heard) => self.machine.handle_heard(heard, now),
            Input::Drawn(bytes) => self.handle_drawn(&bytes, now),
            Input::TerminalClosed => session.end(EndMode::Asked, "its terminal closed"),
            Input::Posted(post) => self.handle_post(post, now),
            Input::Served(event) => {
                if let ToolEvent::Joined { version } = &event
                    && !self.machine.has_begun()
                {
                    session.handle_version(version, Self::END);
                }
                self.machine.handle_tool(event, now);
            }
            Input::Grew => self.handle_growth(session, now),
            Input::Copied => self.handle_copies(now),
            Input::Signed(signs) => self.handle_signs(signs, now),
        }
    }

    fn handle_reached(&mut self, _now: Instant) {
        self.machine.handle_reached();
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.machine.handle_timeout(now);
    }

    fn handle_exit(&mut self, _session: &mut RunningSession, how: &str) {
        // What it asked last is counted before anybody is told of the end.
        if let Some(copied) = self.copies.as_mut().map(Copies::read) {
            self.machine.count_questions(copied.asked);
        }
        self.machine.handle_exit(how);
    }

    fn begin(
        &mut self,
        mut turn: PreparedTurn,
        session: &mut RunningSession,
        now: Instant,
    ) -> io::Result<()> {
        self.have_told(&mut turn.task.route, session)?;
        match (turn.edited, turn.conversation) {
            (None, Some(text)) => self.begin_primed(turn.task, text, session, now),
            (edited, _) => {
                if let Some(text) = edited {
                    session.resources.stage_prompt(&text)?;
                }
                self.machine.begin(turn.task, now);
                Ok(())
            }
        }
    }

    fn leave(&mut self, _session: &mut RunningSession, now: Instant) {
        self.machine.leave(now);
    }

    fn cancel(&mut self, now: Instant) {
        self.machine.cancel(now);
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

impl PtyTransport {
    fn handle_post(&mut self, post: Post, now: Instant) {
        let Post { hook, verdict } = post;
        self.verdict = verdict;
        tracing::trace!(
            pid = self.process.pid,
            hook = hook.event.name(),
            state = self.machine.name(),
            "posted"
        );
        // A question is copied before its answer can be displayed.
        if matches!(hook.event, HookEvent::Displayed { .. }) && self.machine.awaits_display() {
            self.handle_copies(now);
        }
        // What the API refused a request with is said before the turn's failure is.
        if matches!(hook.event, HookEvent::Failed { .. }) {
            let signs = diagnostics::read(self.diagnostics.as_mut());
            self.handle_signs(signs, now);
        }
        self.machine.handle_hook(&hook, now);
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

    fn handle_growth(&mut self, session: &RunningSession, now: Instant) {
        let records = self.tail.as_mut().map(Tail::read).unwrap_or_default();
        let resources = &session.resources;
        resources.transcript_store.learn(&resources.model, &records);
        // Where the copy is there by now, it tells whether these are all of the message's calls.
        if records.iter().any(|record| record.has_calls()) {
            self.handle_copies(now);
        }
        if !records.is_empty() {
            self.machine.handle_records(records, now);
        }
    }

    fn handle_copies(&mut self, now: Instant) {
        let Some(copied) = self.copies.as_mut().map(Copies::read) else {
            return;
        };
        tracing::trace!(
            pid = self.process.pid,
            asked = copied.asked,
            answered = copied.answered,
            first = copied.first.is_some(),
            "copied"
        );
        // First: the answer that is told next is told with its count.
        self.machine.count_questions(copied.asked);
        if let Some(first) = copied.first {
            self.machine.handle_first_answer(*first, now);
        }
        self.machine
            .handle_asked(copied.asked, copied.answered, now);
        self.machine.handle_answered(copied.answers);
        match copied.answer {
            Readable::Answer(said) => self.machine.handle_copied(*said, now),
            Readable::Unclear => self.machine.handle_unclear_copy(),
            Readable::Nothing => {}
        }
    }

    /// A session that came up before it was known what the CLI tells by itself takes up a conversation that has it told.
    fn have_told(
        &mut self,
        route: &mut DeliveryMethod,
        session: &RunningSession,
    ) -> io::Result<()> {
        let (store, reader) = (&session.resources.transcript_store, session.reader());
        if let DeliveryMethod::Typed { resume, .. } = route
            && resume.is_none()
            && store.tells(reader) > self.told
        {
            *resume = Some(store.write_blank(reader)?);
        }
        Ok(())
    }

    /// Sends the conversation through the pipe. The turn has begun before anybody can read it, so that nothing that
    /// comes of it is early.
    fn begin_primed(
        &mut self,
        task: TurnSpec,
        text: String,
        session: &mut RunningSession,
        now: Instant,
    ) -> io::Result<()> {
        let transcript_pipe = session
            .transcript_pipe
            .take()
            .filter(TranscriptPipe::is_met);
        let transcript_pipe = transcript_pipe.ok_or(io::ErrorKind::NotFound)?;
        self.follow_from(&transcript_pipe.path, text.len() as u64, session);
        session.reply.mark_asked();
        self.machine
            .begin_primed(task, transcript_pipe.path.clone(), now);
        self.drain(session);
        transcript_pipe.tell(text)
    }

    fn perform(&mut self, effect: Effect, session: &mut RunningSession) {
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
                    session.reply.mark_asked();
                }
                if let Some(waiting) = self.verdict.take() {
                    let _ = waiting.send(verdict); // The CLI may wait no longer.
                }
            }
            Effect::Listen => self.listen(),
            Effect::Notify(notice) => self.mcp.tell(notice),
            Effect::Nudge => self.mcp.nudge(),
            Effect::Answer(answered) => self.mcp.answer(answered),
            Effect::OpenGate => self.open_gate(session),
            Effect::Park { said, end } => self.park(said, end, session),
            Effect::Keep { said, end } => {
                // What comes to the file until the next prompt is none of its answer.
                self.tail = None;
                self.park(said, end, session);
            }
            Effect::Follow(path) => self.follow(&path, session),
            Effect::Asked => session.reply.mark_question(),
            Effect::Emulated(path) => session.reply.mark_emulated(path),
            Effect::Tell(event) => self.tell(event, session),
            Effect::Fail { fault, begun } => session.reply.fail(fault, begun),
            Effect::Misdelivered => session.reply.settle(TurnOutcome::Misdelivered),
            Effect::Blank => {
                self.mcp.clear();
                self.blank(session);
            }
            Effect::Forget(path) => session.resources.forget(&path),
            Effect::Ready => session.ready(),
            Effect::Kill(why) => session.end(EndMode::Asked, why),
            Effect::KillAtOnce(why) => session.end(EndMode::Forced, why),
        }
    }

    /// What comes from now on is of the turn that begins.
    fn listen(&mut self) {
        self.tapped.iter_mut().for_each(TapSession::arm);
        self.copies.iter_mut().for_each(Copies::begin);
    }

    fn follow(&mut self, path: &Path, session: &RunningSession) {
        if self.tail.as_ref().is_some_and(|tail| tail.is_of(path)) {
            return;
        }
        let offset = std::fs::metadata(path).map_or(0, |meta| meta.len());
        self.follow_from(path, offset, session);
    }

    fn follow_from(&mut self, path: &Path, offset: u64, session: &RunningSession) {
        match session.resources.tails.follow(path, offset) {
            Ok(tail) => self.tail = Some(tail),
            Err(error) => tracing::warn!(%error, "a transcript cannot be followed"),
        }
    }

    fn tell(&mut self, event: Event, session: &mut RunningSession) {
        if let Err(TooSlow) = session.reply.tell(event) {
            self.machine.cancel(clock::awake());
        }
    }

    /// A session stays only where somebody knows of it.
    fn park(&mut self, said: Vec<Block>, end: Event, session: &mut RunningSession) {
        let end = Box::new(end);
        match session.reply.is_taken() {
            true => session.reply.settle(TurnOutcome::Parked { said, end }),
            false => self.machine.leave(clock::awake()),
        }
    }

    fn open_gate(&mut self, session: &mut RunningSession) {
        match session.resources.open_gate() {
            Ok(pipe) => self.gate = Some(pipe),
            Err(error) => {
                tracing::warn!(%error, "a session's gate cannot be opened");
                session.end(EndMode::Asked, "its gate cannot be opened");
            }
        }
    }

    fn blank(&mut self, session: &RunningSession) {
        self.tail = None;
        let reader = session.reader();
        self.told = session.resources.transcript_store.tells(reader);
        match session.resources.transcript_store.write_blank(reader) {
            Ok(uuid) => {
                let path = session.resources.transcript_store.path(&uuid);
                self.machine.handle_blank(uuid, path, clock::awake());
            }
            Err(error) => {
                tracing::warn!(%error, "a blank conversation could not be written");
                self.machine.handle_no_blank();
            }
        }
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
