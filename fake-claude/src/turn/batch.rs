//! The tools that one message of the model calls: each begins as soon as it may, and the results are told in the order of their ends.
//!
//! A call begins while the message is still coming in. It runs beside others only where all of them only read;
//! otherwise each waits for the ones before it.

use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::clock;
use crate::hook;
use crate::hook::Subject;
use crate::hook::ToolUse;
use crate::http::Cancel;
use crate::mcp::Answer;
use crate::mcp::Client;
use crate::mcp::Fault;
use crate::mcp::Tool;
use crate::store;
use crate::world::News;
use crate::world::World;
use crate::world::lock;

/// One `tool_use` block.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) input: Value,
}

impl Call {
    pub(crate) fn of(block: &Value) -> Call {
        let text = |key: &str| block[key].as_str().unwrap_or_default().to_owned();
        Call {
            id: text("id"),
            name: text("name"),
            input: block["input"].clone(),
        }
    }
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Done {
    pub(crate) call: Call,
    pub(crate) answer: Answer,
    pub(crate) fate: Fate,
    pub(crate) read_only: bool,
}

/// How far a call came, which decides what is written about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// There is no such tool, so nobody was asked.
    Unknown,
    /// A hook or the permissions said no.
    Denied,
    /// The tool answered that it failed.
    Failed,
    Answered,
    /// The user interrupted it, or interrupted before it began.
    Interrupted,
    NotBegun,
}

/// The calls of one message.
#[derive(Clone)]
pub(crate) struct Batch {
    world: Arc<World>,
    subject: Subject,
    cancel: Cancel,
    turn: Arc<Turnstile>,
    calls: Arc<Mutex<Vec<Call>>>,
}

/// Who may run now, and who is done.
#[derive(Default)]
struct Turnstile {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The first call that has not begun.
    next: usize,
    running: usize,
    only_reads: bool,
    done: Vec<Done>,
}

impl Batch {
    pub(crate) fn new(world: &Arc<World>, subject: &Subject, cancel: &Cancel) -> Batch {
        Batch {
            world: Arc::clone(world),
            subject: subject.clone(),
            cancel: cancel.clone(),
            turn: Arc::default(),
            calls: Arc::default(),
        }
    }

    /// A call is complete and begins as soon as it may.
    pub(crate) fn add(&self, call: Call) {
        let at = {
            let mut calls = lock(&self.calls);
            calls.push(call.clone());
            calls.len() - 1
        };
        if let Some((client, _)) = self.world.toolbox.find(&call.name) {
            self.world.tell(News::Calling(client.server.name.clone()));
        }
        let batch = self.clone();
        std::thread::spawn(move || batch.run(at, call));
    }

    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.calls).is_empty()
    }

    /// The name of the last call.
    pub(crate) fn last(&self) -> Option<String> {
        lock(&self.calls).last().map(|call| call.name.clone())
    }

    /// Waits for the end of every call.
    pub(crate) fn wait(&self) -> Vec<Done> {
        let count = lock(&self.calls).len();
        let mut state = lock(&self.turn.state);
        while state.done.len() < count {
            state = self
                .turn
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.done.clone()
    }

    /// The hook about the whole batch, which lists the calls in the model's order.
    pub(crate) fn told(&self, done: &[Done]) -> Value {
        let calls = lock(&self.calls);
        let told = calls.iter().filter_map(|call| {
            let done = done.iter().find(|done| done.call.id == call.id)?;
            let response = match done.answer.is_error {
                true => &done.answer.shown,
                false => &done.answer.told,
            };
            Some(json!({
                "tool_name": call.name, "tool_input": call.input, "tool_use_id": call.id, "tool_response": response,
            }))
        });
        hook::post_tool_batch(&self.subject, &told.collect())
    }

    fn run(&self, at: usize, call: Call) {
        let found = self.world.toolbox.find(&call.name);
        let client = found.as_ref().map(|(client, _)| client.clone());
        let id = call.id.clone();
        let read_only = found.as_ref().is_some_and(|(_, tool)| tool.read_only);
        self.turn.enter(at, read_only || found.is_none());
        let (answer, fate) = match found {
            _ if self.cancel.is_set() => rejected(Fate::NotBegun),
            None => unknown(&call),
            Some((client, tool)) => self.use_tool(&client, &tool, &call),
        };
        self.turn.leave(Done {
            call,
            answer,
            fate,
            read_only,
        });
        if let Some(client) = client {
            client.hear_behind(&id);
        }
    }

    fn use_tool(&self, client: &Client, tool: &Tool, call: &Call) -> (Answer, Fate) {
        let used = ToolUse {
            name: &call.name,
            input: &call.input,
            id: &call.id,
            server: self
                .world
                .dialect
                .is_new()
                .then_some(client.server.name.as_str()),
        };
        let body = hook::pre_tool_use(&self.subject, &used);
        let answers = self.world.hooks.ask("PreToolUse", &body, &self.cancel);
        if let Some(reason) = hook::deny_reason(&answers) {
            let text = match self.world.dialect.is_new() {
                true => format!("PreToolUse:{} hook error: {reason}", call.name),
                false => reason,
            };
            return (Answer::failed(text), Fate::Denied);
        }
        if !self.is_permitted(&call.name) {
            return (Answer::failed(denial(&call.name)), Fate::Denied);
        }
        self.turn.give_way(self.place_of(call));
        let began = clock::now();
        let result = client.call(&tool.own, &call.input, &call.id, &self.cancel);
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (mut answer, fate) = self.read(result, client, call);
        if fate == Fate::Answered {
            let folder = self.world.journal().path().with_extension("");
            if let Some(shown) = store::put_aside(&folder, &call.id, &answer.shown, tool.result_max)
            {
                answer.shown = json!(shown);
            }
        }
        match fate {
            Fate::Answered => {
                let body = hook::post_tool_use(&self.subject, &used, &answer.told, ms);
                self.world.hooks.ask("PostToolUse", &body, &self.cancel);
            }
            Fate::Failed => {
                let body = hook::post_tool_use_failure(&self.subject, &used, &answer.shown, ms);
                self.world
                    .hooks
                    .ask("PostToolUseFailure", &body, &self.cancel);
            }
            Fate::Unknown | Fate::Denied | Fate::Interrupted | Fate::NotBegun => {}
        }
        (answer, fate)
    }

    fn read(&self, result: Result<Value, Fault>, client: &Client, call: &Call) -> (Answer, Fate) {
        let failed = |text: String| (Answer::failed(text), Fate::Failed);
        match result {
            Ok(result) => {
                let folder = self
                    .world
                    .dialect
                    .is_new()
                    .then(|| self.world.journal().path().with_extension(""));
                let mut keep =
                    |block: &Value| store::keep(folder.as_ref()?, &client.server.name, block);
                let answer = Answer::of(&result, &call.name, &client.server.name, &mut keep);
                let fate = if answer.is_error {
                    Fate::Failed
                } else {
                    Fate::Answered
                };
                (answer, fate)
            }
            Err(Fault::Cancelled) => rejected(Fate::Interrupted),
            Err(Fault::Rpc { code, message }) => failed(match self.world.dialect.is_new() {
                true => message,
                false => format!("MCP error {code}: {message}"),
            }),
            Err(Fault::Link(text)) => failed(text),
        }
    }

    fn place_of(&self, call: &Call) -> usize {
        let calls = lock(&self.calls);
        calls.iter().position(|one| one.id == call.id).unwrap_or(0)
    }

    fn is_permitted(&self, name: &str) -> bool {
        self.world.permission_mode == "bypassPermissions" || self.world.toolbox.is_allowed(name)
    }
}

impl Turnstile {
    fn enter(&self, at: usize, only_reads: bool) {
        let mut state = lock(&self.state);
        while state.next != at || (state.running > 0 && !(only_reads && state.only_reads)) {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.next += 1;
        state.running += 1;
        state.only_reads = only_reads;
        self.changed.notify_all();
    }

    /// Gives the calls before this one a head start: what is ready at the same time goes in the order of the calls.
    fn give_way(&self, at: usize) {
        let state = lock(&self.state);
        let waits = |state: &mut State| state.done.len() < at;
        drop(self.changed.wait_timeout_while(state, HEAD_START, waits));
    }

    fn leave(&self, done: Done) {
        let mut state = lock(&self.state);
        state.running -= 1;
        state.done.push(done);
        self.changed.notify_all();
    }
}

fn unknown(call: &Call) -> (Answer, Fate) {
    let text = format!("Error: No such tool available: {}", call.name);
    let answer = Answer {
        shown: json!(format!("<tool_use_error>{text}</tool_use_error>")),
        told: json!(text),
        ..Answer::failed(String::new())
    };
    (answer, Fate::Unknown)
}

fn rejected(fate: Fate) -> (Answer, Fate) {
    let answer = Answer {
        told: json!("User rejected tool use"),
        ..Answer::failed(REJECTED.to_owned())
    };
    (answer, fate)
}

fn denial(name: &str) -> String {
    format!(
        "Permission to use {name} has been denied because Claude Code is running in don't ask mode. {DENIAL}"
    )
}

/// How much later a call may begin than the one before it, when both could begin at once.
const HEAD_START: Duration = Duration::from_millis(10);

const REJECTED: &str = "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if it was a file edit, the new_string was NOT written to the file). STOP what you are doing and wait for the user to tell you how to proceed.";
const DENIAL: &str = "IMPORTANT: You *may* attempt to accomplish this action using other tools that might naturally be used to accomplish this goal, e.g. using head instead of cat. But you *should not* attempt to work around this denial in malicious ways, e.g. do not use your ability to run tests to execute non-test actions. You should only try to work around this restriction in reasonable ways that do not attempt to bypass the intent behind this denial. If you believe this capability is essential to complete the user's request, STOP and explain to the user what you were trying to do and why you need this permission. Let the user decide how to proceed.";
