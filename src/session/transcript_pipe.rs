//! A transcript that is still to be written: a pipe in its place, at which a launched session waits.
//!
//! A launch costs the CLI half a second of work before it looks at the conversation it is to take up. A primed session
//! has done that work and waits in its read of the transcript; when a call comes, the conversation goes through the
//! pipe, and the turn begins at once, with any content exactly as it is. The pipe's name is taken away as soon as the
//! session waits at it, so that no other program that looks through transcripts is caught there; that it is the
//! session that waits is checked first. A file of the same text takes the name before the first byte is sent, so that
//! the CLI goes on writing to an ordinary transcript.
//!
//! The alternative that lost was to type every prompt: the prompt box trims, folds, normalises and obeys.

use super::pty::spawn::thread;
use crate::disk::write_private;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use tokio::sync::oneshot;

/// A pipe that a session reads, or will read.
#[derive(Debug)]
pub(crate) struct TranscriptPipe {
    pub(crate) path: PathBuf,
    /// Brings the writing end, once somebody waits at the other.
    reached: oneshot::Receiver<File>,
    /// The writing end.
    reader: Option<File>,
}

impl TranscriptPipe {
    /// Whether this system has pipes with names.
    pub(crate) const fn is_possible() -> bool {
        cfg!(target_os = "linux")
    }

    /// Puts a pipe where the transcript will be, and waits beside it for its reader.
    ///
    /// # Errors
    /// Where there can be no such pipe, or no thread.
    pub(crate) fn place(path: &Path) -> io::Result<TranscriptPipe> {
        make_pipe(path)?;
        let (reached_tx, reached) = oneshot::channel();
        let pipe = path.to_owned();
        // Opening for writing waits for the reader; a session that never comes is let go by the drop.
        thread("transcript_pipe", move || {
            if let Ok(file) = File::options().write(true).open(&pipe) {
                let _ = reached_tx.send(file); // The session may be gone by now.
            }
        })?;
        Ok(TranscriptPipe {
            path: path.to_owned(),
            reached,
            reader: None,
        })
    }

    /// Waits until the session waits at the pipe, and takes the pipe's name away, so that no other program finds a pipe
    /// there. A second time it waits for ever, as for a session that does not come; its start's limit ends that one.
    ///
    /// # Errors
    /// Where it is not the session that waits: another program opened what it took for a transcript.
    pub(crate) async fn met(&mut self, pid: u32) -> io::Result<()> {
        if self.reader.is_none()
            && let Ok(reader) = (&mut self.reached).await
        {
            self.reader = Some(reader);
            return self.hide(pid);
        }
        std::future::pending().await
    }

    /// Whether the session waits at the pipe.
    pub(crate) fn is_met(&self) -> bool {
        self.reader.is_some()
    }

    fn hide(&self, pid: u32) -> io::Result<()> {
        let waits = (0..LOOKS_MAX).any(|_| {
            let waits = is_held_by(&self.path, pid);
            if !waits {
                std::thread::yield_now();
            }
            waits
        });
        fs::remove_file(&self.path)?;
        if waits {
            Ok(())
        } else {
            Err(io::Error::other("another program reads the pipe"))
        }
    }

    /// Writes the transcript: the file first, then the same through the pipe.
    ///
    /// # Errors
    /// Where nobody waits at the pipe, or the file cannot be written.
    pub(crate) fn tell(mut self, text: String) -> io::Result<()> {
        let mut reader = self.reader.take().ok_or(io::ErrorKind::NotFound)?;
        write_private(&self.path, text.as_bytes(), 0o600)?;
        // A pipe takes 64 KiB at a time, and the rest as the reader goes.
        let mut write = move || reader.write_all(text.as_bytes());
        thread("transcript_pipe", move || {
            if let Err(error) = write() {
                tracing::warn!(%error, "a primed session read no further");
            }
        })
    }
}

impl Drop for TranscriptPipe {
    /// Lets go of a thread that still waits for a reader.
    fn drop(&mut self) {
        if is_pipe(&self.path) {
            let mut options = File::options();
            options.read(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::custom_flags(
                &mut options,
                i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default(),
            );
            drop(options.open(&self.path));
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Looks for the reader. The system lets the writer go on a moment before it has given the reader its descriptor, and a
/// busy machine may run others in between; one look costs 0.1 ms.
const LOOKS_MAX: usize = 200;

/// Whether the process has this very file open.
#[cfg(target_os = "linux")]
fn is_held_by(path: &Path, pid: u32) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &Path| fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
    let wanted = identity(path);
    let open = fs::read_dir(format!("/proc/{pid}/fd"));
    let mut open = open.into_iter().flatten().flatten();
    wanted.is_some() && open.any(|entry| identity(&entry.path()) == wanted)
}

#[cfg(not(target_os = "linux"))]
fn is_held_by(_path: &Path, _pid: u32) -> bool {
    false
}

/// Whether a pipe has this name: whoever opened it to read would wait, and be taken for the session.
pub(super) fn is_pipe(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_fifo())
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Makes a pipe with a name, for this user only.
///
/// # Errors
/// Where it cannot be made, or where this system has none.
#[cfg(target_os = "linux")]
pub(crate) fn make_pipe(path: &Path) -> io::Result<()> {
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0)?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn make_pipe(_path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io::Read;
    use std::thread;

    #[tokio::test]
    async fn a_reader_gets_the_text_and_finds_a_file_in_the_pipes_place() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("t.jsonl");
        let mut transcript_pipe = TranscriptPipe::place(&path).expect("pipes exist here");
        let read = path.clone();
        let reader = thread::spawn(move || fs::read_to_string(read));
        let met = transcript_pipe.met(std::process::id()).await;
        met.expect("the reader is this process");
        assert!(!path.exists());
        let text = "line\n".repeat(50_000);
        transcript_pipe
            .tell(text.clone())
            .expect("the file is written");
        let got = reader.join().expect("the reader ended");
        assert_eq!(got.expect("the pipe was read"), text);
        let mut file = String::new();
        File::open(&path)
            .and_then(|mut open| open.read_to_string(&mut file))
            .expect("a file is there");
        assert_eq!(file, text);
    }

    #[test]
    fn a_pipe_that_nobody_reads_goes_with_its_primer() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("t.jsonl");
        drop(TranscriptPipe::place(&path).expect("pipes exist here"));
        assert!(!path.exists());
    }
}
