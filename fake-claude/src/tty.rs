//! The terminal: raw mode, its size, and one wait for keyboard or wake-up.

use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::termios::OptionalActions;
use rustix::termios::Termios;

/// Stdin and stdout as a terminal in raw mode; dropped, it is as it was.
pub(crate) struct Tty {
    before: Option<Termios>,
    wake: UnixStream,
}

/// What there is to read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Bytes(Vec<u8>),
    Closed,
    Nothing,
}

impl Tty {
    /// Takes the terminal; `wake` becomes readable when another thread has something to tell.
    pub(crate) fn open(wake: UnixStream) -> Tty {
        let mut tty = Tty { before: None, wake };
        tty.raw();
        tty
    }

    /// Into raw mode.
    pub(crate) fn raw(&mut self) {
        let stdin = std::io::stdin();
        if let Ok(mut modes) = rustix::termios::tcgetattr(&stdin) {
            self.before.get_or_insert_with(|| modes.clone());
            modes.make_raw();
            let _ = rustix::termios::tcsetattr(&stdin, OptionalActions::Now, &modes);
        }
    }

    /// Back to how the terminal was.
    pub(crate) fn cooked(&self) {
        if let Some(before) = &self.before {
            let _ = rustix::termios::tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }

    /// Waits for keys, a wake-up or the end of `limit`.
    pub(crate) fn hear(&mut self, limit: Duration) -> Heard {
        let stdin = std::io::stdin();
        let keyboard = stdin.as_fd();
        let mut fds = [
            PollFd::new(&keyboard, PollFlags::IN),
            PollFd::new(&self.wake, PollFlags::IN),
        ];
        let timeout = rustix::event::Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        };
        let ready = rustix::event::poll(&mut fds, Some(&timeout));
        let (keys, woken) = (fds[0].revents(), fds[1].revents());
        if ready.is_err() {
            return Heard::Nothing;
        }
        if !woken.is_empty() {
            let _ = (&self.wake).read(&mut [0; 256]);
        }
        if keys.is_empty() {
            return Heard::Nothing;
        }
        let mut bytes = [0; READ_BYTES];
        match rustix::io::read(keyboard, &mut bytes) {
            Ok(0) => Heard::Closed,
            Ok(count) => Heard::Bytes(bytes[..count].to_vec()),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Heard::Nothing,
            Err(_) => Heard::Closed,
        }
    }
}

/// A terminal gives no more at once.
const READ_BYTES: usize = 4096;

impl Drop for Tty {
    fn drop(&mut self) {
        self.cooked();
    }
}

/// Columns and rows; a terminal that does not say is 80 by 24.
pub(crate) fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (80, 24),
    }
}

/// From now on no write to the screen has more bytes than this, wherever that cuts.
pub(crate) fn split(bytes: usize) {
    let _ = SPLIT.set(bytes.max(1));
}

static SPLIT: OnceLock<usize> = OnceLock::new();

/// Writes to the screen; a reader that has gone is noticed at the keyboard.
pub(crate) fn write(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    for piece in bytes.chunks(SPLIT.get().copied().unwrap_or(usize::MAX)) {
        let _ = out.write_all(piece);
        let _ = out.flush();
        if SPLIT.get().is_some() {
            std::thread::yield_now();
        }
    }
}
