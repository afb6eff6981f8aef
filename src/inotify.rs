//! Linux's word of changes in folders: one queue of events, which the runtime waits for as for a pipe.
//!
//! The crate that does this for every system asks for all that can be told, and wakes a thread of its own for it. Here
//! whoever watches says what is to be told, and is woken with everything else.

use rustix::fs::inotify;
use rustix::fs::inotify::CreateFlags;
use rustix::fs::inotify::Reader;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use tokio::net::unix::pipe::Receiver;

pub(crate) use rustix::fs::inotify::ReadFlags;
pub(crate) use rustix::fs::inotify::WatchFlags;

/// What the system calls a folder that is watched.
pub(crate) type FolderId = i32;

/// Folders that are watched for as long as this lives.
pub(crate) struct Inotify {
    queue: Receiver,
}

/// What the system tells of a folder.
pub(crate) struct FolderEvent<'a> {
    pub(crate) folder: FolderId,
    /// Of the file; none where it is the folder itself, or more happened than the queue could keep.
    pub(crate) name: Option<&'a OsStr>,
    pub(crate) what: ReadFlags,
}

impl Inotify {
    /// # Errors
    /// Where the system has no instance to give.
    pub(crate) fn start() -> io::Result<Inotify> {
        let queue =
            inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).map_err(no_instance)?;
        Ok(Inotify {
            queue: Receiver::from_owned_fd_unchecked(queue)?,
        })
    }

    /// # Errors
    /// Where the folder is not there, or the system watches as many as it may.
    pub(crate) fn watch(&self, folder: &Path, wanted: WatchFlags) -> io::Result<FolderId> {
        inotify::add_watch(&self.queue, folder, wanted | WatchFlags::ONLYDIR).map_err(no_watch)
    }

    /// Waits until something is told, and has it read; again until that ends well.
    ///
    /// # Errors
    /// Where nothing is told any more.
    pub(crate) async fn wait(&self, mut read: impl FnMut() -> io::Result<()>) -> io::Result<()> {
        loop {
            self.queue.readable().await?;
            match self.queue.try_io(&mut read) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }

    /// Passes on what was told, until `hear` has what it wants; what was read with that is lost.
    ///
    /// # Errors
    /// Where nothing more is there.
    pub(crate) fn read(
        &self,
        mut hear: impl FnMut(FolderEvent<'_>) -> ControlFlow<()>,
    ) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
        let mut events = Reader::new(&self.queue, &mut buffer);
        loop {
            let event = events.next()?;
            let heard = hear(FolderEvent {
                folder: event.wd(),
                name: event
                    .file_name()
                    .map(|name| OsStr::from_bytes(name.to_bytes())),
                what: event.events(),
            });
            if heard.is_break() {
                return Ok(());
            }
        }
    }

    /// Whether anything is told.
    #[cfg(test)]
    pub(crate) fn has_word(&self) -> bool {
        rustix::io::ioctl_fionread(&self.queue).is_ok_and(|bytes| bytes > 0)
    }
}

/// The system says the same of a process that has too many files open, so one is opened to tell the two apart.
fn no_instance(error: Errno) -> io::Error {
    match error {
        Errno::MFILE if File::open("/").is_ok() => io::Error::other(INSTANCES_TAKEN),
        other => other.into(),
    }
}

/// The system says that a disk is full.
fn no_watch(error: Errno) -> io::Error {
    match error {
        Errno::NOSPC => io::Error::other(WATCHES_TAKEN),
        other => other.into(),
    }
}

const INSTANCES_TAKEN: &str = "this user's programs hold all inotify instances that they may; allow more by \
                               `sudo sysctl fs.inotify.max_user_instances=1024`, or end some of them";
const WATCHES_TAKEN: &str = "this user's programs watch as many files as they may; allow more by \
                             `sudo sysctl fs.inotify.max_user_watches=1048576`, or end some of them";

/// Some dozens of events; more are read in the next round.
const BUFFER_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_has_none_left_of_is_told_with_the_next_step() {
        let told = |error: io::Error| error.to_string();
        assert!(told(no_instance(Errno::MFILE)).contains("sysctl fs.inotify.max_user_instances="));
        assert!(told(no_watch(Errno::NOSPC)).contains("sysctl fs.inotify.max_user_watches="));
        assert_eq!(no_watch(Errno::NOENT).kind(), io::ErrorKind::NotFound);
        assert_eq!(told(no_instance(Errno::NFILE)), told(Errno::NFILE.into()));
    }
}
