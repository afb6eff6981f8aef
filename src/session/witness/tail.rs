//! Transcripts as they grow: one watcher for all, which wakes the session whose file it is.

use super::copies::COPY;
use super::copies::Copies;
use super::copies::Seen;
use super::line::Lines;
use super::record::Record;
use super::wakers::Wakers;
use super::watch::Watch;
use crate::disk::make_private_folder;
use crate::sync::lock;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use tokio::sync::Notify;

/// The watcher; cheap to clone.
#[derive(Clone)]
pub(crate) struct Tails {
    shared: Arc<Mutex<Shared>>,
    wakers: Wakers,
}

struct Shared {
    watch: Watch,
    folders: HashSet<PathBuf>,
}

/// One transcript being read.
pub(crate) struct Tail {
    path: PathBuf,
    /// Open, and read up to the offset; a file that is not there yet is `None`.
    file: Option<File>,
    offset: u64,
    lines: Lines,
    pub(crate) grew: Arc<Notify>,
    wakers: Wakers,
}

impl Tails {
    /// # Errors
    /// Where the system has no file notification.
    pub(crate) fn start() -> io::Result<Tails> {
        let wakers = Wakers::default();
        let woken = wakers.clone();
        let shared = Shared {
            watch: Watch::start(move |folder, name, change| woken.wake(folder, name, change))?,
            folders: HashSet::new(),
        };
        Ok(Tails {
            shared: Arc::new(Mutex::new(shared)),
            wakers,
        })
    }

    /// Follows a transcript from an offset on; the file need not exist yet.
    ///
    /// # Errors
    /// Where its folder cannot be made or watched.
    pub(crate) fn follow(&self, path: &Path, offset: u64) -> io::Result<Tail> {
        let folder = path.parent().unwrap_or(Path::new("."));
        self.watch(folder)?;
        let grew = self.wakers.file(path.file_name().unwrap_or_default());
        // What was written before the watch began is read at once.
        grew.notify_one();
        Ok(Tail {
            path: path.to_owned(),
            file: None,
            offset,
            lines: Lines::default(),
            grew,
            wakers: self.wakers.clone(),
        })
    }

    /// Follows what the CLI copies into a folder, which is made.
    ///
    /// # Errors
    /// Where it cannot be made or watched, or this system does not tell when a file was written.
    pub(crate) fn copies(&self, folder: &Path) -> io::Result<Copies> {
        make_private_folder(folder)?;
        let mut shared = self.shared();
        let id = shared.watch.add_written(folder)?;
        let ear = shared.watch.ear();
        drop(shared);
        let (came, told) = self.wakers.folder(id, COPY);
        Ok(Copies {
            folder: folder.to_owned(),
            id,
            wakers: self.wakers.clone(),
            ear,
            came,
            told,
            seen: Seen::default(),
        })
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }

    fn watch(&self, folder: &Path) -> io::Result<()> {
        let mut shared = self.shared();
        if !shared.folders.contains(folder) {
            std::fs::create_dir_all(folder)?;
            shared.watch.add(folder)?;
            shared.folders.insert(folder.to_owned());
        }
        Ok(())
    }
}

impl Tail {
    pub(crate) fn is_of(&self, path: &Path) -> bool {
        self.path == path
    }

    /// The records that came since the last read. A file that is not there has none.
    pub(crate) fn read(&mut self) -> Vec<Record> {
        let more = self.read_bytes().unwrap_or_default();
        self.lines.push(&more)
    }

    /// Where nothing new is in the file that is open, another one may be in its place by now.
    fn read_bytes(&mut self) -> io::Result<Vec<u8>> {
        let was_open = self.file.is_some();
        let more = self.read_on()?;
        if more.is_empty() && was_open {
            self.file = None;
            return self.read_on();
        }
        Ok(more)
    }

    fn read_on(&mut self) -> io::Result<Vec<u8>> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => open(&self.path, self.offset)?,
        };
        let more = read_to_end(&mut file)?;
        self.offset += more.len() as u64;
        self.file = Some(file);
        if more.len() >= READ_BYTES_MAX {
            self.grew.notify_one();
        }
        Ok(more)
    }
}

fn open(path: &Path, offset: u64) -> io::Result<File> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    Ok(file)
}

/// Less than a whole piece is a file's end, for now.
fn read_to_end(file: &mut File) -> io::Result<Vec<u8>> {
    let mut more = Vec::new();
    let mut piece = [0; PIECE_BYTES];
    loop {
        let read = file.read(&mut piece)?;
        more.extend_from_slice(&piece[..read]);
        if read < PIECE_BYTES || more.len() >= READ_BYTES_MAX {
            return Ok(more);
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let name = self.path.file_name().unwrap_or_default();
        self.wakers.forget_file(name);
    }
}

/// Read at once; what is left wakes the reader again.
const READ_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most of what is written at a time is one record of a kilobyte or two.
const PIECE_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn append(path: &Path, text: &str) {
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .expect("a file can be opened");
        file.write_all(text.as_bytes())
            .expect("a file can be written");
    }

    #[tokio::test]
    async fn growth_wakes_and_our_own_reading_does_not() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let tails = Tails::start().expect("files can be watched");
        let (one, other) = (folder.path().join("a.jsonl"), folder.path().join("b.jsonl"));
        let mut read = tails.follow(&one, 0).expect("a file can be followed");
        let after = tails.follow(&other, 0).expect("a file can be followed");
        // To be followed wakes as well; what is waited for below is what the system tells.
        after.grew.notified().await;
        append(&one, "{\"type\":\"user\"}\n");
        read.grew.notified().await;
        drop(read.read());
        // Whatever else the growth is told by comes before this.
        append(&other, "x\n");
        after.grew.notified().await;
        let grew = Arc::clone(&read.grew);
        drop(tokio::time::timeout(std::time::Duration::ZERO, grew.notified()).await);
        assert!(read.read().is_empty());
        append(&other, "y\n");
        after.grew.notified().await;
        let woken = tokio::time::timeout(std::time::Duration::ZERO, grew.notified()).await;
        assert!(woken.is_err(), "reading has woken its reader");
    }

    #[tokio::test]
    async fn a_file_that_is_put_in_the_place_of_another_is_read_on() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let tails = Tails::start().expect("files can be watched");
        let (path, next) = (folder.path().join("a.jsonl"), folder.path().join("next"));
        append(&path, "{\"type\":\"user\"}\n");
        let mut tail = tails.follow(&path, 0).expect("a file can be followed");
        tail.grew.notified().await;
        assert_eq!(tail.read().len(), 1);
        append(&next, "{\"type\":\"user\"}\n{\"type\":\"user\"}\n");
        std::fs::rename(&next, &path).expect("a file can be put in place");
        tail.grew.notified().await;
        assert_eq!(tail.read().len(), 1);
    }
}
