//! Questions on the screen, and what their answers do.

use crate::dialog::Topic;
use crate::keys::Key;
use crate::paint::Painter;
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
        self.painter = Painter::new(self.world.dialect.look, tty::size());
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
        let yes = dialog.answer().starts_with("Yes");
        match dialog.topic {
            Topic::Trust if !yes => {
                return self.exit = Some(Exit {
                    code: 1,
                    words: None,
                });
            }
            Topic::Trust => self.config.trust(),
            Topic::ApiKey => {
                let key = self.api_key.clone().unwrap_or_default();
                self.config
                    .answer_key(&key, if yes { "approved" } else { "rejected" });
                self.world.set_key(yes);
                self.scene.logged_out = !self.world.is_logged_in();
            }
            Topic::Script => return self.answered(),
        }
        let bytes = self.painter.forget();
        tty::write(&bytes);
        self.next_dialog();
    }

    fn answered(&mut self) {
        if let Some(asked) = self.asked.take() {
            asked.set();
        }
    }

    fn cancel_dialog(&mut self) {
        match self.scene.dialog.as_ref().map(|dialog| dialog.topic) {
            Some(Topic::Trust) => {
                self.exit = Some(Exit {
                    code: 1,
                    words: None,
                })
            }
            Some(Topic::ApiKey) => {
                if let Some(dialog) = &mut self.scene.dialog {
                    dialog.down();
                }
                self.answer();
            }
            Some(Topic::Script) | None => {
                self.scene.dialog = None;
                self.answered();
                if let Some(running) = &self.running {
                    running.cancel.set();
                }
            }
        }
    }
}
