//! The terminal that claude believes in: draws what is written and answers its queries. `[pure]`
//!
//! A look is taken at every piece that is drawn, so a look must cost less than the drawing. `vte` finds the sequences;
//! what they draw is kept here, as cells of eight bytes in rows that know whether they changed. No emulator would do:
//! `vt100`, against which the tests and the benchmarks hold this one, does not tell what changed and gives a row only
//! as a text that it builds anew, so a look took twenty times as long as the drawing. `alacritty_terminal` tells it, but
//! draws more than claude uses, takes three times the memory, and gives queries answers of its own; `avt` swallows
//! queries without a trace.

use super::draw::Canvas;
use super::draw::Parser;
use super::frame::Frame;
use super::landmark::Look;
use super::landmark::Scene;
use super::row::Row;

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
    parser: Parser,
    canvas: Canvas,
    /// A character whose rest has not come. The parser must not get it in two pieces: it then drops an ASCII character
    /// that follows, where a third one follows that.
    partial: Vec<u8>,
    look: Look,
}

impl Screen {
    /// A session's screen.
    pub(crate) fn new() -> Screen {
        Screen::of(Size::SESSION)
    }

    /// A screen of any size, for recordings.
    pub(crate) fn of(size: Size) -> Screen {
        Screen {
            parser: Parser::new(),
            canvas: Canvas::new(size),
            partial: Vec::new(),
            look: Look::default(),
        }
    }

    /// Draws the bytes; returns what must be written back, if the program asked the terminal something.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.partial.is_empty() {
            self.draw(bytes);
        } else {
            let mut whole = std::mem::take(&mut self.partial);
            whole.extend_from_slice(bytes);
            self.draw(&whole);
        }
        std::mem::take(&mut self.canvas.owed)
    }

    fn draw(&mut self, bytes: &[u8]) {
        let (whole, rest) = bytes.split_at(bytes.len() - incomplete(bytes));
        self.parser.advance(&mut self.canvas, whole);
        self.partial.extend_from_slice(rest);
    }

    /// The picture now.
    pub(crate) fn frame(&self) -> Frame {
        let rows = self.canvas.grid().rows();
        Frame {
            columns: self.size().columns,
            rows: rows.iter().map(Row::text).collect(),
        }
    }

    pub(crate) fn size(&self) -> Size {
        self.canvas.size()
    }

    /// What stands there now.
    pub(crate) fn scene(&mut self) -> &Scene {
        let columns = self.size().columns;
        self.look.take(self.canvas.grid_mut().rows_mut(), columns)
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

#[cfg(test)]
mod tests {
    use super::super::recording::Recording;
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::fs;

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

    /// What the other emulator shows, row by row.
    fn oracle(emulator: &vt100::Parser) -> Vec<String> {
        let screen = emulator.screen();
        let (rows, columns) = screen.size();
        let text = |row| screen.contents_between(row, 0, row, columns);
        (0..rows)
            .map(|row| text(row).trim_end().to_owned())
            .collect()
    }

    #[test]
    fn the_goldens_are_drawn_as_another_emulator_draws_them() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/terminal");
        let versions = fs::read_dir(folder).expect("the goldens must be there");
        let cases = versions.flat_map(|version| {
            let version = version.expect("a folder").path();
            fs::read_dir(version).expect("a version's cases must be there")
        });
        let mut pieces = 0;
        for case in cases {
            let path = case.expect("a folder").path().join("session.cast");
            let text = fs::read_to_string(&path).expect("a case has a recording");
            let recording = Recording::read(&text).expect("a golden must be a recording");
            let Size { columns, rows } = recording.size;
            let mut screen = Screen::of(recording.size);
            let mut emulator = vt100::Parser::new(rows, columns, 0);
            for piece in recording.outputs() {
                pieces += 1;
                screen.feed(piece.as_bytes());
                emulator.process(piece.as_bytes());
                let expected = oracle(&emulator);
                assert_eq!(
                    screen.frame().rows,
                    expected,
                    "{} at {piece:?}",
                    path.display()
                );
            }
        }
        assert!(pieces > 1000, "only {pieces} pieces");
    }

    proptest! {
        #[test]
        fn any_drawing_is_as_another_emulator_draws_it(pieces in vec(piece(), 0..60)) {
            let size = Size { columns: 20, rows: 8 };
            let (mut screen, mut emulator) = (Screen::of(size), vt100::Parser::new(8, 20, 0));
            for piece in pieces {
                screen.feed(piece.as_bytes());
                emulator.process(piece.as_bytes());
                prop_assert_eq!(screen.frame().rows, oracle(&emulator), "after {:?}", piece);
            }
        }
    }

    /// A text, or one of the sequences that are drawn. Insertions stand at the row's beginning, where they split no
    /// wide character, and rows are inserted and scrolled back inside the region: there the other one strays from xterm.
    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z ]{1,30}",
            "[a-z─漢字❯é]{1,9}",
            "[a-z]\u{301}{1,2}",
            "\r|\n|\r\n|\t|\u{8}",
            "\x1b\\[[0-9]{0,2}[ABCDEFGdX]",
            "\x1b\\[([1-9]|1[0-9]);([1-9]|1[0-9])H",
            "\x1b\\[[0-2]?[JK]",
            "\x1b\\[[0-9]?[ST]",
            "\x1b\\[[1-4]?(;[5-8])?r\x1b\\[5H",
            "\x1b\\[[4-5]H\x1b\\[[1-3][LM]",
            "\r\x1b\\[[1-9][@P]",
            "\x1b[78c]|\x1b\\[5H\x1bM|\x1b\\[\\?(1049|6)[hl]",
            "\x1b\\[(0|2|7|22|27|38;5;7|48;2;7;2;7|1;2)?m",
        ]
    }
}
