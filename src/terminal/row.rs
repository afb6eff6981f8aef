//! One line of a screen. `[pure]`

use super::cell::Cell;
use std::ops::Range;

/// Cells, the marks that combine with their characters, and whether somebody drew here since the last look.
#[derive(Debug, Clone)]
pub(super) struct Row {
    cells: Vec<Cell>,
    /// From here on all cells are blank.
    used: usize,
    /// Characters without a width of their own, each with the column that it belongs to, in order.
    marks: Vec<(usize, char)>,
    is_changed: bool,
}

impl Row {
    pub(super) fn blank(columns: usize) -> Row {
        Row {
            cells: vec![Cell::BLANK; columns],
            used: 0,
            marks: Vec::new(),
            is_changed: true,
        }
    }

    /// Whether somebody drew here since this was asked before.
    pub(super) fn take_change(&mut self) -> bool {
        std::mem::take(&mut self.is_changed)
    }

    /// It stands at another place now.
    pub(super) fn touch(&mut self) {
        self.is_changed = true;
    }

    /// Draws a character. The caller has seen that it fits.
    pub(super) fn put(&mut self, column: usize, cell: Cell) {
        self.is_changed = true;
        let width = if cell.is_wide() { 2 } else { 1 };
        let is_simple = width == 1 && self.marks.is_empty();
        if !is_simple || self.cells[column].is_wide() || self.cells[column].is_tail() {
            self.clear(column..column + width);
        }
        self.cells[column] = cell;
        if width == 2 {
            self.cells[column + 1] = Cell::TAIL;
        }
        self.used = self.used.max(column + width);
    }

    /// Draws a mark over what stands in a column.
    pub(super) fn mark(&mut self, column: usize, mark: char) {
        let column = column - usize::from(self.cells[column].is_tail());
        if self.marks.len() < MARKS_MAX {
            self.is_changed = true;
            let at = self.marks.partition_point(|(at, _)| *at <= column);
            self.marks.insert(at, (column, mark));
            self.used = self.used.max(column + 1);
        }
    }

    /// Erases columns, and the halves of wide characters that are left over at both ends.
    pub(super) fn clear(&mut self, columns: Range<usize>) {
        self.is_changed = true;
        let Range { start, end } = self.whole(columns);
        if start < self.used {
            self.cells[start..end.min(self.used)].fill(Cell::BLANK);
            self.marks
                .retain(|(column, _)| !(start..end).contains(column));
        }
        if end >= self.used {
            self.used = self.used.min(start);
        }
    }

    pub(super) fn reset(&mut self) {
        self.clear(0..self.cells.len());
    }

    /// Blanks come in at a column; what is pushed beyond the edge is lost.
    pub(super) fn insert(&mut self, column: usize, count: usize) {
        let count = count.min(self.cells.len() - column);
        let lost = self.cells.len() - count;
        self.clear(lost..self.cells.len());
        self.split(column);
        self.cells[column..].rotate_right(count);
        self.used = match column < self.used {
            true => self.used + count,
            false => self.used,
        };
        let moved = self.marks.iter_mut().filter(|(at, _)| *at >= column);
        moved.for_each(|(at, _)| *at += count);
    }

    /// Columns go; what is right of them moves up.
    pub(super) fn delete(&mut self, column: usize, count: usize) {
        let count = count.min(self.cells.len() - column);
        self.clear(column..column + count);
        self.cells[column..].rotate_left(count);
        let moved = self.marks.iter_mut().filter(|(at, _)| *at >= column);
        moved.for_each(|(at, _)| *at -= count);
    }

    /// What stands here, without trailing blanks.
    pub(super) fn text(&self) -> String {
        let mut text = String::with_capacity(self.used);
        let mut marks = self.marks.iter().peekable();
        for (column, cell) in self.cells[..self.used].iter().enumerate() {
            if !cell.is_tail() {
                text.push(cell.character());
            }
            while let Some((_, mark)) = marks.next_if(|(at, _)| *at == column) {
                text.push(*mark);
            }
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// What stands here without its dim and inverse cells: a hint in an empty prompt box is dim, and the cursor, which
    /// is drawn in inverse, stands on the hint's first letter.
    pub(super) fn solid(&self) -> String {
        let cells = self.cells[..self.used].iter();
        let seen = |cell: &Cell| {
            if cell.is_plain() {
                cell.character()
            } else {
                ' '
            }
        };
        let mut solid: String = cells.filter(|cell| !cell.is_tail()).map(seen).collect();
        solid.truncate(solid.trim_end().len());
        solid
    }

    /// Whether the first character is this one.
    pub(super) fn begins(&self, with: char) -> bool {
        self.cells
            .first()
            .is_some_and(|cell| cell.character() == with)
    }

    /// Whether these characters, none of them wide, stand here one beside the other.
    pub(super) fn contains(&self, text: &str) -> bool {
        let stands = |cells: &[Cell]| {
            let mut cells = cells.iter();
            text.chars()
                .all(|c| cells.next().is_some_and(|cell| cell.character() == c))
        };
        let first = text.chars().next();
        (0..self.used).any(|column| {
            Some(self.cells[column].character()) == first && stands(&self.cells[column..])
        })
    }

    /// A wide character that stands across a column is erased, so that nothing comes between its halves.
    fn split(&mut self, column: usize) {
        if self.cells.get(column).is_some_and(|cell| cell.is_tail()) {
            self.clear(column..column + 1);
        }
    }

    /// The columns, with both halves of each wide character that they have a half of.
    fn whole(&self, columns: Range<usize>) -> Range<usize> {
        let is_tail = |column: usize| self.cells.get(column).is_some_and(|cell| cell.is_tail());
        let Range { start, end } = columns;
        if start >= end {
            return start..start;
        }
        start - usize::from(is_tail(start))..end + usize::from(is_tail(end))
    }
}

/// Marks of one row: more than a line of Thai or Hebrew has, so that a stream of marks fills no memory.
const MARKS_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::super::cell::Style;
    use super::*;

    fn row(text: &str) -> Row {
        let mut row = Row::blank(8);
        let mut column = 0;
        for character in text.chars() {
            let is_wide = character > '\u{3000}';
            row.put(column, Cell::new(character, Style::default(), is_wide));
            column += if is_wide { 2 } else { 1 };
        }
        row
    }

    #[test]
    fn half_a_wide_character_does_not_stay() {
        let mut left = row("a漢b");
        left.put(1, Cell::new('x', Style::default(), false));
        assert_eq!(left.text(), "ax b");
        let mut right = row("a漢b");
        right.put(2, Cell::new('x', Style::default(), false));
        assert_eq!(right.text(), "a xb");
        let mut over = row("a漢字b");
        over.put(2, Cell::new('語', Style::default(), true));
        assert_eq!(over.text(), "a 語 b");
    }

    #[test]
    fn marks_go_where_their_character_goes() {
        let mut row = row("abc漢");
        row.mark(1, '\u{301}');
        row.mark(4, '\u{308}');
        assert_eq!(row.text(), "ab\u{301}c漢\u{308}");
        row.insert(0, 2);
        assert_eq!(row.text(), "  ab\u{301}c漢\u{308}");
        row.delete(0, 3);
        assert_eq!(row.text(), "b\u{301}c漢\u{308}");
        row.put(0, Cell::new('d', Style::default(), false));
        assert_eq!(row.text(), "dc漢\u{308}");
    }

    #[test]
    fn what_is_pushed_over_the_edge_is_lost() {
        let mut row = row("ab漢字cd");
        row.insert(1, 3);
        assert_eq!(row.text(), "a   b漢");
    }

    #[test]
    fn dim_and_inverse_cells_are_not_solid() {
        let mut row = row("❯ ab");
        for (column, parameter) in [(2, 2), (3, 7)] {
            let mut style = Style::default();
            style.select(parameter);
            row.put(column, Cell::new('x', style, false));
        }
        assert_eq!((row.text(), row.solid()), ("❯ xx".into(), "❯".into()));
    }

    #[test]
    fn a_text_is_not_read_across_a_wide_character() {
        assert!(row("a b").contains("a b") && row("ab").contains("b"));
        assert!(!row("漢b").contains(" b") && !row("ab").contains("abc"));
    }

    #[test]
    fn a_stream_of_marks_is_bounded() {
        let mut row = row("a");
        (0..MARKS_MAX * 2).for_each(|_| row.mark(0, '\u{301}'));
        assert_eq!(row.text().chars().count(), MARKS_MAX + 1);
    }
}
