//! What a program asks a terminal, and what it is answered. `[pure]`

use super::screen::Size;

/// The answer to a sequence, if it asks for one: its marks, its last letter, and its first number.
pub(super) fn answer(
    marks: &[u8],
    last: char,
    first: u16,
    cursor: (usize, usize),
    size: Size,
) -> Vec<u8> {
    match (marks, last, first) {
        // Primary and secondary device attributes: a VT220 with colours, version 10.
        ([], 'c', _) => b"\x1b[?62;22c".to_vec(),
        ([b'>'], 'c', _) => b"\x1b[>1;10;0c".to_vec(),
        // Status, and where the cursor is.
        ([], 'n', 5) => b"\x1b[0n".to_vec(),
        ([], 'n', 6) => {
            let (row, column) = cursor;
            let column = (column + 1).min(usize::from(size.columns));
            format!("\x1b[{};{column}R", row + 1).into_bytes()
        }
        // The terminal's name and version.
        ([b'>'], 'q', _) => b"\x1bP>|inference-relay\x1b\\".to_vec(),
        // The text area's size in characters; and in pixels, which we do not have: no answer.
        ([], 't', 18) => {
            let Size { columns, rows } = size;
            format!("\x1b[8;{rows};{columns}t").into_bytes()
        }
        // Whether a private mode is known: it is not.
        ([b'?', ..], 'p', mode) => format!("\x1b[?{mode};0$y").into_bytes(),
        // Keyboard enhancement flags: none.
        ([b'?'], 'u', _) => b"\x1b[?0u".to_vec(),
        _ => Vec::new(),
    }
}
