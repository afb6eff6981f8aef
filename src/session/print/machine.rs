//! The life of one claude in print mode: inputs and `now` in, effects out. `[pure]`
//!
//! ```text
//! Starting ─▶ Ready ─▶ Offering ─▶ Answering ─▶ Gone
//!     └──▶ Gated ──────────────────────▲  ▼
//!        (launched with results)      Parked
//! ```
//!
//! The driver obeys one law: after every input, drain all effects before the next input.

use super::answer::Answer;
use super::answer::AnswerStep;
use super::input;
use super::output::OutputLine;
use crate::session::fault;
use crate::session::machine::Limits;
use crate::session::mcp::result::Answered;
use crate::session::mcp::tool_list::ToolList;
use crate::session::mcp::tool_sync::ToolEvent;
use crate::session::turn_spec::DeliveryMethod;
use crate::session::turn_spec::TurnSpec;
use crate::session::witness::ApiError;
use crate::session::witness::request_sign::Refusal;
use crate::session::witness::request_sign::RequestSign;
use crate::turn::Block;
use crate::turn::End;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::Reading;
use crate::turn::StopReason;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

/// A session's state, and what waits to be done.
#[derive(Debug)]
pub(crate) struct Machine {
    state: State,
    /// It said something, or looked for its tools or its transcript: it came up.
    came_up: bool,
    limits: Limits,
    effects: VecDeque<Effect>,
}

#[derive(Debug)]
enum State {
    /// It is coming up.
    Starting {
        until: Instant,
    },
    Ready,
    /// The tools are offered; the message waits until they are taken up.
    Offering {
        task: Box<TurnSpec>,
        message: String,
        listed: bool,
        until: Instant,
    },
    /// It was launched with its conversation, and gets it once it waits for it and has its tools.
    Gated {
        task: Box<TurnSpec>,
        reached: bool,
        listed: bool,
        until: Instant,
    },
    Answering(Box<Answering>),
    /// The model called tools, and their results are the caller's to bring.
    Parked {
        until: Instant,
    },
    Gone,
}

#[derive(Debug)]
struct Answering {
    task: TurnSpec,
    answer: Answer,
    /// Calls that are parked with us.
    called: BTreeSet<String>,
    /// The CLI answered a call by itself, so not all of them will come.
    meddled: bool,
    /// The message ended in calls, and not all of them have come.
    calls: Option<(End, Instant)>,
    /// Results that wait until the CLI has taken the one before.
    results: VecDeque<Answered>,
    given: Option<(String, Instant)>,
    /// The message broke off; until then the CLI may say why.
    broken: Option<Instant>,
    /// How long the API asks to be left alone.
    wait: Option<Duration>,
    /// What the API refused the last request with.
    refusal: Option<Refusal>,
    until: Instant,
}

/// What the driver must do.
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    /// A line for the CLI.
    Write(String),
    /// These tools are in force from now on, and the CLI is to be told.
    ToolSync(ToolList),
    /// The held conversation may go to the CLI.
    Converse,
    /// What has this path is not as the model wrote it.
    Emulated(String),
    /// An event for the caller.
    Tell(Event),
    Fail {
        fault: Fault,
        begun: bool,
    },
    /// Nothing reached the model.
    Misdelivered,
    /// The answer is told but for its end; the session waits for results.
    Park {
        said: Vec<Block>,
        end: Event,
    },
    /// The result of a parked call.
    Answer(Answered),
    Ready,
    /// There is no more to say: the process may end by itself.
    Leave,
    /// The process must go at once, with its group.
    Kill(&'static str),
}

impl Machine {
    /// A session just spawned to wait for a turn.
    pub(crate) fn waiting(limits: Limits, now: Instant) -> Machine {
        Machine {
            state: State::Starting {
                until: now + limits.start,
            },
            came_up: false,
            limits,
            effects: VecDeque::new(),
        }
    }

    /// A session just spawned for a turn.
    pub(crate) fn launched(limits: Limits, task: TurnSpec, now: Instant) -> Machine {
        let mut machine = Machine::waiting(limits, now);
        match &task.route {
            DeliveryMethod::Launched => {
                machine.state = State::Gated {
                    reached: false,
                    listed: task.tools.is_empty(),
                    task: Box::new(task),
                    until: now + limits.start,
                }
            }
            DeliveryMethod::Sent(_) => machine.take(task, limits.start, now),
            DeliveryMethod::Typed { .. }
            | DeliveryMethod::Onward { .. }
            | DeliveryMethod::Answered(_) => machine.misdeliver("a route of another"),
        }
        machine
    }

    /// Begins a turn on a session that waits.
    pub(crate) fn begin(&mut self, task: TurnSpec, now: Instant) {
        match (&task.route, &self.state) {
            (DeliveryMethod::Sent(_), State::Ready) => self.take(task, TOOLS_WAIT, now),
            (DeliveryMethod::Answered(results), State::Parked { .. }) => {
                let results = results.clone().into();
                self.answer(task, now);
                if let State::Answering(answering) = &mut self.state {
                    answering.results = results;
                }
                self.answer_next(now);
            }
            _ => self.effects.push_back(Effect::Misdelivered),
        }
    }

    /// The CLI waits at the pipe of its transcript.
    pub(crate) fn handle_reached(&mut self, now: Instant) {
        self.came_up = true;
        match &mut self.state {
            State::Starting { .. } => self.ready(),
            State::Gated { reached, .. } => {
                *reached = true;
                self.open_gate(now);
            }
            State::Ready
            | State::Offering { .. }
            | State::Answering(_)
            | State::Parked { .. }
            | State::Gone => {}
        }
    }

    /// Something came at the session's MCP address.
    pub(crate) fn handle_tool(&mut self, event: ToolEvent, now: Instant) {
        self.came_up = true;
        match (event, &mut self.state) {
            (ToolEvent::Listed { edition, .. }, State::Offering { listed, .. })
                if edition == EDITION =>
            {
                *listed = true;
            }
            (ToolEvent::Listed { .. }, State::Gated { listed, .. }) => {
                *listed = true;
                self.open_gate(now);
            }
            (ToolEvent::Broken, State::Answering(_)) => self.give_up_reading(),
            (ToolEvent::Broken, State::Parked { .. }) => self.kill("a call of it cannot be read"),
            (ToolEvent::Called(id), State::Answering(answering)) => {
                answering.called.insert(id);
                self.settle_calls(now);
            }
            _ => {}
        }
    }

    /// The CLI said something.
    pub(crate) fn handle_word(&mut self, word: OutputLine, now: Instant) {
        self.came_up = true;
        match (word, &mut self.state) {
            (OutputLine::Answered { id, .. }, State::Starting { .. }) if id == input::GREETING => {
                self.ready();
            }
            (OutputLine::Answered { id, went_well }, State::Offering { listed, .. })
                if id == input::TOOLS =>
            {
                match went_well && *listed {
                    true => self.send(now),
                    false => self.misdeliver("its tools were not taken up"),
                }
            }
            (OutputLine::Broken, State::Answering(_)) => self.give_up_reading(),
            (OutputLine::Used(id), State::Answering(_)) => self.handle_used(&id, now),
            (word, State::Answering(_)) => self.handle_said(word, now),
            _ => {}
        }
    }

    /// The CLI said of a request what the API refused it with, or how long it asks to be left alone.
    pub(crate) fn handle_request_sign(&mut self, sign: RequestSign) {
        let State::Answering(answering) = &mut self.state else {
            return;
        };
        match sign {
            RequestSign::Wait(wait) => answering.wait = Some(wait),
            RequestSign::Refused(refusal) => answering.refusal = Some(refusal),
            RequestSign::Answered => (answering.wait, answering.refusal) = (None, None),
            RequestSign::Prepared
            | RequestSign::Sent
            | RequestSign::Failed
            | RequestSign::Unknown => {}
        }
    }

    /// The caller is gone.
    pub(crate) fn cancel(&mut self) {
        match self.state {
            State::Offering { .. } | State::Gated { .. } | State::Answering(_) => {
                self.kill("its caller is gone");
            }
            State::Starting { .. } | State::Ready | State::Parked { .. } | State::Gone => {}
        }
    }

    /// The process is gone.
    pub(crate) fn handle_exit(&mut self, how: &str) {
        match &self.state {
            State::Answering(answering) => {
                let begun = answering.answer.has_begun();
                self.fail(self.ended(how), begun);
            }
            State::Offering { .. } => self.fail(self.ended(how), false),
            State::Starting { .. } | State::Gated { .. } => {
                self.fail(fault::ended_at_start(how), false);
            }
            State::Ready | State::Parked { .. } | State::Gone => {}
        }
        self.state = State::Gone;
    }

    /// How a process ended that had a message: one that is launched for it may never have come up.
    fn ended(&self, how: &str) -> Fault {
        match self.came_up {
            true => fault::session_lost(how),
            false => fault::ended_at_start(how),
        }
    }

    /// A deadline passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Starting { until } | State::Gated { until, .. } if *until <= now => {
                let fault = match self.limits.proven {
                    true => fault::slow_start(),
                    false => fault::unsupported_print(),
                };
                self.fail(fault, false);
                self.kill("it did not come up");
            }
            State::Offering { until, .. } if *until <= now => {
                self.misdeliver("its tools were not taken up in time");
            }
            State::Parked { until } if *until <= now => self.kill("nobody brought the results"),
            State::Answering(answering) if answering.until <= now => {
                let begun = answering.answer.has_begun();
                self.fail(fault::turn_timeout(), begun);
                self.kill("the turn's limit passed");
            }
            State::Answering(answering) if answering.broken.is_some_and(|at| at <= now) => {
                self.break_off();
            }
            State::Answering(answering) => {
                if let Some((end, _)) = answering.calls.take_if(|(_, until)| *until <= now) {
                    self.end(end, "a call did not come");
                } else if answering
                    .given
                    .take_if(|(_, until)| *until <= now)
                    .is_some()
                {
                    self.answer_next(now);
                }
            }
            State::Starting { .. }
            | State::Ready
            | State::Offering { .. }
            | State::Gated { .. }
            | State::Parked { .. }
            | State::Gone => {}
        }
    }

    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When to call [`Machine::handle_timeout`], and what for.
    pub(crate) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        match &self.state {
            State::Starting { until } => Some((*until, "start")),
            State::Gated { until, .. } => Some((*until, "gate")),
            State::Offering { until, .. } => Some((*until, "tools")),
            State::Parked { until } => Some((*until, "results")),
            State::Answering(answering) => {
                let calls = answering.calls.as_ref().map(|(_, until)| *until);
                let given = answering.given.as_ref().map(|(_, until)| *until);
                let first = [calls, given, answering.broken, Some(answering.until)];
                first.into_iter().flatten().min().map(|at| (at, "answer"))
            }
            State::Ready | State::Gone => None,
        }
    }

    /// The state's name, for traces.
    pub(crate) fn name(&self) -> &'static str {
        match self.state {
            State::Starting { .. } => "starting",
            State::Ready => "ready",
            State::Offering { .. } => "offering",
            State::Gated { .. } => "gated",
            State::Answering(_) => "answering",
            State::Parked { .. } => "parked",
            State::Gone => "gone",
        }
    }

    fn ready(&mut self) {
        self.state = State::Ready;
        self.effects.push_back(Effect::Ready);
    }

    /// Offers the turn's tools, where it has any, and then sends its message.
    fn take(&mut self, task: TurnSpec, patience: Duration, now: Instant) {
        let DeliveryMethod::Sent(message) = task.route.clone() else {
            return self.effects.push_back(Effect::Misdelivered);
        };
        let tools = task.tools.clone();
        self.state = State::Offering {
            task: Box::new(task),
            message,
            listed: false,
            until: now + patience,
        };
        match tools.is_empty() {
            true => self.send(now),
            false => self.effects.push_back(Effect::ToolSync(tools)),
        }
    }

    fn send(&mut self, now: Instant) {
        if let State::Offering { task, message, .. } =
            std::mem::replace(&mut self.state, State::Gone)
        {
            self.effects.push_back(Effect::Write(message));
            self.answer(*task, now);
        }
    }

    fn open_gate(&mut self, now: Instant) {
        self.state = match std::mem::replace(&mut self.state, State::Gone) {
            State::Gated {
                task,
                reached: true,
                listed: true,
                ..
            } => {
                self.effects.push_back(Effect::Converse);
                return self.answer(*task, now);
            }
            other => other,
        };
    }

    fn answer(&mut self, task: TurnSpec, now: Instant) {
        self.state = State::Answering(Box::new(Answering {
            answer: Answer::new(task.start.clone()),
            task,
            called: BTreeSet::new(),
            meddled: false,
            calls: None,
            results: VecDeque::new(),
            given: None,
            broken: None,
            wait: None,
            refusal: None,
            until: now + self.limits.turn,
        }));
    }

    fn handle_said(&mut self, word: OutputLine, now: Instant) {
        let State::Answering(answering) = &mut self.state else {
            return;
        };
        let error = match &word {
            OutputLine::Closed { error, .. } => Some(error.clone()),
            _ => None,
        };
        // What comes behind a message that broke off is another answer, and nobody's.
        if answering.broken.is_some() && error.is_none() {
            return;
        }
        let mut events = Vec::new();
        let told = answering.answer.handle(word, &mut events);
        self.effects.extend(events.into_iter().map(Effect::Tell));
        match (told, error) {
            (AnswerStep::Whole(end), _) => self.handle_end(end, now),
            // Where the upstream fails in the middle, the CLI ends the message by itself and then says so.
            (AnswerStep::Broken, None) => {
                answering.broken.get_or_insert(now + CLOSE_WAIT);
            }
            (AnswerStep::Broken | AnswerStep::Nothing, Some(None))
                if answering.broken.is_some() =>
            {
                self.break_off();
            }
            (AnswerStep::Broken | AnswerStep::Nothing, Some(error)) => self.handle_closed(error),
            (AnswerStep::Nothing, None) => {}
        }
    }

    fn handle_end(&mut self, end: End, now: Instant) {
        let State::Answering(answering) = &mut self.state else {
            return;
        };
        // What was cut is told as far as it came, to a caller who reads along: the API does so, too.
        let may_be_cut = end.stop.is_cut() && answering.task.reading == Reading::Along;
        let calls = answering.answer.calls().next().is_some();
        if answering.answer.is_replaced() {
            let path = "content".to_owned();
            self.effects.push_back(Effect::Emulated(path));
        }
        if answering.answer.has_broken_call() && !may_be_cut {
            self.fail(fault::broken_call(), true);
            return self.kill("a call's input is no JSON");
        }
        if end.stop == StopReason::EndTurn && answering.answer.is_empty() {
            self.fail(fault::empty_turn(), true);
            return self.kill("the turn was empty");
        }
        match end.stop {
            StopReason::ToolUse if answering.meddled || !calls => {
                self.end(end, "it answers its calls by itself");
            }
            // Some upstreams say of a message with calls that the turn is over.
            StopReason::ToolUse | StopReason::EndTurn | StopReason::Other(_)
                if calls && !answering.meddled =>
            {
                answering.calls = Some((end, now + CALLS_WAIT));
                self.settle_calls(now);
            }
            // After these the CLI would ask again by itself.
            StopReason::EndTurn | StopReason::StopSequence(_) if answering.answer.is_blank() => {
                self.end(end, "the answer was blank");
            }
            _ if calls => self.end(end, "the answer was cut, or its calls are not the caller's"),
            StopReason::ToolUse
            | StopReason::MaxTokens
            | StopReason::ContextWindow
            | StopReason::Refusal
            | StopReason::PauseTurn
            | StopReason::Other(_) => self.end(end, "the answer was cut"),
            StopReason::EndTurn | StopReason::StopSequence(_) => {
                self.effects
                    .push_back(Effect::Tell(Event::End(Box::new(end))));
                self.effects.push_back(Effect::Leave);
                self.state = State::Gone;
            }
        }
    }

    /// The answer is told; what the process would do next is nobody's.
    fn end(&mut self, end: End, why: &'static str) {
        self.effects
            .push_back(Effect::Tell(Event::End(Box::new(end))));
        self.kill(why);
    }

    /// Parks the session once the calls that came are those of the message, one for one.
    fn settle_calls(&mut self, now: Instant) {
        let State::Answering(answering) = &mut self.state else {
            return;
        };
        let told: BTreeSet<&str> = answering.answer.calls().collect();
        let all_came = told.len() == answering.called.len()
            && told.iter().all(|id| answering.called.contains(*id));
        if let Some((end, _)) = answering.calls.take_if(|_| all_came) {
            let (said, end) = (answering.answer.said(), Event::End(Box::new(end)));
            self.effects.push_back(Effect::Park { said, end });
            self.state = State::Parked {
                until: now + PARKED_WAIT,
            };
        }
    }

    /// The CLI has the result of a call: ours, or one of its own making.
    fn handle_used(&mut self, used: &str, now: Instant) {
        let State::Answering(answering) = &mut self.state else {
            return;
        };
        if answering.given.take_if(|(id, _)| id == used).is_some() {
            self.answer_next(now);
        } else if let Some((end, _)) = answering.calls.take() {
            self.end(end, "it answered a call by itself");
        } else {
            answering.meddled = answering.answer.has_begun();
        }
    }

    /// One result after the other, each once the CLI has the one before: so they keep their order.
    fn answer_next(&mut self, now: Instant) {
        if let State::Answering(answering) = &mut self.state
            && let Some(next) = answering.results.pop_front()
        {
            answering.given = Some((next.id.clone(), now + RESULT_WAIT));
            self.effects.push_back(Effect::Answer(next));
        }
    }

    fn handle_closed(&mut self, error: Option<ApiError>) {
        let State::Answering(answering) = &mut self.state else {
            return;
        };
        if let Some((end, _)) = answering.calls.take() {
            return self.end(end, "it closed a turn with calls by itself");
        }
        let begun = answering.answer.has_begun();
        let fault = match error {
            // The upstream's failures have words; without any it is the CLI that gave up.
            Some(error) if error.status.is_none() && error.text.trim().is_empty() => {
                fault::session_lost("it closed its turn without a word")
            }
            Some(error) => {
                let retry_after = error.retry_after.or(answering.wait);
                let error = ApiError {
                    retry_after,
                    refusal: answering.refusal.take(),
                    ..error
                };
                fault::of_api_error(&error, &answering.task)
            }
            None => fault::empty_turn(),
        };
        self.fail(fault, begun);
        self.kill("its turn failed");
    }

    fn give_up_reading(&mut self) {
        let begun =
            matches!(&self.state, State::Answering(answering) if answering.answer.has_begun());
        self.fail(fault::unreadable(), begun);
        self.kill("what it told cannot be read");
    }

    fn break_off(&mut self) {
        self.fail(fault::session_lost("its words do not fit together"), true);
        self.kill("its words do not fit together");
    }

    fn misdeliver(&mut self, why: &'static str) {
        self.effects.push_back(Effect::Misdelivered);
        self.kill(why);
    }

    fn fail(&mut self, fault: Fault, begun: bool) {
        self.effects.push_back(Effect::Fail { fault, begun });
    }

    fn kill(&mut self, why: &'static str) {
        self.state = State::Gone;
        self.effects.push_back(Effect::Kill(why));
    }
}

/// The edition of the one list that a session offers after it was launched.
pub(crate) const EDITION: u64 = 1;
/// How long the CLI may take to list the tools; it takes under 200 ms.
const TOOLS_WAIT: Duration = Duration::from_secs(5);
/// How long the CLI may take to say why a message broke off. It says so at once, or after it has tried twice more.
const CLOSE_WAIT: Duration = Duration::from_secs(5);
/// How long the calls of a message may come after its end; the CLI makes them at once, or answers them by itself.
const CALLS_WAIT: Duration = Duration::from_secs(3);
/// How long the CLI may take to tell that it has a result; after that the next one goes without.
const RESULT_WAIT: Duration = Duration::from_secs(5);
/// How long results may take, as in a session with a screen.
const PARKED_WAIT: Duration = Duration::from_secs(15 * 60);
