//! Takes changes of the catalog's folder up as they are made.
//!
//! The file system tells of a change, and the folder is read as a whole then. Some file systems tell nothing, so the
//! stamps of its files are looked at every few seconds as well.

use super::handle::Catalog;
use super::handle::Reloaded;
use crate::store;
use crate::store::Depth;
use crate::store::Watch;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio::time::timeout;

/// How long a change may go unseen where the file system tells nothing.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long more changes are waited for after one, so that several files written together are read once. A change is in
/// force well within a second all the same.
const SETTLE: Duration = Duration::from_millis(100);

/// Follows the folder until the task is aborted.
pub(crate) fn watch(catalog: Catalog) -> JoinHandle<()> {
    tokio::spawn(async move {
        let changed = Arc::new(Notify::new());
        // A folder that is not there cannot be watched, and its parent changes with every call.
        if let Err(error) = store::make_folder(catalog.dir()) {
            tracing::warn!(path = %catalog.dir().display(), %error, "the catalog's folder could not be made");
        }
        let mut watcher = watcher(catalog.dir(), &changed);
        // What changed before the watch began is taken up at once.
        changed.notify_one();
        let mut seen = None;
        loop {
            let told = timeout(LOOK_EVERY, changed.notified()).await.is_ok();
            if told {
                sleep(SETTLE).await;
            }
            if watcher.is_none() {
                watcher = self::watcher(catalog.dir(), &changed);
            }
            let stamp = Some(stamp(catalog.dir(), 0));
            if told || stamp != seen {
                seen = stamp;
                take_up(&catalog).await;
            }
        }
    })
}

/// Reads the folder on a thread that may wait for the file system.
async fn take_up(catalog: &Catalog) {
    let reading = catalog.clone();
    let reloaded = tokio::task::spawn_blocking(move || reading.reload()).await;
    match reloaded {
        Ok(Reloaded::InForce) => {
            let snapshot = catalog.snapshot();
            if !snapshot.is_configured() {
                return;
            }
            tracing::info!(
                generation = catalog.status().generation,
                problems = snapshot.problems().len(),
                "the catalog is in force"
            );
            for problem in snapshot.problems() {
                tracing::warn!(%problem, "a row of the catalog is out");
            }
        }
        Ok(Reloaded::Refused) => {
            for problem in catalog.status().refused {
                tracing::error!(%problem, "the catalog was not taken up; the last good one stays in force");
            }
        }
        Err(error) => {
            tracing::error!(%error, "the catalog could not be read; the last one stays in force")
        }
    }
}

fn watcher(folder: &Path, changed: &Arc<Notify>) -> Option<Watch> {
    let changed = Arc::clone(changed);
    let told = move || changed.notify_one();
    Watch::begin(&[(folder, Depth::All)], |_| true, told)
        .inspect_err(|error| tracing::debug!(%error, "changes of the catalog are seen within {LOOK_EVERY:?} only"))
        .ok()
}

/// What differs once a file of the folder was changed, made or removed: names are in no order, so all are summed up.
fn stamp(folder: &Path, depth: usize) -> (usize, u64, Option<SystemTime>) {
    let mut sum = (0, 0, None);
    let Ok(entries) = fs::read_dir(folder) else {
        return sum;
    };
    for entry in entries.flatten() {
        // Through links: a mounted volume swaps what they lead to.
        let Ok(data) = fs::metadata(entry.path()) else {
            continue;
        };
        let below = if data.is_dir() && depth < 8 {
            stamp(&entry.path(), depth + 1)
        } else {
            (0, 0, None)
        };
        sum.0 += 1 + below.0;
        sum.1 += data.len() + below.1;
        sum.2 = sum.2.max(data.modified().ok()).max(below.2);
    }
    sum
}
