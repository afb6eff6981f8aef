//! Lines of styled cells, which is what a picture is made of.

use unicode_width::UnicodeWidthChar;

/// How a cell looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Bold,
    Grey,
    Rule,
    Orange,
    White,
    Blue,
    Red,
    Yellow,
    /// A prompt of the user, on its own background, and the mark before it.
    Prompt,
    PromptMark,
    Cursor,
    /// A hint in the empty box.
    Dim,
}

impl Style {
    pub(crate) fn open(self) -> &'static str {
        match self {
            Style::Plain => "",
            Style::Bold => "\x1b[1m",
            Style::Grey => "\x1b[38;5;246m",
            Style::Rule => "\x1b[38;5;244m",
            Style::Orange => "\x1b[38;5;174m",
            Style::White => "\x1b[38;5;231m",
            Style::Blue => "\x1b[38;5;153m",
            Style::Red => "\x1b[38;5;211m",
            Style::Yellow => "\x1b[38;5;220m",
            Style::Prompt => "\x1b[48;5;237m\x1b[38;5;231m",
            Style::PromptMark => "\x1b[48;5;237m\x1b[38;5;239m",
            Style::Cursor => "\x1b[7m",
            Style::Dim => "\x1b[2m",
        }
    }

    pub(crate) fn close(self) -> &'static str {
        match self {
            Style::Plain => "",
            Style::Bold => "\x1b[22m",
            Style::Prompt | Style::PromptMark => "\x1b[39m\x1b[49m",
            Style::Cursor => "\x1b[27m",
            Style::Dim => "\x1b[22m",
            _ => "\x1b[39m",
        }
    }

    /// Whether a blank in this style can be skipped with a cursor move.
    pub(crate) fn skips_blanks(self) -> bool {
        !matches!(
            self,
            Style::Prompt | Style::PromptMark | Style::Cursor | Style::Dim
        )
    }
}

/// One letter with its marks, one or two columns wide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) letter: char,
    /// What stands on it or is joined to it.
    marks: String,
    pub(crate) width: usize,
    pub(crate) style: Style,
}

impl Cell {
    /// One more character; a selector makes an emoji of what is one column wide by itself.
    fn join(&mut self, letter: char) {
        self.marks.push(letter);
        if letter == SELECTOR {
            self.width = 2;
        }
    }

    /// Whether it is an emoji of several characters, and whether its form is selected.
    pub(crate) fn emoji(&self) -> Option<bool> {
        let many = self.width == 2 && !self.marks.is_empty();
        many.then(|| self.marks.contains(SELECTOR))
    }

    pub(crate) fn is_blank(&self) -> bool {
        self.letter == ' ' && self.marks.is_empty()
    }

    pub(crate) fn write(&self, out: &mut String) {
        out.push(self.letter);
        out.push_str(&self.marks);
    }
}

/// Asks for the form of an emoji.
const SELECTOR: char = '\u{fe0f}';
/// Colours of skin, which join the emoji before them.
const SKINS: std::ops::RangeInclusive<char> = '\u{1f3fb}'..='\u{1f3ff}';

/// A line of the picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) cells: Vec<Cell>,
}

impl Line {
    pub(crate) fn of(style: Style, text: &str) -> Line {
        Line::default().and(style, text)
    }

    /// With more text behind.
    pub(crate) fn and(mut self, style: Style, text: &str) -> Line {
        let mut joins = false;
        for letter in text.chars().filter(|letter| !letter.is_control()) {
            let width = letter.width().unwrap_or(0);
            let joined = width == 0 || joins || SKINS.contains(&letter);
            match self.cells.last_mut().filter(|_| joined) {
                Some(before) => before.join(letter),
                None => self.cells.push(Cell {
                    letter,
                    marks: String::new(),
                    width: width.max(1),
                    style,
                }),
            }
            joins = letter == '\u{200d}';
        }
        self
    }

    pub(crate) fn width(&self) -> usize {
        self.cells.iter().map(|cell| cell.width).sum()
    }

    /// Blanks up to `column`.
    pub(crate) fn to(self, column: usize, style: Style) -> Line {
        let blanks = column.saturating_sub(self.width());
        self.and(style, &" ".repeat(blanks))
    }

    /// No wider than `columns`.
    pub(crate) fn cut(mut self, columns: usize) -> Line {
        while self.width() > columns {
            self.cells.pop();
        }
        self
    }

    /// Without plain blanks at its end, which need not be drawn.
    pub(crate) fn trimmed(&self) -> &[Cell] {
        let end = self
            .cells
            .iter()
            .rposition(|cell| !cell.is_blank() || !cell.style.skips_blanks());
        &self.cells[..end.map_or(0, |at| at + 1)]
    }

    /// What stands in it, without plain blanks at its end.
    #[cfg(test)]
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        self.trimmed().iter().for_each(|cell| cell.write(&mut text));
        text
    }
}

/// Breaks styled text into lines of at most `columns`, at blanks where it can; a blank that no longer fits is dropped.
pub(crate) fn wrap(line: &Line, columns: usize) -> Vec<Line> {
    broken(line, columns, false)
}

/// The same; `keeps` says whether a blank that no longer fits begins the next line.
pub(crate) fn broken(line: &Line, columns: usize, keeps: bool) -> Vec<Line> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    let mut row: Vec<Cell> = Vec::new();
    let mut width = 0;
    for cell in &line.cells {
        if width + cell.width > columns {
            if cell.is_blank() {
                lines.push(Line {
                    cells: std::mem::take(&mut row),
                });
                width = 0;
                if keeps {
                    width = 1;
                    row.push(cell.clone());
                }
                continue;
            }
            let rest = match row.iter().rposition(Cell::is_blank) {
                Some(at) if at > 0 => row.split_off(at + 1),
                _ => Vec::new(),
            };
            lines.push(Line {
                cells: std::mem::replace(&mut row, rest),
            });
            width = row.iter().map(|cell| cell.width).sum();
        }
        width += cell.width;
        row.push(cell.clone());
    }
    lines.push(Line { cells: row });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &[Line]) -> Vec<String> {
        lines.iter().map(Line::text).collect()
    }

    #[test]
    fn text_is_broken_at_blanks_and_wide_letters_count_twice() {
        assert_eq!(
            texts(&wrap(&Line::of(Style::Plain, "one two three"), 7)),
            ["one two", "three"]
        );
        assert_eq!(
            texts(&wrap(&Line::of(Style::Plain, "abcdefgh"), 3)),
            ["abc", "def", "gh"]
        );
        assert_eq!(
            texts(&wrap(&Line::of(Style::Plain, "漢字漢字"), 5)),
            ["漢字", "漢字"]
        );
    }

    #[test]
    fn joined_letters_are_one_cell() {
        assert_eq!(Line::of(Style::Plain, "e\u{301}x").cells.len(), 2);
        assert_eq!(Line::of(Style::Plain, "👩\u{200d}👧").width(), 2);
    }
}
