//! The gate of a session: a pipe at which one that is launched with its turn waits until its tools are there.

use super::launch::Files;
use std::fs::File;
use std::io;
use std::io::Write;

/// Both ends of the pipe, or the call would wait for the other one. Most sessions have none.
pub(super) fn hold(files: &Files) -> io::Result<File> {
    let mut both = File::options();
    both.read(true).write(true).open(files.gate())
}

/// Lets the session go on; the pipe is to be held until it has.
///
/// # Errors
/// Where the pipe cannot be written.
pub(crate) fn open(files: &Files) -> io::Result<File> {
    let mut gate = hold(files)?;
    gate.write_all(b"\n")?;
    Ok(gate)
}
