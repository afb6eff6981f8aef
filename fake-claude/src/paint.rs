//! Pictures to bytes: only what changed is drawn, with relative moves, as an Ink program does.

use crate::cell::Cell;
use crate::cell::Line;
use crate::cell::Style;
use crate::look::Emoji;
use crate::look::Look;

/// A picture and where the cursor rests in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) lines: Vec<Line>,
    pub(crate) cursor: (usize, usize),
}

/// What is on the screen now.
#[derive(Clone, Debug)]
pub(crate) struct Painter {
    look: Look,
    emoji: Emoji,
    columns: usize,
    rows: usize,
    shown: Option<Picture>,
    synchronized: bool,
}

impl Painter {
    pub(crate) fn new(look: Look, emoji: Emoji, size: (usize, usize)) -> Painter {
        Painter {
            look,
            emoji,
            columns: size.0,
            rows: size.1,
            shown: None,
            synchronized: false,
        }
    }

    /// From now on changes are put between the marks of synchronized output.
    pub(crate) fn synchronize(&mut self) {
        self.synchronized = true;
    }

    pub(crate) fn size(&self) -> (usize, usize) {
        (self.columns, self.rows)
    }

    /// The window has another size: everything is drawn anew.
    pub(crate) fn resize(&mut self, size: (usize, usize)) -> Vec<u8> {
        (self.columns, self.rows) = size;
        self.forget()
    }

    /// Clears the screen; the next picture is drawn whole.
    pub(crate) fn forget(&mut self) -> Vec<u8> {
        self.shown = None;
        b"\x1b[2J\x1b[3J\x1b[H".to_vec()
    }

    /// What was drawn stays where it is; the next picture begins below.
    pub(crate) fn leave(&mut self) -> Vec<u8> {
        let mut out = String::new();
        if let Some(shown) = self.shown.take() {
            let below = shown.lines.len() - shown.cursor.0;
            out.push_str(&format!("\x1b[{below}B\r"));
        }
        out.into_bytes()
    }

    /// What was drawn stays where it is; the next picture begins at the cursor.
    pub(crate) fn abandon(&mut self) {
        self.shown = None;
    }

    /// The bytes that turn what is shown into `picture`.
    pub(crate) fn paint(&mut self, picture: Picture) -> Vec<u8> {
        if self.shown.as_ref() == Some(&picture) {
            return Vec::new();
        }
        let mut out = String::new();
        match self.look {
            Look::Inline => self.inline(&picture, &mut out),
            Look::Fullscreen => self.fullscreen(&picture, &mut out),
        }
        self.shown = Some(picture);
        match self.synchronized {
            true => format!("\x1b[?2026h{out}\x1b[?2026l").into_bytes(),
            false => out.into_bytes(),
        }
    }

    fn fullscreen(&self, picture: &Picture, out: &mut String) {
        out.push_str("\x1b[H");
        let mut row = 0;
        let empty = Picture::default();
        let shown = self.shown.as_ref().unwrap_or(&empty);
        for (at, line) in picture.lines.iter().enumerate() {
            let before = shown.lines.get(at).cloned().unwrap_or_default();
            if before != *line {
                out.push('\r');
                let from = common(&before, line);
                let column = width(&line.cells[..from]);
                forward(column, out);
                down(at - row, out);
                row = at;
                self.rest(line, from, &before, out);
            }
        }
        let (at, column) = picture.cursor;
        out.push_str(&format!(
            "\x1b[{};1H\x1b[{};{}H",
            self.rows,
            at + 1,
            column + 1
        ));
    }

    /// The picture grows down the main screen; what has scrolled off the top can only be drawn anew.
    fn inline(&self, picture: &Picture, out: &mut String) {
        let Some(shown) = &self.shown else {
            picture.lines.iter().for_each(|line| self.whole(line, out));
            return rest_cursor(picture, out);
        };
        let (end, new_end) = (shown.lines.len(), picture.lines.len());
        let same = shown
            .lines
            .iter()
            .zip(&picture.lines)
            .take_while(|(before, line)| before == line)
            .count();
        let visible = (end + 1).saturating_sub(self.rows);
        if shown.cursor.1 > 0 {
            out.push_str(&format!("\x1b[{}D", shown.cursor.1));
        }
        down(end - shown.cursor.0, out);
        let shrinks_scrolled = visible > 0 && new_end < end;
        if same < visible || shrinks_scrolled {
            out.push_str("\x1b[2J\x1b[3J\x1b[H");
            picture.lines.iter().for_each(|line| self.whole(line, out));
            return rest_cursor(picture, out);
        }
        let mut row = end;
        while row > new_end {
            out.push_str("\x1b[2K\x1b[1A");
            row -= 1;
        }
        if row < end {
            out.push_str("\x1b[2K\x1b[G");
        }
        out.push('\r');
        up(row - same.min(row), out);
        let mut at = same.min(row);
        while at < new_end {
            let line = &picture.lines[at];
            match shown.lines.get(at).filter(|_| at < end) {
                Some(before) if before == line => out.push_str("\r\r\n"),
                Some(before) => {
                    let from = common(before, line);
                    forward(width(&line.cells[..from]), out);
                    self.rest(line, from, before, out);
                    out.push_str("\r\r\n");
                }
                None => self.whole(line, out),
            }
            at += 1;
        }
        rest_cursor(picture, out);
    }

    /// A line that was not there before.
    fn whole(&self, line: &Line, out: &mut String) {
        self.cells(line.trimmed(), 0, Blanks::Skipped, out);
        out.push_str("\r\r\n");
    }

    /// A line from cell `from` on, over what was there.
    fn rest(&self, line: &Line, from: usize, before: &Line, out: &mut String) {
        let drawn = line.trimmed();
        let blanks = if before.cells.is_empty() {
            Blanks::Skipped
        } else {
            Blanks::Written
        };
        let tail = drawn.get(from..).unwrap_or_default();
        self.cells(tail, width(&line.cells[..from]), blanks, out);
        if width(drawn) < width(before.trimmed()) {
            out.push_str("\x1b[K");
        }
    }

    /// Cells with their styles, beginning in `column`.
    fn cells(&self, cells: &[Cell], column: usize, blanks: Blanks, out: &mut String) {
        let mut style: Option<Style> = None;
        let (mut column, mut skipped, mut unsure) = (column, false, false);
        for cell in cells {
            let begin = column;
            column += cell.width;
            // What an emoji may have left behind it is written over.
            let skips = match std::mem::replace(&mut unsure, cell.emoji().is_some()) {
                true => self.emoji == Emoji::Unwiped,
                false => blanks == Blanks::Skipped,
            };
            if skips && cell.is_blank() && cell.style.skips_blanks() {
                skipped = true;
                continue;
            }
            if style != Some(cell.style) {
                out.push_str(style.map_or("", Style::close));
                out.push_str(cell.style.open());
                style = Some(cell.style);
            }
            if skipped {
                out.push_str(&format!("\x1b[{}G", begin + 1));
                skipped = false;
            }
            self.draw(cell, begin, out);
        }
        out.push_str(style.map_or("", Style::close));
    }

    /// A cell in its place: where terminals disagree about its width the cursor is put behind it.
    fn draw(&self, cell: &Cell, column: usize, out: &mut String) {
        let first = column + 1;
        let (second, behind) = (first + 1, first + 2);
        let back = match (self.emoji, cell.emoji()) {
            (Emoji::IfSelected | Emoji::Unwiped, Some(true)) => "",
            (Emoji::All, Some(_)) => "\r",
            (Emoji::Plain | Emoji::IfSelected | Emoji::Unwiped, _) | (Emoji::All, None) => {
                return cell.write(out);
            }
        };
        out.push_str(&format!("\x1b[{second}G \x1b[{first}G"));
        cell.write(out);
        out.push_str(&format!("{back}\x1b[{behind}G"));
    }
}

fn rest_cursor(picture: &Picture, out: &mut String) {
    let (row, column) = picture.cursor;
    forward(column, out);
    up(picture.lines.len() - row, out);
}

/// Whether blanks between words are written or jumped over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blanks {
    Skipped,
    Written,
}

/// How many cells at the beginning are the same.
fn common(before: &Line, line: &Line) -> usize {
    before
        .cells
        .iter()
        .zip(&line.cells)
        .take_while(|(a, b)| a == b)
        .count()
}

fn width(cells: &[Cell]) -> usize {
    cells.iter().map(|cell| cell.width).sum()
}

fn up(rows: usize, out: &mut String) {
    if rows > 0 {
        out.push_str(&format!("\x1b[{rows}A"));
    }
}

fn down(rows: usize, out: &mut String) {
    if rows > 0 {
        out.push_str(&format!("\x1b[{rows}B"));
    }
}

fn forward(columns: usize, out: &mut String) {
    if columns > 0 {
        out.push_str(&format!("\x1b[{columns}C"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(lines: &[&str]) -> Picture {
        let lines: Vec<Line> = lines
            .iter()
            .map(|text| Line::of(Style::Plain, text))
            .collect();
        Picture {
            cursor: (lines.len() - 1, 0),
            lines,
        }
    }

    #[test]
    fn only_the_changed_line_is_drawn() {
        let mut painter = Painter::new(Look::Fullscreen, Emoji::All, (20, 3));
        painter.paint(picture(&["one", "two", "three"]));
        let bytes = painter.paint(picture(&["one", "twice", "three"]));
        assert_eq!(
            String::from_utf8_lossy(&bytes),
            "\x1b[H\r\x1b[2C\x1b[1Bice\x1b[3;1H\x1b[3;1H"
        );
    }

    #[test]
    fn the_same_picture_is_not_drawn_again() {
        let mut painter = Painter::new(Look::Inline, Emoji::IfSelected, (20, 3));
        assert!(!painter.paint(picture(&["a b"])).is_empty());
        assert!(painter.paint(picture(&["a b"])).is_empty());
    }
}
