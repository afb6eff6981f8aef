//! The system's word of a change of one file, in a folder that others write all the time.
//!
//! The crate that does this for every system wakes a thread for each write to any file of the folder, and the store writes
//! there for each call. Linux tells of writes that are done, and of nothing else.

#[cfg(target_os = "linux")]
pub(crate) use linux::FileWatch;
#[cfg(not(target_os = "linux"))]
pub(crate) use other::FileWatch;

#[cfg(target_os = "linux")]
mod linux {
    use rustix::fs::inotify;
    use rustix::fs::inotify::CreateFlags;
    use rustix::fs::inotify::ReadFlags;
    use rustix::fs::inotify::Reader;
    use rustix::fs::inotify::WatchFlags;
    use std::ffi::OsString;
    use std::future;
    use std::io;
    use std::mem::MaybeUninit;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;
    use tokio::net::unix::pipe::Receiver;

    /// A file that is watched for as long as this lives, whether it is there or not.
    pub(crate) struct FileWatch {
        /// The system's queue of events; the runtime waits for it as for a pipe.
        told: Receiver,
        name: OsString,
    }

    impl FileWatch {
        /// # Errors
        /// Where the system has no such watch to give, or the file's folder is not there.
        pub(crate) fn begin(path: &Path) -> io::Result<FileWatch> {
            let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
                return Err(io::ErrorKind::InvalidInput.into());
            };
            let told = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
            let put = WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO;
            let gone = WatchFlags::DELETE | WatchFlags::MOVED_FROM;
            inotify::add_watch(&told, folder, put | gone | WatchFlags::ONLYDIR)?;
            Ok(FileWatch {
                told: Receiver::from_owned_fd_unchecked(told)?,
                name: name.to_owned(),
            })
        }

        /// Waits until the file was written to its end, put there or taken away.
        pub(crate) async fn changed(&self) {
            while self.told.readable().await.is_ok() {
                match self.told.try_io(|| self.hear()) {
                    Ok(()) => return,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => break,
                }
            }
            // Nothing is told any more; whoever waits looks now and then.
            future::pending().await
        }

        /// Whether the system has told anything.
        #[cfg(test)]
        pub(super) fn has_word(&self) -> bool {
            rustix::io::ioctl_fionread(&self.told).is_ok_and(|bytes| bytes > 0)
        }

        /// Reads what the system has told until it is of the file, which whoever hears it reads afterwards; an error where
        /// nothing more is there.
        fn hear(&self) -> io::Result<()> {
            let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
            let mut events = Reader::new(&self.told, &mut buffer);
            loop {
                let event = events.next()?;
                let name = event.file_name().map(|name| name.to_bytes());
                let is_ours = name == Some(self.name.as_bytes());
                // Where more happened than the system could keep, it may have been the file.
                if is_ours || event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                    return Ok(());
                }
            }
        }
    }

    /// Some dozens of events; more are read in the next round.
    const BUFFER_BYTES: usize = 4096;
}

#[cfg(not(target_os = "linux"))]
mod other {
    use crate::store::Depth;
    use crate::store::Drafts;
    use crate::store::Watch;
    use std::path::Path;
    use std::sync::Arc;
    use tokio::sync::Notify;

    /// A file that is watched for as long as this lives, whether it is there or not.
    pub(crate) struct FileWatch {
        told: Arc<Notify>,
        _watch: Watch,
    }

    impl FileWatch {
        /// # Errors
        /// Where the system has no such watch to give, or the file's folder is not there.
        pub(crate) fn begin(path: &Path) -> notify::Result<FileWatch> {
            let folder = path.parent().unwrap_or(path);
            let name = path.file_name().map(ToOwned::to_owned);
            let told = Arc::new(Notify::new());
            let tell = Arc::clone(&told);
            let watch = Watch::begin(
                &[(folder, Depth::One)],
                &Drafts::default(),
                move |path: &Path| path.file_name() == name.as_deref(),
                move || tell.notify_one(),
            )?;
            Ok(FileWatch {
                told,
                _watch: watch,
            })
        }

        /// Waits until the file was written, put there or taken away.
        pub(crate) async fn changed(&self) {
            self.told.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Duration;
    use tokio::time::timeout;

    /// Longer than any machine is busy with something else.
    const WAIT: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_file_is_told_of_when_it_is_written_replaced_and_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys.json");
        let watch = FileWatch::begin(&path).expect("it is watched");
        let changed = || async {
            let told = timeout(WAIT, watch.changed()).await;
            told.expect("the change must be told");
        };
        fs::write(&path, "one").expect("it is written");
        changed().await;
        let draft = folder.path().join("keys.json.draft");
        fs::write(&draft, "two").expect("it is written");
        fs::rename(&draft, &path).expect("it is replaced");
        changed().await;
        fs::remove_file(&path).expect("it is removed");
        changed().await;
        let gone = folder.path().join("gone").join("keys.json");
        assert!(FileWatch::begin(&gone).is_err());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn writes_to_an_open_file_beside_it_wake_nobody() {
        use std::io::Write;
        let folder = tempfile::tempdir().expect("a folder");
        let mut other = fs::File::create(folder.path().join("store.db")).expect("it is made");
        let watch = FileWatch::begin(&folder.path().join("keys.json")).expect("it is watched");
        other.write_all(b"a record").expect("it is written");
        // What the system tells stands in its queue when the write is over.
        assert!(!watch.has_word());
        drop(other);
        assert!(watch.has_word(), "the file was closed");
    }
}
