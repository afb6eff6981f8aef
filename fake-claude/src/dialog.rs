//! Questions with a list of answers: trust, the API key, and those a script asks.

use crate::cell::Line;
use crate::cell::Style;
use crate::cell::wrap;
use crate::config;
use crate::paint::Picture;

/// What is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    Trust,
    ApiKey,
    Script,
}

/// A question on the screen.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    pub(crate) topic: Topic,
    /// Whether it stands before the prompt box has ever been drawn.
    pub(crate) is_opening: bool,
    text: Vec<String>,
    options: Vec<String>,
    numbered: bool,
    indent: usize,
    selected: usize,
}

impl Dialog {
    /// The older family has Yes first and chosen, the newer one No.
    pub(crate) fn trust(cwd: &str, is_new: bool) -> Dialog {
        let (yes, no) = ("Yes, I trust this folder".to_owned(), "No, exit".to_owned());
        let text = [
            "Accessing workspace:",
            "",
            cwd,
            "",
            "Quick safety check: Is this a project you created or one you trust? (Like your own code, a well-known open source project, or work from your team). If not, take a moment to review what's in this folder first.",
            "",
            "Claude Code'll be able to read, edit, and execute files here.",
            "",
            "Security guide",
            "",
        ];
        Dialog {
            topic: Topic::Trust,
            is_opening: true,
            text: text.map(str::to_owned).into(),
            options: if is_new { vec![no, yes] } else { vec![yes, no] },
            numbered: !is_new,
            indent: 1,
            selected: 0,
        }
    }

    pub(crate) fn api_key(key: &str, is_new: bool) -> Dialog {
        let shown = format!("ANTHROPIC_API_KEY: sk-ant-...{}", config::tail(key));
        let text = [
            "Detected a custom API key in your environment",
            "",
            &shown,
            "",
            "Do you want to use this API key?",
            "",
        ];
        Dialog {
            topic: Topic::ApiKey,
            is_opening: true,
            text: text.map(str::to_owned).into(),
            options: vec!["Yes".to_owned(), "No (recommended)".to_owned()],
            numbered: !is_new,
            indent: 2,
            selected: 1,
        }
    }

    /// A question of a script, in the middle of a turn.
    pub(crate) fn script(question: &str, options: &[String], is_new: bool) -> Dialog {
        Dialog {
            topic: Topic::Script,
            is_opening: false,
            text: vec![question.to_owned(), String::new()],
            options: options.to_vec(),
            numbered: !is_new,
            indent: 1,
            selected: 0,
        }
    }

    pub(crate) fn up(&mut self) {
        self.selected = self.selected.saturating_sub(1);
    }

    pub(crate) fn down(&mut self) {
        self.selected = (self.selected + 1).min(self.options.len().saturating_sub(1));
    }

    /// A digit chooses where the answers are numbered.
    pub(crate) fn digit(&mut self, text: &str) -> bool {
        let at = text
            .trim()
            .parse::<usize>()
            .ok()
            .filter(|at| self.numbered && (1..=self.options.len()).contains(at));
        if let Some(at) = at {
            self.selected = at - 1;
        }
        at.is_some()
    }

    /// The text of the chosen answer.
    pub(crate) fn answer(&self) -> &str {
        self.options.get(self.selected).map_or("", String::as_str)
    }

    pub(crate) fn picture(&self, columns: usize) -> Picture {
        let margin = " ".repeat(self.indent);
        let style = if self.topic == Topic::Trust {
            Style::Yellow
        } else {
            Style::Rule
        };
        let mut lines = vec![Line::default(), Line::of(style, &"─".repeat(columns))];
        for (at, text) in self.text.iter().enumerate() {
            let look = if at == 0 { Style::Bold } else { Style::Plain };
            for line in wrap(&Line::of(look, text), columns.saturating_sub(self.indent)) {
                let lead = Line::of(Style::Plain, &margin);
                lines.push(Line {
                    cells: lead.cells.into_iter().chain(line.cells).collect(),
                });
            }
        }
        let cursor = (lines.len() + self.selected, self.indent);
        for (at, option) in self.options.iter().enumerate() {
            lines.push(self.option(at, option, &margin));
        }
        lines.push(Line::default());
        lines.push(Line::of(
            Style::Grey,
            &format!("{margin}Enter to confirm · Esc to cancel"),
        ));
        Picture { lines, cursor }
    }

    fn option(&self, at: usize, option: &str, margin: &str) -> Line {
        let chosen = at == self.selected;
        let line =
            Line::of(Style::Plain, margin).and(Style::Blue, if chosen { "❯ " } else { "  " });
        let number = if self.numbered {
            format!("{}. ", at + 1)
        } else {
            String::new()
        };
        line.and(Style::Grey, &number)
            .and(if chosen { Style::Blue } else { Style::Plain }, option)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_answer_differs_between_the_families() {
        assert_eq!(
            Dialog::trust("/w", false).answer(),
            "Yes, I trust this folder"
        );
        let mut newer = Dialog::trust("/w", true);
        assert_eq!(newer.answer(), "No, exit");
        newer.down();
        newer.down();
        assert_eq!(newer.answer(), "Yes, I trust this folder");
    }
}
