//! One turn, from the submitted prompt to its end, on a thread of its own.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::batch::Batch;
use crate::batch::Call;
use crate::batch::Done;
use crate::batch::Fate;
use crate::clock;
use crate::conversation::Role;
use crate::display::Display;
use crate::ending;
use crate::ending::Ending;
use crate::hook;
use crate::hook::Subject;
use crate::http::Cancel;
use crate::id;
use crate::mcp;
use crate::player;
use crate::reply::Bit;
use crate::reply::Failure;
use crate::reply::Reply;
use crate::reply::Stunt;
use crate::request;
use crate::script::Step;
use crate::transcript::with;
use crate::world::Called;
use crate::world::News;
use crate::world::Outcome;
use crate::world::World;
use crate::world::lock;

/// Why a turn runs.
#[derive(Clone, Debug)]
pub(crate) enum Cause {
    /// A prompt; `source` is `typed` or `queued`, and a queued one may have passed its hook already.
    Prompt {
        text: String,
        prompt_id: String,
        source: &'static str,
        asked: bool,
    },
    /// The last message of a transcript that was taken up.
    Resumed,
    /// The output of a shell command, which is already in the conversation.
    Shell { prompt_id: Option<String> },
}

/// Runs a turn in the background; the end comes as news.
pub(crate) fn start(world: &Arc<World>, cause: Cause) -> Cancel {
    let cancel = Cancel::default();
    let (world, cancelled) = (Arc::clone(world), cancel.clone());
    std::thread::spawn(move || {
        let mut turn = Turn::new(world, cause, cancelled);
        let outcome = turn.run();
        turn.world.tell(News::Over(outcome));
    });
    cancel
}

struct Turn {
    world: Arc<World>,
    cause: Cause,
    cancel: Cancel,
    subject: Subject,
    prompt_id: Option<String>,
    turn_id: String,
    began: Instant,
    /// The steps of the script that answer to the results of tools.
    rest: Mutex<Vec<Step>>,
    /// Whether tools are told of; the first request of a turn that was taken up has none.
    has_tools: AtomicBool,
    /// Where conversation and transcript stood before this turn.
    before: (usize, Option<String>, (bool, bool)),
}

impl Turn {
    fn new(world: Arc<World>, cause: Cause, cancel: Cancel) -> Turn {
        let prompt_id = match &cause {
            Cause::Prompt { prompt_id, .. } => Some(prompt_id.clone()),
            Cause::Resumed => None,
            Cause::Shell { prompt_id } => prompt_id.clone(),
        };
        let subject = world.subject(prompt_id.as_deref());
        let has_tools = !matches!(cause, Cause::Resumed);
        let talk = world.talk();
        let told = (talk.environment_told, talk.date_told);
        let before = (talk.entries.len(), world.journal().last(), told);
        drop(talk);
        Turn {
            world,
            cause,
            cancel,
            subject,
            prompt_id,
            turn_id: id::uuid(),
            began: clock::now(),
            rest: Mutex::default(),
            has_tools: AtomicBool::new(has_tools),
            before,
        }
    }

    fn run(&mut self) -> Outcome {
        match self.cause.clone() {
            Cause::Prompt {
                text,
                source,
                asked,
                ..
            } => {
                if let Some(outcome) = self.submit(&text, source, asked) {
                    return outcome;
                }
            }
            Cause::Resumed | Cause::Shell { .. } => self.notes(NoteKind::DateOnly, ""),
        }
        self.answer()
    }

    /// Asks the hook and writes the prompt down; an outcome means that the turn is over.
    fn submit(&mut self, text: &str, source: &'static str, asked: bool) -> Option<Outcome> {
        if !asked {
            let body = hook::user_prompt_submit(&self.subject, text);
            let answers = self
                .world
                .hooks
                .ask("UserPromptSubmit", &body, &self.cancel);
            if self.cancel.is_set() {
                return Some(Outcome::TakenBack {
                    prompt: text.to_owned(),
                });
            }
            if let Some(reason) = hook::block_reason(&answers) {
                return Some(self.blocked(text, reason));
            }
        }
        self.world.tell(News::Accepted);
        self.write_prompt(text, source);
        self.world.talk().add(Role::User, json!(text));
        self.notes(NoteKind::All, text);
        self.world.tell(News::Written);
        None
    }

    fn write_prompt(&self, text: &str, source: &str) {
        let mut more = json!({
            "permissionMode": self.world.permission_mode, "origin": { "kind": "human" }, "promptSource": source,
        });
        if self.world.dialect.is_new() {
            let mut talk = self.world.talk();
            talk.prompts += 1;
            let index = talk.prompts;
            let position = json!({ "promptIndex": index, "turnIndex": index });
            more["turnOrigin"] = json!("human");
            if !talk.resumed {
                more["turnPosition"] = position;
            }
        }
        let mut journal = self.world.journal();
        journal.snapshot();
        journal.user(&json!(text), self.prompt_id.as_deref(), more);
    }

    fn blocked(&self, prompt: &str, reason: String) -> Outcome {
        let said = format!(
            "UserPromptSubmit operation blocked by hook:\n{reason}\n\nOriginal prompt: {prompt}"
        );
        let mut more = json!({ "content": said, "isMeta": false, "level": "warning", "preventContinuation": true });
        if self.world.dialect.is_new() {
            let ending = json!({ "kind": "blocked_by_hook", "reason": reason });
            more["promptSubmitEnding"] = json!({ "ending": ending, "promptKept": false });
        }
        self.world.journal().system("informational", more);
        Outcome::Blocked {
            reason,
            prompt: prompt.to_owned(),
        }
    }

    /// The newer family tells environment, model and date once a session, behind the user's message.
    fn notes(&self, kind: NoteKind, prompt: &str) {
        if !self.world.dialect.is_new() {
            return;
        }
        let mut told = Vec::new();
        let mut talk = self.world.talk();
        let mut journal = self.world.journal();
        if kind == NoteKind::All && !talk.environment_told {
            talk.environment_told = true;
            let (environment, model) = (
                request::environment(&self.world.cwd),
                request::powered_by(&self.world.shape.model),
            );
            journal.attachment(&json!({ "type": "environment", "text": environment }));
            journal.attachment(&json!({ "type": "model", "text": model }));
            told.extend([environment, model]);
        }
        if !talk.date_told {
            talk.date_told = true;
            journal.attachment(&json!({ "type": "session_context", "context": {} }));
            journal.attachment(&json!({ "type": "date", "date": clock::date(clock::unix_ms()) }));
            journal.attachment(
                &json!({ "type": "prompt_snapshot", "systemPrompt": [self.world.shape.system] }),
            );
            told.push(request::todays_date());
        }
        if prompt.contains("<pasted_content id=") {
            journal.attachment(
                &json!({ "type": "critical_system_reminder", "content": request::PASTE_NOTE }),
            );
            told.push(request::PASTE_NOTE.to_owned());
        }
        if !told.is_empty() {
            talk.add(Role::System, json!(told.join("\n\n")));
        }
    }

    /// Asks until there is an answer that ends the turn.
    fn answer(&mut self) -> Outcome {
        let (mut cuts, mut refusals, mut empty) = (0, 0, 0);
        loop {
            let batch = Batch::new(&self.world, &self.subject, &self.cancel);
            let reply = match self.ask_with_retries(&batch) {
                Ok(reply) => reply,
                Err(Failure::Interrupted(partial)) => return self.interrupted(&partial, &batch),
                Err(failure) => return self.failed(&self.world.circumstances.ending(&failure)),
            };
            let sources = self.write_reply(&reply);
            match reply.stop_reason.as_deref() {
                _ if !batch.is_empty() => {
                    let done = self.use_tools(&batch, &sources);
                    if self.cancel.is_set() {
                        return self.interrupted_tools(&reply, &done);
                    }
                }
                Some("max_tokens") if cuts == CUTS_MAX => {
                    return self.failed(&self.world.circumstances.cut_off());
                }
                Some("max_tokens") => {
                    cuts += 1;
                    self.go_on(CUT_OFF, &reply);
                }
                Some("refusal") if refusals == 0 && self.asks_again_when_refused() => {
                    refusals += 1;
                    self.note_refusal();
                    self.go_on(REFUSED, &reply);
                }
                Some("refusal") => return self.refused(&reply),
                _ if !reply.blocks.iter().any(is_said) && empty == 0 => {
                    empty += 1;
                    self.continue_empty();
                }
                _ => return self.stopped(&reply),
            }
        }
    }

    /// An answer without a word is asked for once more; both families write that down.
    fn continue_empty(&self) {
        self.world.talk().add(Role::User, json!(NOTHING_SAID));
        let mut more = json!({ "isMeta": true });
        if self.world.dialect.is_new() {
            more["turnCompanion"] = json!(true);
        }
        let text = json!(NOTHING_SAID);
        self.world
            .journal()
            .user(&text, self.prompt_id.as_deref(), more);
    }

    fn ask_with_retries(&self, batch: &Batch) -> Result<Reply, Failure> {
        let mut tries = 0;
        loop {
            let failure = match self.ask(batch) {
                Err(failure)
                    if ending::is_transient(&failure) && tries < self.world.max_retries =>
                {
                    failure
                }
                done => return done,
            };
            tries += 1;
            let pause = (500 << tries.min(6)).min(32_000);
            let text = self.world.circumstances.ending(&failure).text;
            let retry = format!(
                "{text} · Retrying in {} seconds… (attempt {tries}/{})",
                pause / 1000,
                self.world.max_retries
            );
            self.world.tell(News::Retrying(retry));
            self.pause(pause)?;
        }
    }

    fn pause(&self, ms: u64) -> Result<(), Failure> {
        for _ in 0..ms / 20 {
            if self.cancel.is_set() {
                return Err(Failure::Interrupted(Box::new(Reply::empty(
                    &self.world.shape.model,
                ))));
            }
            clock::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn ask(&self, batch: &Batch) -> Result<Reply, Failure> {
        if !self.world.is_logged_in() {
            return Err(Failure::Login);
        }
        let display = Display::new(&self.world, &self.subject, &self.turn_id);
        let shown = display.clone();
        let (world, calls) = (Arc::clone(&self.world), batch.clone());
        let mut sink = move |bit| match bit {
            Bit::Text(text) => shown.push(&text),
            Bit::Tool(block) => calls.add(Call::of(&block)),
            Bit::Thinking => world.tell(News::Thinking),
            Bit::Stunt(stunt) => world.tell(News::Stunt(stunt)),
        };
        let result = self.source(&mut sink);
        match &result {
            Ok(_) => display.finish(),
            Err(_) => display.close(),
        }
        self.world.tell(News::MessageOver);
        result
    }

    fn source(&self, sink: &mut dyn FnMut(Bit)) -> Result<Reply, Failure> {
        if let Some(upstream) = &self.world.upstream {
            let body = self.body();
            return upstream.ask(&body, &self.cancel, sink);
        }
        let prompt = self.world.talk().last_said();
        let rest = std::mem::take(&mut *lock(&self.rest));
        if !rest.is_empty() {
            return self.play(rest, &prompt, sink);
        }
        let (limit, steps, expected) = {
            let mut script = lock(&self.world.script);
            (
                script.usage_limit.clone(),
                script.take(&prompt),
                script.expected(),
            )
        };
        match (limit, steps) {
            (Some(limit), _) => Err(Failure::Limit(limit)),
            (None, Some(steps)) => self.play(steps, &prompt, sink),
            (None, None) => {
                let text = format!(
                    "fake-claude: unexpected prompt\n  got:      {prompt:?}\n  expected: {expected}"
                );
                sink(Bit::Stunt(Stunt::Unexpected(text)));
                Err(Failure::Network("unexpected prompt".to_owned()))
            }
        }
    }

    /// Plays one message of the script and keeps what follows it.
    fn play(
        &self,
        mut steps: Vec<Step>,
        prompt: &str,
        sink: &mut dyn FnMut(Bit),
    ) -> Result<Reply, Failure> {
        let rest = steps.split_off(player::message(&steps));
        *lock(&self.rest) = rest;
        for used in steps.iter_mut().flat_map(|step| &mut step.call) {
            used.tool = self.world.toolbox.full_name(&used.tool);
        }
        player::play(&steps, prompt, &self.world.shape.model, &self.cancel, sink)
    }

    /// The next request, with the tools of now.
    fn body(&self) -> Value {
        let mut talk = self.world.talk();
        let mut tools = Vec::new();
        if self.has_tools.swap(true, Ordering::SeqCst) {
            let now = self.world.toolbox.tools();
            tools = now.iter().map(mcp::Tool::upstream).collect();
        }
        if self.world.dialect.is_new() {
            tools = mcp::announce(&talk.tools, &tools);
            talk.tools.clone_from(&tools);
        }
        self.world
            .shape
            .body(&talk, &self.subject.session_id, &tools)
    }

    /// One record a block, and the whole message into the conversation; the records of calls are named by call.
    fn write_reply(&self, reply: &Reply) -> Vec<(Value, String)> {
        let mut sources = Vec::new();
        let mut journal = self.world.journal();
        let is_new = self.world.dialect.is_new();
        for (at, block) in reply.blocks.iter().enumerate() {
            let block = told(block, reply);
            let record =
                journal.assistant(&reply.record(&block, is_new), self.reply_fields(reply, at));
            sources.push((block["id"].clone(), record));
        }
        drop(journal);
        if !reply.blocks.is_empty() {
            self.world
                .talk()
                .add(Role::Assistant, Value::Array(reply.blocks.clone()));
        }
        self.world.tell(News::Written);
        sources
    }

    /// Waits for the tools, writes their results down and tells the hook.
    fn use_tools(&self, batch: &Batch, sources: &[(Value, String)]) -> Vec<Done> {
        let done = batch.wait();
        for done in &done {
            self.write_result(done, sources);
        }
        if !self.cancel.is_set() {
            let body = batch.told(&done);
            self.world.hooks.ask("PostToolBatch", &body, &self.cancel);
            for url in self.world.hooks.urls("PostToolBatch") {
                let mut note = success("PostToolBatch", "PostToolBatch", &url);
                note["toolUseID"] = json!(format!("hook-{}", id::uuid()));
                if self.world.dialect.is_new() {
                    note["accountMemoryBatch"] = json!(false);
                }
                self.world.journal().attachment(&note);
            }
        }
        self.world.tell(News::Called(called(&done)));
        self.world.tell(News::Written);
        done
    }

    /// One result: the hooks before it, the record, the hooks behind it.
    fn write_result(&self, done: &Done, sources: &[(Value, String)]) {
        let block = done.answer.block(&done.call.id);
        let (before, behind) = match done.fate {
            Fate::Answered => (Some("PreToolUse"), Some("PostToolUse")),
            Fate::Failed => (Some("PreToolUse"), Some("PostToolUseFailure")),
            Fate::Denied => (Some("PreToolUse"), None),
            Fate::Unknown | Fate::Interrupted | Fate::NotBegun => (None, None),
        };
        self.write_tool_hooks(before, done);
        let source = sources.iter().find(|(id, _)| *id == done.call.id);
        self.world.journal().user(
            &json!([block]),
            self.prompt_id.as_deref(),
            self.result_fields(done, source.map(|(_, record)| record.as_str())),
        );
        self.write_tool_hooks(behind, done);
        self.world.talk().add(Role::User, json!([block]));
    }

    fn write_tool_hooks(&self, event: Option<&str>, done: &Done) {
        let Some(event) = event else {
            return;
        };
        for url in self.world.hooks.urls(event) {
            let name = format!("{event}:{}", done.call.name);
            let mut note = success(event, &name, &url);
            note["toolUseID"] = json!(done.call.id);
            self.world.journal().attachment(&note);
        }
    }

    fn result_fields(&self, done: &Done, source: Option<&str>) -> Value {
        let mut more = json!({ "toolUseResult": done.answer.told });
        let is_new = self.world.dialect.is_new();
        if let Some(meta) = &done.answer.meta {
            more["mcpMeta"] = meta.clone();
        }
        if is_new && done.fate == Fate::Answered && !done.read_only {
            more["mcpCallNotReadOnly"] = json!("no_hint");
        }
        if is_new && matches!(done.fate, Fate::Interrupted | Fate::NotBegun) {
            more["toolDenialKind"] = json!("user-rejected");
        }
        if is_new && done.fate == Fate::NotBegun {
            more["toolDenialBeforeRun"] = json!(true);
        }
        if let Some(source) = source {
            more["sourceToolAssistantUUID"] = json!(source);
        }
        if is_new && matches!(done.fate, Fate::Answered | Fate::Failed) {
            more["permissionDecision"] = json!({
                "decision": "accept", "source": "config", "reasonType": "rule", "ruleSource": "cliArg",
            });
        }
        more
    }

    /// The results are written; what is left is the note about the interruption.
    fn interrupted_tools(&self, reply: &Reply, done: &[Done]) -> Outcome {
        let note =
            json!([{ "type": "text", "text": "[Request interrupted by user for tool use]" }]);
        self.world.journal().user(
            &note,
            self.prompt_id.as_deref(),
            json!({ "interruptedMessageId": reply.id }),
        );
        self.world.talk().add(Role::User, note);
        self.world.tell(News::Written);
        Outcome::Interrupted {
            is_silent: !self.world.dialect.is_new() && !done.is_empty(),
        }
    }

    fn reply_fields(&self, reply: &Reply, at: usize) -> Value {
        let mut more = json!({ "requestId": reply.request_id });
        if self.world.dialect.is_new() {
            let rest = json!({
                "apiBlockIndex": at, "requestedModel": reply.model, "promptCacheRequested": "5m",
                "effort": self.world.shape.effort, "perTurnEffort": null, "madeBy": "model",
            });
            more = with(more, rest);
        }
        more
    }

    /// Asks the model to go on; only the newer family writes that down.
    fn go_on(&self, text: &str, reply: &Reply) {
        self.world.talk().add(Role::User, json!(text));
        if self.world.dialect.is_new() {
            let mut more = json!({ "isMeta": true, "turnCompanion": true });
            if text == REFUSED {
                more["refusedMessageId"] = json!(reply.id);
            }
            self.world
                .journal()
                .user(&json!(text), self.prompt_id.as_deref(), more);
        }
    }

    fn asks_again_when_refused(&self) -> bool {
        self.world.dialect.is_new() && !self.world.refusals_stand
    }

    fn note_refusal(&self) {
        let name = request::marketing(&self.world.shape.model);
        let notice = format!(
            "{name}'s safeguards stopped the response above · continuing once with that noted"
        );
        let more = json!({ "content": notice, "isMeta": false, "level": "notice" });
        self.world.journal().system("informational", more);
        self.world.tell(News::Notice(notice));
    }

    fn refused(&self, reply: &Reply) -> Outcome {
        let more = json!({
            "content": "", "level": "warning", "originalModel": reply.model, "requestId": reply.request_id,
            "apiRefusalCategory": null, "apiRefusalExplanation": null, "isMeta": false,
        });
        self.world
            .journal()
            .system("model_refusal_no_fallback", more);
        self.failed(
            &self
                .world
                .circumstances
                .refused(&reply.request_id, &reply.id),
        )
    }

    fn failed(&self, ending: &Ending) -> Outcome {
        let text = json!([{ "type": "text", "text": ending.text }]);
        let message = synthetic(&text, ending.stop_reason, self.world.dialect.is_new());
        let mut more = json!({});
        if ending.error == "max_output_tokens" {
            more["apiError"] = json!(ending.error);
        }
        more["error"] = json!(ending.error);
        if let Some(details) = &ending.details {
            more["errorDetails"] = json!(details);
        }
        more["isApiErrorMessage"] = json!(true);
        if let Some(status) = ending.status {
            more["apiErrorStatus"] = json!(status);
        }
        self.world.journal().assistant(&message, more);
        let body = hook::stop_failure(
            &self.subject,
            ending.error,
            ending.details.as_deref(),
            &ending.text,
        );
        self.world.hooks.ask("StopFailure", &body, &self.cancel);
        if !self.world.dialect.is_new() {
            self.write_duration();
        }
        let is_login = ending.text == ending::NOT_LOGGED_IN;
        Outcome::Failed {
            text: ending.text.clone(),
            hint: ending.hint,
            is_login,
        }
    }

    fn stopped(&self, reply: &Reply) -> Outcome {
        let name = if self.world.dialect.is_new() {
            "running Stop hook"
        } else {
            "running stop hook"
        };
        let urls = self.world.hooks.urls("Stop");
        if !urls.is_empty() {
            self.world.tell(News::Running(name));
        }
        let text = reply.lie.clone().unwrap_or_else(|| reply.text());
        self.world
            .hooks
            .ask("Stop", &hook::stop(&self.subject, &text), &self.cancel);
        for url in urls {
            self.write_stop(&url);
        }
        self.write_duration();
        Outcome::Answered
    }

    fn write_stop(&self, url: &str) {
        let tool = id::uuid();
        let mut journal = self.world.journal();
        let mut note = success("Stop", "Stop", url);
        note["toolUseID"] = json!(tool);
        journal.attachment(&note);
        let summary = json!({
            "hookCount": 1, "hookInfos": [{ "command": url }], "hookErrors": [], "hookAdditionalContext": [],
            "preventedContinuation": false, "stopReason": "", "hasOutput": true, "level": "suggestion", "toolUseID": tool,
        });
        journal.system("stop_hook_summary", summary);
    }

    fn write_duration(&self) {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut journal = self.world.journal();
        let count = journal.count();
        journal.system(
            "turn_duration",
            json!({ "durationMs": ms, "messageCount": count, "isMeta": false }),
        );
        drop(journal);
        self.world.tell(News::Written);
    }

    /// What was said stays; where nothing was, the prompt goes back into the box.
    fn interrupted(&self, partial: &Reply, batch: &Batch) -> Outcome {
        if !batch.is_empty() {
            let sources = self.write_reply(partial);
            let done = self.use_tools(batch, &sources);
            return self.interrupted_tools(partial, &done);
        }
        let blocks: Vec<Value> = partial
            .blocks
            .iter()
            .filter(|block| is_said(block))
            .cloned()
            .collect();
        if let (true, Cause::Prompt { text, .. }) = (blocks.is_empty(), &self.cause) {
            let mut talk = self.world.talk();
            talk.entries.truncate(self.before.0);
            talk.prompts = talk.prompts.saturating_sub(1);
            (talk.environment_told, talk.date_told) = self.before.2;
            drop(talk);
            self.world.journal().rewind(self.before.1.clone());
            return Outcome::TakenBack {
                prompt: text.clone(),
            };
        }
        let mut journal = self.world.journal();
        for (at, block) in blocks.iter().enumerate() {
            self.write_partial(&mut journal, partial, block, at);
        }
        let note = json!([{ "type": "text", "text": "[Request interrupted by user]" }]);
        journal.user(
            &note,
            self.prompt_id.as_deref(),
            json!({ "interruptedMessageId": partial.id }),
        );
        drop(journal);
        let mut talk = self.world.talk();
        if !blocks.is_empty() {
            talk.add(Role::Assistant, Value::Array(blocks));
        }
        talk.add(Role::User, note);
        drop(talk);
        self.world.tell(News::Written);
        Outcome::Interrupted { is_silent: false }
    }

    /// The older family makes a synthetic message of it, the newer one keeps the API's own.
    fn write_partial(
        &self,
        journal: &mut crate::transcript::Journal,
        partial: &Reply,
        block: &Value,
        at: usize,
    ) {
        if self.world.dialect.is_new() {
            let more = with(
                self.reply_fields(partial, at),
                json!({ "isAbortedMidStream": true }),
            );
            journal.assistant(&partial.record(block, true), more);
            return;
        }
        let message = synthetic(&json!([block]), "stop_sequence", false);
        journal.assistant(&message, json!({ "isApiErrorMessage": false }));
    }
}

/// The note about a hook that said nothing; who was used is filled in.
fn success(event: &str, name: &str, url: &str) -> Value {
    json!({
        "type": "hook_success", "hookName": name, "toolUseID": null, "hookEvent": event, "content": "",
        "stdout": "{}", "stderr": "", "exitCode": 200, "command": url,
    })
}

/// What the screen says about the calls of a message.
fn called(done: &[Done]) -> Called {
    let with_fate = |fate: Fate| done.iter().filter(move |done| done.fate == fate);
    let place = |done: &Done| {
        let mut parts = done.call.name.splitn(3, "__").skip(1).map(str::to_owned);
        (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        )
    };
    Called {
        errors: with_fate(Fate::Unknown)
            .filter_map(|done| done.answer.told.as_str().map(str::to_owned))
            .collect(),
        interrupted: with_fate(Fate::Interrupted).map(place).collect(),
        not_begun: with_fate(Fate::NotBegun).count(),
    }
}

/// Which notes a turn may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoteKind {
    All,
    DateOnly,
}

/// The block as the transcript tells it, which a lying script may have changed.
fn told(block: &Value, reply: &Reply) -> Value {
    match (&reply.lie, block["type"].as_str()) {
        (Some(lie), Some("text")) => json!({ "type": "text", "text": lie }),
        _ => block.clone(),
    }
}

fn is_said(block: &Value) -> bool {
    let text = block["text"].as_str().or(block["thinking"].as_str());
    text.is_some_and(|text| !text.is_empty())
}

/// A message that no model made.
pub(crate) fn synthetic(content: &Value, stop_reason: &str, is_new: bool) -> Value {
    let message = json!({
        "id": id::uuid(), "container": null, "model": "<synthetic>", "role": "assistant", "stop_details": null,
        "stop_reason": stop_reason, "stop_sequence": "", "type": "message", "usage": synthetic_usage(),
        "content": content, "context_management": null,
    });
    match is_new {
        true => with(json!({ "diagnostics": null }), message),
        false => message,
    }
}

fn synthetic_usage() -> Value {
    json!({
        "input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
        "server_tool_use": { "web_search_requests": 0, "web_fetch_requests": 0 }, "service_tier": null,
    })
}

/// How often a cut-off answer is continued.
const CUTS_MAX: u32 = 3;
const NOTHING_SAID: &str = "[Your previous response had no visible output. Please continue and produce a user-visible response.]";
const CUT_OFF: &str = "Output token limit hit. Resume directly — no apology, no recap of what you were doing. Pick up mid-thought if that is where the cut happened. Break remaining work into smaller pieces.";
const REFUSED: &str = "Your response above was stopped by a safety classifier — this is not a tool or API error. The rest of it was withheld, and tool calls in it that had not finished did not run. Do not produce that content again, even reworded.";
