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
    use crate::inotify::FolderEvent;
    use crate::inotify::Inotify;
    use crate::inotify::ReadFlags;
    use crate::inotify::WatchFlags;
    use std::ffi::OsString;
    use std::future;
    use std::io;
    use std::ops::ControlFlow;
    use std::path::Path;

    /// A file that is watched for as long as this lives, whether it is there or not.
    pub(crate) struct FileWatch {
        inotify: Inotify,
        name: OsString,
    }

    impl FileWatch {
        /// # Errors
        /// Where the system has no such watch to give, or the file's folder is not there.
        pub(crate) fn begin(path: &Path) -> io::Result<FileWatch> {
            let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
                return Err(io::ErrorKind::InvalidInput.into());
            };
            let inotify = Inotify::start()?;
            let put = WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO;
            let gone = WatchFlags::DELETE | WatchFlags::MOVED_FROM;
            inotify.watch(folder, put | gone)?;
            Ok(FileWatch {
                inotify,
                name: name.to_owned(),
            })
        }

        /// Waits until the file was written to its end, put there or taken away.
        pub(crate) async fn changed(&self) {
            let read = || self.inotify.read(|event| self.hear(&event));
            if self.inotify.wait(read).await.is_err() {
                // Nothing is told any more; whoever waits looks now and then.
                future::pending().await
            }
        }

        /// Whether the system has told anything.
        #[cfg(test)]
        pub(super) fn has_word(&self) -> bool {
            self.inotify.has_word()
        }

        /// Ends at what is of the file, which whoever hears it reads afterwards.
        fn hear(&self, event: &FolderEvent<'_>) -> ControlFlow<()> {
            let is_ours = event.name == Some(&*self.name);
            // Where more happened than the system could keep, it may have been the file.
            match is_ours || event.what.contains(ReadFlags::QUEUE_OVERFLOW) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        }
    }
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
