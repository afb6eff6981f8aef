//! The prompt box and the line below it.

use crate::cell::Line;
use crate::cell::Style;
use crate::cell::wrap;
use crate::input::Input;
use crate::look::Corner;
use crate::markdown;
use crate::scene::picture::Scene;

impl Scene {
    /// The text in the box.
    pub(super) fn typed(&self, input: &Input, columns: usize) -> (Vec<Line>, (usize, usize)) {
        let (text, cursor) = input.shown();
        let mark = match input.is_shell() {
            true => "!\u{a0}".to_owned(),
            false => format!("{}\u{a0}", self.dialect.mark),
        };
        let mark_style = if input.is_shell() {
            Style::Red
        } else {
            Style::Grey
        };
        let first = Line::of(mark_style, &mark);
        if text.is_empty() {
            return (vec![self.empty(first)], (0, 2));
        }
        let width = columns.saturating_sub(MARGIN);
        let mut lines = Vec::new();
        let mut rest = (0, 2);
        let mut at = 0;
        for part in text.split('\n') {
            let shown = markdown::expand(part, self.tab_offset());
            let begin = lines.len();
            if (at..=at + part.len()).contains(&cursor) {
                let before = markdown::expand(&part[..cursor - at], self.tab_offset());
                let column = Line::of(Style::Plain, &before).width();
                let width = width.max(1);
                rest = (begin + column / width, 2 + column % width);
            }
            for line in wrap(&Line::of(Style::Plain, &shown), width) {
                let lead = if lines.is_empty() {
                    first.clone()
                } else {
                    Line::of(Style::Plain, "  ")
                };
                lines.push(Line {
                    cells: lead.cells.into_iter().chain(line.cells).collect(),
                });
            }
            at += part.len() + 1;
        }
        if let Some(line) = lines.get_mut(rest.0).filter(|line| line.width() == rest.1) {
            *line = std::mem::take(line).and(Style::Cursor, " ");
        }
        (lines, rest)
    }

    /// The line of a box in which nothing stands.
    fn empty(&self, first: Line) -> Line {
        let queued = (!self.queued.is_empty()).then_some("Press up to edit queued messages");
        match queued.or(self.hint) {
            // The cursor stands on the hint's first letter, and the rest is dim.
            Some(hint) => {
                let (letter, rest) = hint.split_at(1);
                first.and(Style::Cursor, letter).and(Style::Dim, rest)
            }
            None => first.and(Style::Cursor, " "),
        }
    }

    pub(super) fn foot(&self, input: &Input, rows: usize, columns: usize) -> Vec<Line> {
        if input.shown().0 == "/exit" && !self.dialect.menu.is_empty() {
            let offers = self.dialect.menu.iter();
            return offers
                .map(|offer| Line::of(Style::Grey, offer).cut(columns))
                .collect();
        }
        let mut line = Line::of(Style::Plain, "  ");
        line = match self.footer {
            Some(footer) => line.and(Style::Grey, footer),
            None if input.is_shell() => line.and(Style::Red, "! for shell mode"),
            None => self.mode(line, input),
        };
        if self.is_new {
            let warnings = self.warnings.iter();
            let mut lines: Vec<Line> = warnings
                .map(|told| Line::of(Style::Yellow, &format!("  {told}")).cut(columns))
                .collect();
            lines.push(line.cut(columns));
            return lines;
        }
        self.beside(line, self.corners(rows), columns)
    }

    /// What stands below the box at the right, row by row.
    fn corners(&self, rows: usize) -> Vec<String> {
        let mut corners = vec![self.corner(rows)];
        if self.logged_out {
            let told = self.dialect.foot.no_login.to_owned();
            match self.dialect.foot.corner {
                Corner::Effort => corners.insert(0, told),
                Corner::Notice(_) => corners.push(told),
            }
        }
        corners
    }

    /// The mode with the corners beside it, or above them where there is no room.
    fn beside(&self, line: Line, corners: Vec<String>, columns: usize) -> Vec<Line> {
        let widest = corners.iter().map(|text| text.chars().count()).max();
        let fits = line.width() + widest.unwrap_or(0) + 2 <= columns;
        let last = corners.len() - 1;
        let at = if self.dialect.foot.mode_is_last {
            last
        } else {
            0
        };
        if let (false, Corner::Notice(_)) = (fits, self.dialect.foot.corner) {
            return shrunk(&line, &corners, columns);
        }
        let right = corners.into_iter().map(|text| self.right(text, columns));
        let mut lines: Vec<Line> = right.collect();
        match fits {
            true => lines[at]
                .cells
                .splice(..line.width(), line.cells)
                .for_each(drop),
            false => lines.insert(0, line.cut(columns)),
        }
        lines
    }

    fn mode(&self, line: Line, input: &Input) -> Line {
        let name = match self.mode.as_str() {
            "acceptEdits" => "⏵⏵ accept edits on",
            "plan" => "⏸ plan mode on",
            "bypassPermissions" => "⏵⏵ bypass permissions on",
            "dontAsk" => "⏵⏵ don't ask on",
            "auto" => "⏵⏵ auto mode on",
            _ => return line.and(Style::Grey, "? for shortcuts"),
        };
        let mut line = line
            .and(Style::Red, name)
            .and(Style::Grey, " (shift+tab to cycle)");
        if self.busy.is_some() && !self.dialect.esc_at_spinner {
            line = line.and(Style::Grey, " · esc to interrupt");
        }
        if input.is_empty() && self.dialect.tells_agents {
            line = line.and(Style::Grey, " · ← for agents");
        }
        line
    }
}

/// Mode and corners side by side, each in its share of the window, and wrapped there.
fn shrunk(line: &Line, corners: &[String], columns: usize) -> Vec<Line> {
    let bare = Line {
        cells: line.cells.iter().skip(2).cloned().collect(),
    };
    let room = columns.saturating_sub(4);
    let widest = corners.iter().map(|text| text.chars().count()).max();
    let share = room * bare.width() / (bare.width() + widest.unwrap_or(0)).max(1);
    let left = wrap(&bare, share);
    let texts = corners.iter().map(|text| Line::of(Style::Grey, text));
    let right: Vec<Line> = texts.flat_map(|text| wrap(&text, room - share)).collect();
    let begin = 2 + room - right.iter().map(Line::width).max().unwrap_or(0);
    (0..left.len().max(right.len()))
        .map(|at| {
            let tail = right.get(at).map_or(&[][..], |line| &line.cells);
            let mut row = Line::of(Style::Plain, "  ");
            row.cells.extend(
                left.get(at)
                    .map_or(&[][..], |line| &line.cells)
                    .iter()
                    .cloned(),
            );
            let mut row = row.to(begin, Style::Plain);
            row.cells.extend(tail.iter().cloned());
            row
        })
        .collect()
}

/// What the box leaves free of the window's width: its mark, and room for the cursor.
const MARGIN: usize = 4;
