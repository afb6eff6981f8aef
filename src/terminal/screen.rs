//! The terminal that claude believes in: wraps the emulator and answers its queries. `[pure]`
//!
//! The emulator is `vt100`: it is small, it parses and draws in one pass, and its callbacks see every sequence that
//! it does not draw, at the right place of the stream, which is where a query must be answered from. A separate
//! scanner for queries would have to know where strings and sequences end a second time, and could be fooled.
//! `alacritty_terminal` draws more than claude uses and brings an event loop's worth of types; `avt` is as small but
//! swallows queries without a trace.

use super::frame::Frame;

/// The size is fixed: wide enough that a session's id and a folder's name do not wrap.
pub(crate) const COLUMNS: u16 = 120;
/// Tall enough for every dialog that is known.
pub(crate) const ROWS: u16 = 40;

/// Columns and rows of a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) columns: u16,
    pub(crate) rows: u16,
}

impl Size {
    /// What every session gets.
    pub(crate) const SESSION: Size = Size {
        columns: COLUMNS,
        rows: ROWS,
    };
}

/// A screen being drawn.
pub(crate) struct Screen {
    parser: vt100::Parser<Queries>,
    /// A character whose rest has not come. The emulator must not get it in two pieces: its parser then drops an
    /// ASCII character that follows, where a third one follows that.
    partial: Vec<u8>,
}

/// Answers that are owed to the program.
#[derive(Default)]
struct Queries {
    owed: Vec<u8>,
}

impl Screen {
    /// A session's screen.
    pub(crate) fn new() -> Screen {
        Screen::of(Size::SESSION)
    }

    /// A screen of any size, for recordings.
    pub(crate) fn of(size: Size) -> Screen {
        let queries = Queries::default();
        Screen {
            parser: vt100::Parser::new_with_callbacks(size.rows, size.columns, 0, queries),
            partial: Vec::new(),
        }
    }

    /// Draws the bytes; returns what must be written back, if the program asked the terminal something.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.partial.extend_from_slice(bytes);
        let whole = self.partial.len() - incomplete(&self.partial);
        let rest = self.partial.split_off(whole);
        let bytes = std::mem::replace(&mut self.partial, rest);
        self.parser.process(&bytes);
        std::mem::take(&mut self.parser.callbacks_mut().owed)
    }

    /// The picture now.
    pub(crate) fn frame(&self) -> Frame {
        let Size { rows, columns } = self.size();
        Frame {
            columns,
            rows: (0..rows).map(|row| self.text(row)).collect(),
        }
    }

    pub(crate) fn size(&self) -> Size {
        let (rows, columns) = self.parser.screen().size();
        Size { columns, rows }
    }

    /// What stands in a row, without trailing blanks. A look is taken at every piece that is drawn, so it asks for the
    /// rows that it needs and not for a picture.
    pub(crate) fn text(&self, row: u16) -> String {
        let screen = self.parser.screen();
        let (_, columns) = screen.size();
        let mut text = screen.contents_between(row, 0, row, columns);
        text.truncate(text.trim_end().len());
        text
    }

    /// Whether a row begins with this.
    pub(crate) fn begins(&self, row: u16, with: &str) -> bool {
        let cell = self.parser.screen().cell(row, 0);
        cell.is_some_and(|cell| cell.contents() == with)
    }

    /// A row without its dim and inverse cells: a hint in an empty prompt box is dim, and the cursor, which is drawn
    /// in inverse, stands on the hint's first letter.
    pub(crate) fn solid(&self, row: u16) -> String {
        let screen = self.parser.screen();
        let (_, columns) = screen.size();
        let cells = (0..columns).filter_map(|column| screen.cell(row, column));
        let mut solid = String::with_capacity(usize::from(columns));
        for cell in cells.filter(|cell| !cell.is_wide_continuation()) {
            let is_solid = cell.has_contents() && !cell.dim() && !cell.inverse();
            solid.push_str(if is_solid { cell.contents() } else { " " });
        }
        solid.truncate(solid.trim_end().len());
        solid
    }
}

/// How many bytes at the end begin a character of UTF-8 without ending it.
fn incomplete(bytes: &[u8]) -> usize {
    let tail = bytes.iter().rev().take(UTF8_BYTES_MAX - 1);
    let continued = tail.take_while(|byte| **byte & 0xc0 == 0x80).count();
    let lead = bytes.iter().rev().nth(continued).copied().unwrap_or(0);
    let length = match lead {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 0,
    };
    if length > continued + 1 {
        continued + 1
    } else {
        0
    }
}

/// The longest character of UTF-8.
const UTF8_BYTES_MAX: usize = 4;

impl vt100::Callbacks for Queries {
    fn unhandled_csi(
        &mut self,
        screen: &mut vt100::Screen,
        first: Option<u8>,
        _second: Option<u8>,
        params: &[&[u16]],
        last: char,
    ) {
        let param = params.first().and_then(|p| p.first()).copied().unwrap_or(0);
        let answer: Vec<u8> = match (first, last, param) {
            // Primary and secondary device attributes: a VT220 with colours, version 10.
            (None, 'c', _) => b"\x1b[?62;22c".to_vec(),
            (Some(b'>'), 'c', _) => b"\x1b[>1;10;0c".to_vec(),
            // Status, and where the cursor is.
            (None, 'n', 5) => b"\x1b[0n".to_vec(),
            (None, 'n', 6) => {
                let (row, column) = screen.cursor_position();
                format!("\x1b[{};{}R", row + 1, column + 1).into_bytes()
            }
            // The terminal's name and version.
            (Some(b'>'), 'q', _) => b"\x1bP>|inference-relay\x1b\\".to_vec(),
            // The text area's size in characters; and in pixels, which we do not have: no answer.
            (None, 't', 18) => {
                let (rows, columns) = screen.size();
                format!("\x1b[8;{rows};{columns}t").into_bytes()
            }
            // Whether a private mode is known: it is not.
            (Some(b'?'), 'p', mode) => format!("\x1b[?{mode};0$y").into_bytes(),
            // Keyboard enhancement flags: none.
            (Some(b'?'), 'u', _) => b"\x1b[?0u".to_vec(),
            _ => Vec::new(),
        };
        self.owed.extend_from_slice(&answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_answered_and_drawing_is_not_disturbed() {
        let mut screen = Screen::new();
        assert_eq!(
            screen.feed(b"ab\x1b[c\x1b[>0qcd"),
            b"\x1b[?62;22c\x1bP>|inference-relay\x1b\\"
        );
        assert_eq!(screen.frame().rows[0], "abcd");
    }

    #[test]
    fn characters_split_anywhere_are_drawn_once() {
        let bytes = "é\n─aé漢b\u{301}🎉c─".as_bytes();
        let mut whole = Screen::new();
        whole.feed(bytes);
        for cut in 1..bytes.len() {
            let mut screen = Screen::new();
            screen.feed(&bytes[..cut]);
            screen.feed(&bytes[cut..]);
            assert_eq!(screen.frame(), whole.frame(), "cut at {cut}");
        }
    }

    #[test]
    fn a_query_split_anywhere_is_answered_once() {
        let bytes = b"x\x1b[6n\x1b[?2026$py";
        let whole = Screen::new().feed(bytes);
        for cut in 1..bytes.len() {
            let mut screen = Screen::new();
            let mut answer = screen.feed(&bytes[..cut]);
            answer.extend(screen.feed(&bytes[cut..]));
            assert_eq!(answer, whole, "cut at {cut}");
        }
    }

    #[test]
    fn dim_cells_are_not_solid() {
        let mut screen = Screen::new();
        screen.feed("❯ \x1b[2mTry this\x1b[22m".as_bytes());
        assert_eq!(screen.frame().rows[0], "❯ Try this");
        assert_eq!(screen.solid(0), "❯");
    }
}
