//! One call on one app-server, from its thread to its last event. `[pure]`
//!
//! A thread of its own, its history, one turn; at its end, or when the caller is gone, the turn is interrupted and the
//! thread is let go. Nothing is ever asked twice.

use super::answer::Answer;
use super::connection::Ask;
use super::connection::Inbound;
use super::failure;
use super::failure::Failure;
use super::fault;
use super::limits::Limits;
use super::prepare::Prepared;
use super::rpc::RpcError;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::Start;
use crate::turn::StopReason;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

/// What is to be done for a call.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Ask(Ask, Value),
    Tell(Event),
    Fail(Box<Fault>),
    /// Nothing more comes.
    Over,
}

/// Where a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    ThreadAsked,
    InjectAsked,
    TurnAsked,
    Running,
    InterruptAsked,
    Over,
}

/// When, as the clock of the machine and as the calendar tell it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) at: Instant,
    /// Seconds since 1970.
    pub(super) unix: u64,
}

/// One call.
#[derive(Debug)]
pub(super) struct Exchange {
    state: State,
    items: Vec<Value>,
    turn_params: Map<String, Value>,
    thread: Option<String>,
    turn: Option<String>,
    answer: Answer,
    /// The answer is told, or nobody wants it any more.
    is_told: bool,
    /// The last error that the server told of the turn.
    error: Option<Value>,
    /// Until when something must have come.
    deadline: Instant,
    /// Until when the turn must have ended.
    turn_deadline: Instant,
    steps: VecDeque<Step>,
}

impl Exchange {
    /// A call that begins; its turn may take as long as `wait`.
    pub(super) fn begin(
        prepared: Prepared,
        start: Start,
        folder: &str,
        now: Instant,
        wait: Duration,
    ) -> Exchange {
        let mut thread = prepared.thread;
        thread.insert("cwd".into(), folder.into());
        let answer = Answer::new(
            start,
            prepared.reads_along,
            prepared.thinks,
            prepared.aliases,
        );
        let first = Step::Ask(Ask::ThreadStart, thread.into());
        Exchange {
            state: State::ThreadAsked,
            items: prepared.items,
            turn_params: prepared.turn,
            thread: None,
            turn: None,
            answer,
            is_told: false,
            error: None,
            deadline: now + REPLY_WAIT,
            turn_deadline: now + wait,
            steps: VecDeque::from([first]),
        }
    }

    pub(super) fn poll_step(&mut self) -> Option<Step> {
        self.steps.pop_front()
    }

    /// When [`Exchange::handle_time`] wants to be called.
    pub(super) fn poll_deadline(&self) -> Option<Instant> {
        (self.state != State::Over).then(|| self.deadline.min(self.turn_deadline))
    }

    /// Whether the model may have been asked.
    pub(super) fn is_asked(&self) -> bool {
        !matches!(self.state, State::ThreadAsked | State::InjectAsked)
    }

    pub(super) fn handle(&mut self, inbound: Inbound, limits: &Limits, now: Moment) {
        match inbound {
            Inbound::Reply { ask, result } => self.reply(ask, result, now.at),
            Inbound::Notice { method, params } => self.notice(&method, &params, limits, now),
            // Calls were told when the response that holds them was whole; nobody here answers them.
            Inbound::Asked => {}
        }
        self.flush();
    }

    /// The caller is gone.
    pub(super) fn handle_hangup(&mut self, now: Instant) {
        if !self.is_told {
            self.is_told = true;
            self.finish(now);
        }
    }

    /// The server is gone.
    pub(super) fn handle_lost(&mut self, why: &str) {
        if !self.is_told {
            self.is_told = true;
            self.steps.push_back(Step::Fail(Box::new(fault::lost(why))));
        }
        self.over();
    }

    pub(super) fn handle_time(&mut self, now: Instant) {
        if self.poll_deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        if self.is_told || self.state == State::InterruptAsked {
            return self.let_go();
        }
        let fault = match self.state {
            State::Running => fault::turn_timeout(),
            _ => fault::lost("codex gave no answer to a request"),
        };
        self.fail(fault, now);
        self.flush();
    }

    fn reply(&mut self, ask: Ask, result: Result<Value, RpcError>, now: Instant) {
        let result = match (ask, result) {
            (Ask::Interrupt | Ask::Unsubscribe, _) => return self.let_go(),
            (_, Ok(result)) => result,
            (ask, Err(error)) => {
                self.state = State::Over;
                return self.fail(fault::refused(ask.method(), &error.message), now);
            }
        };
        match (ask, self.state) {
            (Ask::ThreadStart, State::ThreadAsked) => {
                self.thread = result["thread"]["id"].as_str().map(str::to_owned);
                let items = std::mem::take(&mut self.items);
                self.next(
                    State::InjectAsked,
                    Ask::InjectItems,
                    json!({ "items": items }),
                    now,
                );
            }
            (Ask::InjectItems, State::InjectAsked) => {
                let mut turn = std::mem::take(&mut self.turn_params);
                turn.insert("input".into(), json!([]));
                self.next(State::TurnAsked, Ask::TurnStart, turn.into(), now);
            }
            (Ask::TurnStart, State::TurnAsked) => {
                self.turn = result["turn"]["id"].as_str().map(str::to_owned);
                self.run(now);
            }
            _ => {}
        }
    }

    /// The next request of the call, or the end where nobody waits for it.
    fn next(&mut self, state: State, ask: Ask, mut params: Value, now: Instant) {
        if self.is_told {
            return self.let_go();
        }
        params["threadId"] = self.thread.clone().into();
        self.state = state;
        self.deadline = now + REPLY_WAIT;
        self.steps.push_back(Step::Ask(ask, params));
    }

    fn run(&mut self, now: Instant) {
        self.state = State::Running;
        self.deadline = self.turn_deadline;
        if self.is_told {
            self.finish(now);
        }
    }

    fn notice(&mut self, method: &str, params: &Value, limits: &Limits, now: Moment) {
        if method == "turn/started" && self.turn.is_none() {
            self.turn = params["turn"]["id"].as_str().map(str::to_owned);
        }
        // The history that was taken up comes back as items of a turn that is not this one.
        let named = [&params["turnId"], &params["turn"]["id"]];
        let named = named.iter().find_map(|turn| turn.as_str());
        let is_other = named.is_some() && named != self.turn.as_deref();
        if self.is_told || is_other {
            return;
        }
        let told = match method {
            "item/agentMessage/delta" => {
                self.answer.piece(text(params, "delta"), false);
                Ok(())
            }
            "item/reasoning/summaryTextDelta" => {
                self.answer.piece(text(params, "delta"), true);
                Ok(())
            }
            "item/reasoning/summaryPartAdded" => {
                self.answer.part();
                Ok(())
            }
            "item/started" => self.begun(&params["item"]),
            "rawResponseItem/completed" => self.answer.item(&params["item"]),
            "thread/tokenUsage/updated" => {
                self.answer.count_thread(&params["tokenUsage"]["total"]);
                Ok(())
            }
            "rawResponse/completed" => self.responded(params, now.at),
            "model/rerouted" => {
                self.answer.reroute(text(params, "toModel"));
                Ok(())
            }
            "error" => self.erred(params, limits, now),
            "turn/completed" => self.completed(&params["turn"], limits, now),
            _ => Ok(()),
        };
        if let Err(fault) = told {
            self.fail(*fault, now.at);
        }
    }

    fn begun(&mut self, item: &Value) -> Result<(), Box<Fault>> {
        match item["type"].as_str() {
            Some("contextCompaction") => Err(Box::new(fault::summarised())),
            Some("agentMessage") => {
                self.answer.begin();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A response is whole. Where it calls tools it is the answer: they are the caller's.
    fn responded(&mut self, params: &Value, now: Instant) -> Result<(), Box<Fault>> {
        self.answer.count(params);
        if self.answer.calls > 0 {
            self.answer.end(StopReason::ToolUse)?;
            self.is_told = true;
            self.finish(now);
        } else {
            self.deadline = now + END_WAIT;
        }
        Ok(())
    }

    fn erred(&mut self, params: &Value, limits: &Limits, now: Moment) -> Result<(), Box<Fault>> {
        let error = params["error"].clone();
        // It would ask the model again; what was told already would be told twice.
        if params["willRetry"] == true {
            return self.failed(&error, limits, now);
        }
        self.error = Some(error);
        self.deadline = now.at + END_WAIT;
        Ok(())
    }

    fn completed(&mut self, turn: &Value, limits: &Limits, now: Moment) -> Result<(), Box<Fault>> {
        self.turn = None;
        match turn["status"].as_str() {
            Some("completed") => self.end(StopReason::EndTurn, now.at),
            Some("failed") => {
                let error = match &turn["error"] {
                    Value::Null => self.error.take().unwrap_or_default(),
                    error => error.clone(),
                };
                self.failed(&error, limits, now)
            }
            _ => Err(Box::new(fault::lost("codex interrupted a turn"))),
        }
    }

    fn failed(&mut self, error: &Value, limits: &Limits, now: Moment) -> Result<(), Box<Fault>> {
        match failure::read(error, limits, now.unix) {
            Failure::Length => self.end(StopReason::MaxTokens, now.at),
            Failure::Filtered => self.end(StopReason::Refusal, now.at),
            Failure::Fault(fault) => Err(fault),
        }
    }

    fn end(&mut self, stop: StopReason, now: Instant) -> Result<(), Box<Fault>> {
        self.answer.end(stop)?;
        self.is_told = true;
        self.finish(now);
        Ok(())
    }

    fn fail(&mut self, fault: Fault, now: Instant) {
        if !self.is_told {
            self.is_told = true;
            self.flush();
            self.steps.push_back(Step::Fail(Box::new(fault)));
        }
        self.finish(now);
    }

    /// Leaves the thread, at once or as soon as the server says which turn is to be interrupted.
    fn finish(&mut self, now: Instant) {
        self.flush();
        match (self.state, &self.turn) {
            (State::Running, Some(turn)) => {
                let params = json!({ "threadId": self.thread, "turnId": turn });
                self.state = State::InterruptAsked;
                self.deadline = now + END_WAIT;
                self.steps.push_back(Step::Ask(Ask::Interrupt, params));
            }
            (State::Running | State::Over, _) => self.let_go(),
            // The reply that is awaited goes on from there.
            (State::ThreadAsked | State::InjectAsked | State::TurnAsked, _) => {
                self.deadline = now + REPLY_WAIT;
            }
            (State::InterruptAsked, _) => {}
        }
    }

    fn let_go(&mut self) {
        if let Some(thread) = self.thread.take() {
            let params = json!({ "threadId": thread });
            self.steps.push_back(Step::Ask(Ask::Unsubscribe, params));
        }
        self.over();
    }

    fn over(&mut self) {
        self.state = State::Over;
        if self.steps.back() != Some(&Step::Over) {
            self.steps.push_back(Step::Over);
        }
    }

    fn flush(&mut self) {
        while let Some(event) = self.answer.poll_event() {
            // What comes after the end, or after the caller, is nobody's; the end itself is told first.
            self.steps.push_back(Step::Tell(event));
        }
    }
}

fn text<'a>(params: &'a Value, name: &str) -> &'a str {
    params[name].as_str().unwrap_or_default()
}

/// For an answer of the CLI itself, which asks nobody for it; a healthy one takes 20 ms.
const REPLY_WAIT: Duration = Duration::from_secs(30);
/// For the end of a turn whose response is whole, and of one that is interrupted. It is known not to come sometimes.
const END_WAIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
