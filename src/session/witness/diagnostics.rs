//! The pipe in which a session tells of its requests.
//!
//! It is read at once, whatever is said: the CLI waits where it is full.

use super::request_sign::RequestSign;
use super::request_sign::RequestSigns;
use crate::session::transcript_pipe::make_pipe;
use std::io;
use std::path::Path;
use tokio::net::unix::pipe;

/// One session's pipe.
pub(crate) struct Diagnostics {
    pipe: pipe::Receiver,
    lines: RequestSigns,
}

/// What is said next of a request; without a pipe, nothing ever. Cancel safe.
pub(crate) async fn next(diagnostics: Option<&mut Diagnostics>) -> Vec<RequestSign> {
    match diagnostics {
        Some(diagnostics) => diagnostics.next().await,
        None => std::future::pending().await,
    }
}

impl Diagnostics {
    /// Makes the pipe, before anybody writes to it.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub(crate) fn open(path: &Path) -> io::Result<Diagnostics> {
        make_pipe(path)?;
        // Held at its other end, too, it comes to no end while nobody has it open yet.
        let pipe = pipe::OpenOptions::new()
            .read_write(true)
            .open_receiver(path)?;
        Ok(Diagnostics {
            pipe,
            lines: RequestSigns::default(),
        })
    }

    /// What is there already. Another witness may be told of sooner, though what is said here was said before.
    pub(crate) fn read(&mut self) -> Vec<RequestSign> {
        let mut piece = [0; READ_BYTES];
        let mut said = Vec::new();
        for _ in 0..READS_MAX {
            match rustix::io::read(&self.pipe, &mut piece) {
                Ok(read @ 1..) => {
                    said.extend(self.lines.push(piece.get(..read).unwrap_or_default()))
                }
                Ok(0) | Err(_) => break,
            }
        }
        said
    }

    /// What is said next of a request. Cancel safe.
    pub(crate) async fn next(&mut self) -> Vec<RequestSign> {
        let mut piece = [0; READ_BYTES];
        loop {
            if self.pipe.readable().await.is_err() {
                return std::future::pending().await;
            }
            let Ok(read) = self.pipe.try_read(&mut piece) else {
                continue;
            };
            let said = self.lines.push(piece.get(..read).unwrap_or_default());
            if !said.is_empty() {
                return said;
            }
        }
    }
}

/// What is taken of the pipe at once; it holds 64 KiB.
const READ_BYTES: usize = 16 * 1024;
/// Pieces that a full pipe has: what comes meanwhile is read in its turn.
const READS_MAX: usize = 4;
