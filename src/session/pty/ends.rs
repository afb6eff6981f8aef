//! Our end of a pseudo-terminal, without a thread: what is shown is read when the system says that there is something,
//! and keystrokes are written at once, as far as the terminal takes them.
//!
//! Two threads that only moved bytes stood here before; each piece woke one, which woke the session. The runtime waits
//! for any descriptor, but what it has for that without unsafe is named for pipes.

use crate::sync::lock;
use filedescriptor::FileDescriptor;
use portable_pty::MasterPty;
use rustix::fs::OFlags;
use rustix::fs::fcntl_getfl;
use rustix::fs::fcntl_setfl;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use tokio::net::unix::pipe::Receiver;
use tokio::net::unix::pipe::Sender;

/// What the process draws.
pub(crate) struct Output(Receiver);

/// Where keystrokes go.
pub(super) struct Input(Arc<Terminal>);

struct Terminal {
    keys: Sender,
    /// What the terminal has not taken yet. Invariant: while it is not empty, a task sees to it.
    behind: Mutex<VecDeque<u8>>,
}

/// Both directions of a terminal.
///
/// # Errors
/// Where the system gives no more descriptors.
pub(super) fn open(master: &dyn MasterPty) -> io::Result<(Output, Input)> {
    let own = Raw(master.as_raw_fd().ok_or(io::ErrorKind::NotFound)?);
    let output = Receiver::from_file_unchecked(copy(&own)?)?;
    let keys = Sender::from_file_unchecked(copy(&own)?)?;
    let behind = Mutex::default();
    Ok((Output(output), Input(Arc::new(Terminal { keys, behind }))))
}

/// A descriptor of the same terminal, which nobody has to wait at.
fn copy(own: &Raw) -> io::Result<File> {
    let copied = FileDescriptor::dup(own).and_then(|copy| copy.as_file());
    let file = copied.map_err(io::Error::other)?;
    fcntl_setfl(&file, fcntl_getfl(&file)? | OFlags::NONBLOCK)?;
    Ok(file)
}

impl Output {
    /// What comes next; `None` once the terminal is closed. It loses nothing where it is not waited for to the end.
    pub(crate) async fn recv(&mut self) -> Option<Vec<u8>> {
        loop {
            self.0.readable().await.ok()?;
            match self.try_recv() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read.ok(),
            }
        }
    }

    /// What is there already.
    ///
    /// # Errors
    /// Where nothing is, or nothing will come any more.
    pub(crate) fn try_recv(&mut self) -> io::Result<Vec<u8>> {
        let mut piece = [0; READ_BYTES];
        match self.0.try_read(&mut piece)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(piece[..read].to_vec()),
        }
    }
}

impl Input {
    pub(super) fn write(&self, keys: &[u8]) {
        let mut behind = self.0.behind();
        let is_seen_to = !behind.is_empty();
        behind.extend(keys);
        if !is_seen_to && !self.0.push(&mut behind) {
            drop(tokio::spawn(catch_up(Arc::clone(&self.0))));
        }
    }
}

impl Terminal {
    /// Gives the terminal what it takes now; whether that was all. One that is closed takes everything.
    fn push(&self, behind: &mut VecDeque<u8>) -> bool {
        while !behind.is_empty() {
            match self.keys.try_write(behind.as_slices().0) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Ok(0) | Err(_) => behind.clear(),
                Ok(taken) => drop(behind.drain(..taken)),
            }
        }
        true
    }

    fn behind(&self) -> MutexGuard<'_, VecDeque<u8>> {
        lock(&self.behind)
    }
}

/// Writes what a terminal was not ready for, in its order.
async fn catch_up(terminal: Arc<Terminal>) {
    while terminal.keys.writable().await.is_ok() {
        if terminal.push(&mut terminal.behind()) {
            return;
        }
    }
}

/// The terminal's own descriptor, to be copied.
struct Raw(RawFd);

impl AsRawFd for Raw {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

/// No system's terminal gives more at once.
const READ_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use portable_pty::PtySize;
    use portable_pty::native_pty_system;
    use rustix::termios::OptionalActions;
    use rustix::termios::tcgetattr;
    use rustix::termios::tcsetattr;
    use std::io::Read;
    use std::io::Write;
    use std::time::Duration;

    #[tokio::test]
    async fn more_keys_than_a_terminal_takes_at_once_arrive_in_their_order() {
        let pair = native_pty_system()
            .openpty(PtySize::default())
            .expect("a terminal can be had");
        let name = pair.master.tty_name().expect("it has a name");
        let mut program = File::options()
            .read(true)
            .write(true)
            .open(name)
            .expect("its other end opens");
        let mut modes = tcgetattr(&program).expect("it has modes");
        modes.make_raw();
        tcsetattr(&program, OptionalActions::Now, &modes).expect("it takes modes");
        let (mut output, input) = open(&*pair.master).expect("our end opens");
        let keys: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
        input.write(&keys[..200_000]);
        input.write(&keys[200_000..]);
        let expected = keys.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let mut heard = vec![0; expected.len()];
            program.read_exact(&mut heard).expect("all of it comes");
            program.write_all(b"done").expect("it can answer");
            (heard == expected, program)
        });
        let said = tokio::time::timeout(Duration::from_secs(20), output.recv()).await;
        assert_eq!(said, Ok(Some(b"done".to_vec())));
        let (equal, program) = reading.await.expect("it read");
        assert!(equal);
        drop((program, pair.slave));
        assert_eq!(output.recv().await, None);
    }
}
