//! Where output goes: results to stdout, everything else to stderr.

use serde_json::Value;
use std::borrow::Cow;
use std::io;
use std::io::IsTerminal;
use std::io::Write;

/// Prints a part of a result, at once. A reader that has gone away is an error that ends the command quietly.
pub(crate) fn text(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Prints a part of what a model or a stranger said: as it is, but for a terminal, which finds no commands in it.
pub(crate) fn answer(said: &str) -> io::Result<()> {
    match io::stdout().is_terminal() {
        true => text(&tame(said)),
        false => text(said),
    }
}

/// Every control character but the ends of lines and tabs as the picture of itself: to a terminal they are commands,
/// with which a text can change what stands there, or what is in the clipboard.
pub(crate) fn tame(text: &str) -> Cow<'_, str> {
    let is_wild = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(is_wild) {
        return Cow::Borrowed(text);
    }
    let picture = |c: char| match c {
        '\u{7f}' => '\u{2421}',
        c if is_wild(c) => char::from_u32(0x2400 + u32::from(c))
            .filter(|_| c < ' ')
            .unwrap_or('\u{fffd}'),
        c => c,
    };
    Cow::Owned(text.chars().map(picture).collect())
}

/// Prints a line of a result.
pub(crate) fn line(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Prints a result for programs.
pub(crate) fn json(value: &Value) -> io::Result<()> {
    line(&format!("{value:#}"))
}

/// Tells something beside the result. If nobody can read it, nobody needs it.
pub(crate) fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", tame(line));
}

/// Draws the line that shows progress, over the one before; an empty one takes it away.
pub(crate) fn redraw(line: &str) {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "\r\x1b[2K{line}");
    let _ = stderr.flush();
}

/// Whether a person sees stderr as it is written.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Whether stdout shows colours rather than their codes.
pub(crate) fn has_colours(no_color: bool) -> bool {
    !no_color && io::stdout().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::tame;

    #[test]
    fn what_would_command_a_terminal_is_shown_instead() {
        assert_eq!(tame("plain\ttext\n"), "plain\ttext\n");
        let wild = "\u{1b}]52;c;aGk=\u{7}a\rb\u{7f}\u{9b}2J é";
        assert_eq!(tame(wild), "␛]52;c;aGk=␇a␍b␡\u{fffd}2J é");
    }
}
