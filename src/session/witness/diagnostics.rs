//! The pipe in which a session tells of its requests.
//!
//! It is read at once, whatever is said: the CLI waits where it is full.

use super::request_sign::RequestSign;
use super::request_sign::RequestSigns;
use crate::session::transcript_pipe::make_pipe;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use tokio::net::unix::pipe;

/// One session's pipe.
pub(crate) struct Diagnostics {
    pipe: pipe::Receiver,
    lines: RequestSigns,
    /// Set where the CLI does not know how to tell of them.
    tells_nothing: Arc<AtomicBool>,
}

/// What is said next of a request; without a pipe, nothing ever. Cancel safe.
pub(crate) async fn next(diagnostics: Option<&mut Diagnostics>) -> Vec<RequestSign> {
    match diagnostics {
        Some(diagnostics) => diagnostics.next().await,
        None => std::future::pending().await,
    }
}

/// What is said already; without a pipe, nothing. Another witness may be told of sooner, though what is said here was said
/// before.
pub(crate) fn read(diagnostics: Option<&mut Diagnostics>) -> Vec<RequestSign> {
    diagnostics.map(Diagnostics::read).unwrap_or_default()
}

impl Diagnostics {
    /// Makes the pipe, before anybody writes to it.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub(crate) fn open(path: &Path, tells_nothing: Arc<AtomicBool>) -> io::Result<Diagnostics> {
        make_pipe(path)?;
        // Held at its other end, too, it comes to no end while nobody has it open yet.
        let pipe = pipe::OpenOptions::new()
            .read_write(true)
            .open_receiver(path)?;
        Ok(Diagnostics {
            pipe,
            lines: RequestSigns::default(),
            tells_nothing,
        })
    }

    /// What is there already, whether the runtime knows of it or not.
    fn read(&mut self) -> Vec<RequestSign> {
        let mut piece = [0; READ_BYTES];
        let mut said = Vec::new();
        for _ in 0..READS_MAX {
            match rustix::io::read(&self.pipe, &mut piece) {
                Ok(read @ 1..) => said.extend(self.heard(piece.get(..read).unwrap_or_default())),
                Ok(0) | Err(_) => break,
            }
        }
        said
    }

    /// What is said next of a request. Cancel safe.
    async fn next(&mut self) -> Vec<RequestSign> {
        let mut piece = [0; READ_BYTES];
        loop {
            if self.pipe.readable().await.is_err() {
                return std::future::pending().await;
            }
            let Ok(read) = self.pipe.try_read(&mut piece) else {
                continue;
            };
            let said = self.heard(piece.get(..read).unwrap_or_default());
            if !said.is_empty() {
                return said;
            }
        }
    }

    fn heard(&mut self, piece: &[u8]) -> Vec<RequestSign> {
        let said = self.lines.push(piece);
        if said.contains(&RequestSign::Unknown) {
            self.tells_nothing.store(true, Ordering::Relaxed);
        }
        said
    }
}

/// What is taken of the pipe at once; it holds 64 KiB.
const READ_BYTES: usize = 16 * 1024;
/// Pieces that a full pipe has: what comes meanwhile is read in its turn.
const READS_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write;
    use std::pin::pin;
    use std::task::Context;
    use std::task::Poll;
    use std::task::Waker;

    const SENT: &str =
        "2026-11-30T01:03:29.519Z [DEBUG] [API REQUEST] /v1/messages source=repl_main_thread\n";

    /// A pipe, what it tells, and its other end.
    fn opened() -> (tempfile::TempDir, Diagnostics, Arc<AtomicBool>, File) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("diagnostics");
        let tells_nothing = Arc::new(AtomicBool::new(false));
        let diagnostics = Diagnostics::open(&path, Arc::clone(&tells_nothing)).expect("a pipe");
        let writer = File::options().write(true).open(path).expect("it opens");
        (folder, diagnostics, tells_nothing, writer)
    }

    fn is_told(diagnostics: &mut Diagnostics) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        let told = pin!(diagnostics.next()).poll(&mut context);
        matches!(told, Poll::Ready(_))
    }

    /// The runtime looks at its pipes between two polls of a task and not within one.
    #[tokio::test]
    async fn what_was_said_is_read_before_the_runtime_tells_of_it() {
        let (_folder, mut diagnostics, _, mut writer) = opened();
        writer.write_all(SENT.as_bytes()).expect("it is written");
        assert!(!is_told(&mut diagnostics));
        assert_eq!(read(Some(&mut diagnostics)), [RequestSign::Sent]);
        assert_eq!(read(Some(&mut diagnostics)), []);
        assert_eq!(read(None), []);
        writer.write_all(SENT.as_bytes()).expect("it is written");
        assert_eq!(next(Some(&mut diagnostics)).await, [RequestSign::Sent]);
    }

    #[tokio::test]
    async fn a_cli_that_knows_no_such_lines_is_remembered() {
        let (_folder, mut diagnostics, tells_nothing, mut writer) = opened();
        writer.write_all(SENT.as_bytes()).expect("it is written");
        read(Some(&mut diagnostics));
        assert!(!tells_nothing.load(Ordering::Relaxed));
        let unknown = b"error: unknown option '--debug-to-stderr'\n";
        writer.write_all(unknown).expect("it is written");
        assert_eq!(next(Some(&mut diagnostics)).await, [RequestSign::Unknown]);
        assert!(tells_nothing.load(Ordering::Relaxed));
    }
}
