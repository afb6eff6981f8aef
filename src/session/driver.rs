//! The loop of one session: what its claude does, orders and deadlines in; keystrokes or lines, events and notices out.
//!
//! All decisions are the machine's. The loop takes one input, hands it over, and drains every effect before it takes
//! the next. How claude is reached is the [`Transport`]'s: on a pseudo-terminal, or in lines of JSON.

use super::fault;
use super::installation::Installation;
use super::installation::Installations;
use super::prepare::PreparedTurn;
use super::pty::pulse;
use super::pty::pulse::Pulse;
use super::pty::reap;
use super::pty::reap::EndMode;
use super::pty::spawn::Exit;
use super::reply;
use super::reply::Recipient;
use super::reply::ReplySink;
use super::reply::TurnOutcome;
use super::resources::SessionResources;
use super::transcript_pipe::TranscriptPipe;
use super::transcript_store::TranscriptReader;
use crate::clock;
use crate::turn::Fault;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::mpsc;

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
    pub(crate) prepared: PreparedTurn,
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

/// How the claude of a session is reached: its process, the machine that decides, and what carries words between them.
pub(super) trait Transport: Send + 'static {
    /// What claude does.
    type Input: Send;

    /// How a process of this kind is ended. One that has nothing to clean up is not asked.
    const END: EndMode;

    /// Waits for what claude does next; what counts first is taken first. Cancel safe.
    fn next(&mut self, is_ending: bool) -> impl Future<Output = Self::Input> + Send;

    fn handle(&mut self, input: Self::Input, session: &mut RunningSession, now: Instant);

    /// The process waits at its transcript's pipe.
    fn handle_reached(&mut self, now: Instant);

    fn handle_timeout(&mut self, now: Instant);

    /// The process is gone; what it said before still counts.
    fn handle_exit(&mut self, session: &mut RunningSession, how: &str);

    /// Begins a turn, whose caller sits in the session already.
    ///
    /// # Errors
    /// Where the prompt or the conversation cannot be handed over; nothing has reached the model.
    fn begin(
        &mut self,
        turn: PreparedTurn,
        session: &mut RunningSession,
        now: Instant,
    ) -> io::Result<()>;

    /// Leaves the conversation that is kept.
    fn leave(&mut self, session: &mut RunningSession, now: Instant);

    /// The caller is gone.
    fn cancel(&mut self, now: Instant);

    /// Performs every effect that waits.
    fn drain(&mut self, session: &mut RunningSession);

    fn poll_timeout(&self) -> Option<Instant>;
}

/// A session and the way to its claude.
pub(super) struct Driver<T> {
    pub(super) session: RunningSession,
    pub(super) transport: T,
}

/// What every session has, however its claude is reached.
pub(super) struct RunningSession {
    pub(super) pid: u32,
    pub(super) resources: SessionResources,
    pub(super) reply: ReplySink,
    /// The pipe of a primed session that has not got its conversation yet.
    pub(super) transcript_pipe: Option<TranscriptPipe>,
    installation: Arc<Installation>,
    installations: Installations,
    exit: Exit,
    orders: mpsc::Receiver<Order>,
    notify: Notify,
    /// When a process that is to end is forced to.
    ending: Option<Instant>,
    /// Nobody wants it any more: that it never came up is no fault.
    is_unwanted: bool,
    /// A turn was handed over, and the process has still to show that it lives.
    pulse: Option<Pulse>,
}

enum Input<T> {
    Claude(T),
    Reached(io::Result<()>),
    Ordered(Order),
    HungUp,
    Timeout,
    Exited(String),
}

impl<T: Transport> Driver<T> {
    pub(super) fn new(session: RunningSession, transport: T) -> Driver<T> {
        Driver { session, transport }
    }

    /// Runs until the process is gone and reaped.
    pub(super) async fn run(mut self) {
        self.transport.drain(&mut self.session);
        loop {
            let input = self.next().await;
            if let Input::Exited(how) = input {
                self.transport.handle_exit(&mut self.session, &how);
                self.transport.drain(&mut self.session);
                return self.session.close(&how);
            }
            self.handle(input);
            self.transport.drain(&mut self.session);
        }
    }

    async fn next(&mut self) -> Input<T::Input> {
        let session = &mut self.session;
        let deadlines = [
            self.transport.poll_timeout().map(clock::of_awake),
            session.pulse.as_ref().map(Pulse::next),
        ];
        let deadline = reply::soonest([deadlines.into_iter().flatten().min(), session.ending]);
        let is_ending = session.ending.is_some();
        tokio::select! {
            biased;
            input = self.transport.next(is_ending) => Input::Claude(input),
            met = met(session.transcript_pipe.as_mut(), session.pid) => Input::Reached(met),
            order = session.orders.recv(), if !is_ending => Input::Ordered(order.unwrap_or(Order::Retire)),
            how = session.exit.how() => Input::Exited(how),
            () = session.reply.hung_up() => Input::HungUp,
            () = passed(deadline) => Input::Timeout,
        }
    }

    fn handle(&mut self, input: Input<T::Input>) {
        let now = clock::awake();
        let (session, transport) = (&mut self.session, &mut self.transport);
        match input {
            Input::Claude(input) => {
                session.pulse = None;
                transport.handle(input, session, now);
            }
            Input::Reached(Ok(())) => transport.handle_reached(now),
            Input::Reached(Err(error)) => {
                tracing::warn!(%error, "a primed session is given up");
                session.end(T::END, "its pipe was read by another program");
            }
            Input::Ordered(Order::Begin(turn)) => self.begin(*turn, now),
            Input::Ordered(Order::Leave) => transport.leave(session, now),
            Input::Ordered(Order::Retire) => {
                session.is_unwanted = true;
                session.end(T::END, "retired");
            }
            Input::HungUp => {
                transport.cancel(now);
                session.reply.settle(TurnOutcome::Cancelled);
            }
            Input::Timeout if session.ending.is_some_and(|at| at <= clock::now()) => {
                session.end(EndMode::Forced, "it did not end");
            }
            Input::Timeout => {
                session.feel_pulse();
                transport.handle_timeout(now);
            }
            Input::Exited(_) => {}
        }
    }

    fn begin(&mut self, turn: Turn, now: Instant) {
        let Turn { prepared, caller } = turn;
        self.session.reply.take(caller);
        if pulse::is_stopped(self.session.pid) {
            return self.session.give_up_hung();
        }
        self.session.pulse = Some(Pulse::new(clock::now()));
        if let Err(error) = self.transport.begin(prepared, &mut self.session, now) {
            self.session.misdeliver(T::END, &error);
        }
    }
}

impl RunningSession {
    pub(super) fn new(
        (pid, exit): (u32, Exit),
        (installation, installations): (Arc<Installation>, Installations),
        resources: SessionResources,
        transcript_pipe: Option<TranscriptPipe>,
        orders: mpsc::Receiver<Order>,
        notify: Notify,
    ) -> RunningSession {
        RunningSession {
            pid,
            resources,
            reply: ReplySink::default(),
            transcript_pipe,
            installation,
            installations,
            exit,
            orders,
            notify,
            ending: None,
            is_unwanted: false,
            pulse: None,
        }
    }

    /// Who reads the transcripts that are written for it.
    pub(crate) fn reader(&self) -> TranscriptReader<'_> {
        self.installation.reader(&self.resources.model)
    }

    /// The process told its version. Where it is another one than its installation's, all that was taken for granted of
    /// it is wrong: it is ended before it is asked for anything.
    pub(super) fn handle_version(&mut self, version: &str, how: EndMode) {
        if !self.installations.heard(&self.installation, version) {
            return;
        }
        tracing::info!(pid = self.pid, version, "claude is another version by now");
        if self.reply.is_taken() {
            self.reply.fail(fault::renewed(), false);
        }
        self.is_unwanted = true;
        self.end(how, "it is of another version than was expected");
    }

    /// Tells the pool that the session can be lent.
    pub(super) fn ready(&mut self) {
        let resident = reap::resident_bytes(self.pid);
        (self.notify)(Notice::Ready { resident });
    }

    /// Looks whether a process that says nothing runs at all.
    fn feel_pulse(&mut self) {
        let now = clock::now();
        let Some(pulse) = self.pulse.as_mut().filter(|pulse| pulse.next() <= now) else {
            return;
        };
        if pulse.is_lost(pulse::vitals(self.pid), now) {
            self.give_up_hung();
        }
    }

    /// The process hangs: what it was handed it never took up, and it is gone before it can.
    fn give_up_hung(&mut self) {
        tracing::warn!(pid = self.pid, "a session hangs and is replaced");
        self.pulse = None;
        self.end(EndMode::Forced, "it hangs");
        self.reply.settle(TurnOutcome::Untouched);
    }

    /// More is known by now of what the CLI tells by itself than its conversation has told: the turn goes to another
    /// session, before this one took anything up.
    pub(super) fn give_up_outdated(&mut self) {
        self.pulse = None;
        self.is_unwanted = true;
        self.end(EndMode::Forced, "its conversation was begun too early");
        self.reply.settle(TurnOutcome::Untouched);
    }

    /// Gives a turn up that could not be handed over, and with it the session.
    pub(super) fn misdeliver(&mut self, how: EndMode, error: &io::Error) {
        tracing::warn!(%error, "a turn could not be handed over");
        self.reply.settle(TurnOutcome::Misdelivered);
        self.end(how, "a turn could not be handed over");
    }

    /// Ends the process, which is forced where it does not. One that ends already is not asked again.
    pub(super) fn end(&mut self, how: EndMode, why: &str) {
        if self.ending.is_some() && how == EndMode::Asked {
            return;
        }
        tracing::debug!(pid = self.pid, why, "ending a session");
        reap::end_group(self.pid, how);
        self.expect_end();
    }

    /// The process is about to end by itself, and is forced where it does not.
    pub(super) fn expect_end(&mut self) {
        self.ending = Some(clock::now() + END_WAIT);
    }

    fn close(mut self, how: &str) {
        // Whatever the process itself started goes with it.
        reap::end_group(self.pid, EndMode::Forced);
        self.reply.settle(TurnOutcome::Cancelled);
        self.resources.close(self.pid);
        tracing::debug!(pid = self.pid, how, "a session is gone");
        let fault = self.reply.take_fault().filter(|_| !self.is_unwanted);
        (self.notify)(Notice::Gone { fault });
    }
}

/// Waits for a deadline. One that passed while nobody could run waits a little longer: what came meanwhile is to be
/// heard first, and the clock is to notice.
async fn passed(deadline: Instant) {
    tokio::time::sleep_until(deadline.into()).await;
    if clock::now().saturating_duration_since(deadline) >= clock::JUMP_MIN {
        tokio::time::sleep(clock::TICK * 2).await;
    }
}

async fn met(transcript_pipe: Option<&mut TranscriptPipe>, pid: u32) -> io::Result<()> {
    match transcript_pipe {
        Some(transcript_pipe) => transcript_pipe.met(pid).await,
        None => std::future::pending().await,
    }
}

/// How long a process may take to end, cleaning up after itself, before it is forced; it takes 20 to 60 ms.
const END_WAIT: Duration = Duration::from_millis(400);
