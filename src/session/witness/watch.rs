//! Which files of a folder grew or were put there, as Linux tells it.
//!
//! The crate that does this for every system asks for all that can be told, on a thread of its own: each opening,
//! reading and closing of a transcript, by us too, woke it. Here nothing else is asked for than what is looked at, and
//! the runtime waits for it with everything else.

use super::wakers::Change;
use crate::inotify::FolderEvent;
use crate::inotify::Inotify;
use crate::inotify::ReadFlags;
use crate::inotify::WatchFlags;
use crate::sync::lock;
use std::ffi::OsStr;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use tokio::task::JoinHandle;

pub(super) use crate::inotify::FolderId;

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
    inotify: Inotify,
    /// Whoever reads holds it until all that was read is passed on: events keep their order.
    reading: Mutex<()>,
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
        let ear = Ear {
            hearing: Arc::new(Hearing {
                inotify: Inotify::start()?,
                reading: Mutex::new(()),
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

    fn inotify(&self) -> &Inotify {
        &self.ear.hearing.inotify
    }

    /// # Errors
    /// Where the folder is not there, or the system watches as much as it can.
    pub(super) fn add(&mut self, folder: &Path) -> io::Result<()> {
        let grown = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO;
        self.inotify().watch(folder, grown).map(drop)
    }

    /// The same for a folder in which it is of interest that a file is there, and that it was written to its end. It
    /// ends with the folder.
    ///
    /// # Errors
    /// As above.
    pub(super) fn add_written(&mut self, folder: &Path) -> io::Result<FolderId> {
        let written = WatchFlags::MODIFY | WatchFlags::CLOSE_WRITE;
        self.inotify().watch(folder, WatchFlags::CREATE | written)
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
        let hearing = &*self.hearing;
        let _in_order = lock(&hearing.reading);
        hearing.inotify.read(|event| {
            hearing.pass_on(&event);
            ControlFlow::Continue(())
        })
    }
}

impl Hearing {
    fn pass_on(&self, event: &FolderEvent<'_>) {
        // A folder that went away has no news for anybody.
        if !event.what.contains(ReadFlags::IGNORED) {
            (self.changed)(event.folder, event.name, change(event.what));
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
    // It ends where nothing is told any more.
    drop(ear.hearing.inotify.wait(|| ear.hear()).await);
}
