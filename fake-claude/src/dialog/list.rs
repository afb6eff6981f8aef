//! A question: what is asked about, the answers, which of them is chosen, and the picture.

use crate::cell::Line;
use crate::cell::Style;
use crate::cell::broken;
use crate::paint::Picture;

/// What is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    Theme,
    /// How to log in; and the page in the browser that follows.
    Login,
    Browser,
    Trust,
    ApiKey,
    /// Something in `--settings` is not understood; whether the process ends unless told otherwise.
    Settings,
    /// Whether to go on with another model in a conversation that is cached.
    Switch(String),
    Models(Vec<String>),
    Rewind,
    /// Whether to go back to before the prompt of that place.
    Restore(usize),
    Resume(Vec<String>),
    Limit,
    Script,
}

/// Where a question stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Alone on the screen, before the prompt box has ever been drawn.
    Opening,
    /// In the prompt box's place, below what was said.
    Box,
    /// The same, below a line of its own.
    Sheet,
}

/// One answer, with what stands below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) label: String,
    pub(super) notes: Vec<String>,
}

impl Choice {
    pub(super) fn of(label: &str) -> Choice {
        Choice {
            label: label.to_owned(),
            notes: Vec::new(),
        }
    }
}

/// A question on the screen.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    pub(crate) topic: Topic,
    pub(super) place: Place,
    pub(super) is_new: bool,
    pub(super) text: Vec<String>,
    pub(super) choices: Vec<Choice>,
    pub(super) numbered: bool,
    /// Whether a line that is broken at a blank keeps it.
    pub(super) keeps_blanks: bool,
    pub(super) indent: usize,
    pub(super) selected: usize,
    pub(super) foot: Option<&'static str>,
}

impl Dialog {
    /// A question with its first answer chosen.
    pub(super) fn new(topic: Topic, place: Place, is_new: bool, text: &[&str]) -> Dialog {
        Dialog {
            topic,
            place,
            is_new,
            text: text.iter().map(|line| (*line).to_owned()).collect(),
            choices: Vec::new(),
            numbered: !is_new,
            keeps_blanks: false,
            indent: if place == Place::Sheet { 2 } else { 1 },
            selected: 0,
            foot: Some("Enter to confirm · Esc to cancel"),
        }
    }

    pub(super) fn with(mut self, choices: &[&str]) -> Dialog {
        self.choices = choices.iter().map(|label| Choice::of(label)).collect();
        self
    }

    /// Whether nothing of the prompt box is left around it.
    pub(crate) fn is_alone(&self) -> bool {
        self.place == Place::Sheet
    }

    /// Whether it stands before the prompt box has ever been drawn.
    pub(crate) fn is_opening(&self) -> bool {
        self.place == Place::Opening
    }

    /// The choice goes around at either end.
    pub(crate) fn up(&mut self) {
        let last = self.choices.len().saturating_sub(1);
        self.selected = self.selected.checked_sub(1).unwrap_or(last);
    }

    pub(crate) fn down(&mut self) {
        self.selected = (self.selected + 1) % self.choices.len().max(1);
    }

    /// Chooses the last answer, which is always the one that changes nothing.
    pub(crate) fn decline(&mut self) {
        self.selected = self.choices.len().saturating_sub(1);
    }

    /// A digit chooses where the answers are numbered.
    pub(crate) fn digit(&mut self, text: &str) -> bool {
        let at = text
            .trim()
            .parse::<usize>()
            .ok()
            .filter(|at| self.numbered && (1..=self.choices.len()).contains(at));
        if let Some(at) = at {
            self.selected = at - 1;
        }
        at.is_some()
    }

    /// The text of the chosen answer.
    pub(crate) fn answer(&self) -> &str {
        self.choices
            .get(self.selected)
            .map_or("", |choice| choice.label.as_str())
    }

    /// Which answer is chosen, from 0.
    pub(crate) fn selected(&self) -> usize {
        self.selected
    }

    pub(crate) fn picture(&self, columns: usize) -> Picture {
        let margin = " ".repeat(self.indent);
        let mut lines = self.head(columns);
        for (at, text) in self.text.iter().enumerate() {
            let look = if at == 0 { Style::Bold } else { Style::Plain };
            // The lines of an item hang below each other.
            let (text, hang) = match text.strip_prefix(' ') {
                Some(item) => (item, " "),
                None => (text.as_str(), ""),
            };
            let room = columns.saturating_sub(2 * self.indent + hang.len());
            for line in broken(&Line::of(look, text), room, self.keeps_blanks) {
                let lead = Line::of(Style::Plain, &margin).and(Style::Plain, hang);
                lines.push(Line {
                    cells: lead.cells.into_iter().chain(line.cells).collect(),
                });
            }
        }
        let mut cursor = (lines.len(), self.indent);
        for (at, choice) in self.choices.iter().enumerate() {
            if at == self.selected {
                cursor.0 = lines.len();
            }
            lines.push(self.choice(at, &choice.label, &margin).cut(columns));
            for note in &choice.notes {
                lines.push(Line::of(Style::Grey, &format!("{margin}  {note}")).cut(columns));
            }
        }
        if let Some(foot) = self.foot {
            lines.push(Line::default());
            lines.push(Line::of(Style::Grey, &format!("{margin}{foot}")).cut(columns));
        }
        Picture { lines, cursor }
    }

    /// The line above, which the newer family draws otherwise where the prompt box was.
    fn head(&self, columns: usize) -> Vec<Line> {
        match (self.place, self.is_new) {
            (Place::Sheet, true) => vec![Line::of(Style::Rule, &"▔".repeat(columns))],
            (Place::Sheet, false) => vec![Line::of(Style::Rule, &"─".repeat(columns))],
            (Place::Opening | Place::Box, _) => {
                let style = if self.topic == Topic::Trust {
                    Style::Yellow
                } else {
                    Style::Rule
                };
                vec![Line::default(), Line::of(style, &"─".repeat(columns))]
            }
        }
    }

    fn choice(&self, at: usize, label: &str, margin: &str) -> Line {
        let chosen = at == self.selected;
        let line =
            Line::of(Style::Plain, margin).and(Style::Blue, if chosen { "❯ " } else { "  " });
        let number = if self.numbered {
            format!("{}. ", at + 1)
        } else {
            String::new()
        };
        line.and(Style::Grey, &number)
            .and(if chosen { Style::Blue } else { Style::Plain }, label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Dialect;

    #[test]
    fn the_choice_goes_around() {
        let mut dialog = Dialog::trust("/w", &Dialect::of("2.1.329"));
        assert_eq!(dialog.answer(), "No, exit");
        dialog.up();
        assert_eq!(dialog.answer(), "Yes, I trust this folder");
        dialog.down();
        assert_eq!(dialog.answer(), "No, exit");
    }

    #[test]
    fn a_digit_answers_only_where_answers_are_numbered() {
        let (old, new) = (Dialect::of("2.1.197"), Dialect::of("2.1.329"));
        assert!(Dialog::trust("/w", &old).digit("2"));
        assert!(!Dialog::trust("/w", &new).digit("2"));
        assert!(!Dialog::trust("/w", &old).digit("3"));
    }
}
