//! What each key does to the prompt box and to a running turn.

use std::time::Duration;

use crate::child;
use crate::clock;
use crate::input::Submission;
use crate::keys::Key;
use crate::look::AfterEditor;
use crate::session::life::Session;
use crate::terminal;
use crate::tty;

impl Session {
    /// What was read at once.
    pub(super) fn keys(&mut self, keys: Vec<Key>) {
        let mut pasted = false;
        for key in keys {
            let at_rest = self.running.is_none() && self.scene.busy.is_none();
            let lost = self.world.dialect.loses_enter && at_rest && pasted && key == Key::Enter;
            pasted = matches!(key, Key::Paste(_));
            if !lost {
                self.key(key);
            }
        }
    }

    pub(super) fn key(&mut self, key: Key) {
        match (&key, self.scene.dialog.is_some()) {
            (Key::Named, _) => {
                tty::write(terminal::second_query(self.world.dialect.is_new()).as_bytes())
            }
            (Key::SyncKnown, _) => self.painter.synchronize(),
            (_, true) => self.dialog_key(&key),
            (_, false) => self.prompt_key(key),
        }
    }

    fn prompt_key(&mut self, key: Key) {
        let armed = self.armed.take().map(|(key, _)| key);
        let stays = key == Key::Enter && self.world.dialect.foot.paste_stays;
        if !stays {
            self.scene.footer = None;
        }
        match key {
            Key::Text(text) => self.input.type_text(&text),
            Key::Paste(text) => {
                if self.input.paste(&text) {
                    self.scene.footer = Some("paste again to expand");
                }
            }
            Key::Newline => self.input.newline(),
            Key::Backspace => self.input.backspace(),
            Key::Left => self.input.left(),
            Key::Right => self.input.right(),
            Key::Enter => self.enter(),
            Key::Esc => self.esc(armed),
            Key::Ctrl('c') => self.ctrl_c(armed),
            Key::Ctrl('d') if self.input.is_empty() => {
                self.arm(armed, Key::Ctrl('d'), "Press Ctrl-D again to exit")
            }
            Key::Ctrl('u') => self.input.kill_line(),
            Key::Ctrl('g') => self.edit(),
            Key::Ctrl('l') => {
                let bytes = self.painter.forget();
                tty::write(&bytes);
            }
            Key::Up | Key::Down | Key::Delete | Key::Tab | Key::ShiftTab | Key::Ctrl(_) => {}
            Key::SyncKnown | Key::Named => {}
        }
    }

    pub(super) fn enter(&mut self) {
        match self.input.submit() {
            None => {}
            Some(_) if self.running.is_some() && self.is_shelling() => {}
            Some(Submission::Shell(command)) => self.shell(command),
            Some(Submission::Text(text)) if self.scene.busy.is_some() => self.enqueue(text),
            Some(Submission::Text(text)) => self.submit(text, "typed"),
        }
    }

    fn is_shelling(&self) -> bool {
        self.scene.busy.is_some() && self.running.is_none()
    }

    fn esc(&mut self, armed: Option<Key>) {
        if let Some(running) = &self.running {
            running.cancel.set();
        } else if self.stays_limited() {
        } else if !self.input.is_empty() {
            match armed {
                Some(Key::Esc) => self.input.clear(),
                _ => self.wait_for_second(Key::Esc, "Esc again to clear"),
            }
        } else if armed == Some(Key::Esc) {
            self.rewind_menu();
        } else {
            self.armed = Some((Key::Esc, clock::now()));
        }
    }

    fn ctrl_c(&mut self, armed: Option<Key>) {
        if let Some(running) = &self.running {
            running.cancel.set();
        } else if !self.input.is_empty() {
            self.input.clear();
            self.wait_for_second(Key::Ctrl('c'), "Press Ctrl-C again to exit");
        } else {
            self.arm(armed, Key::Ctrl('c'), "Press Ctrl-C again to exit");
        }
    }

    /// The second press ends the process.
    fn arm(&mut self, armed: Option<Key>, key: Key, footer: &'static str) {
        match armed == Some(key.clone()) {
            true => self.leave(),
            false => self.wait_for_second(key, footer),
        }
    }

    fn wait_for_second(&mut self, key: Key, footer: &'static str) {
        self.armed = Some((key, clock::now()));
        self.scene.footer = Some(footer);
    }

    fn edit(&mut self) {
        let Some(editor) = self.editor.clone() else {
            return;
        };
        let is_new = self.world.dialect.is_new();
        let after = self.world.dialect.after_editor;
        if after != AfterEditor::Anew {
            self.scene.in_editor = true;
            self.paint();
            self.scene.in_editor = false;
        }
        tty::write(terminal::before_editor(is_new).as_bytes());
        self.tty.cooked();
        let edited = child::edit(&editor, &self.input.expanded());
        self.tty.raw();
        tty::write(terminal::after_editor(is_new).as_bytes());
        match after {
            AfterEditor::Anew => tty::write(&self.painter.forget()),
            AfterEditor::Below => self.painter.abandon(),
            AfterEditor::GoesOn => {}
        }
        if let Some(text) = edited {
            self.input.set_from_editor(&text);
        }
    }
}

/// How long the first of two presses counts.
pub(super) const ARMED: Duration = Duration::from_millis(800);
