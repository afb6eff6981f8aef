//! One answer of the model, from upstream or from the script, asked for again where that may help.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::child;
use crate::clock;
use crate::display::Display;
use crate::ending;
use crate::mcp;
use crate::player;
use crate::reply::Bit;
use crate::reply::Failure;
use crate::reply::Reply;
use crate::reply::Stunt;
use crate::script::Step;
use crate::turn::batch::Batch;
use crate::turn::batch::Call;
use crate::turn::course::Turn;
use crate::world::News;
use crate::world::Retry;
use crate::world::lock;

impl Turn {
    /// Prepares a question that nobody asked it to ask: that takes a while, in which it can be interrupted.
    pub(super) fn prepare_to_ask_on(&self) -> Result<(), Failure> {
        self.world.diagnose(PREPARED);
        if !self.world.is_deaf {
            return self.pause(PREPARE_MS);
        }
        clock::sleep(clock::scaled(PREPARE_MS));
        Ok(())
    }

    /// In a round of its loop no key is read.
    fn pass_round(&self) {
        if self.world.is_deaf {
            clock::sleep(clock::scaled(ROUND_MS));
        }
    }

    /// Runs what is to be run before each request: what was pressed until then is read.
    fn wait_for_helper(&self) -> Result<(), Failure> {
        match &self.world.helper {
            None => Ok(()),
            Some(command) => {
                child::shell(command, &self.world.cwd);
                self.pause(1)
            }
        }
    }

    pub(super) fn ask_with_retries(&self, batch: &Batch) -> Result<Reply, Failure> {
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
            self.world.diagnose("connection closed, retrying");
            let ms = (RETRY_MS << (tries - 1).min(6)).min(RETRY_MS_MAX);
            self.world.tell(News::Retrying(Retry {
                what: ending::in_short(&failure, tries),
                ms,
                attempt: tries,
                attempts: self.world.max_retries,
            }));
            self.pause(ms)?;
        }
    }

    fn pause(&self, ms: u64) -> Result<(), Failure> {
        let until = clock::now() + clock::scaled(ms);
        while clock::now() < until {
            if self.cancel.is_set() {
                return Err(Failure::Interrupted(Box::new(Reply::empty(
                    &self.world.model(),
                ))));
            }
            clock::sleep(NAP);
        }
        Ok(())
    }

    pub(super) fn ask(&self, batch: &Batch) -> Result<Reply, Failure> {
        if !self.world.is_logged_in() {
            return Err(Failure::Login);
        }
        self.wait_for_helper()?;
        let display = Display::new(&self.world, &self.subject, &self.turn_id);
        let shown = display.clone();
        let (world, calls) = (Arc::clone(&self.world), batch.clone());
        let mut has_begun = false;
        let mut sink = |bit| {
            has_begun |= matches!(bit, Bit::Event(_));
            match bit {
                Bit::Text(text) => shown.push(&text),
                Bit::Event(event) => world.print(|| News::Event(event)),
                Bit::Block(message, request_id) => world.print(|| News::Block(message, request_id)),
                Bit::Tool(block) => calls.add(Call::of(&block)),
                Bit::Thinking => world.tell(News::Thinking),
                Bit::Stunt(stunt) => world.tell(News::Stunt(stunt)),
            }
        };
        self.world.print(|| News::Requesting);
        self.world
            .diagnose("[API REQUEST] /v1/messages source=repl_main_thread");
        self.pass_round(); // It is on its way before a key is read.
        let result = self.source(&mut sink);
        if result.is_ok() {
            self.world.diagnose("Stream started - received first chunk");
            self.pass_round(); // The rest comes behind it.
        }
        match &result {
            Ok(reply) => {
                display.finish();
                self.world.copies.iter().for_each(|it| it.answer(reply));
            }
            Err(failure) => {
                display.close();
                if !has_begun {
                    self.diagnose_refusal(failure);
                }
            }
        }
        self.world.tell(News::MessageOver);
        result
    }

    fn source(&self, sink: &mut dyn FnMut(Bit)) -> Result<Reply, Failure> {
        if let Some(upstream) = &self.world.upstream {
            let body = self.body();
            self.world.copies.iter().for_each(|it| it.question(&body));
            return upstream.ask(&body, &self.cancel, sink);
        }
        let model = self.world.model();
        self.world
            .copies
            .iter()
            .for_each(|it| it.question(&json!({ "model": model })));
        let prompt = self.world.talk().last_said();
        let rest = std::mem::take(&mut *lock(&self.rest));
        if !rest.is_empty() {
            return self.play(rest, &prompt, sink);
        }
        let before = self.world.talk().everything();
        let (limit, steps, expected) = {
            let mut script = lock(&self.world.script);
            (
                script.usage_limit.clone(),
                script.take(&prompt, &before),
                script.expected(),
            )
        };
        match (limit, steps) {
            (Some(limit), _) => Err(Failure::Limit(self.limit(&limit))),
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

    /// What the API says within an answer, the real one does not tell there.
    fn diagnose_refusal(&self, failure: &Failure) {
        if let Failure::Api {
            status,
            body,
            is_event: false,
            ..
        } = failure
        {
            self.world.diagnose_refusal(*status, body);
        }
    }

    /// A limit that the script names by its kind: that of hours ends two hours from now, that of a week in three days.
    fn limit(&self, named: &str) -> String {
        let hours = if named == "seven_day" { 72 } else { 2 };
        let resets = clock::unix_ms() + hours * 3_600_000;
        match named {
            "five_hour" | "seven_day" => ending::limit(named, resets, self.world.dialect.is_new()),
            _ => named.to_owned(),
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
        for limit in steps.iter_mut().filter_map(|step| step.limit.as_mut()) {
            *limit = self.limit(limit);
        }
        let failures = steps.iter().filter_map(|step| step.fail.as_ref());
        for wait in failures.filter_map(|fail| fail.retry_after) {
            self.world.diagnose_wait(wait);
        }
        player::play(&steps, prompt, &self.world.model(), &self.cancel, sink)
    }

    /// The next request, with the tools of now.
    fn body(&self) -> Value {
        let mut talk = self.world.talk();
        let mut tools = Vec::new();
        if self.has_tools.swap(true, Ordering::SeqCst) {
            let now = self.world.toolbox.told();
            tools = now.iter().map(mcp::Tool::upstream).collect();
        }
        if self.world.dialect.is_new() {
            tools = mcp::announce(&talk.tools, &tools);
            talk.tools.clone_from(&tools);
        }
        let (model, session) = (self.world.model(), &self.subject.session_id);
        let body = self.world.shape.body(&model, &talk, session, &tools);
        if self.world.dialect.is_new() {
            let version = &self.world.frame.version;
            let mut journal = self.world.journal();
            *lock(&self.request) = talk.ledger.request(&body, version, &mut journal);
        }
        body
    }
}

/// The pause before the second attempt, which doubles with each.
/// What is said of a request while it is prepared.
pub(super) const PREPARED: &str =
    "attribution header x-anthropic-billing-header: cc_entrypoint=cli;";
/// How long that takes, in milliseconds.
const PREPARE_MS: u64 = 40;
/// What a round of its loop takes, at whose end keys are read.
const ROUND_MS: u64 = 10;
const RETRY_MS: u64 = 500;
const RETRY_MS_MAX: u64 = 32_000;
/// How often a pause looks for an interruption.
const NAP: Duration = Duration::from_millis(10);
