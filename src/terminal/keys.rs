//! Texts and intents as keystrokes. `[pure]`

pub(crate) const ENTER: &[u8] = b"\r";
pub(crate) const ESCAPE: &[u8] = b"\x1b";
/// The same in the form that says where it ends: after the other one a CLI waits for more of it.
pub(crate) const ESCAPE_AT_ONCE: &[u8] = b"\x1b[27u";
/// Empties a prompt box that holds text; in an empty one it would be half of an exit.
pub(crate) const CTRL_C: &[u8] = b"\x03";
/// Opens the text editor on the prompt.
pub(crate) const CTRL_G: &[u8] = b"\x07";
pub(crate) const UP: &[u8] = b"\x1b[A";
pub(crate) const DOWN: &[u8] = b"\x1b[B";

/// One bracketed paste. The caller has made sure that no ESC is in the text.
pub(crate) fn paste(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() + 12);
    bytes.extend_from_slice(b"\x1b[200~");
    bytes.extend_from_slice(text.as_bytes());
    bytes.extend_from_slice(b"\x1b[201~");
    bytes
}

/// Keys that move a dialog's choice by `steps`; down is positive.
pub(crate) fn steps(steps: i32) -> Vec<u8> {
    let key = if steps < 0 { UP } else { DOWN };
    key.repeat(steps.unsigned_abs() as usize)
}
