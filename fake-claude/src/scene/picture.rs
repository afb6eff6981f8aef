//! Everything the picture depends on, and the picture of it in each look.

use std::time::Instant;

use crate::cell::Line;
use crate::cell::Style;
use crate::dialog::Dialog;
use crate::input::Input;
use crate::look::Corner;
use crate::look::Dialect;
use crate::paint::Picture;
use crate::scene::block::Block;
use crate::scene::busy::Busy;

/// Everything the picture depends on.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) is_new: bool,
    pub(crate) dialect: Dialect,
    pub(crate) version: String,
    pub(crate) model: String,
    pub(crate) cwd: String,
    pub(crate) effort: String,
    pub(crate) mode: String,
    pub(crate) blocks: Vec<Block>,
    pub(crate) busy: Option<Busy>,
    /// Whether text is coming, which hides the spinner.
    pub(crate) streaming: bool,
    /// Whether the text editor is about to take the screen.
    pub(crate) in_editor: bool,
    pub(crate) queued: Vec<String>,
    pub(crate) dialog: Option<Dialog>,
    /// What the empty box says.
    pub(crate) hint: Option<&'static str>,
    /// What stands in the footer instead of the mode.
    pub(crate) footer: Option<&'static str>,
    pub(crate) logged_out: bool,
    /// What the newer family says below the box about a limit.
    pub(crate) warnings: Vec<String>,
}

impl Scene {
    /// The picture for a window; the older look grows, the newer one fills the window.
    pub(crate) fn picture(&self, input: &Input, size: (usize, usize), now: Instant) -> Picture {
        let (columns, rows) = size;
        if let Some(dialog) = self.dialog.as_ref().filter(|dialog| dialog.is_opening()) {
            return dialog.picture(columns);
        }
        let mut lines = self.top(size, now);
        let (bottom, cursor) = self.bottom(input, columns, now);
        if self.is_new {
            self.fill(&mut lines, rows.saturating_sub(bottom.len()));
        } else if lines.last().is_some_and(|line| !line.cells.is_empty()) {
            lines.push(Line::default());
        }
        if self.in_editor && lines.last().is_some_and(|line| line.cells.is_empty()) {
            lines.pop();
        }
        let cursor = (lines.len() + cursor.0, cursor.1);
        lines.extend(bottom);
        if self.is_new {
            lines.truncate(rows);
        }
        let lowest = lines.len().saturating_sub(usize::from(!self.in_editor));
        let cursor = (cursor.0.min(lowest), cursor.1);
        Picture { cursor, lines }
    }

    /// What stands above the prompt box.
    fn top(&self, size: (usize, usize), now: Instant) -> Vec<Line> {
        let in_sight = self.in_sight(size);
        let mut lines = match in_sight.len() == self.blocks.len() {
            true => self.banner(size.0),
            false => Vec::new(),
        };
        for (block, drawn) in in_sight {
            if block.hangs_on() && lines.last().is_some_and(|line| line.cells.is_empty()) {
                lines.pop();
            }
            if !drawn.is_empty() {
                lines.extend(drawn);
                lines.push(Line::default());
            }
        }
        for queued in &self.queued {
            lines.extend(self.queued(queued));
        }
        if let (false, Some(busy)) = (self.is_new, self.spinner()) {
            lines.push(busy.line(now, &self.dialect));
            lines.push(Line::default());
        }
        lines
    }

    /// Fills the window above the box: what is too much goes at the top.
    fn fill(&self, lines: &mut Vec<Line>, above: usize) {
        if self.busy.is_none() || self.dialog.is_some() {
            let end = lines.iter().rposition(|line| !line.cells.is_empty());
            lines.truncate(end.map_or(0, |at| at + 1));
        }
        let hidden = lines.len().saturating_sub(above);
        lines.drain(..hidden);
        lines.resize(above, Line::default());
    }

    /// The last blocks, drawn: what is above the window is not looked at again, and a long conversation has much of it.
    /// In the older look all of it stays on the terminal.
    fn in_sight(&self, (columns, rows): (usize, usize)) -> Vec<(&Block, Vec<Line>)> {
        let (mut in_sight, mut height) = (Vec::new(), 0);
        for block in self.blocks.iter().rev() {
            // One more than the window: the blank behind a block may be taken away by the next one.
            if self.is_new && height > rows {
                break;
            }
            let drawn = self.block(block, columns);
            height += drawn.len();
            in_sight.push((block, drawn));
        }
        in_sight.reverse();
        in_sight
    }

    /// The running turn, unless text is coming.
    fn spinner(&self) -> Option<&Busy> {
        self.busy.as_ref().filter(|_| !self.streaming)
    }

    /// Prompt box or question, with what belongs to it.
    fn bottom(&self, input: &Input, columns: usize, now: Instant) -> (Vec<Line>, (usize, usize)) {
        let mut lines = Vec::new();
        let rule = Line::of(Style::Rule, &"─".repeat(columns));
        let (typed, cursor) = self.typed(input, columns);
        if self.is_new && !self.dialog.as_ref().is_some_and(Dialog::is_alone) {
            match (self.spinner(), self.busy.is_some()) {
                (Some(busy), _) => lines.push(busy.line(now, &self.dialect)),
                (None, true) => lines.push(Line::default()),
                (None, false) => {}
            }
            lines.push(self.right(self.corner(typed.len()), columns));
        }
        if let Some(dialog) = &self.dialog {
            let picture = dialog.picture(columns);
            let cursor = (lines.len() + picture.cursor.0, picture.cursor.1);
            lines.extend(picture.lines);
            return (lines, cursor);
        }
        if self.in_editor {
            let told = format!("{EDITING:^columns$}");
            let lines = vec![rule.clone(), Line::of(Style::Grey, &told), rule];
            return (lines, (3, 0));
        }
        lines.push(rule.clone());
        let rows = typed.len();
        let cursor = (lines.len() + cursor.0, cursor.1);
        lines.extend(typed);
        lines.push(rule);
        lines.extend(self.foot(input, rows, columns));
        (lines, cursor)
    }

    /// What stands in the corner while so many rows are typed.
    pub(super) fn corner(&self, rows: usize) -> String {
        match self.dialect.foot.corner {
            _ if rows > 1 => "ctrl+g to edit in Editor".to_owned(),
            // The small model knows no effort.
            Corner::Effort if self.model.contains("haiku") => String::new(),
            Corner::Effort => format!("● {} · /effort", self.effort),
            Corner::Notice(notice) => notice.to_owned(),
        }
    }

    /// A text at the right, two columns from the edge.
    pub(super) fn right(&self, text: String, columns: usize) -> Line {
        let begin = columns.saturating_sub(text.chars().count() + 2);
        Line::default()
            .to(begin, Style::Plain)
            .and(Style::Grey, &text)
    }

    fn queued(&self, text: &str) -> Vec<Line> {
        match self.is_new {
            true => vec![
                Line::of(Style::Grey, &format!("❯ {text}")),
                Line::of(Style::Grey, "  ⎿  Queued · ctrl+x ctrl+s to send now"),
                Line::default(),
            ],
            false => vec![
                Line::of(Style::Grey, &format!("  ❯ {text}")),
                Line::default(),
            ],
        }
    }

    /// Where tab stops are counted from: the older family lets the terminal do it, behind a mark of two columns.
    pub(super) fn tab_offset(&self) -> usize {
        if self.is_new { 0 } else { 2 }
    }
}

/// What stands in the box's place while the text editor has the screen.
const EDITING: &str = "Save and close editor to continue...";
