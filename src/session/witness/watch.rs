//! Which files of a folder grew or were put there, as Linux tells it.
//!
//! The crate that does this for every system asks for all that can be told, on a thread of its own: each opening,
//! reading and closing of a transcript, by us too, woke it. Here nothing else is asked for than what is looked at, and
//! the runtime waits for it with everything else.

use super::wakers::Change;
use crate::sync::lock;
use rustix::fs::inotify;
use rustix::fs::inotify::CreateFlags;
use rustix::fs::inotify::ReadFlags;
use rustix::fs::inotify::Reader;
use rustix::fs::inotify::WatchFlags;
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use tokio::net::unix::pipe::Receiver;
use tokio::task::JoinHandle;

/// What the system calls a folder that is watched.
pub(super) type FolderId = i32;

/// Watches folders for as long as it is held.
pub(super) struct Watch {
    ear: Ear,
    listening: JoinHandle<()>,
}

/// Hears what the system tells; cheap to clone.
#[derive(Clone)]
pub(super) struct Ear {
    hearing: Arc<Hearing>,
}

struct Hearing {
    /// The system's queue of events; the runtime waits for it as for a pipe.
    told: Receiver,
    /// Whoever reads the queue holds it until all that was read is passed on: events keep their order.
    buffer: Mutex<Vec<MaybeUninit<u8>>>,
    changed: Changed,
}

type Changed = Box<dyn Fn(FolderId, Option<&OsStr>, Change) + Send + Sync>;

impl Watch {
    /// `changed` gets the folder and the name of the file; no name where so much changed that the system could not tell it
    /// all.
    ///
    /// # Errors
    /// Where the system has no file notification left.
    pub(super) fn start(
        changed: impl Fn(FolderId, Option<&OsStr>, Change) + Send + Sync + 'static,
    ) -> io::Result<Watch> {
        let told = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let ear = Ear {
            hearing: Arc::new(Hearing {
                told: Receiver::from_owned_fd_unchecked(told)?,
                buffer: Mutex::new(vec![MaybeUninit::uninit(); BUFFER_BYTES]),
                changed: Box::new(changed),
            }),
        };
        let listening = tokio::spawn(listen(ear.clone()));
        Ok(Watch { ear, listening })
    }

    /// For whoever cannot wait until the runtime has passed on what the system has told.
    pub(super) fn ear(&self) -> Ear {
        self.ear.clone()
    }

    fn queue(&self) -> &Receiver {
        &self.ear.hearing.told
    }

    /// # Errors
    /// Where the folder is not there, or the system watches as much as it can.
    pub(super) fn add(&mut self, folder: &Path) -> io::Result<()> {
        let grown = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO;
        let wanted = grown | WatchFlags::ONLYDIR;
        inotify::add_watch(self.queue(), folder, wanted)?;
        Ok(())
    }

    /// The same for a folder in which it is of interest that a file is there, and that it was written to its end. It
    /// ends with the folder.
    ///
    /// # Errors
    /// As above.
    pub(super) fn add_written(&mut self, folder: &Path) -> io::Result<FolderId> {
        let written = WatchFlags::MODIFY | WatchFlags::CLOSE_WRITE;
        let wanted = WatchFlags::CREATE | written | WatchFlags::ONLYDIR;
        Ok(inotify::add_watch(self.queue(), folder, wanted)?)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Ear {
    /// Passes on all that the system has told by now.
    pub(super) fn catch_up(&self) {
        drop(self.hear());
    }

    /// Passes on all that is there, which ends in an error; that nothing more is there is one, too.
    fn hear(&self) -> io::Result<()> {
        let Hearing {
            told,
            buffer,
            changed,
        } = &*self.hearing;
        let mut buffer = lock(buffer);
        let mut events = Reader::new(told, &mut buffer);
        loop {
            let event = events.next()?;
            // A folder that went away has no news for anybody.
            if event.events().contains(ReadFlags::IGNORED) {
                continue;
            }
            let name = event.file_name();
            changed(
                event.wd(),
                name.map(|name| OsStr::from_bytes(name.to_bytes())),
                change(event.events()),
            );
        }
    }
}

fn change(events: ReadFlags) -> Change {
    if events.contains(ReadFlags::CLOSE_WRITE) {
        Change::Written
    } else if events.contains(ReadFlags::MODIFY) {
        Change::Grew
    } else {
        Change::Made
    }
}

async fn listen(ear: Ear) {
    let told = &ear.hearing.told;
    while told.readable().await.is_ok() {
        let heard = told.try_io(|| ear.hear());
        if heard.is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock) {
            return;
        }
    }
}

/// Some dozens of events; more are read in the next round.
const BUFFER_BYTES: usize = 4096;
