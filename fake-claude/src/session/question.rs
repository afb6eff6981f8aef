//! Questions on the screen, and what their answers do.

use crate::dialog::Dialog;
use crate::dialog::Topic;
use crate::keys::Key;
use crate::paint::Painter;
use crate::scene::Block;
use crate::session::life::Session;
use crate::session::start::Exit;
use crate::terminal;
use crate::tty;
use crate::turn::Cause;

impl Session {
    /// The next question before the prompt box, or the prompt box itself.
    pub(super) fn next_dialog(&mut self) {
        self.scene.dialog = self.dialogs.pop_front();
        if self.scene.dialog.is_some() {
            self.paint();
            tty::write(terminal::first_query(self.world.dialect.is_new()).as_bytes());
            return;
        }
        self.open();
    }

    /// Draws the prompt box for the first time and starts what is to start.
    fn open(&mut self) {
        let is_new = self.world.dialect.is_new();
        tty::write(terminal::enter(is_new).as_bytes());
        self.opened = true;
        let dialect = &self.world.dialect;
        self.painter = Painter::new(dialect.look, dialect.emoji, tty::size());
        if let Some((history, answer)) = self.history.take() {
            self.show_history(&history);
            self.paint();
            if answer {
                self.start(Cause::Resumed, self.scene.blocks.len());
            }
        }
        self.paint();
        tty::write(terminal::first_query(is_new).as_bytes());
        if let Some(prompt) = self.prompt.take() {
            self.submit(prompt, "typed");
        }
    }

    pub(super) fn dialog_key(&mut self, key: &Key) {
        let Some(dialog) = &mut self.scene.dialog else {
            return;
        };
        match key {
            Key::Up => dialog.up(),
            Key::Down => dialog.down(),
            Key::Text(text) if dialog.digit(text) => self.answer(),
            Key::Enter => self.answer(),
            Key::Esc | Key::Ctrl('c') => self.cancel_dialog(),
            _ => {}
        }
    }

    fn answer(&mut self) {
        let Some(dialog) = self.scene.dialog.take() else {
            return;
        };
        match dialog.is_opening() {
            true => self.answer_opening(&dialog),
            false => self.answer_sheet(&dialog),
        }
    }

    /// An answer before the prompt box is there; the next question follows.
    fn answer_opening(&mut self, dialog: &Dialog) {
        let yes = dialog.answer().starts_with("Yes");
        match dialog.topic {
            Topic::Trust if !yes => return self.distrust(),
            Topic::Trust => self.config.trust(),
            Topic::Theme => self.config.onboard(dialog.answer()),
            Topic::Settings if dialog.answer().starts_with("Exit") => return self.end(1, None),
            Topic::ApiKey => {
                let key = self.api_key.clone().unwrap_or_default();
                self.config
                    .answer_key(&key, if yes { "approved" } else { "rejected" });
                self.world.set_key(yes);
                self.scene.logged_out = !self.world.is_logged_in();
            }
            _ => {}
        }
        let bytes = self.painter.forget();
        tty::write(&bytes);
        self.next_dialog();
    }

    fn answer_sheet(&mut self, dialog: &Dialog) {
        let at = dialog.selected();
        match &dialog.topic {
            Topic::Script => self.answered(),
            Topic::Login => self.ask(Dialog::browser(self.world.dialect.is_new())),
            Topic::Browser => self.answer_text(
                "OAuth error: Invalid code. Please make sure the full code was copied",
            ),
            Topic::Switch(model) if at == 0 => self.set_model(model, model),
            Topic::Switch(_) => self.keep_model(),
            Topic::Models(models) => match models.get(at) {
                Some(model) if *model != self.world.model() => self.set_model(model, ""),
                _ => self.keep_model(),
            },
            Topic::Rewind => self.rewind_to(at),
            Topic::Restore(mark) if at == 0 => self.restore(*mark),
            Topic::Resume(sessions) => {
                if let Some(session) = sessions.get(at) {
                    self.resume(session);
                }
            }
            Topic::Limit => self.forget_command(),
            _ => {}
        }
    }

    pub(super) fn answered(&mut self) {
        if let Some(asked) = self.asked.take() {
            asked.set();
        }
    }

    fn cancel_dialog(&mut self) {
        let Some(mut dialog) = self.scene.dialog.take() else {
            return;
        };
        match dialog.topic {
            Topic::Trust => self.distrust(),
            Topic::Settings => self.end(1, None),
            Topic::ApiKey => {
                dialog.decline();
                self.answer_opening(&dialog);
            }
            Topic::Theme => self.scene.dialog = Some(dialog),
            Topic::Login | Topic::Browser => self.answer_text("Login interrupted"),
            Topic::Switch(_) | Topic::Models(_) => self.keep_model(),
            Topic::Resume(_) => self.answer_text("Resume cancelled"),
            Topic::Limit => self.forget_command(),
            Topic::Rewind | Topic::Restore(_) => {}
            Topic::Script => {
                self.answered();
                if let Some(running) = &self.running {
                    running.cancel.set();
                }
            }
        }
    }

    /// The folder is not trusted: the process ends, and the newer family says why.
    fn distrust(&mut self) {
        let words = "Claude Code didn't start because this folder isn't trusted.\nRun claude again and choose Yes, or run it in another folder.";
        let words = self.world.dialect.is_new().then(|| words.to_owned());
        self.end(1, words);
    }

    fn end(&mut self, code: u8, words: Option<String>) {
        self.exit = Some(Exit { code, words });
    }

    fn answer_text(&mut self, text: &str) {
        self.scene.blocks.push(Block::Answer(text.to_owned()));
    }

    /// The command that a question came from leaves the screen with it.
    fn forget_command(&mut self) {
        if matches!(self.scene.blocks.last(), Some(Block::Prompt(_))) {
            self.scene.blocks.pop();
        }
    }
}
