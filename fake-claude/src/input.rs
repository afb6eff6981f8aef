//! The prompt box: what becomes of typed, pasted and edited text until it is submitted.

use unicode_normalization::UnicodeNormalization;

use crate::id;

/// What Enter makes of the box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Submission {
    /// A command for the shell, after `!`.
    Shell(String),
    Text(String),
}

/// The text in the box.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    is_new: bool,
    text: String,
    cursor: usize,
    shell: bool,
    pastes: Vec<(String, String)>,
    paste_count: usize,
    paste_id: String,
}

impl Input {
    pub(crate) fn new(is_new: bool) -> Input {
        Input {
            is_new,
            text: String::new(),
            cursor: 0,
            shell: false,
            pastes: Vec::new(),
            paste_count: 0,
            paste_id: id::hex(4),
        }
    }

    /// Typed text; a long burst counts as a paste.
    pub(crate) fn type_text(&mut self, text: &str) {
        match text.chars().count() > PASTE_CHARS_MAX {
            true => drop(self.paste(text)),
            false => self.insert(text),
        }
    }

    /// A bracketed paste: escape sequences go, tabs become spaces, every line end is LF. Gives whether it was folded.
    pub(crate) fn paste(&mut self, text: &str) -> bool {
        let mut clean = without_sequences(text)
            .replace("\r\n", "\n")
            .replace('\r', "\n")
            .replace('\t', "    ");
        if self.is_new {
            clean = without_controls(&clean);
        }
        if self.text.is_empty() && !self.shell && clean.starts_with('!') {
            self.shell = true;
            clean.remove(0);
        }
        let newlines = clean.matches('\n').count();
        if clean.chars().count() <= PASTE_CHARS_MAX && newlines <= PASTE_NEWLINES_MAX {
            self.insert(&clean);
            return false;
        }
        self.paste_count += 1;
        let name = match newlines {
            0 => format!("[Pasted text #{}]", self.paste_count),
            lines => format!("[Pasted text #{} +{lines} lines]", self.paste_count),
        };
        self.insert(&name);
        self.pastes.push((name, clean));
        true
    }

    /// The text as the editor left it: kept but for trailing newlines; `!` has no meaning there.
    pub(crate) fn set_from_editor(&mut self, text: &str) {
        let kept = text.trim_end_matches(['\n', '\r']);
        let kept = match self.is_new {
            true => newlines_for_lone_returns(&without_controls(kept)),
            false => kept.to_owned(),
        };
        self.set(&kept);
    }

    /// Puts a text into the box, as after an early interruption.
    pub(crate) fn set(&mut self, text: &str) {
        self.clear();
        self.text = text.to_owned();
        self.cursor = self.text.len();
    }

    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.cursor = 0;
        self.shell = false;
        self.pastes.clear();
    }

    pub(crate) fn newline(&mut self) {
        self.insert("\n");
    }

    pub(crate) fn backspace(&mut self) {
        match self.text[..self.cursor].char_indices().next_back() {
            Some((at, _)) => {
                self.text.remove(at);
                self.cursor = at;
            }
            None => self.shell = false,
        }
    }

    /// Ctrl+U: to the beginning of the line; there, the line end before it.
    pub(crate) fn kill_line(&mut self) {
        let begin = self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1);
        let from = if begin == self.cursor {
            begin.saturating_sub(1)
        } else {
            begin
        };
        self.text.replace_range(from..self.cursor, "");
        self.cursor = from;
        if self.text.is_empty() {
            self.clear();
        }
    }

    pub(crate) fn left(&mut self) {
        self.cursor = self.text[..self.cursor]
            .char_indices()
            .next_back()
            .map_or(0, |(at, _)| at);
    }

    pub(crate) fn right(&mut self) {
        self.cursor += self.text[self.cursor..]
            .chars()
            .next()
            .map_or(0, char::len_utf8);
    }

    /// Enter. A backslash before the cursor makes it a newline; an empty box gives nothing.
    pub(crate) fn submit(&mut self) -> Option<Submission> {
        if self.text[..self.cursor].ends_with('\\') {
            self.backspace();
            self.newline();
            return None;
        }
        let text = self.expanded();
        if text.trim().is_empty() {
            return None;
        }
        let shell = self.shell;
        self.clear();
        Some(if shell {
            Submission::Shell(text)
        } else {
            Submission::Text(text)
        })
    }

    /// The whole text as it will be sent.
    pub(crate) fn expanded(&self) -> String {
        let mut text = self.text.clone();
        for (name, content) in &self.pastes {
            let whole = match self.is_new && !self.shell {
                true => format!(
                    "\n\n<pasted_content id=\"{0}\">\n{content}\n</pasted_content id=\"{0}\">\n\n",
                    self.paste_id
                ),
                false => content.clone(),
            };
            text = text.replacen(name, &whole, 1);
        }
        let mut text: String = text.trim_end().nfc().collect();
        if text.ends_with(&format!("</pasted_content id=\"{}\">", self.paste_id)) {
            text.push('\n');
        }
        text
    }

    pub(crate) fn shown(&self) -> (&str, usize) {
        (&self.text, self.cursor)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty() && !self.shell
    }

    pub(crate) fn is_shell(&self) -> bool {
        self.shell
    }

    fn insert(&mut self, text: &str) {
        let mut text = text;
        if self.text.is_empty() && !self.shell && text.starts_with('!') {
            self.shell = true;
            text = &text[1..];
        }
        self.text.insert_str(self.cursor, text);
        self.cursor += text.len();
    }
}

/// Drops CSI sequences, such as colours.
fn without_sequences(text: &str) -> String {
    let mut clean = String::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' && letters.peek() == Some(&'[') {
            letters.next();
            for part in letters.by_ref() {
                if ('\u{40}'..='\u{7e}').contains(&part) {
                    break;
                }
            }
        } else {
            clean.push(letter);
        }
    }
    clean
}

/// The newer family drops control characters and zero-width ones; odd line ends become LF.
fn without_controls(text: &str) -> String {
    let line_end = |c: char| matches!(c, '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let kept = |c: &char| {
        !matches!(c, '\u{200b}' | '\u{feff}')
            && (!c.is_control() || matches!(c, '\n' | '\r' | '\t'))
    };
    text.chars()
        .map(|c| if line_end(c) { '\n' } else { c })
        .filter(kept)
        .collect()
}

/// A return that no LF follows is a line end of its own.
fn newlines_for_lone_returns(text: &str) -> String {
    let parts: Vec<String> = text
        .split("\r\n")
        .map(|part| part.replace('\r', "\n"))
        .collect();
    parts.join("\r\n")
}

/// The longest paste that stays as it is.
const PASTE_CHARS_MAX: usize = 800;
const PASTE_NEWLINES_MAX: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn pasted(is_new: bool, text: &str) -> Option<Submission> {
        let mut input = Input::new(is_new);
        input.paste(text);
        input.submit()
    }

    fn text(text: &str) -> Option<Submission> {
        Some(Submission::Text(text.to_owned()))
    }

    #[test]
    fn a_paste_is_not_exact() {
        assert_eq!(pasted(true, "a\tb\r\nc  "), text("a    b\nc"));
        assert_eq!(pasted(true, "a \u{1b}[31mred\u{1b}[0m"), text("a red"));
        assert_eq!(pasted(true, "a\u{1}b\u{7f}c\u{0}d\u{200b}"), text("abcd"));
        assert_eq!(pasted(false, "a\u{1}b\u{200b}x"), text("a\u{1}b\u{200b}x"));
        assert_eq!(pasted(true, "e\u{301}"), text("\u{e9}"));
        assert_eq!(pasted(true, "  "), None);
    }

    #[test]
    fn a_long_paste_is_wrapped_by_the_newer_family_only() {
        assert_eq!(pasted(false, "1\n2\n3\n4"), text("1\n2\n3\n4"));
        let Some(Submission::Text(wrapped)) = pasted(true, "1\n2\n3\n4") else {
            panic!("a long paste is a prompt");
        };
        assert!(wrapped.starts_with("\n\n<pasted_content id=\""));
        assert!(wrapped.contains("\">\n1\n2\n3\n4\n</pasted_content id=\""));
        assert!(wrapped.ends_with("\">\n"));
    }

    #[test]
    fn the_editor_keeps_tabs_and_makes_an_exclamation_mark_plain() {
        let mut input = Input::new(true);
        input.set_from_editor("!a\tb\r\nc\r d\n\n");
        assert_eq!(input.submit(), text("!a\tb\r\nc\n d"));
    }

    #[test]
    fn a_backslash_makes_enter_a_newline() {
        let mut input = Input::new(false);
        input.type_text("one\\");
        assert_eq!(input.submit(), None);
        input.type_text("two");
        assert_eq!(input.submit(), text("one\ntwo"));
    }

    #[test]
    fn an_exclamation_mark_opens_the_shell() {
        assert_eq!(
            pasted(true, "!echo hi"),
            Some(Submission::Shell("echo hi".to_owned()))
        );
    }

    #[test]
    fn ctrl_u_takes_a_line_at_a_time() {
        let mut input = Input::new(true);
        input.type_text("a\nb");
        input.kill_line();
        assert_eq!(input.shown().0, "a\n");
        input.kill_line();
        input.kill_line();
        assert!(input.is_empty());
    }
}
