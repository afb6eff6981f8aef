//! Tables of markdown as the screen shows them: every column as wide as its widest cell.

use crate::cell::Line;
use crate::cell::Style;
use crate::cell::wrap;
use crate::look::Prose;
use crate::markdown::inline;

/// Where a column's cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Align {
    Left,
    Middle,
    Right,
}

/// A table row by row; the row of dashes below the head says where the cells of a column stand.
pub(crate) fn laid_out(table: &[Vec<String>], columns: usize, prose: Prose) -> Vec<Line> {
    let aligns: Vec<Align> = table
        .iter()
        .find(|row| is_rule(row))
        .map_or_else(Vec::new, |row| row.iter().map(|cell| align(cell)).collect());
    let cells: Vec<Vec<Line>> = table
        .iter()
        .filter(|row| !is_rule(row))
        .map(|row| row.iter().map(|cell| inline(cell, prose)).collect())
        .collect();
    let count = table.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count)
        .map(|at| {
            let widths = cells.iter().filter_map(|row| row.get(at)).map(Line::width);
            widths.max().unwrap_or(0).max(CELL_WIDTH_MIN)
        })
        .collect();
    let marks = if prose.framed_tables { FRAME } else { PIPES };
    let mut lines = Vec::new();
    let end = cells.len();
    for (at, row) in cells.into_iter().enumerate() {
        lines.extend(marks.rule(marks.above(at), &widths));
        lines.push(drawn(row, &widths, &aligns, marks.side));
    }
    if end > 0 {
        lines.extend(marks.rule(marks.bottom, &widths));
    }
    lines.iter().flat_map(|line| wrap(line, columns)).collect()
}

fn is_rule(row: &[String]) -> bool {
    row.iter()
        .all(|cell| cell.trim_matches([':', '-']).is_empty())
}

fn align(cell: &str) -> Align {
    match (cell.starts_with(':'), cell.ends_with(':')) {
        (true, true) => Align::Middle,
        (false, true) => Align::Right,
        (_, false) => Align::Left,
    }
}

fn drawn(row: Vec<Line>, widths: &[usize], aligns: &[Align], side: &str) -> Line {
    let mut line = Line::of(Style::Plain, side);
    for (at, (cell, width)) in row.into_iter().zip(widths).enumerate() {
        let blanks = width.saturating_sub(cell.width());
        let before = match aligns.get(at) {
            Some(Align::Right) => blanks,
            Some(Align::Middle) => blanks / 2,
            Some(Align::Left) | None => 0,
        };
        let end = line.width() + width + 2;
        line = line.and(Style::Plain, &" ".repeat(before + 1));
        line.cells.extend(cell.cells);
        line = line.to(end, Style::Plain).and(Style::Plain, side);
    }
    line
}

/// What a table is drawn with: each rule by its left end, dash, crossing and right end.
#[derive(Clone, Copy, Debug)]
struct Marks {
    side: &'static str,
    top: Option<[&'static str; 4]>,
    /// Below the head.
    head: Option<[&'static str; 4]>,
    /// Between the other rows.
    between: Option<[&'static str; 4]>,
    bottom: Option<[&'static str; 4]>,
}

impl Marks {
    /// The rule above a row.
    fn above(&self, row: usize) -> Option<[&'static str; 4]> {
        match row {
            0 => self.top,
            1 => self.head,
            _ => self.between,
        }
    }

    fn rule(&self, marks: Option<[&'static str; 4]>, widths: &[usize]) -> Option<Line> {
        let [left, dash, crossing, right] = marks?;
        let dashes: Vec<String> = widths.iter().map(|width| dash.repeat(width + 2)).collect();
        let text = format!("{left}{}{right}", dashes.join(crossing));
        Some(Line::of(Style::Plain, &text))
    }
}

const FRAME: Marks = Marks {
    side: "│",
    top: Some(["┌", "─", "┬", "┐"]),
    head: Some(["├", "─", "┼", "┤"]),
    between: Some(["├", "─", "┼", "┤"]),
    bottom: Some(["└", "─", "┴", "┘"]),
};

const PIPES: Marks = Marks {
    side: "|",
    top: None,
    head: Some(["|", "-", "|", "|"]),
    between: None,
    bottom: None,
};

/// A column is never narrower.
const CELL_WIDTH_MIN: usize = 3;
