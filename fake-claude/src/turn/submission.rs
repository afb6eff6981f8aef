//! The prompt on its way in: the hook is asked, the records and the notes are made.

use serde_json::Value;
use serde_json::json;

use crate::clock;
use crate::conversation::Role;
use crate::conversation::text_of;
use crate::environment::Environment;
use crate::file::File;
use crate::hook;
use crate::request;
use crate::turn::course::Turn;
use crate::world::News;
use crate::world::Outcome;

impl Turn {
    /// Asks the hook and writes the prompt down; an outcome means that the turn is over.
    pub(super) fn submit(
        &mut self,
        text: &str,
        source: &'static str,
        asked: bool,
    ) -> Option<Outcome> {
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
        self.asked_in = Some(self.write_prompt(text, source));
        let read = self.attach(text);
        let is_new = self.world.dialect.is_new();
        if let (true, Some((call, result))) = (is_new, &read) {
            let mut talk = self.world.talk();
            talk.add(Role::User, json!(reminder(call)));
            talk.add(Role::User, json!(reminder(result)));
        }
        self.world.talk().add(Role::User, json!(text));
        if let (false, Some((call, result))) = (is_new, read) {
            let told = format!("{call}\n{result}");
            self.world.talk().add(Role::System, json!(told));
        }
        self.notes(NoteKind::All, text);
        self.world.tell(News::Written);
        None
    }

    /// A message of print mode, whatever it holds, is the user's message as it stands.
    pub(super) fn take_message(&mut self, content: &Value) -> Option<Outcome> {
        let text = text_of(content);
        let body = hook::user_prompt_submit(&self.subject, &text);
        let answers = self
            .world
            .hooks
            .ask("UserPromptSubmit", &body, &self.cancel);
        if let Some(reason) = hook::block_reason(&answers) {
            return Some(self.blocked(&text, reason));
        }
        let mut more =
            json!({ "permissionMode": self.world.permission_mode, "promptSource": "sdk" });
        let mut talk = self.world.talk();
        if self.world.dialect.is_new() {
            talk.prompts += 1;
            more["turnOrigin"] = json!("sdk");
            more["turnPosition"] = json!({ "promptIndex": 0, "turnIndex": talk.prompts });
        }
        let record = self
            .world
            .journal()
            .user(content, self.prompt_id.as_deref(), more);
        talk.add(Role::User, content.clone());
        drop(talk);
        self.asked_in = Some(record);
        self.notes(NoteKind::All, "");
        None
    }

    fn write_prompt(&self, text: &str, source: &str) -> String {
        let mut more = json!({ "permissionMode": self.world.permission_mode });
        if !self.world.dialect.is_terse {
            more["origin"] = json!({ "kind": "human" });
            more["promptSource"] = json!(source);
        }
        if self.world.dialect.is_sparse {
            more["thinkingMetadata"] =
                json!({ "level": "high", "disabled": false, "triggers": [] });
            more["todos"] = json!([]);
        }
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
        journal.user(&json!(text), self.prompt_id.as_deref(), more)
    }

    /// Reads the files that the prompt names with `@`, unless attachments are off; the words about call and result.
    fn attach(&self, prompt: &str) -> Option<(String, String)> {
        if !self.world.attachments {
            return None;
        }
        let files: Vec<File> = prompt
            .split_whitespace()
            .filter_map(|word| File::read(&self.world.cwd, word.strip_prefix('@')?))
            .collect();
        for file in &files {
            self.world
                .journal()
                .attachment(&file.record(self.world.dialect.is_new()));
            let lines = file.lines() - usize::from(self.world.dialect.is_new());
            self.world.tell(News::Attached(file.name.clone(), lines));
        }
        let calls: Vec<String> = files.iter().map(File::call).collect();
        let results: Vec<String> = files.iter().map(File::result).collect();
        (!files.is_empty()).then(|| (calls.join("\n"), results.join("\n")))
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
        if !self.world.dialect.is_terse {
            self.world.journal().system("informational", more);
        }
        Outcome::Blocked {
            reason,
            prompt: prompt.to_owned(),
        }
    }

    /// The newer family tells environment, model and date once a session, behind the user's message.
    pub(super) fn notes(&self, kind: NoteKind, prompt: &str) {
        if !self.world.dialect.is_new() {
            return;
        }
        let mut told = Vec::new();
        let model = self.world.model();
        let mut talk = self.world.talk();
        let mut journal = self.world.journal();
        if kind == NoteKind::All && !talk.told.environment {
            talk.told.environment = true;
            let place = Environment::of(&self.world.cwd);
            let environment = place.text();
            let snapshot = json!({ "type": "environment", "snapshot": place.snapshot() });
            journal.reminder(&snapshot, &environment);
            told.push(environment);
        }
        if kind == NoteKind::All && !talk.told.model {
            talk.told.model = true;
            let powered = request::powered_by(&model);
            let identity = json!({
                "modelId": model, "marketingName": request::marketing(&model), "knowledgeCutoff": request::CUTOFF,
            });
            let named = json!({ "type": "model", "identity": identity, "text": powered });
            journal.reminder(&named, &powered);
            told.push(powered);
        }
        journal.latch();
        if !talk.told.date {
            talk.told.date = true;
            journal.attachment(&json!({ "type": "session_context", "context": {} }));
            let date = json!({ "type": "date", "date": clock::date(clock::unix_ms()) });
            journal.reminder(&date, &request::todays_date());
            journal.attachment(&json!({
                "type": "prompt_snapshot", "systemPrompt": [self.world.shape.system], "reminderFold": false,
                "echoWireToolInputs": false, "contextRendering": "announced",
            }));
            told.push(request::todays_date());
        }
        if prompt.contains("<pasted_content id=") {
            let reminder =
                json!({ "type": "critical_system_reminder", "content": request::PASTE_NOTE });
            journal.reminder(&reminder, request::PASTE_NOTE);
            told.push(request::PASTE_NOTE.to_owned());
        }
        if !told.is_empty() {
            talk.add(Role::System, json!(told.join("\n\n")));
        }
    }
}

/// Which notes a turn may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoteKind {
    All,
    DateOnly,
}

fn reminder(text: &str) -> String {
    format!("<system-reminder>\n{text}\n</system-reminder>")
}
