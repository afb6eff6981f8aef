//! Reloads the keys of admission when their file changes.
//!
//! The file system tells of a change, and the file is read then; no call reads it. Some file systems (of networks, of
//! containers) tell nothing, so the file's stamp is looked at every few seconds as well, away from every call.

use super::admission::Admission;
use crate::cause::causes;
use crate::store::FileWatch;
use crate::store::KeyFile;
use std::fs;
use std::future;
use std::path::Path;
use std::time::Duration;
use std::time::SystemTime;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a disabled key may go on working where the file system tells nothing.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Follows the file until the task is aborted.
pub(crate) fn watch(file: KeyFile, admission: Admission) -> JoinHandle<()> {
    tokio::spawn(async move {
        let watch = watcher(&file);
        // What changed before the watch began is taken up at once.
        let (mut is_told, mut seen) = (true, None);
        loop {
            let stamp = Some(stamp(file.path()));
            if is_told || stamp != seen {
                seen = stamp;
                take_up(&file, &admission);
            }
            is_told = timeout(LOOK_EVERY, changed(watch.as_ref())).await.is_ok();
        }
    })
}

async fn changed(watch: Option<&FileWatch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => future::pending().await,
    }
}

/// Reads the file, and lets its keys in from now on.
pub(crate) fn take_up(file: &KeyFile, admission: &Admission) {
    match file.read() {
        Ok(keys) => admission.take_up(keys),
        // Nothing is guessed: the keys that were good stay the good ones until the file can be read.
        Err(error) => {
            tracing::error!(error = %causes(&error), "the keys were not taken up; the earlier ones stay")
        }
    }
}

fn watcher(file: &KeyFile) -> Option<FileWatch> {
    FileWatch::begin(file.path())
        .inspect_err(|error| tracing::warn!(%error, "changes of the keys are seen within {LOOK_EVERY:?} only"))
        .ok()
}

/// What differs once a file was replaced.
fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let data = fs::metadata(path).ok()?;
    Some((data.modified().ok()?, data.len()))
}
