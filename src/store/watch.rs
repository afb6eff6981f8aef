//! The file system's word of a change, for whoever keeps something that is read from files.

use super::draft::Drafts;
use super::draft::is_closed;
use notify::RecommendedWatcher;
use notify::RecursiveMode;
use notify::Watcher;
use std::path::Path;

/// Files that are watched for as long as this lives. Some file systems (of networks, of containers) tell nothing, so
/// whoever watches looks now and then as well.
pub(crate) struct Watch(
    #[expect(dead_code, reason = "it is told for as long as it lives")] RecommendedWatcher,
);

/// How far down a folder is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What is in it.
    One,
    /// What is below it as well.
    All,
}

impl Watch {
    /// Calls `told` when something of ours was made, changed, closed by its writer or removed in any of these folders, and
    /// notes in `drafts` what is just being written. It is called on a thread of its own, and must not wait.
    ///
    /// # Errors
    /// Where the system has no such watch to give, or a folder is not there.
    pub(crate) fn begin(
        folders: &[(&Path, Depth)],
        drafts: &Drafts,
        is_ours: impl Fn(&Path) -> bool + Send + 'static,
        told: impl Fn() + Send + 'static,
    ) -> notify::Result<Watch> {
        let drafts = drafts.clone();
        let heard = move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else {
                return;
            };
            // A folder may hold files of others, and the store writes one of these for each call.
            let is_ours = event.paths.iter().any(|path| is_ours(path));
            if is_ours || event.need_rescan() {
                drafts.hear(&event);
            }
            // Our own reading is an event too.
            let is_change = !event.kind.is_access() || is_closed(&event);
            if is_change && is_ours {
                told();
            }
        };
        let mut watcher = notify::recommended_watcher(heard)?;
        for (folder, depth) in folders {
            let mode = match depth {
                Depth::One => RecursiveMode::NonRecursive,
                Depth::All => RecursiveMode::Recursive,
            };
            watcher.watch(folder, mode)?;
        }
        Ok(Watch(watcher))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn a_change_of_ours_is_told_and_a_folder_that_is_not_there_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let below = folder.path().join("below");
        fs::create_dir(&below).expect("it is made");
        let (told, heard) = mpsc::channel();
        let is_ours = |path: &Path| path.ends_with("keys.json");
        let tell = move || {
            told.send(()).unwrap_or_default(); // Nobody listens any more once the test is over.
        };
        let drafts = Drafts::default();
        let watch = Watch::begin(&[(folder.path(), Depth::All)], &drafts, is_ours, tell);
        let _watch = watch.expect("it is watched");
        fs::write(folder.path().join("other.json"), "").expect("it is written");
        fs::write(below.join("keys.json"), "").expect("it is written");
        heard
            .recv_timeout(Duration::from_secs(30))
            .expect("the change must be told");
        let gone = folder.path().join("gone");
        assert!(Watch::begin(&[(&gone, Depth::One)], &drafts, |_| true, || {}).is_err());
    }
}
