//! Which files of a folder changed, as the system tells it to a thread of its own.

use super::wakers::Change;
use notify::RecommendedWatcher;
use notify::RecursiveMode;
use notify::Watcher;
use std::ffi::OsStr;
use std::io;
use std::path::Path;

/// What a folder that is watched would be called; here none has a name.
pub(super) type FolderId = i32;

/// Watches folders for as long as it is held.
pub(super) struct Watch(RecommendedWatcher);

/// Hears what the system tells; here nobody can be asked for what was told by now.
#[derive(Clone)]
pub(super) struct Ear;

impl Ear {
    pub(super) fn catch_up(&self) {}
}

impl Watch {
    /// `changed` gets the name of the file; `None` where the system does not say which.
    ///
    /// # Errors
    /// Where the system has no file notification.
    pub(super) fn start(
        changed: impl Fn(FolderId, Option<&OsStr>, Change) + Send + Sync + 'static,
    ) -> io::Result<Watch> {
        let told = move |event: notify::Result<notify::Event>| match event {
            // Our own reading is an event too; to be woken by it would be to read forever.
            Ok(event) if event.kind.is_access() => {}
            Ok(event) => event
                .paths
                .iter()
                .for_each(|path| changed(0, path.file_name(), Change::Made)),
            Err(_) => changed(0, None, Change::Made),
        };
        let watcher = notify::recommended_watcher(told).map_err(io::Error::other)?;
        Ok(Watch(watcher))
    }

    pub(super) fn ear(&self) -> Ear {
        Ear
    }

    /// # Errors
    /// Where the folder cannot be watched.
    pub(super) fn add(&mut self, folder: &Path) -> io::Result<()> {
        let watched = self.0.watch(folder, RecursiveMode::NonRecursive);
        watched.map_err(io::Error::other)
    }
    /// # Errors
    /// Always: not every system tells that a file was written to its end.
    pub(super) fn add_written(&mut self, _folder: &Path) -> io::Result<FolderId> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
