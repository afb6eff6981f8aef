//! Takes changes of the catalog's folder, and of the files that its secrets stand in, up as they are made.
//!
//! The file system tells of a change of the folder, and it is read as a whole then. Some file systems tell nothing, so the
//! stamps of its files are looked at every few seconds as well. Secrets stand anywhere, often in folders that change all
//! the time: the stamps of their files alone are looked at, several times a second.
//!
//! A file that is saved in place is empty for a moment, and a part of itself for as long as its writer takes. It is read once
//! the folder is at rest, and says what it said before until it is closed ([`crate::store::Drafts`]).

use super::complaint::Complaints;
use super::handle::Catalog;
use crate::clock;
use crate::disk;
use crate::store::Depth;
use crate::store::Watch;
use crate::sync::lock;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::SystemTime;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio::time::timeout;

/// How long a change may go unseen where the file system tells nothing.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long no more changes must come after one, so that several files written together are read once, and none while it
/// is written. A change is in force well within a second all the same.
const SETTLE: Duration = Duration::from_millis(100);
/// How long that is waited for where changes do not end: a change is in force within a second.
const SETTLE_MAX: Duration = Duration::from_millis(400);
/// How often the stamps of secrets' files are looked at: a changed one is in force within a second.
const SECRETS_EVERY: Duration = Duration::from_millis(400);

/// Follows the folder and the secrets until the task is aborted.
pub(crate) fn watch(catalog: Catalog) -> JoinHandle<()> {
    tokio::spawn(async move {
        let complaints = Mutex::default();
        tokio::join!(
            follow_folder(catalog.clone(), &complaints),
            follow_secrets(catalog, &complaints)
        );
    })
}

async fn follow_secrets(catalog: Catalog, complaints: &Mutex<Complaints>) {
    loop {
        sleep(SECRETS_EVERY).await;
        let looking = catalog.clone();
        let are_old = tokio::task::spawn_blocking(move || looking.are_secrets_old()).await;
        if are_old.unwrap_or_default() {
            take_up(&catalog, complaints).await;
        }
    }
}

async fn follow_folder(catalog: Catalog, complaints: &Mutex<Complaints>) {
    let changed = Arc::new(Notify::new());
    // A folder that is not there cannot be watched, and its parent changes with every call.
    if let Err(error) = disk::make_folder(catalog.dir()) {
        tracing::warn!(path = %catalog.dir().display(), %error, "the catalog's folder could not be made");
    }
    let mut watcher = watcher(&catalog, &changed);
    // What changed before the watch began is taken up at once.
    changed.notify_one();
    let mut seen = None;
    loop {
        let look_again = catalog.status().look_again;
        let wait = look_again.unwrap_or(LOOK_EVERY).min(LOOK_EVERY);
        let told = timeout(wait, changed.notified()).await.is_ok();
        if told {
            come_to_rest(&changed).await;
        }
        if watcher.is_none() {
            watcher = self::watcher(&catalog, &changed);
        }
        let stamp = Some(stamp(catalog.dir(), 0));
        if told || look_again.is_some() || stamp != seen {
            seen = stamp;
            take_up(&catalog, complaints).await;
        }
    }
}

/// Waits until no more changes are told of.
async fn come_to_rest(changed: &Notify) {
    let end = clock::now() + SETTLE_MAX;
    while clock::now() < end && timeout(SETTLE, changed.notified()).await.is_ok() {}
}

/// Reads the folder on a thread that may wait for the file system.
async fn take_up(catalog: &Catalog, complaints: &Mutex<Complaints>) {
    let reading = catalog.clone();
    let reloaded = tokio::task::spawn_blocking(move || reading.reload()).await;
    if let Err(error) = reloaded {
        tracing::error!(%error, "the catalog could not be read; the last one stays in force");
        return;
    }
    let snapshot = catalog.snapshot();
    if let Some(wait) = catalog.status().look_again {
        tracing::info!(
            ?wait,
            "a file of the catalog is being written, or was emptied; its rows stay what they were until that is over"
        );
    }
    if snapshot.is_configured() {
        tracing::info!(
            generation = catalog.status().generation,
            problems = snapshot.problems().len(),
            "the catalog is in force"
        );
    }
    let problems = snapshot.problems().iter().map(ToString::to_string);
    let mut complaints = lock(complaints);
    let news = complaints.are(problems);
    for problem in news.new {
        tracing::warn!(problem, "a row of the catalog is out");
    }
    for problem in news.gone {
        tracing::info!(problem, "a row of the catalog is out no more");
    }
}

fn watcher(catalog: &Catalog, changed: &Arc<Notify>) -> Option<Watch> {
    let changed = Arc::clone(changed);
    let told = move || changed.notify_one();
    let folders = [(catalog.dir(), Depth::All)];
    Watch::begin(&folders, catalog.drafts(), |_| true, told)
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
