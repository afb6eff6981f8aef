//! The results of tools, in the transcript and in the conversation.

use serde_json::Value;
use serde_json::json;

use crate::conversation::Role;
use crate::conversation::text_of;
use crate::hook;
use crate::id;
use crate::reply::Reply;
use crate::turn::batch::Batch;
use crate::turn::batch::Done;
use crate::turn::batch::Fate;
use crate::turn::course::Turn;
use crate::world::Called;
use crate::world::News;
use crate::world::Outcome;
use crate::world::Told;
use crate::world::lock;

impl Turn {
    /// Waits for the tools, writes their results down and tells the hook; whether that ends the turn.
    pub(super) fn use_tools(
        &self,
        batch: &Batch,
        sources: &[(Value, String)],
    ) -> (Vec<Done>, bool) {
        let mut stops = false;
        let done = batch.wait();
        *lock(&self.used) = batch.last();
        for done in &done {
            self.write_result(done, sources);
        }
        if !self.cancel.is_set() {
            let body = batch.told(&done);
            let answers = self.world.hooks.ask("PostToolBatch", &body, &self.cancel);
            stops = hook::stops(&answers);
            for url in self.world.hooks.urls("PostToolBatch") {
                let mut note = success("PostToolBatch", "PostToolBatch", &url);
                note["toolUseID"] = json!(format!("hook-{}", id::uuid()));
                if self.world.dialect.is_new() {
                    note["accountMemoryBatch"] = json!(false);
                }
                self.world.journal().attachment(&note);
            }
        }
        self.note_prompt();
        self.world.tell(News::Called(called(&done)));
        self.world.tell(News::Written);
        (done, stops)
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
        let source = source.map(|(_, record)| record.as_str());
        self.world.journal().result(
            source,
            &json!([block]),
            self.prompt_id.as_deref(),
            self.result_fields(done, source),
        );
        self.write_tool_hooks(behind, done);
        self.world.print(|| {
            News::Told(Told {
                content: json!([block]),
                tool_use_result: Some(done.answer.told.clone()),
                is_synthetic: false,
            })
        });
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
    pub(super) fn interrupted_tools(&self, reply: &Reply, done: &[Done]) -> Outcome {
        let note =
            json!([{ "type": "text", "text": "[Request interrupted by user for tool use]" }]);
        self.world.journal().user(
            &note,
            self.prompt_id.as_deref(),
            self.world
                .dialect
                .whose("harness", self.whom_interrupted(reply)),
        );
        self.say_interrupted(&note);
        self.world.talk().add(Role::User, note);
        self.world.tell(News::Written);
        Outcome::Interrupted {
            is_silent: !self.world.dialect.is_new() && !done.is_empty(),
        }
    }
}

/// The note about a hook that said nothing; who was used is filled in.
pub(super) fn success(event: &str, name: &str, url: &str) -> Value {
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
    let told = |done: &Done| {
        let (server, tool) = place(done);
        let given = done.call.input.as_object().into_iter().flatten();
        let given: Vec<String> = given
            .map(|(key, value)| format!("{key}: {value}"))
            .collect();
        let call = format!("{server} - {tool} (MCP)({})", given.join(", "));
        (call, text_of(&done.answer.told))
    };
    Called {
        told: done.iter().map(told).collect(),
        errors: with_fate(Fate::Unknown)
            .filter_map(|done| done.answer.told.as_str().map(str::to_owned))
            .collect(),
        interrupted: with_fate(Fate::Interrupted).map(place).collect(),
        not_begun: with_fate(Fate::NotBegun).count(),
    }
}
