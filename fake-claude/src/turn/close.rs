//! How a turn ends: answered, refused, failed or interrupted.

use serde_json::Value;
use serde_json::json;

use crate::conversation::Role;
use crate::ending;
use crate::ending::Ending;
use crate::hook;
use crate::id;
use crate::reply::Reply;
use crate::transcript::with;
use crate::turn::batch::Batch;
use crate::turn::cause::Cause;
use crate::turn::course::Turn;
use crate::turn::record::is_said;
use crate::turn::result::success;
use crate::world::FailureKind;
use crate::world::News;
use crate::world::Outcome;
use crate::world::Told;

impl Turn {
    pub(super) fn refused(&self, reply: &Reply) -> Outcome {
        let more = json!({
            "content": "", "level": "warning", "originalModel": reply.model,
            "requestId": Some(&reply.request_id).filter(|id| !id.is_empty()),
            "apiRefusalCategory": null, "apiRefusalExplanation": null, "refusedUserMessageUuid": self.asked_in, "isMeta": false,
        });
        if !self.world.dialect.is_terse {
            self.world
                .journal()
                .system("model_refusal_no_fallback", more);
        }
        let words = self.world.circumstances();
        let ending = words.refused(&reply.request_id, &reply.id);
        let about = json!({ "refusedMessageId": reply.id, "refusingModel": reply.model, "madeBy": "model" });
        self.end_badly(&ending, about)
    }

    pub(super) fn failed(&self, ending: &Ending) -> Outcome {
        let mut about = json!({});
        if ending.status == Some(429) {
            about["apiErrorIsTransient"] = json!(false);
        }
        if let Some(kind) = &ending.kind {
            about["apiErrorType"] = json!(kind);
        }
        let rest = json!({ "perTurnEffort": null, "failedResponseHadNoToolCall": true, "madeBy": "model" });
        self.end_badly(ending, with(about, rest))
    }

    /// The record in the answer's place, the hook, and what the screen says; `about` is for the newer family.
    fn end_badly(&self, ending: &Ending, about: Value) -> Outcome {
        let text = json!([{ "type": "text", "text": ending.text }]);
        let message = self.synthetic(&text, ending.stop_reason);
        let mut more = json!({});
        let is_cut = ending.error == "max_output_tokens";
        if is_cut && !self.world.dialect.is_sparse {
            more["apiError"] = json!(ending.error);
        }
        if !is_cut || !self.world.dialect.is_sparse {
            more["error"] = json!(ending.error);
        }
        if let Some(details) = &ending.details {
            more["errorDetails"] = json!(details);
        }
        more["isApiErrorMessage"] = json!(true);
        if ending.status == Some(413) && self.world.dialect.hooks_name_prompt {
            more["healsDistinctCarrier"] = json!(true);
        }
        if let Some(status) = ending.status {
            more["apiErrorStatus"] = json!(status);
        }
        if self.world.dialect.is_new() {
            more = with(more, about);
        }
        let status = ending.status;
        self.world
            .print(|| News::Failed(message.clone(), ending.error, status));
        self.world.journal().assistant(&message, more);
        self.tell_failure(ending);
        if !self.world.dialect.is_new() {
            self.write_duration();
        }
        let kind = match ending.is_limit {
            true => FailureKind::Limit,
            false if ending.is_about_key() => FailureKind::Login,
            false => FailureKind::Plain,
        };
        if kind == FailureKind::Limit && self.world.dialect.is_new() {
            let told = ending::goes_on(&ending.text);
            self.world.journal().system(
                "informational",
                json!({ "content": told, "isMeta": false, "level": "notice" }),
            );
        }
        Outcome::Failed {
            text: ending.text.clone(),
            hint: ending.hint,
            kind,
        }
    }

    /// A failure has a hook of its own, where it is not told as any other end.
    fn tell_failure(&self, ending: &Ending) {
        if self.world.dialect.is_sparse {
            let body = hook::stop(&self.subject, "", true);
            self.world.hooks.ask("Stop", &body, &self.cancel);
            return self.write_summaries();
        }
        let details = ending.details.as_deref();
        let body = hook::stop_failure(&self.subject, ending.error, details, &ending.text);
        self.world.hooks.ask("StopFailure", &body, &self.cancel);
    }

    pub(super) fn stopped(&self, reply: &Reply) -> Outcome {
        self.note_prompt();
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
        self.world.hooks.ask(
            "Stop",
            &hook::stop(&self.subject, &text, self.world.dialect.is_terse),
            &self.cancel,
        );
        for url in urls {
            self.write_stop(&url);
        }
        self.write_summaries();
        self.world
            .print(|| News::Ended(reply.text(), reply.stop_reason.clone()));
        self.write_duration();
        Outcome::Answered
    }

    fn write_stop(&self, url: &str) {
        let tool = id::uuid();
        let mut note = success("Stop", "Stop", url);
        note["toolUseID"] = json!(tool);
        self.world.journal().attachment(&note);
        self.write_summary(url, &tool);
    }

    fn write_summaries(&self) {
        for command in self.world.hooks.commands("Stop") {
            self.write_summary(&command, &id::uuid());
        }
    }

    fn write_summary(&self, hook: &str, tool: &str) {
        let mut summary = json!({
            "hookCount": 1, "hookInfos": [{ "command": hook }], "hookErrors": [],
            "preventedContinuation": false, "stopReason": "", "hasOutput": !self.world.dialect.is_sparse, "level": "suggestion", "toolUseID": tool,
        });
        if !self.world.dialect.is_terse {
            summary["hookAdditionalContext"] = json!([]);
        }
        if self.world.dialect.is_new() {
            summary["failedHookErrorIndexes"] = json!([]);
        }
        self.world.journal().system("stop_hook_summary", summary);
    }

    /// Which message an interruption cut off.
    pub(super) fn whom_interrupted(&self, partial: &Reply) -> Value {
        match self.world.dialect.is_terse {
            true => json!({}),
            false => json!({ "interruptedMessageId": partial.id }),
        }
    }

    /// The note about an interruption, where somebody reads lines.
    pub(super) fn say_interrupted(&self, note: &Value) {
        self.world.print(|| {
            News::Told(Told {
                content: note.clone(),
                ..Told::default()
            })
        });
    }

    fn write_duration(&self) {
        if self.world.is_print || self.world.dialect.is_sparse {
            return;
        }
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
    pub(super) fn interrupted(&self, partial: &Reply, batch: &Batch) -> Outcome {
        if !batch.is_empty() {
            let sources = self.write_reply(partial);
            let (done, _) = self.use_tools(batch, &sources);
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
            talk.told = self.before.2;
            drop(talk);
            self.world.journal().rewind(self.before.1.clone());
            return Outcome::TakenBack {
                prompt: text.clone(),
            };
        }
        let mut journal = self.world.journal();
        for (at, block) in blocks.iter().enumerate() {
            self.write_partial(&mut journal, partial, block, at);
            let line = || News::Block(partial.so_far(block), partial.request_id.clone());
            self.world.print(line);
        }
        let note = json!([{ "type": "text", "text": "[Request interrupted by user]" }]);
        journal.user(
            &note,
            self.prompt_id.as_deref(),
            self.world
                .dialect
                .whose("harness", self.whom_interrupted(partial)),
        );
        drop(journal);
        self.say_interrupted(&note);
        let mut talk = self.world.talk();
        if !blocks.is_empty() {
            talk.add(Role::Assistant, Value::Array(blocks));
        }
        talk.add(Role::User, note);
        drop(talk);
        self.world.tell(News::Written);
        Outcome::Interrupted { is_silent: false }
    }
}
