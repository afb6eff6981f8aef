//! A process on pipes: bytes in and out over channels, and its end told once.

use crate::session::launch::Launch;
use crate::session::pty::spawn::thread;
use std::io;
use std::io::Read;
use std::io::Write;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc as blocking;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

/// A running process.
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// What it says; closed when its stdout is.
    pub(crate) output: mpsc::Receiver<Vec<u8>>,
    /// Its end, in words.
    pub(crate) exit: oneshot::Receiver<String>,
    /// `None` once its stdin is closed.
    input: Option<blocking::Sender<String>>,
}

impl Process {
    /// Starts the process in a process group of its own.
    ///
    /// # Errors
    /// Where there is no such program, or no thread to be had.
    pub(crate) fn spawn(launch: &Launch) -> io::Result<Process> {
        let mut child = command(launch).spawn()?;
        let (output_tx, output) = mpsc::channel(OUTPUT_CHUNKS_MAX);
        let (input, input_rx) = blocking::channel();
        let (exit_tx, exit) = oneshot::channel();
        let pid = child.id();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let moved = thread("print-read", move || read(stdout, &output_tx))
            .and_then(|()| thread("print-write", move || write(stdin, &input_rx)));
        if let Err(error) = moved {
            drop(child.kill());
            drop(child.wait());
            return Err(error);
        }
        thread("print-wait", move || drop(exit_tx.send(wait(child))))?;
        Ok(Process {
            pid,
            output,
            exit,
            input: Some(input),
        })
    }

    /// Hands a line to its stdin; a process that is gone takes none.
    pub(crate) fn write(&self, line: String) {
        if let Some(input) = &self.input {
            drop(input.send(line));
        }
    }

    /// Closes its stdin, once what was written is read.
    pub(crate) fn leave(&mut self) {
        self.input = None;
    }
}

/// Its stderr goes nowhere: it may repeat a line that was not understood, and that is a caller's text.
fn command(launch: &Launch) -> Command {
    let mut command = Command::new(&launch.program);
    command
        .args(&launch.args)
        .env_clear()
        .envs(&launch.env)
        .current_dir(&launch.folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
}

fn wait(mut child: Child) -> String {
    child
        .wait()
        .map_or_else(|error| error.to_string(), |status| status.to_string())
}

fn read(source: Option<impl Read>, output: &mpsc::Sender<Vec<u8>>) {
    let Some(mut source) = source else { return };
    let mut buffer = [0_u8; READ_BYTES];
    while let Ok(read @ 1..) = source.read(&mut buffer) {
        if output.blocking_send(buffer[..read].to_vec()).is_err() {
            return;
        }
    }
}

fn write(target: Option<impl Write>, input: &blocking::Receiver<String>) {
    let Some(mut target) = target else { return };
    while let Ok(line) = input.recv() {
        let written = target.write_all(line.as_bytes());
        if written.and_then(|()| target.flush()).is_err() {
            return;
        }
    }
}

/// What the process may be ahead of its reader; then it waits.
const OUTPUT_CHUNKS_MAX: usize = 64;
const READ_BYTES: usize = 16 * 1024;
