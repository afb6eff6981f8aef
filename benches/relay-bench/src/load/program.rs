//! A program that says in its first line where it listens, and ends with this one.

use super::process::EndMode;
use super::process::end_group;
use super::usage::Usage;
use std::ffi::OsStr;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncBufReadExt;
use tokio::io::BufReader;
use tokio::process::Child;
use tokio::process::Command;

/// A running program; dropping it ends it.
pub(crate) struct Program {
    pub(crate) address: SocketAddr,
    pid: u32,
    child: Child,
}

impl Program {
    /// # Errors
    /// Where it does not come up.
    pub(crate) async fn start<S: AsRef<OsStr>>(
        program: &Path,
        args: impl IntoIterator<Item = S>,
    ) -> io::Result<Program> {
        let mut command = Command::new(program);
        command
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        command.process_group(0);
        let mut child = command.spawn()?;
        let out = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut lines = BufReader::new(out).lines();
        let line = tokio::time::timeout(START_WAIT_MAX, lines.next_line()).await??;
        let address = line.as_deref().and_then(|line| line.split_once("address="));
        let address = address.and_then(|(_, address)| address.parse().ok());
        Ok(Program {
            address: address.ok_or_else(|| io::Error::other("it did not say where it listens"))?,
            pid: child.id().unwrap_or(0),
            child,
        })
    }

    pub(crate) fn usage(&self) -> Option<Usage> {
        Usage::of(self.pid)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            end_group(self.pid, EndMode::Forced);
        }
    }
}

/// It listens within milliseconds; a very busy machine is given this.
const START_WAIT_MAX: Duration = Duration::from_secs(20);
