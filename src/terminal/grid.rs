//! The rows of a screen, where the cursor is, and what can be done to both. `[pure]`

use super::cell::Cell;
use super::cell::Style;
use super::row::Row;
use super::screen::Size;
use std::ops::Range;
use unicode_width::UnicodeWidthChar;

/// One of a terminal's two screens. Rows and columns are counted from zero.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    rows: Vec<Row>,
    columns: usize,
    cursor: Cursor,
    saved: Cursor,
    /// The rows that scroll.
    region: Range<usize>,
}

/// Where the next character is drawn. The column is one past the last where a row is full: only the next character
/// goes on to the row below.
#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    row: usize,
    column: usize,
    style: Style,
    /// Rows are counted from the region's first.
    is_relative: bool,
}

impl Grid {
    pub(super) fn new(size: Size) -> Grid {
        let (rows, columns) = (usize::from(size.rows), usize::from(size.columns));
        Grid {
            rows: vec![Row::blank(columns); rows],
            columns,
            cursor: Cursor::default(),
            saved: Cursor::default(),
            region: 0..rows,
        }
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(super) fn rows_mut(&mut self) -> &mut [Row] {
        &mut self.rows
    }

    /// Row and column of the cursor.
    pub(super) fn cursor(&self) -> (usize, usize) {
        (self.cursor.row, self.cursor.column)
    }

    pub(super) fn style_mut(&mut self) -> &mut Style {
        &mut self.cursor.style
    }

    pub(super) fn save(&mut self) {
        self.saved = self.cursor;
    }

    pub(super) fn restore(&mut self) {
        self.cursor = self.saved;
    }

    /// Draws a character.
    pub(super) fn print(&mut self, character: char) {
        match width(character) {
            0 => self.mark(character),
            width => self.put(character, width),
        }
    }

    fn put(&mut self, character: char, width: usize) {
        if self.cursor.column + width > self.columns {
            self.cursor.column = 0;
            self.feed();
        }
        let Cursor {
            row, column, style, ..
        } = self.cursor;
        self.rows[row].put(column, Cell::new(character, style, width == 2));
        self.cursor.column += width;
    }

    /// A mark belongs to the character before it; at the beginning of a row there is none.
    fn mark(&mut self, mark: char) {
        if let Some(before) = self.cursor.column.checked_sub(1) {
            self.rows[self.cursor.row].mark(before, mark);
        }
    }

    /// One row down; at the region's end the region scrolls.
    pub(super) fn feed(&mut self) {
        if self.cursor.row + 1 == self.region.end {
            self.scroll_up(1);
        } else if self.cursor.row + 1 < self.rows.len() {
            self.cursor.row += 1;
        }
    }

    /// One row up; at the region's beginning the region scrolls.
    pub(super) fn feed_back(&mut self) {
        if self.cursor.row == self.region.start {
            self.scroll_down(1);
        } else {
            self.cursor.row = self.cursor.row.saturating_sub(1);
        }
    }

    pub(super) fn scroll_up(&mut self, count: usize) {
        self.roll_up(self.region.clone(), count);
    }

    pub(super) fn scroll_down(&mut self, count: usize) {
        self.roll_down(self.region.clone(), count);
    }

    /// Rows come in at the cursor; what is pushed beyond the region is lost.
    pub(super) fn insert_rows(&mut self, count: usize) {
        if self.region.contains(&self.cursor.row) {
            self.roll_down(self.cursor.row..self.region.end, count);
        }
    }

    /// Rows go at the cursor; those below move up.
    pub(super) fn delete_rows(&mut self, count: usize) {
        if self.region.contains(&self.cursor.row) {
            self.roll_up(self.cursor.row..self.region.end, count);
        }
    }

    fn roll_up(&mut self, rows: Range<usize>, count: usize) {
        let rows = &mut self.rows[rows];
        let count = count.min(rows.len());
        rows[..count].iter_mut().for_each(Row::reset);
        rows.rotate_left(count);
        rows.iter_mut().for_each(Row::touch);
    }

    fn roll_down(&mut self, rows: Range<usize>, count: usize) {
        let rows = &mut self.rows[rows];
        let kept = rows.len() - count.min(rows.len());
        rows[kept..].iter_mut().for_each(Row::reset);
        rows.rotate_left(kept);
        rows.iter_mut().for_each(Row::touch);
    }

    pub(super) fn insert_cells(&mut self, count: usize) {
        self.row_mut(|row, column| row.insert(column, count));
    }

    pub(super) fn delete_cells(&mut self, count: usize) {
        self.row_mut(|row, column| row.delete(column, count));
    }

    pub(super) fn erase_cells(&mut self, count: usize) {
        let columns = self.columns;
        self.row_mut(|row, column| row.clear(column..(column + count).min(columns)));
    }

    /// Erases from the cursor on, or up to it, or all: in its row.
    pub(super) fn erase_in_row(&mut self, scope: Scope) {
        let columns = self.columns;
        self.row_mut(|row, column| match scope {
            Scope::After => row.clear(column..columns),
            Scope::Before => row.clear(0..(column + 1).min(columns)),
            Scope::All => row.reset(),
        });
    }

    /// Erases from the cursor on, or up to it, or all: on the screen.
    pub(super) fn erase(&mut self, scope: Scope) {
        self.erase_in_row(scope);
        let row = self.cursor.row;
        let others = match scope {
            Scope::After => row + 1..self.rows.len(),
            Scope::Before => 0..row,
            Scope::All => 0..self.rows.len(),
        };
        self.rows[others].iter_mut().for_each(Row::reset);
    }

    fn row_mut(&mut self, change: impl FnOnce(&mut Row, usize)) {
        change(&mut self.rows[self.cursor.row], self.cursor.column);
    }

    /// Moves the cursor within the screen, and within the region where it was there.
    pub(super) fn move_rows(&mut self, by: isize) {
        let bounds = match self.region.contains(&self.cursor.row) {
            true => self.region.clone(),
            false => 0..self.rows.len(),
        };
        let row = self.cursor.row.saturating_add_signed(by);
        self.cursor.row = row.clamp(bounds.start, bounds.end - 1);
    }

    pub(super) fn move_columns(&mut self, by: isize) {
        let column = self.cursor.column.saturating_add_signed(by);
        self.cursor.column = match by {
            ..0 => column,
            0.. => column.min(self.columns - 1),
        };
    }

    /// To the next multiple of eight.
    pub(super) fn tab(&mut self) {
        self.set_column((self.cursor.column / TAB_COLUMNS + 1) * TAB_COLUMNS);
    }

    pub(super) fn set_column(&mut self, column: usize) {
        self.cursor.column = column.min(self.columns - 1);
    }

    pub(super) fn set_row(&mut self, row: usize) {
        self.cursor.row = row.min(self.rows.len() - 1);
    }

    pub(super) fn set_cursor(&mut self, row: usize, column: usize) {
        if self.cursor.is_relative {
            let row = self.region.start.saturating_add(row);
            self.cursor.row = row.min(self.region.end - 1);
        } else {
            self.set_row(row);
        }
        self.set_column(column);
    }

    /// The rows that scroll; where they are not at least two, all do.
    pub(super) fn set_region(&mut self, top: usize, bottom: usize) {
        let end = bottom.saturating_add(1).min(self.rows.len());
        self.region = match top + 1 < end {
            true => top..end,
            false => 0..self.rows.len(),
        };
        self.cursor.row = self.region.start;
        self.cursor.column = 0;
    }

    pub(super) fn set_relative(&mut self, is_relative: bool) {
        self.cursor.is_relative = is_relative;
        self.set_cursor(0, 0);
    }
}

/// Which part is erased.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope {
    After,
    Before,
    All,
}

/// How many columns a character takes; most are of ASCII.
fn width(character: char) -> usize {
    match character {
        ' '..='~' => 1,
        _ => character.width().unwrap_or(1),
    }
}

const TAB_COLUMNS: usize = 8;
