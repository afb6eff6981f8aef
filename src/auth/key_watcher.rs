//! Reloads the keys of admission when their file changes.
//!
//! The file system tells of a change, and the file is read then; no call reads it. Some file systems (of networks, of
//! containers) tell nothing, so the file's stamp is looked at every few seconds as well, away from every call.

use super::admission::Admission;
use crate::cause::causes;
use crate::store::Depth;
use crate::store::Drafts;
use crate::store::KeyFile;
use crate::store::Watch;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a disabled key may go on working where the file system tells nothing.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Follows the file until the task is aborted.
pub(crate) fn watch(file: KeyFile, admission: Admission) -> JoinHandle<()> {
    tokio::spawn(async move {
        let changed = Arc::new(Notify::new());
        let _watcher = watcher(&file, &changed);
        // What changed before the watch began is taken up at once.
        changed.notify_one();
        let mut seen = None;
        loop {
            let told = timeout(LOOK_EVERY, changed.notified()).await.is_ok();
            let stamp = Some(stamp(file.path()));
            if told || stamp != seen {
                seen = stamp;
                take_up(&file, &admission);
            }
        }
    })
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

fn watcher(file: &KeyFile, changed: &Arc<Notify>) -> Option<Watch> {
    let (folder, name) = (file.path().parent()?, file.path().file_name()?.to_owned());
    let changed = Arc::clone(changed);
    let is_ours = move |path: &Path| path.file_name() == Some(&name);
    let told = move || changed.notify_one();
    Watch::begin(
        &[(folder, Depth::One)],
        &Drafts::default(),
        is_ours,
        told,
    )
    .inspect_err(
        |error| tracing::warn!(%error, "changes of the keys are seen within {LOOK_EVERY:?} only"),
    )
    .ok()
}

/// What differs once a file was replaced.
fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let data = fs::metadata(path).ok()?;
    Some((data.modified().ok()?, data.len()))
}
