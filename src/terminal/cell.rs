//! One place of a screen: a character and what a look must know of it. `[pure]`

/// A character, whether it is dim or inverse, and how wide it is. Colours tell nothing, so none are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    character: char,
    flags: u8,
}

impl Cell {
    /// Nothing stands here.
    pub(super) const BLANK: Cell = Cell {
        character: ' ',
        flags: 0,
    };
    /// The second half of a wide character. It is no blank, or a text with a blank could be read across it.
    pub(super) const TAIL: Cell = Cell {
        character: '\0',
        flags: 0,
    };

    pub(super) fn new(character: char, style: Style, is_wide: bool) -> Cell {
        let wide = if is_wide { WIDE } else { 0 };
        Cell {
            character,
            flags: style.0 | wide,
        }
    }

    pub(super) fn character(self) -> char {
        self.character
    }

    pub(super) fn is_tail(self) -> bool {
        self.character == Cell::TAIL.character
    }

    pub(super) fn is_wide(self) -> bool {
        self.flags & WIDE != 0
    }

    /// Whether it is neither dim nor inverse.
    pub(super) fn is_plain(self) -> bool {
        self.flags & (DIM | INVERSE) == 0
    }
}

/// How characters are drawn from here on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Style(u8);

impl Style {
    /// Takes one parameter of a sequence that selects how is drawn (SGR).
    pub(super) fn select(&mut self, parameter: u16) {
        match parameter {
            0 => self.0 = 0,
            2 => self.0 |= DIM,
            7 => self.0 |= INVERSE,
            22 => self.0 &= !DIM,
            27 => self.0 &= !INVERSE,
            _ => {}
        }
    }
}

const DIM: u8 = 1;
const INVERSE: u8 = 1 << 1;
const WIDE: u8 = 1 << 2;
