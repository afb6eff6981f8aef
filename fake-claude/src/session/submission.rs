//! What becomes of a submitted text: a turn, a command of the shell, or one of the CLI's own.

use std::sync::Arc;

use serde_json::json;

use crate::child;
use crate::clock;
use crate::command;
use crate::command::Meaning;
use crate::conversation::Role;
use crate::dialog::Dialog;
use crate::hook;
use crate::id;
use crate::scene::Block;
use crate::scene::Busy;
use crate::session::life::Running;
use crate::session::life::Session;
use crate::turn;
use crate::turn::Cause;
use crate::world::News;

impl Session {
    pub(super) fn submit(&mut self, text: String, source: &'static str) {
        self.scene.hint = None;
        self.remember(&text);
        self.prompt_id = Some(id::uuid());
        match command::meaning(&text, self.world.dialect.is_new()) {
            Meaning::Exit => {
                // The menu of commands is left as it stands.
                if !self.world.dialect.menu.is_empty() {
                    self.input.set(&text);
                }
                self.leave();
            }
            Meaning::Clear => self.clear(),
            Meaning::Resume(session) => self.resume(&session),
            Meaning::ResumeList => self.resume_list(),
            Meaning::Model(name) => self.model(&name),
            Meaning::Login => self.login(),
            Meaning::Theme => {
                let version = self.scene.version.clone();
                self.ask(Dialog::theme(&version, self.world.dialect.is_new()));
            }
            Meaning::LimitOptions => {
                self.scene
                    .blocks
                    .push(Block::Prompt("/rate-limit-options".to_owned()));
                self.ask(Dialog::limit(self.world.dialect.is_new()));
            }
            Meaning::Unknown { name, args } => self.unknown(&name, &args),
            Meaning::Prompt => self.prompt(text, source),
        }
    }

    fn prompt(&mut self, text: String, source: &'static str) {
        let blocks = self.scene.blocks.len();
        self.mark(&text, blocks);
        self.scene.blocks.push(Block::Prompt(as_shown(&text)));
        self.last_prompt = Some(text.clone());
        let prompt_id = self.prompt_id.clone().unwrap_or_default();
        let asked = source == "queued" && self.world.dialect.is_new();
        self.start(
            Cause::Prompt {
                text,
                prompt_id,
                source,
                asked,
            },
            blocks,
        );
    }

    pub(super) fn start(&mut self, cause: Cause, blocks: usize) {
        self.scene.busy = Some(Busy::new(clock::now()));
        self.paint();
        let cancel = turn::start(&self.world, cause);
        self.running = Some(Running {
            cancel,
            blocks,
            thinking: None,
            servers: Vec::new(),
            fresh: true,
            coming: String::new(),
        });
    }

    /// What was typed goes into the user's own history, unless nothing is to be kept.
    fn remember(&self, text: &str) {
        let session = self.world.journal().session_id().to_owned();
        let line = json!({
            "display": text, "pastedContents": {}, "timestamp": clock::unix_ms(), "project": self.world.cwd,
            "sessionId": session,
        });
        if !self.world.frame.silent {
            self.config.remember(&line);
        }
    }

    /// The newer family asks the hook at once, with the id of the running prompt.
    pub(super) fn enqueue(&mut self, text: String) {
        self.world.journal().note(json!({
            "type": "queue-operation", "operation": "enqueue", "timestamp": clock::iso(clock::unix_ms()), "content": text,
        }));
        if self.world.dialect.is_new() {
            let body =
                hook::user_prompt_submit(&self.world.subject(self.prompt_id.as_deref()), &text);
            self.world.hooks.tell("UserPromptSubmit", &body);
        }
        self.scene.queued.push(text.clone());
        self.queue.push_back(text);
    }

    pub(super) fn dequeue(&mut self) {
        let Some(text) = self.queue.pop_front() else {
            return;
        };
        self.scene.queued.remove(0);
        self.world.journal().note(json!({
            "type": "queue-operation", "operation": "dequeue", "timestamp": clock::iso(clock::unix_ms()),
        }));
        self.submit(text, "queued");
    }

    pub(super) fn shell(&mut self, command: String) {
        if self.scene.busy.is_some() {
            return;
        }
        self.prompt_id = self.world.dialect.is_new().then(id::uuid);
        self.scene.busy = Some(Busy::new(clock::now()));
        let world = Arc::clone(&self.world);
        std::thread::spawn(move || {
            let output = child::shell(&command, &world.cwd);
            world.tell(News::Shell(command, output));
        });
    }

    /// The command and its output go into the conversation, and the model is asked about them.
    pub(super) fn shell_ended(&mut self, command: String, output: String) {
        let input = format!("<bash-input>{command}</bash-input>");
        let printed = format!("<bash-stdout>{output}</bash-stdout><bash-stderr></bash-stderr>");
        let prompt_id = self.prompt_id.clone();
        {
            let (mut talk, mut journal) = (self.world.talk(), self.world.journal());
            journal.snapshot();
            for text in [input, printed] {
                journal.user(&json!(text), prompt_id.as_deref(), json!({}));
                talk.add(Role::User, json!(text));
            }
        }
        let output = if output.is_empty() {
            "(Bash completed with no output)".to_owned()
        } else {
            output
        };
        self.scene.blocks.push(Block::Shell { command, output });
        self.start(Cause::Shell { prompt_id }, self.scene.blocks.len());
    }

    fn unknown(&mut self, name: &str, args: &str) {
        let mut told = vec![format!("Unknown command: /{name}")];
        if !args.is_empty() {
            told.push(format!("Args from unknown skill: {args}"));
        }
        for text in told {
            self.world.journal().system(
                "informational",
                json!({ "content": text, "isMeta": false, "level": "warning" }),
            );
            self.scene.blocks.push(Block::Notice(text));
        }
    }
}

/// A prompt without the marks around what was pasted.
fn as_shown(text: &str) -> String {
    let mark = |line: &&str| {
        !line.starts_with("<pasted_content id=") && !line.starts_with("</pasted_content id=")
    };
    let lines: Vec<&str> = text.split('\n').filter(mark).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}
