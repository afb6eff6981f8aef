//! A process on a pseudo-terminal: bytes in and out, and its end told once.

use super::ends;
use crate::session::launch::Launch;
use crate::terminal::Size;
use portable_pty::CommandBuilder;
use portable_pty::PtySize;
use portable_pty::native_pty_system;
use std::fs;
use std::io;
use std::thread;
use tokio::sync::oneshot;

/// A running process.
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// What it draws; closed when the terminal is.
    pub(crate) output: ends::Output,
    input: ends::Input,
    /// Held so that the terminal stays open.
    _master: Box<dyn portable_pty::MasterPty + Send>,
}

/// The end of a process, told once.
#[derive(Debug)]
pub(crate) struct Exit(oneshot::Receiver<String>);

impl Exit {
    /// An end that is still to come, and where it is told.
    pub(crate) fn pending() -> (oneshot::Sender<String>, Exit) {
        let (told, exit) = oneshot::channel();
        (told, Exit(exit))
    }

    /// Waits for the end; says in words how it was.
    pub(crate) async fn how(&mut self) -> String {
        let how = (&mut self.0).await;
        how.unwrap_or_else(|_| "unseen".to_owned())
    }
}

impl Process {
    /// Starts the process in a session and process group of its own.
    ///
    /// # Errors
    /// Where there is no pseudo-terminal, no such program, or no thread to be had.
    pub(crate) fn spawn(launch: &Launch) -> io::Result<(Process, Exit)> {
        Process::spawn_sized(launch, Size::SESSION)
    }

    /// The same, on a terminal of another size.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn spawn_sized(launch: &Launch, size: Size) -> io::Result<(Process, Exit)> {
        let size = PtySize {
            rows: size.rows,
            cols: size.columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system()
            .openpty(size)
            .map_err(io::Error::other)?;
        let (output, input) = ends::open(&*pair.master)?;
        if launch.aside.is_some() {
            fs::metadata(&launch.program)?; // The shell before it would be there all the same.
        }
        let mut child = pair
            .slave
            .spawn_command(command(launch))
            .map_err(io::Error::other)?;
        drop(pair.slave);
        let pid = child
            .process_id()
            .ok_or_else(|| io::Error::other("the process has no id"))?;
        let (exit_tx, exit) = Exit::pending();
        thread("pty-wait", move || {
            let how = child
                .wait()
                .map_or_else(|error| error.to_string(), |status| status.to_string());
            drop(exit_tx.send(how));
        })?;
        let process = Process {
            pid,
            output,
            input,
            _master: pair.master,
        };
        Ok((process, exit))
    }

    /// Hands keystrokes to the terminal; a process that is gone takes none.
    pub(crate) fn write(&self, keys: Vec<u8>) {
        self.input.write(&keys);
    }
}

fn command(launch: &Launch) -> CommandBuilder {
    let mut command = match &launch.aside {
        None => CommandBuilder::new(&launch.program),
        Some(aside) => {
            let mut command = CommandBuilder::new("/bin/sh");
            command.args(["-c", ASIDE]);
            command.args([launch.program.as_os_str(), aside.as_os_str()]);
            command
        }
    };
    command.args(&launch.args);
    command.env_clear();
    for (name, value) in &launch.env {
        command.env(name, value);
    }
    command.cwd(&launch.folder);
    command
}

/// A thread that only moves bytes.
///
/// # Errors
/// Where the system gives none.
pub(crate) fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .stack_size(THREAD_STACK_BYTES)
        .spawn(run)
        .map(drop)
}

/// Becomes the program, whose stderr leads aside.
const ASIDE: &str = r#"aside=$1; shift; exec "$0" "$@" 2>"$aside""#;
/// The threads only move bytes, or wait.
const THREAD_STACK_BYTES: usize = 128 * 1024;
