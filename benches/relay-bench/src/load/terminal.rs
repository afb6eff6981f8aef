//! A program on a pseudo-terminal: what it draws comes without a thread between, as the relay itself has it.

use super::process::EndMode;
use super::process::end_group;
use filedescriptor::FileDescriptor;
use portable_pty::Child;
use portable_pty::CommandBuilder;
use portable_pty::MasterPty;
use portable_pty::PtySize;
use portable_pty::native_pty_system;
use rustix::fs::OFlags;
use rustix::fs::fcntl_getfl;
use rustix::fs::fcntl_setfl;
use std::io;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::fd::RawFd;
use tokio::net::unix::pipe::Receiver;

/// A running program; dropping it ends it with all that it started.
pub(crate) struct Terminal {
    output: Receiver,
    input: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    /// Held so that the terminal stays open.
    _master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    /// # Errors
    /// Where there is no pseudo-terminal, or no such program.
    pub(crate) fn spawn(command: CommandBuilder) -> io::Result<Terminal> {
        let size = PtySize {
            rows: ROWS,
            cols: COLUMNS,
            ..PtySize::default()
        };
        let pair = native_pty_system()
            .openpty(size)
            .map_err(io::Error::other)?;
        let output = Receiver::from_file_unchecked(readable(&*pair.master)?)?;
        let input = pair.master.take_writer().map_err(io::Error::other)?;
        let child = pair
            .slave
            .spawn_command(command)
            .map_err(io::Error::other)?;
        Ok(Terminal {
            output,
            input,
            child,
            _master: pair.master,
        })
    }

    /// Types these keys.
    ///
    /// # Errors
    /// Where the terminal is closed.
    pub(crate) fn write(&mut self, keys: &[u8]) -> io::Result<()> {
        self.input.write_all(keys)?;
        self.input.flush()
    }

    /// What it draws next. Cancel safe.
    ///
    /// # Errors
    /// Where it has ended.
    pub(crate) async fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut piece = [0; READ_BYTES];
        loop {
            self.output.readable().await?;
            match self.output.try_read(&mut piece) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => return Ok(piece[..read?].to_vec()),
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        end_group(self.child.process_id().unwrap_or(0), EndMode::Forced);
        drop(self.child.wait());
    }
}

/// A descriptor of the same terminal, which nobody has to wait at.
fn readable(master: &dyn MasterPty) -> io::Result<std::fs::File> {
    let own = Raw(master.as_raw_fd().ok_or(io::ErrorKind::NotFound)?);
    let copied = FileDescriptor::dup(&own).and_then(|copy| copy.as_file());
    let file = copied.map_err(io::Error::other)?;
    fcntl_setfl(&file, fcntl_getfl(&file)? | OFlags::NONBLOCK)?;
    Ok(file)
}

/// The terminal's own descriptor, to be copied.
struct Raw(RawFd);

impl AsRawFd for Raw {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

/// As large as a session's of the relay.
pub(crate) const ROWS: u16 = 40;
pub(crate) const COLUMNS: u16 = 120;
/// No system's terminal gives more at once.
const READ_BYTES: usize = 4096;
