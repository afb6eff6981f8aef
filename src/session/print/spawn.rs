//! A process on pipes: bytes in and out over channels, and its end told once.
//!
//! **No orphans.** A daemon may be killed at any time, and the next one ends what is in the registry. So the program is
//! not begun before its process is listed there: a shell waits for a line, and becomes the program when it comes. Where
//! the daemon is gone the line never comes, the shell reads the end of its stdin, and ends. (On a pseudo-terminal the
//! system itself sees to it: a process that loses its terminal is hung up, and a CLI that has only just been started
//! does not ignore that yet.)

use crate::session::launch::Launch;
use crate::session::pty::spawn::Exit;
use crate::session::pty::spawn::thread;
use std::fs;
use std::io;
use std::io::Read;
use std::io::Write;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc as blocking;
use tokio::sync::mpsc;

/// A running process.
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// What it says; closed when its stdout is.
    pub(crate) output: mpsc::Receiver<Vec<u8>>,
    /// `None` once its stdin is closed.
    input: Option<blocking::Sender<String>>,
}

impl Process {
    /// Starts the process in a process group of its own, once it is listed under its id.
    ///
    /// # Errors
    /// Where there is no such program, or no thread to be had.
    pub(crate) fn spawn(launch: &Launch, list: impl FnOnce(u32)) -> io::Result<(Process, Exit)> {
        fs::metadata(&launch.program)?;
        let mut child = command(launch).spawn()?;
        list(child.id());
        let (output_tx, output) = mpsc::channel(OUTPUT_CHUNKS_MAX);
        let (input, input_rx) = blocking::channel();
        let (exit_tx, exit) = Exit::pending();
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
        let process = Process {
            pid,
            output,
            input: Some(input),
        };
        if cfg!(unix) {
            process.write(GO.to_owned());
        }
        Ok((process, exit))
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

/// Its stderr leads to the pipe that is read for signs alone, or nowhere: it may repeat a line that was not understood,
/// and that is a caller's text.
fn command(launch: &Launch) -> Command {
    let mut command = waiting(launch);
    let aside = launch.aside.as_ref();
    let pipe = aside.and_then(|pipe| fs::OpenOptions::new().write(true).open(pipe).ok());
    command
        .args(&launch.args)
        .env_clear()
        .envs(&launch.env)
        .current_dir(&launch.folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(pipe.map_or_else(Stdio::null, Stdio::from));
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
}

/// The program, behind a shell that waits for [`GO`]. A shell reads a pipe byte by byte, so it takes nothing else.
#[cfg(unix)]
fn waiting(launch: &Launch) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", WAIT]).arg(&launch.program);
    command
}

/// There the program is begun at once.
#[cfg(windows)]
fn waiting(launch: &Launch) -> Command {
    Command::new(&launch.program)
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

/// What the shell waits for.
const GO: &str = "\n";
#[cfg(unix)]
const WAIT: &str = r#"read -r _ && exec "$0" "$@""#;
/// What the process may be ahead of its reader; then it waits.
const OUTPUT_CHUNKS_MAX: usize = 64;
const READ_BYTES: usize = 16 * 1024;

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::path::Path;

    /// A program that leaves a mark, and the mark.
    fn marking(folder: &Path) -> (Launch, std::path::PathBuf) {
        let mark = folder.join("ran");
        let script = r#"read -r line; printf %s "$line" > "$0""#;
        let launch = Launch {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into(), mark.clone().into()],
            env: BTreeMap::new(),
            folder: folder.to_owned(),
            aside: None,
        };
        (launch, mark)
    }

    #[test]
    fn a_program_whose_daemon_is_gone_before_it_was_listed_never_begins() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (launch, mark) = marking(folder.path());
        let mut child = command(&launch).spawn().expect("a shell starts");
        drop(child.stdin.take());
        assert!(!child.wait().expect("it ends").success());
        assert!(!mark.exists());
    }

    #[tokio::test]
    async fn a_listed_program_begins_and_reads_its_own_lines() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (launch, mark) = marking(folder.path());
        let mut listed = None;
        let (process, mut exit) =
            Process::spawn(&launch, |pid| listed = Some((pid, mark.exists()))).expect("it starts");
        process.write("first line\n".into());
        assert_eq!(listed, Some((process.pid, false)));
        assert_eq!(exit.how().await, "exit status: 0");
        assert_eq!(fs::read_to_string(mark).expect("it ran"), "first line");
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (launch, _) = marking(folder.path());
        let program = folder.path().join("none");
        let spawned = Process::spawn(&Launch { program, ..launch }, |_| ());
        let kind = spawned.err().map(|error| error.kind());
        assert_eq!(kind, Some(io::ErrorKind::NotFound));
    }
}
