//! The CLI's own commands with a question in them: `/model`, `/login`, `/theme`, `/resume`, rewinding and limits.

use std::path::Path;
use std::time::SystemTime;

use serde_json::json;

use crate::conversation::Attached;
use crate::conversation::Role;
use crate::conversation::text_of;
use crate::dialog::Dialog;
use crate::ending;
use crate::history::History;
use crate::request::marketing;
use crate::scene::Block;
use crate::session::life::Session;
use crate::session::switch::NEW_CAVEAT;
use crate::session::switch::OLD_CAVEAT;
use crate::tty;
use crate::world::lock;

/// Where conversation, transcript and screen stood before a prompt.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) prompt: String,
    entries: usize,
    last: Option<String>,
    told: Attached,
    blocks: usize,
}

impl Session {
    /// Remembers where a prompt begins, for the menu of Esc Esc.
    pub(super) fn mark(&mut self, prompt: &str, blocks: usize) {
        let talk = self.world.talk();
        let (entries, told) = (talk.entries.len(), talk.told);
        drop(talk);
        let last = self.world.journal().last();
        self.marks.push(Mark {
            prompt: prompt.to_owned(),
            entries,
            last,
            told,
            blocks,
        });
    }

    pub(super) fn rewind_menu(&mut self) {
        let prompts: Vec<String> = self.marks.iter().map(|mark| mark.prompt.clone()).collect();
        self.ask(Dialog::rewind(&prompts, self.world.dialect.is_new()));
    }

    pub(super) fn rewind_to(&mut self, at: usize) {
        if let Some(mark) = self.marks.get(at) {
            let is_new = self.world.dialect.is_new();
            self.ask(Dialog::restore(at, &mark.prompt, is_new));
        }
    }

    /// The conversation goes back to before a prompt, which returns into the box.
    pub(super) fn restore(&mut self, at: usize) {
        let Some(mark) = self.marks.get(at).cloned() else {
            return;
        };
        self.marks.truncate(at);
        let mut talk = self.world.talk();
        talk.entries.truncate(mark.entries);
        talk.told = mark.told;
        drop(talk);
        self.world.journal().rewind(mark.last);
        self.scene.blocks.truncate(mark.blocks);
        self.input.set(&mark.prompt);
        let bytes = self.painter.forget();
        tty::write(&bytes);
    }

    /// `/model`: a conversation that is cached is asked about first.
    pub(super) fn model(&mut self, name: &str) {
        let is_new = self.world.dialect.is_new();
        let shown = format!("/model {name}").trim_end().to_owned();
        let is_cached = self
            .world
            .talk()
            .entries
            .iter()
            .any(|entry| entry.role == Role::Assistant);
        let asks = is_cached && self.world.dialect.asks_to_switch && name != self.world.model();
        // The newer family shows the command behind its question.
        self.hidden = (is_new && asks).then(|| Block::Prompt(shown.clone()));
        if self.hidden.is_none() {
            self.scene.blocks.push(Block::Prompt(shown));
        }
        match name {
            "" => self.ask(Dialog::models(&self.world.model(), is_new)),
            _ if asks => self.ask(Dialog::switch(name, &self.world.dialect)),
            _ => self.set_model(name, name),
        }
    }

    /// The next request goes to another model; `args` is what stood behind the command.
    pub(super) fn set_model(&mut self, name: &str, args: &str) {
        let is_new = self.world.dialect.is_new();
        name.clone_into(&mut lock(&self.world.model));
        // The oldest banner is drawn once.
        if !self.world.dialect.is_sparse {
            name.clone_into(&mut self.scene.model);
        }
        self.config.keep_model(name);
        let shown = self.world.dialect.called(name);
        self.scene.blocks.extend(self.hidden.take());
        let marked = match is_new {
            true => format!("`{shown}`"),
            false => format!("\u{1b}[1m{shown}\u{1b}[22m"),
        };
        let kept = self.world.dialect.model_kept;
        self.note("model", args, &format!("Set model to {marked}{kept}"));
        self.scene
            .blocks
            .push(Block::Answer(format!("Set model to {shown}{kept}")));
    }

    pub(super) fn keep_model(&mut self) {
        let shown = marketing(&self.world.model());
        self.scene.blocks.extend(self.hidden.take());
        self.scene
            .blocks
            .push(Block::Answer(format!("Kept model as {shown}")));
    }

    /// A command of the CLI's own in transcript and conversation: the caveat, the command, what it printed.
    fn note(&self, name: &str, args: &str, stdout: &str) {
        let is_new = self.world.dialect.is_new();
        let caveat = if is_new { NEW_CAVEAT } else { OLD_CAVEAT };
        let command = format!(
            "<command-name>/{name}</command-name>\n            <command-message>{name}</command-message>\n            <command-args>{args}</command-args>"
        );
        let stdout = format!("<local-command-stdout>{stdout}</local-command-stdout>");
        let (mut talk, mut journal) = (self.world.talk(), self.world.journal());
        journal.snapshot();
        let prompt_id = self.prompt_id.as_deref();
        let dialect = &self.world.dialect;
        journal.user(
            &json!(caveat),
            prompt_id,
            dialect.whose("harness", json!({ "isMeta": true })),
        );
        journal.user(
            &json!(command),
            prompt_id,
            dialect.whose("local", json!({})),
        );
        journal.user(&json!(stdout), prompt_id, json!({}));
        for text in [caveat, &command, &stdout] {
            talk.add(Role::User, json!(text));
        }
    }

    pub(super) fn login(&mut self) {
        self.scene.blocks.push(Block::Prompt("/login".to_owned()));
        self.ask(Dialog::login(self.world.dialect.is_new()));
    }

    /// `/resume` without a name: the other conversations of this folder, newest first.
    pub(super) fn resume_list(&mut self) {
        self.scene.blocks.push(Block::Prompt("/resume".to_owned()));
        let own = self.world.journal().session_id().to_owned();
        let found = conversations(&self.world.frame.folder, &own);
        let cwd = Path::new(&self.world.cwd);
        let folder = cwd.file_name().unwrap_or_default().to_string_lossy();
        let is_new = self.world.dialect.is_new();
        self.ask(Dialog::resume(&found, &folder, is_new));
    }

    /// A limit was hit: the older family asks what to do, the newer one says that it will go on by itself.
    pub(super) fn limited(&mut self, text: &str) {
        if !self.world.dialect.is_new() {
            let command = "/rate-limit-options".to_owned();
            self.scene.blocks.push(Block::Prompt(command));
            return self.ask(Dialog::limit(false));
        }
        let resets = ending::resets(text).to_owned();
        self.scene.blocks.push(Block::Notice(ending::goes_on(text)));
        self.scene.warnings = vec![
            format!("⚠ Usage limit reached · limit resets {resets}"),
            format!("  Continuing automatically at {resets} · Esc to cancel"),
        ];
    }

    /// Esc takes the promise to go on back; whether there was one.
    pub(super) fn stays_limited(&mut self) -> bool {
        let was = !std::mem::take(&mut self.scene.warnings).is_empty();
        if was {
            let told = "Automatic continue cancelled · /rate-limit-options to re-arm";
            self.scene.blocks.push(Block::Notice(told.to_owned()));
        }
        was
    }

    pub(super) fn ask(&mut self, dialog: Dialog) {
        self.scene.dialog = Some(dialog);
    }
}

/// Session, first prompt and a line about age and size of every other transcript, newest first.
fn conversations(folder: &Path, own: &str) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let session = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let Ok(about) = entry.metadata() else {
            continue;
        };
        let is_transcript = path.extension().is_some_and(|kind| kind == "jsonl");
        if !about.is_file() || !is_transcript || session == own {
            continue;
        }
        let history = History::read(&path).unwrap_or_default();
        let first = history
            .entries
            .iter()
            .find(|entry| entry.role == Role::User);
        let Some(title) = first.map(|entry| text_of(&entry.content)) else {
            continue;
        };
        let changed = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let age = changed.elapsed().unwrap_or_default().as_secs();
        let note = format!("{age} seconds ago · HEAD · {}B", about.len());
        found.push((changed, (session, title, note)));
    }
    found.sort_by_key(|(changed, _)| std::cmp::Reverse(*changed));
    found.into_iter().map(|(_, about)| about).collect()
}
