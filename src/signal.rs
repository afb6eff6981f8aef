//! What tells a process to stop: a signal of the user, of the system, or of a terminal that is closed.

use std::io;

/// Listens for it. From the moment that it is made, no such signal ends the process by itself.
#[cfg(unix)]
pub(crate) struct Stop {
    term: tokio::signal::unix::Signal,
    int: tokio::signal::unix::Signal,
    /// `None`: hang-ups are to be ignored, as `nohup` has it.
    hup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Stop {
    /// # Errors
    /// Where the system has no signals to give.
    pub(crate) fn listen() -> io::Result<Stop> {
        use tokio::signal::unix::SignalKind;
        use tokio::signal::unix::signal;
        let hup = hears_hangups().then(|| signal(SignalKind::hangup()));
        Ok(Stop {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: hup.transpose()?,
        })
    }

    /// The next one, or one that came since the last.
    pub(crate) async fn heard(&mut self) {
        let hung_up = async {
            match &mut self.hup {
                Some(hup) => hup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
            _ = hung_up => {}
        }
    }
}

/// Whether a hang-up would end this process, and is not ignored. Where nobody can say, it is left to the system.
#[cfg(unix)]
fn hears_hangups() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & HANGUP == 0)
}

/// The first signal's bit.
#[cfg(unix)]
const HANGUP: u64 = 1;

/// Listens for it. From the moment that it is made, no such signal ends the process by itself.
#[cfg(windows)]
pub(crate) struct Stop {
    c: tokio::signal::windows::CtrlC,
    pause: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
}

#[cfg(windows)]
impl Stop {
    /// # Errors
    /// Where the system has no signals to give.
    pub(crate) fn listen() -> io::Result<Stop> {
        use tokio::signal::windows;
        Ok(Stop {
            c: windows::ctrl_c()?,
            pause: windows::ctrl_break()?,
            close: windows::ctrl_close()?,
        })
    }

    /// The next one, or one that came since the last.
    pub(crate) async fn heard(&mut self) {
        tokio::select! {
            _ = self.c.recv() => {}
            _ = self.pause.recv() => {}
            _ = self.close.recv() => {}
        }
    }
}
