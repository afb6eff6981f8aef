//! Where output goes: results to stdout, everything else to stderr.

use serde_json::Value;
use std::io;
use std::io::IsTerminal;
use std::io::Write;

/// Prints a part of a result, at once. A reader that has gone away is an error that ends the command quietly.
pub(crate) fn text(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
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
    let _ = writeln!(io::stderr().lock(), "{line}");
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
