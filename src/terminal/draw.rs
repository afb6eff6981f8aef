//! What a program writes → what is drawn, and what it is answered. `[pure]`
//!
//! The sequences are found by `vte`; this is what they mean. What is not here draws nothing: colours, titles, links,
//! mice, and pictures.

use super::grid::Grid;
use super::grid::Scope;
use super::query;
use super::row::Row;
use super::screen::Size;
use vte::Params;
pub(super) use vte::Parser;
use vte::Perform;

/// A terminal's two screens, and the answers that it owes.
pub(super) struct Canvas {
    size: Size,
    primary: Grid,
    alternate: Option<Box<Grid>>,
    pub(super) owed: Vec<u8>,
}

impl Canvas {
    pub(super) fn new(size: Size) -> Canvas {
        Canvas {
            size,
            primary: Grid::new(size),
            alternate: None,
            owed: Vec::new(),
        }
    }

    pub(super) fn size(&self) -> Size {
        self.size
    }

    /// The screen that is shown.
    pub(super) fn grid(&self) -> &Grid {
        self.alternate.as_deref().unwrap_or(&self.primary)
    }

    pub(super) fn grid_mut(&mut self) -> &mut Grid {
        self.alternate.as_deref_mut().unwrap_or(&mut self.primary)
    }

    /// A mode that is switched on or off (DECSET, DECRST).
    fn set_mode(&mut self, mode: u16, is_on: bool) {
        match mode {
            6 => self.grid_mut().set_relative(is_on),
            47 | 1047 => self.show_alternate(is_on),
            1049 if is_on => {
                self.grid_mut().save();
                self.alternate = None;
                self.show_alternate(true);
            }
            1049 => {
                self.show_alternate(false);
                self.grid_mut().restore();
            }
            _ => {}
        }
    }

    /// The second screen is blank whenever it is shown.
    fn show_alternate(&mut self, is_shown: bool) {
        let was_shown = self.alternate.is_some();
        if is_shown && !was_shown {
            let mut alternate = Grid::new(self.size);
            *alternate.style_mut() = *self.primary.style_mut();
            self.alternate = Some(Box::new(alternate));
        } else if !is_shown && was_shown {
            self.alternate = None;
            let rows = self.primary.rows_mut();
            rows.iter_mut().for_each(Row::touch);
        }
    }
}

impl Perform for Canvas {
    fn print(&mut self, character: char) {
        // What stands for bytes that are no character is not drawn: how many there are of it depends on the pieces.
        if character != char::REPLACEMENT_CHARACTER && !character.is_control() {
            self.grid_mut().print(character);
        }
    }

    fn execute(&mut self, control: u8) {
        let grid = self.grid_mut();
        match control {
            0x08 => grid.move_columns(-1),
            b'\t' => grid.tab(),
            b'\n' | 0x0b | 0x0c => grid.feed(),
            b'\r' => grid.set_column(0),
            _ => {}
        }
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], _is_cut: bool, last: u8) {
        match (intermediates, last) {
            ([], b'7') => self.grid_mut().save(),
            ([], b'8') => self.grid_mut().restore(),
            ([], b'D') => self.grid_mut().feed(),
            ([], b'E') => {
                self.grid_mut().set_column(0);
                self.grid_mut().feed();
            }
            ([], b'M') => self.grid_mut().feed_back(),
            ([], b'c') => {
                let owed = std::mem::take(&mut self.owed);
                *self = Canvas {
                    owed,
                    ..Canvas::new(self.size)
                };
            }
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _is_cut: bool, last: char) {
        match (intermediates, last) {
            ([], 'm') => self.select(params),
            ([] | [b'?'], 'J' | 'K') => self.erase(number(params, 0), last),
            ([b'?'], 'h' | 'l') => {
                for mode in params.iter().filter_map(<[u16]>::first) {
                    self.set_mode(*mode, last == 'h');
                }
            }
            ([], '@' | 'A'..='H' | 'L' | 'M' | 'P' | 'S' | 'T' | 'X' | '`' | 'a' | 'd' | 'e') => {
                self.edit(params, last);
            }
            ([], 'f') => self.edit(params, 'H'),
            ([], 'r') => {
                let (top, bottom) = (count(params, 0), number(params, 1));
                let bottom = if bottom == 0 { self.size.rows } else { bottom };
                let bottom = usize::from(bottom);
                self.grid_mut().set_region(top - 1, bottom - 1);
            }
            _ => {
                let first = number(params, 0);
                let cursor = self.grid().cursor();
                let answer = query::answer(intermediates, last, first, cursor, self.size);
                self.owed.extend(answer);
            }
        }
    }
}

impl Canvas {
    fn select(&mut self, params: &Params) {
        let style = self.grid_mut().style_mut();
        if params.is_empty() {
            style.select(0);
        }
        let mut params = params.iter();
        while let Some(param) = params.next() {
            match param {
                // A colour's own numbers are no styles.
                [38 | 48 | 58] => {
                    let numbers = match params.next() {
                        Some([2]) => 3,
                        Some([5]) => 1,
                        _ => return,
                    };
                    params.by_ref().take(numbers).for_each(drop);
                }
                [single] => style.select(*single),
                _ => {}
            }
        }
    }

    fn erase(&mut self, which: u16, last: char) {
        let scope = match which {
            0 => Scope::After,
            1 => Scope::Before,
            2 => Scope::All,
            _ => return,
        };
        match last {
            'J' => self.grid_mut().erase(scope),
            _ => self.grid_mut().erase_in_row(scope),
        }
    }

    /// Sequences that move the cursor or the text by a number of places, or to one.
    fn edit(&mut self, params: &Params, last: char) {
        let count = count(params, 0);
        let by = isize::try_from(count).unwrap_or(isize::MAX);
        let second = self::count(params, 1);
        let grid = self.grid_mut();
        match last {
            '@' => grid.insert_cells(count),
            'A' => grid.move_rows(-by),
            'B' | 'e' => grid.move_rows(by),
            'C' | 'a' => grid.move_columns(by),
            'D' => grid.move_columns(-by),
            'E' | 'F' => {
                grid.set_column(0);
                grid.move_rows(if last == 'E' { by } else { -by });
            }
            'G' | '`' => grid.set_column(count - 1),
            'H' => grid.set_cursor(count - 1, second - 1),
            'L' => grid.insert_rows(count),
            'M' => grid.delete_rows(count),
            'P' => grid.delete_cells(count),
            'S' => grid.scroll_up(count),
            'T' => grid.scroll_down(count),
            'X' => grid.erase_cells(count),
            'd' => grid.set_row(count - 1),
            _ => {}
        }
    }
}

/// A parameter as it was written; none is zero.
fn number(params: &Params, at: usize) -> u16 {
    let param = params.iter().nth(at).and_then(<[u16]>::first);
    param.copied().unwrap_or(0)
}

/// A parameter that counts: none, and zero, are one.
fn count(params: &Params, at: usize) -> usize {
    usize::from(number(params, at).max(1))
}
