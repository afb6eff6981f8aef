//! What a turn reports on its way and at its end.

use crate::clock;
use crate::dialog::Dialog;
use crate::reply::Stunt;
use crate::scene;
use crate::scene::Block;
use crate::session::life::Session;
use crate::stunt;
use crate::tty;
use crate::world::Called;
use crate::world::FailureKind;
use crate::world::News;
use crate::world::Outcome;
use crate::world::Retry;

impl Session {
    pub(super) fn take_news(&mut self, news: News) {
        match news {
            News::Accepted
            | News::Written
            | News::Incoming(_)
            | News::Requesting
            | News::Event(_)
            | News::Block(..)
            | News::Replied(_)
            | News::Told(_)
            | News::Failed(..)
            | News::Ended(..) => {}
            News::Thinking => {
                if let Some(running) = &mut self.running {
                    let since = self.scene.busy.as_ref().map(|busy| busy.since);
                    running.thinking = since;
                }
            }
            News::Said(text) => {
                self.scene
                    .busy
                    .iter_mut()
                    .for_each(|busy| busy.retry = None);
                self.said(&text);
            }
            News::MessageOver => self.message_over(),
            News::Notice(text) => self.scene.blocks.push(Block::Notice(text)),
            News::Retrying(retry) => self.retrying(retry),
            News::Attached(name, lines) => {
                let told = format!("Read {name} ({lines} lines)");
                self.scene.blocks.push(Block::Answer(told));
            }
            News::Running(what) => {
                if let Some(busy) = &mut self.scene.busy {
                    busy.running = Some(what);
                }
            }
            News::Calling(server) => {
                if let Some(running) = &mut self.running {
                    running.servers.push(server);
                }
            }
            News::Called(called) => self.called(&called),
            News::Stunt(stunt) => self.stunt(stunt),
            News::Shell(command, output) => self.shell_ended(command, output),
            News::Over(outcome) => self.over(outcome),
        }
    }

    fn message_over(&mut self) {
        let running = self.running.as_mut();
        let came = running.map(|running| std::mem::take(&mut running.coming));
        if let Some(came) = came.filter(|came| !came.is_empty()) {
            self.show(&came);
        }
        self.thought();
        self.scene.streaming = false;
        if let Some(running) = &mut self.running {
            running.fresh = true;
            let servers = std::mem::take(&mut running.servers);
            if !servers.is_empty() {
                let over = false;
                self.scene.blocks.push(Block::Tools { servers, over });
            }
        }
    }

    fn called(&mut self, called: &Called) {
        if let Some(Block::Tools { over, .. }) = self.scene.blocks.last_mut() {
            *over = true;
        }
        if !self.world.dialect.folds_calls && !called.told.is_empty() {
            self.scene.blocks.pop();
            for (call, result) in &called.told {
                self.scene.blocks.push(Block::Notice(call.clone()));
                self.scene.blocks.push(Block::Result(result.clone()));
            }
        }
        if self.world.dialect.is_new() {
            let errors = called.errors.iter().cloned();
            self.scene.blocks.extend(errors.map(Block::Answer));
            if !called.interrupted.is_empty() {
                self.scene.blocks.pop();
                self.scene.blocks.push(Block::Unfinished {
                    calls: called.interrupted.clone(),
                    not_begun: called.not_begun,
                });
            }
        }
    }

    /// The spinner's line counts down to the next attempt.
    fn retrying(&mut self, retry: Retry) {
        if let Some(busy) = &mut self.scene.busy {
            let until = clock::now() + clock::scaled(retry.ms);
            let rest = format!("attempt {}/{}", retry.attempt, retry.attempts);
            busy.retry = Some((retry.what, until, rest));
        }
    }

    fn thought(&mut self) {
        let since = self
            .running
            .as_mut()
            .and_then(|running| running.thinking.take());
        if let Some(since) = since {
            self.scene
                .blocks
                .push(Block::Thought(since.elapsed().as_secs()));
        }
    }

    fn said(&mut self, text: &str) {
        match self
            .running
            .as_mut()
            .filter(|_| !self.world.dialect.shows_coming)
        {
            Some(running) => running.coming.push_str(text),
            None => self.show(text),
        }
    }

    fn show(&mut self, text: &str) {
        self.thought();
        let fresh = self
            .running
            .as_mut()
            .is_some_and(|running| std::mem::take(&mut running.fresh));
        match self.scene.blocks.last_mut().filter(|_| !fresh) {
            Some(Block::Reply(before)) => before.push_str(text),
            _ => self.scene.blocks.push(Block::Reply(text.to_owned())),
        }
        self.scene.streaming = true;
    }

    fn over(&mut self, outcome: Outcome) {
        let since = self
            .scene
            .busy
            .take()
            .map_or_else(clock::now, |busy| busy.since);
        let running = self.running.take();
        let is_late = running.as_ref().is_some_and(|it| it.cancel.is_set());
        let blocks = running.map_or(0, |running| running.blocks);
        let duration = Block::Duration(
            scene::past_verb(),
            since.elapsed().as_secs(),
            clock::wall(clock::unix_ms()),
        );
        self.frozen = false;
        self.scene.dialog = None;
        let is_new = self.world.dialect.is_new();
        match outcome {
            Outcome::Answered => {
                self.scene.blocks.push(duration);
                // The interruption came after the answer, and takes back what it can.
                if let (true, true, Some(prompt)) = (is_new, is_late, &self.last_prompt) {
                    self.input.set(prompt);
                }
            }
            Outcome::Blocked { reason, prompt } => {
                self.scene.blocks.truncate(blocks);
                self.show_block(&reason, &prompt);
            }
            Outcome::Interrupted { is_silent: true } => {}
            Outcome::Interrupted { is_silent: false } => {
                self.scene.blocks.push(Block::Result(
                    "Interrupted · What should Claude do instead?".to_owned(),
                ));
            }
            Outcome::TakenBack { prompt } => {
                self.scene.blocks.truncate(blocks);
                self.marks.pop();
                self.input.set(&prompt);
                return;
            }
            Outcome::Failed { text, hint, kind } => {
                self.show_failure(&text, kind);
                match is_new {
                    true => self.scene.hint = hint,
                    false => self.scene.blocks.push(duration),
                }
                if kind == FailureKind::Limit {
                    self.scene.hint = None;
                    self.limited(&text);
                }
            }
        }
        self.dequeue();
    }

    fn show_block(&mut self, reason: &str, prompt: &str) {
        let text = format!(
            "UserPromptSubmit operation blocked by hook:\n{reason}\n\nOriginal prompt: {prompt}"
        );
        self.scene.blocks.push(Block::Notice(text));
        if self.world.dialect.is_new() {
            self.input.set(prompt);
        }
    }

    fn show_failure(&mut self, text: &str, kind: FailureKind) {
        let text = text.to_owned();
        self.scene.blocks.push(match kind {
            FailureKind::Plain if !self.is_aside(&text) => Block::Failure(text),
            FailureKind::Plain | FailureKind::Login | FailureKind::Limit => Block::Result(text),
        });
    }

    /// Whether a failure stands behind `⎿`.
    fn is_aside(&self, text: &str) -> bool {
        let is_api = text.contains("API Error");
        is_api && self.world.dialect.failing.is_result
    }

    fn stunt(&mut self, stunt: Stunt) {
        match stunt {
            Stunt::Freeze => {
                self.paint();
                self.frozen = true;
            }
            Stunt::Ask(ask, answered) => {
                self.scene.dialog = Some(Dialog::script(
                    &ask.question,
                    &ask.options,
                    self.world.dialect.is_new(),
                ));
                self.asked = Some(answered);
            }
            other => {
                let exit = stunt::perform(other, &mut |text| tty::write(text.as_bytes()));
                self.exit = exit.or(self.exit.take());
            }
        }
    }
}
