//! The life of one session, from its launch to its end: inputs and `now` in, effects out. `[pure]`
//!
//! ```text
//! Starting ─▶ Ready ─▶ Resuming ─▶ Submitting ─▶ Answering ─▶ Interrupting ─▶ Resting ─▶ Resuming ─▶ Ready
//!     └────────────────(launched with a turn)────────▲                      (a blank one)      any ─▶ Gone
//!                                                     └─▶ Kept ─▶ Nearing ─▶ Submitting   (in one conversation)
//! ```
//!
//! An answer that the tap hears is told before the CLI itself has come to its end; then Ending stands before Resting.
//!
//! A session is emptied by taking up a blank conversation, not by `/clear`: the CLI tells the model of a `/clear`, and
//! of a `/resume` it does not. It also makes the next conversation's id known before a prompt is submitted in it.
//!
//! Signals move it: hooks tell that a prompt was submitted, that a turn ended, that a conversation was left; the
//! screen tells that the prompt box is idle. Each state has a deadline with a reason; the time between signals is
//! never taken for a signal.
//!
//! The driver obeys one law: after every input, drain all effects before the next input.

mod answer;
mod belief;
mod effect;
mod keep;
mod rest;
mod screen;
mod state;
mod submission;
#[cfg(test)]
mod tests;
mod tools;
mod typing;

pub(crate) use effect::Effect;
pub(crate) use effect::Verdict;

use super::fault;
use super::mcp::tool_list::ToolList;
use super::mcp::tool_sync::ToolSync;
use super::turn_spec::DeliveryMethod;
use super::turn_spec::Enter;
use super::turn_spec::TurnSpec;
use super::witness::AssistantMessage;
use super::witness::Hook;
use super::witness::HookEvent;
use super::witness::Record;
use crate::tap::Observation;
use crate::terminal::Scene;
use crate::turn::Event;
use belief::Belief;
use state::Escape;
use state::NUDGE_WAIT;
use state::State;
use state::Then;
use state::Wait;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

/// A session's state and what is known beside it.
#[derive(Debug)]
pub(crate) struct Machine {
    state: State,
    scene: Scene,
    /// Something was drawn since keys were last written: the process has run, and what it shows is its answer.
    drew: bool,
    /// When it drew last.
    drew_at: Option<Instant>,
    /// How often its start was given more time.
    extensions: u32,
    /// What the CLI does with an Enter behind a text, as the last task told it.
    enter: Enter,
    /// The conversation that is open: a prompt submitted in another one is not ours.
    conversation: String,
    /// Its transcript.
    transcript: Option<PathBuf>,
    /// The transcript of the conversation before.
    left: Option<PathBuf>,
    /// A prompt box was seen: from now on a reply may stand on the screen, and look like a question while the box is
    /// being redrawn.
    boxed: bool,
    /// When a question on the screen is looked at again: the one about trust may have lost the keys of its answer,
    /// and any other one is believed once it stays.
    question: Option<Wait>,
    /// The tools that the session offers.
    tool_sync: ToolSync,
    /// It was launched with a turn, and waits at its gate for its tools.
    gated: bool,
    /// Which copies of answers are believed.
    belief: Belief,
    /// Questions that the CLI asked the API since the last turn began, as far as they were seen.
    asked: u32,
    /// Those that it copied, also one that it did not send.
    copied: u32,
    /// It takes up a blank conversation before it is ready.
    empties_first: bool,
    /// How many of them were looked at.
    heeded: u32,
    /// The last of them was prepared, and is not sent: it is copied all the same.
    holds_question: bool,
    /// The end of an answer after which the CLI asks on: it is told once that is broken off, with its count.
    held_end: Option<Event>,
    limits: Limits,
    effects: VecDeque<Effect>,
}

/// How long states may last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// From the spawn to the prompt box.
    pub(crate) start: Duration,
    /// From delivery to the end of the turn.
    pub(crate) turn: Duration,
    /// Whether the version is known to be one that comes up: one that does not is slow, then, and not unsupported.
    pub(crate) proven: bool,
}

impl Machine {
    /// A session just spawned, with an empty conversation of this id.
    pub(crate) fn waiting(limits: Limits, conversation: String, now: Instant) -> Machine {
        Machine {
            state: State::Starting {
                until: now + limits.start,
            },
            scene: Scene::Unknown,
            drew: false,
            drew_at: None,
            extensions: 0,
            enter: Enter::Lost,
            conversation,
            transcript: None,
            left: None,
            boxed: false,
            question: None,
            tool_sync: ToolSync::new(ToolList::default()),
            gated: false,
            belief: Belief::default(),
            asked: 0,
            copied: 0,
            empties_first: false,
            heeded: 0,
            holds_question: false,
            held_end: None,
            limits,
            effects: VecDeque::new(),
        }
    }

    /// The same, which takes up a blank conversation before it is ready: one in which is told what the CLI would tell
    /// the model by itself.
    pub(crate) fn emptying(limits: Limits, conversation: String, now: Instant) -> Machine {
        Machine {
            empties_first: true,
            ..Machine::waiting(limits, conversation, now)
        }
    }

    /// A session just spawned to take up a transcript whose last message is to be answered.
    pub(crate) fn launched(
        limits: Limits,
        conversation: String,
        task: TurnSpec,
        transcript: PathBuf,
        now: Instant,
    ) -> Machine {
        let mut machine = Machine::waiting(limits, conversation, now);
        machine.follow(transcript);
        machine.gated = !task.tools.is_empty();
        machine.tool_sync = ToolSync::new(task.tools.clone());
        machine.state = machine.answering(task, Some(now + limits.start), now);
        // The launcher listens before there is anybody to ask.
        machine
            .effects
            .retain(|effect| !matches!(effect, Effect::Listen));
        machine
    }

    /// A session just spawned to wait for any conversation.
    pub(crate) fn primed(limits: Limits, conversation: String, now: Instant) -> Machine {
        let mut machine = Machine::waiting(limits, conversation, now);
        machine.state = State::Primed {
            reached: false,
            until: now + limits.start,
        };
        machine
    }

    /// The session waits at its pipe.
    pub(crate) fn handle_reached(&mut self) {
        if let State::Primed { reached, .. } = &mut self.state {
            *reached = true;
            self.effects.push_back(Effect::Ready);
        }
    }

    /// The conversation went through the pipe of a primed session.
    pub(crate) fn begin_primed(&mut self, task: TurnSpec, transcript: PathBuf, now: Instant) {
        if !matches!(self.state, State::Primed { reached: true, .. }) {
            return self.effects.push_back(Effect::Misdelivered);
        }
        self.follow(transcript);
        self.state = self.answering(task, Some(now + self.limits.start), now);
    }

    /// Begins a turn on a ready session.
    pub(crate) fn begin(&mut self, task: TurnSpec, now: Instant) {
        self.enter = task.enter;
        if let (DeliveryMethod::Answered(results), State::Parked { past, .. }) =
            (&task.route, &self.state)
        {
            let past = past.clone();
            return self.take_up(results.clone(), task, past, now);
        }
        if let (DeliveryMethod::Onward { .. }, State::Kept { calm, since }) =
            (&task.route, &self.state)
        {
            return self.go_on(task, *calm, *since, now);
        }
        if !matches!(self.state, State::Ready) {
            return self.effects.push_back(Effect::Misdelivered);
        }
        self.offer_tools(&task.tools);
        self.state = match task.route.clone() {
            DeliveryMethod::Typed {
                resume: Some(uuid), ..
            } => self.resume(uuid, Then::Submit(Box::new(task)), now),
            DeliveryMethod::Typed {
                resume: None, keys, ..
            } => self.submit(task, keys, now),
            DeliveryMethod::Launched
            | DeliveryMethod::Sent(_)
            | DeliveryMethod::Answered(_)
            | DeliveryMethod::Onward { .. } => {
                return self.effects.push_back(Effect::Misdelivered);
            }
        };
    }

    /// The caller is gone.
    pub(crate) fn cancel(&mut self, now: Instant) {
        self.state = match std::mem::replace(&mut self.state, State::Gone) {
            State::Resuming {
                uuid,
                then: Then::Submit(_),
                confirm,
                ended,
                wait,
            } => State::Resuming {
                uuid,
                then: Then::Rest,
                confirm,
                ended,
                wait,
            },
            State::Submitting { held: Some(_), .. } => {
                self.effects.push_back(Effect::Verdict(Verdict::Block));
                State::resting(now)
            }
            State::Submitting {
                mut task,
                confirm,
                wait,
                held,
            } => {
                task.cancelled = true;
                State::Submitting {
                    task,
                    confirm,
                    wait,
                    held,
                }
            }
            State::Nearing { .. } => State::resting(now),
            // It has come to its end, and only the transcript was awaited.
            State::Answering(answering) if answering.merge.is_over() => State::resting(now),
            State::Answering(answering) => {
                self.interrupt(answering.busy_seen, answering.escape, now)
            }
            other => other,
        };
        self.look(now);
    }

    /// What the screen shows has changed.
    pub(crate) fn handle_scene(&mut self, scene: Scene, now: Instant) {
        self.drew = true;
        self.drew_at = Some(now);
        if matches!(scene, Scene::Prompt(_)) {
            self.boxed = true;
            self.question = None;
        }
        // Once the conversation before is left, the next picture is of the one taken up, even if it looks the same.
        // So it is with a box that must be seen idle once more.
        let is_awaited = matches!(
            self.state,
            State::Resuming { ended: true, .. }
                | State::Kept { calm: false, .. }
                | State::Nearing { .. }
        );
        if scene != self.scene || is_awaited {
            self.scene = scene;
            self.look(now);
        }
    }

    /// A hook came. A submitted prompt always gets a verdict among the effects.
    pub(crate) fn handle_hook(&mut self, hook: &Hook, now: Instant) {
        match (&hook.event, &mut self.state) {
            (HookEvent::Submitted { prompt }, _) => self.handle_submitted(hook, prompt, now),
            (HookEvent::Batched, _) => self.handle_batched(hook, now),
            // Of which conversation it was, nobody can read.
            (HookEvent::Broken, State::Answering(_)) => self.give_up_reading(now),
            (HookEvent::Ended { reason }, State::Resuming { ended, .. }) if reason == "resume" => {
                *ended = true;
            }
            // Posted in a conversation that was left, it came late: it tells of another caller's turn.
            (_, _) if hook.conversation != self.conversation => {}
            (HookEvent::Stopped { .. } | HookEvent::Failed { .. }, State::Ending { .. }) => {
                self.state = State::resting(now);
                self.look(now);
            }
            (
                HookEvent::Stopped { .. } | HookEvent::Failed { .. },
                State::Interrupting { over, .. },
            ) => {
                *over = true;
                self.look(now);
            }
            (HookEvent::Used { id }, State::Answering(_)) => self.handle_used(id, now),
            (event, State::Answering(answering)) => {
                answering.sign_until = None;
                if let HookEvent::Stopped { .. } = event {
                    self.drew = false;
                }
                let seen = self.merge(|merge| merge.handle_hook(event));
                self.handle_seen(seen, now);
            }
            _ => {}
        }
    }

    /// The CLI asked the API so often since the turn began, and so many answers came before the last question. More
    /// questions than a turn has are paid for by somebody who never sees an answer.
    pub(crate) fn handle_asked(&mut self, asked: u32, answered: u32, now: Instant) {
        self.count_questions(asked);
        let is_new = asked > self.heeded;
        self.heeded = self.heeded.max(asked);
        match &self.state {
            _ if !is_new => {}
            State::Answering(answering)
                if asked > ASKED_MAX
                    && !(answering.merge.has_first_answer() && asked <= ASKED_ON_MAX) =>
            {
                self.fail(|_| fault::asks_on(), now);
                self.kill_at_once("it asks the API more often than its turn needs");
            }
            State::Answering(_) => {
                let seen = self.merge(|merge| merge.handle_asked(asked, answered));
                self.handle_seen(seen, now);
                if asked > 1 && answered == 0 {
                    self.expect_nothing(now);
                }
            }
            State::Ending { .. } => {
                self.state = self.interrupt(true, Escape::Unasked, now);
                self.look(now);
            }
            State::Interrupting { .. } if asked > ASKED_MAX => {
                self.kill_at_once("it asks the API more often than its turn needs");
            }
            _ => {}
        }
    }

    /// The CLI asked the API so often since the turn began: whoever is told of its end is told of that.
    pub(crate) fn count_questions(&mut self, asked: u32) {
        self.copied = self.copied.max(asked);
        let asked = match self.holds_question {
            true => asked.min(self.asked.max(1)),
            false => asked,
        };
        let more = asked.saturating_sub(self.asked);
        self.asked = self.asked.max(asked);
        self.effects.extend((0..more).map(|_| Effect::Asked));
    }

    /// So many answers came, whole or not.
    pub(crate) fn handle_answered(&mut self, answers: u32) {
        match &mut self.state {
            State::Answering(answering) if answers > 0 => answering.merge.handle_answered(),
            // Where one answer was cut, the next one may be, and comes before any key.
            State::Interrupting { cut: true, .. } if answers > 1 => {
                self.kill_at_once("it is answered sooner than it can be interrupted");
            }
            _ => {}
        }
    }

    /// The first answer of the turn is copied whole.
    pub(crate) fn handle_first_answer(&mut self, said: AssistantMessage, now: Instant) {
        let is_past = self.belief.is_past(&said);
        if let State::Answering(answering) = &self.state
            && answering.sure
            && !is_past
        {
            let seen = self.merge(|merge| merge.handle_first_answer(said));
            self.handle_seen(seen, now);
        }
    }

    /// The CLI copied an answer of the API.
    pub(crate) fn handle_copied(&mut self, said: AssistantMessage, now: Instant) {
        let is_past = self.belief.is_past(&said);
        if let State::Answering(answering) = &self.state
            && answering.believes
            && !is_past
        {
            let seen = self.merge(|merge| merge.handle_copied(said));
            self.handle_seen(seen, now);
        }
    }

    /// The CLI asked the API more than once, or for something of its own: the transcript tells what the answer is.
    pub(crate) fn handle_unclear_copy(&mut self) {
        if let State::Answering(answering) = &mut self.state {
            answering.believes = false;
        }
    }

    /// Lines came to the transcript.
    pub(crate) fn handle_records(&mut self, records: Vec<Record>, now: Instant) {
        if let State::Answering(_) = &self.state {
            let seen = self.merge(|merge| merge.handle_records(records));
            self.handle_seen(seen, now);
        }
    }

    /// The tap heard something of the turn.
    pub(crate) fn handle_heard(&mut self, heard: Vec<Observation>, now: Instant) {
        if let State::Answering(answering) = &mut self.state {
            answering.sign_until = None;
            let seen = self.merge(|merge| merge.handle_heard(heard));
            self.handle_seen(seen, now);
        }
    }

    /// The process is gone.
    pub(crate) fn handle_exit(&mut self, how: &str) {
        let begun = matches!(&self.state, State::Answering(answering) if answering.begun);
        self.tell_held_end();
        if self.is_waited_for() || self.is_coming_up() {
            let fault = match self.boxed || begun {
                true => fault::session_lost(how),
                false => fault::ended_at_start(how),
            };
            self.effects.push_back(Effect::Fail { fault, begun });
        }
        self.forget();
        self.state = State::Gone;
    }

    /// Tells the end that is held, before whatever becomes of the session: the turn's outcome is its end.
    fn tell_held_end(&mut self) {
        self.effects.extend(self.held_end.take().map(Effect::Tell));
    }

    /// A deadline passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.look_at_question_again(now);
        self.handle_offer_timeout(now);
        match &mut self.state {
            State::Submitting {
                held: Some(until), ..
            } if *until <= now => self.give_up_tools(now),
            State::Submitting { held: Some(_), .. } => {}
            State::Parked { until, .. } if *until <= now => self.leave_parked(now),
            State::Starting { until }
            | State::Primed {
                reached: false,
                until,
            } if *until <= now => self.start_is_late(now),
            State::Resuming { wait, .. }
            | State::Submitting { wait, .. }
            | State::Nearing { wait, .. }
            | State::Resting { wait, .. }
                if wait.next <= now =>
            {
                // A process that has not run is slow, not deaf: it gets more time than one that ran and lost a key.
                match self.drew {
                    true => wait.nudges += 1,
                    false => wait.stalls += 1,
                }
                wait.next = now + NUDGE_WAIT;
                self.nudge(now);
            }
            State::Interrupting { until, .. } if *until <= now => {
                self.kill("it did not come to rest")
            }
            State::Ending { until } if *until <= now => {
                self.state = self.interrupt(true, Escape::Unasked, now);
                self.look(now);
            }
            State::Answering(_) => self.handle_answer_timeout(now),
            _ => {}
        }
    }

    /// A question that stays is believed, or its answer was lost.
    fn look_at_question_again(&mut self, now: Instant) {
        if let Some(wait) = &mut self.question
            && wait.next <= now
        {
            wait.next = now + NUDGE_WAIT;
            wait.nudges += 1;
            match self.scene {
                Scene::Trust { .. } | Scene::Login | Scene::Dialog { .. } => self.look(now),
                Scene::Prompt(_) | Scene::Unknown => self.question = None,
            }
        }
    }

    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        let still_asks = matches!(self.state, State::Interrupting { .. } | State::Gone);
        if let Some(end) = self.held_end.take_if(|_| !still_asks) {
            let is_before = |effect: &Effect| {
                matches!(
                    effect,
                    Effect::Asked | Effect::Tell(_) | Effect::Emulated(_)
                )
            };
            let last = self.effects.iter().rposition(is_before);
            let behind = last.map_or(0, |last| last + 1);
            self.effects.insert(behind, Effect::Tell(end));
        }
        self.effects.pop_front()
    }

    /// When to call [`Machine::handle_timeout`], and what for.
    pub(crate) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let question = self.question.map(|wait| (wait.next, "question"));
        let tool_sync = self.tool_sync.poll_timeout().map(|at| (at, "tools"));
        [question, tool_sync, self.poll_state_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    fn poll_state_timeout(&self) -> Option<(Instant, &'static str)> {
        match &self.state {
            State::Starting { until } => Some((*until, "start")),
            State::Resuming { wait, .. } => Some((wait.next, "resume")),
            State::Nearing { wait, .. } => Some((wait.next, "idle")),
            State::Submitting {
                held: Some(until), ..
            } => Some((*until, "tools")),
            State::Submitting { wait, .. } => Some((wait.next, "submit")),
            State::Parked { until, .. } => Some((*until, "results")),
            State::Resting { wait, .. } => Some((wait.next, "rest")),
            State::Ending { until } => Some((*until, "end")),
            State::Interrupting { until, .. } => Some((*until, "interrupt")),
            State::Answering(answering) => {
                let first = [
                    answering.sign_until,
                    answering.settle_until,
                    answering.idle_until,
                    answering.nudge.map(|(at, _)| at),
                    answering.given.as_ref().map(|given| given.until),
                    Some(answering.until),
                ];
                first.into_iter().flatten().min().map(|at| (at, "answer"))
            }
            State::Primed {
                reached: false,
                until,
            } => Some((*until, "prime")),
            State::Primed { reached: true, .. }
            | State::Ready
            | State::Kept { .. }
            | State::Gone => None,
        }
    }

    /// Whether nothing of the turn's answer was displayed yet.
    pub(crate) fn awaits_display(&self) -> bool {
        matches!(&self.state, State::Answering(answering) if !answering.begun)
    }

    /// Whether a caller waits for what it is doing.
    pub(super) fn is_waited_for(&self) -> bool {
        match &self.state {
            State::Resuming { then, .. } => matches!(then, Then::Submit(_)),
            State::Submitting { task, .. } => !task.cancelled,
            State::Answering(_) | State::Nearing { .. } => true,
            State::Starting { .. }
            | State::Primed { .. }
            | State::Ready
            | State::Parked { .. }
            | State::Ending { .. }
            | State::Kept { .. }
            | State::Interrupting { .. }
            | State::Resting { .. }
            | State::Gone => false,
        }
    }

    /// Whether it has still to come up: how it does is the pool's to know, where no caller waits.
    fn is_coming_up(&self) -> bool {
        matches!(
            self.state,
            State::Starting { .. } | State::Primed { reached: false, .. }
        )
    }

    /// Whether the model may have been asked for a turn that is still to be told.
    pub(crate) fn has_begun(&self) -> bool {
        match &self.state {
            State::Answering(answering) => answering.begun || !self.gated,
            _ => false,
        }
    }

    /// Whether a submitted prompt waits for its tools.
    #[cfg(test)]
    pub(crate) fn holds_prompt(&self) -> bool {
        matches!(&self.state, State::Submitting { held: Some(_), .. })
    }

    /// The state's name, for session lists.
    pub(crate) fn name(&self) -> &'static str {
        match self.state {
            State::Starting { .. } => "starting",
            State::Primed { reached: false, .. } => "starting",
            State::Primed { reached: true, .. } | State::Ready => "idle",
            State::Resuming {
                then: Then::Submit(_),
                ..
            }
            | State::Submitting { .. }
            | State::Nearing { .. }
            | State::Answering(_) => "busy",
            State::Resuming { .. }
            | State::Ending { .. }
            | State::Interrupting { .. }
            | State::Resting { .. } => "resetting",
            State::Parked { .. } => "parked",
            State::Kept { .. } => "kept",
            State::Gone => "gone",
        }
    }
}

/// Questions of one turn: the caller's, and one that the CLI asks by itself before it can be interrupted.
const ASKED_MAX: u32 = 2;
/// The same where the turn's answer came whole and is only awaited in the transcript: after one that is cut the CLI asks
/// three times more at the most.
const ASKED_ON_MAX: u32 = 4;
