//! Who is woken when a file or a folder changed.

use super::watch::FolderId;
use crate::sync::lock;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use tokio::sync::Notify;

/// Those who wait; cheap to clone. A waker is here for as long as its session is.
#[derive(Clone, Default)]
pub(super) struct Wakers {
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    by_file: HashMap<OsString, Arc<Notify>>,
    by_folder: HashMap<FolderId, Waker>,
}

/// Who waits for files of a folder whose names end so.
struct Waker {
    ending: &'static str,
    woken: Arc<Notify>,
    told: Changes,
}

/// What happened to the files of a folder, in the order in which the system told it; whoever looks next takes it.
pub(super) type Changes = Arc<Mutex<VecDeque<(OsString, Change)>>>;

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Made,
    Grew,
    /// Whoever wrote it has closed it.
    Written,
}

impl Waker {
    /// One that only grows is no news yet.
    fn of(&self, name: &OsStr, change: Change) -> Option<&Arc<Notify>> {
        if !name.to_string_lossy().ends_with(self.ending) {
            return None;
        }
        let mut told = lock(&self.told);
        let is_told =
            (told.back()).is_some_and(|last| (last.0.as_os_str(), last.1) == (name, change));
        if !is_told && told.len() < TOLD_MAX {
            told.push_back((name.to_owned(), change));
        }
        (change != Change::Grew).then_some(&self.woken)
    }
}

impl Wakers {
    /// The waker of a file, by its name.
    pub(super) fn file(&self, name: &OsStr) -> Arc<Notify> {
        let woken = Arc::new(Notify::new());
        self.waiting()
            .by_file
            .insert(name.to_owned(), Arc::clone(&woken));
        woken
    }

    pub(super) fn forget_file(&self, name: &OsStr) {
        self.waiting().by_file.remove(name);
    }

    /// The waker of those files of a folder whose names end so, and which of them there were.
    pub(super) fn folder(&self, id: FolderId, ending: &'static str) -> (Arc<Notify>, Changes) {
        let (woken, told) = (Arc::new(Notify::new()), Changes::default());
        let waker = Waker {
            ending,
            woken: Arc::clone(&woken),
            told: Arc::clone(&told),
        };
        self.waiting().by_folder.insert(id, waker);
        (woken, told)
    }

    pub(super) fn forget_folder(&self, id: FolderId) {
        self.waiting().by_folder.remove(&id);
    }

    /// Wakes whose file it is, or whose folder; all of them where nobody can say.
    pub(super) fn wake(&self, folder: FolderId, name: Option<&OsStr>, change: Change) {
        let waiting = self.waiting();
        let Some(name) = name else {
            let folders = waiting.by_folder.values().map(|waker| &waker.woken);
            let all = waiting.by_file.values().chain(folders);
            return all.for_each(|woken| woken.notify_one());
        };
        let woken = match waiting.by_folder.get(&folder) {
            Some(waker) => waker.of(name, change),
            None => waiting.by_file.get(name),
        };
        woken.into_iter().for_each(|woken| woken.notify_one());
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }
}

/// Changes that wait to be looked at; a turn has a dozen. What comes beyond them is found in the folder, without its order.
const TOLD_MAX: usize = 64;
