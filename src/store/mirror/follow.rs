//! The threads that keep files the same: one hears the server, the file system is heard, and one does the work.

use super::super::catalog_files::CATALOG_FILES_MAX;
use super::super::database::SharedFile;
use super::super::database::SharedFiles;
use super::super::database::StoreFault;
use super::super::database::StorePlace;
use super::super::database::hear_changes;
use super::super::draft::Drafts;
use super::super::draft::Rewritten;
use super::super::watch::Depth;
use super::super::watch::Watch;
use super::folder::Folder;
use super::folder::Here;
use super::folder::print;
use super::merge::Common;
use super::merge::Print;
use super::merge::Step;
use super::merge::step;
use super::rows;
use crate::cause::causes;
use crate::clock;
use crate::disk;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;
use thiserror::Error;

/// Files that are kept the same. Dropped, it ends.
pub(crate) struct Mirror {
    ends: Arc<AtomicBool>,
    changed: SyncSender<()>,
    /// Told by the file system for as long as it lives.
    _watcher: Option<Watch>,
}

/// Why they are not the same just now.
#[derive(Debug, Error)]
enum Behind {
    #[error("the store does not answer")]
    Server(#[source] super::super::database::EngineFault),
    #[error("a file of the state folder cannot be read or written")]
    Folder(#[source] io::Error),
}

/// What the work is done with.
struct Work {
    folder: Folder,
    files: SharedFiles,
    common: BTreeMap<String, Common>,
    /// The catalog has too many files, here or there.
    is_over: bool,
    /// Files that somebody is just writing.
    drafts: Drafts,
    /// How long a file must have stood as it is before it is given.
    settle: Duration,
    /// How soon a file that has not is looked at again.
    look_again: Option<Duration>,
}

impl Mirror {
    /// Makes the files of a state folder those of the server, and keeps them so; `None` where the store is a file, which
    /// relays do not share. It blocks until the first time is over.
    ///
    /// # Errors
    /// Where the server does not answer, or a file cannot be written.
    pub(crate) fn start(
        place: &StorePlace,
        home: &Path,
        catalog: &Path,
    ) -> Result<Option<Mirror>, StoreFault> {
        let StorePlace::Postgres(server) = place else {
            return Ok(None);
        };
        let folder = Folder {
            home: home.to_owned(),
            catalog: catalog.to_owned(),
        };
        let closed = |cause: String| StoreFault::Closed {
            place: place.to_string(),
            cause,
            next: "see whether the server answers, and whether the state folder can be written",
        };
        let files = SharedFiles::open(server).map_err(|fault| closed(fault.to_string()))?;
        let mut work = Work {
            common: folder.common(),
            files,
            folder: folder.clone(),
            is_over: false,
            drafts: Drafts::default(),
            // What changed before a start was changed by then.
            settle: Duration::ZERO,
            look_again: None,
        };
        work.sync().map_err(|behind| closed(behind.to_string()))?;
        let (changed, heard) = mpsc::sync_channel(1);
        let ends = Arc::new(AtomicBool::new(false));
        let watcher = watcher(folder, &work.drafts, changed.clone());
        work.settle = SETTLE;
        let (server, told, end) = ((**server).clone(), changed.clone(), Arc::clone(&ends));
        let hear = move || hear_changes(&server, || tell(&told) && !end.load(Ordering::Relaxed));
        let end = Arc::clone(&ends);
        let no_thread = |_| StoreFault::Ended;
        let thread = |name: &str| thread::Builder::new().name(name.to_owned());
        thread("mirror-hear").spawn(hear).map_err(no_thread)?;
        let follow = move || follow(work, &heard, &end);
        thread("mirror-sync").spawn(follow).map_err(no_thread)?;
        Ok(Some(Mirror {
            ends,
            changed,
            _watcher: watcher,
        }))
    }
}

impl Mirror {
    /// Whether this relay is the one that does something which is done once for all of them. It blocks; where the server does
    /// not answer, nobody is.
    pub(crate) fn is_first(place: &StorePlace, what: &str) -> bool {
        let StorePlace::Postgres(server) = place else {
            return true;
        };
        let put = SharedFiles::open(server).and_then(|mut files| files.put(what, 0, Some("")));
        put.inspect_err(|error| tracing::warn!(%error, what, "the store could not be asked whether this is done already"))
            .unwrap_or(false)
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        tell(&self.changed);
    }
}

/// One word that waits is as good as many. False where nobody hears it any more.
fn tell(changed: &SyncSender<()>) -> bool {
    !matches!(
        changed.try_send(()),
        Err(mpsc::TrySendError::Disconnected(()))
    )
}

fn watcher(folder: Folder, drafts: &Drafts, changed: SyncSender<()>) -> Option<Watch> {
    let (home, catalog) = (folder.home.clone(), folder.catalog.clone());
    let told = move || {
        tell(&changed);
    };
    let watching = disk::make_folder(&catalog)
        .map_err(notify::Error::io)
        .and_then(|()| {
            let folders = [(&*home, Depth::One), (&*catalog, Depth::All)];
            Watch::begin(&folders, drafts, move |path| folder.is_common(path), told)
        });
    watching
        .inspect_err(|error| tracing::warn!(%error, "changes of this relay's files are told to others within {LOOK_EVERY:?} only"))
        .ok()
}

fn follow(mut work: Work, heard: &Receiver<()>, ends: &AtomicBool) {
    let (mut wait, mut is_behind) = (work.wait(), false);
    while !ends.load(Ordering::Relaxed) {
        match heard.recv_timeout(wait) {
            Ok(()) => come_to_rest(heard),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        match work.sync() {
            Ok(()) => (wait, is_behind) = (work.wait(), false),
            Err(behind) => {
                if !std::mem::replace(&mut is_behind, true) {
                    tracing::warn!(error = %causes(&behind), "changes of other relays are not known; this one goes on with what it has");
                }
                wait = RETRY_WAIT;
            }
        }
    }
}

/// Waits until no more changes are told of: several files written together go together.
fn come_to_rest(heard: &Receiver<()>) {
    let end = clock::now() + SETTLE_MAX;
    while clock::now() < end && heard.recv_timeout(SETTLE).is_ok() {}
}

impl Work {
    /// How long nothing needs to be looked at, where nobody tells of a change.
    fn wait(&self) -> Duration {
        self.look_again.unwrap_or(LOOK_EVERY).min(LOOK_EVERY)
    }

    /// Takes what is newer there, gives what is newer here.
    fn sync(&mut self) -> Result<(), Behind> {
        // What somebody else was faster with is told by a word as well.
        for _ in 0..PASSES_MAX {
            if self.pass()? {
                break;
            }
        }
        Ok(())
    }

    /// Goes through all files once; false where somebody else was faster with keys or secrets. Then no row of the catalog is
    /// given or taken, nor while somebody writes these here: it could lead a value that is forgotten to another address.
    fn pass(&mut self) -> Result<bool, Behind> {
        self.look_again = None;
        let here = self.folder.read().map_err(Behind::Folder)?;
        let there = self.files.all().map_err(Behind::Server)?;
        let there: BTreeMap<&str, &SharedFile> = there
            .iter()
            .map(|file| (file.name.as_str(), file))
            .collect();
        let names: BTreeSet<&str> = here
            .files
            .keys()
            .map(String::as_str)
            .chain(there.keys().copied())
            .collect();
        let files = names.iter().filter(|name| is_file(&here, &there, name));
        self.see_whether_over(here.is_over || files.count() > CATALOG_FILES_MAX);
        let (own, rows): (Vec<&str>, Vec<&str>) = names
            .into_iter()
            .partition(|name| Folder::is_own_name(name));
        let before = self.common.clone();
        let (mut taken, mut is_same, mut is_beaten) = (Vec::new(), true, false);
        let mut settle = |work: &mut Work, name| {
            let text = here.files.get(name).map(String::as_str);
            let settled = work.settle(name, text, there.get(name).copied())?;
            if settled == Settled::Taken {
                taken.push(name);
            }
            Ok(settled)
        };
        for name in own {
            let settled = settle(self, name)?;
            is_same &= !matches!(settled, Settled::NotYet | Settled::Draft);
            is_beaten |= settled == Settled::NotYet;
        }
        // What is not known whole could be taken for removed: then nothing of the catalog is given or taken.
        let rows = rows.into_iter().filter(|_| is_same && !self.is_over);
        for name in rows.collect::<Vec<_>>() {
            settle(self, name)?;
        }
        if !taken.is_empty() {
            tracing::info!(
                files = taken.join(" "),
                "took up what another relay changed"
            );
        }
        if self.common != before {
            self.folder.remember(&self.common).map_err(Behind::Folder)?;
        }
        Ok(!is_beaten)
    }

    /// Says in the log, once each way, whether the catalog has too many files to be kept the same.
    fn see_whether_over(&mut self, is_over: bool) {
        if std::mem::replace(&mut self.is_over, is_over) == is_over {
            return;
        }
        match is_over {
            true => tracing::error!(
                "the catalog has more than {CATALOG_FILES_MAX} files, here or with those of other relays: it is not kept the same on \
                 all relays until there are fewer, and stays as it is on each; relay keys and secrets are kept the same. Put \
                 several rows into one file"
            ),
            false => tracing::info!("the catalog is kept the same on all relays again"),
        }
    }

    /// Settles one file.
    fn settle(
        &mut self,
        name: &str,
        text: Option<&str>,
        file: Option<&SharedFile>,
    ) -> Result<Settled, Behind> {
        let Some(path) = self.folder.path(name) else {
            return Ok(Settled::Same);
        };
        let here = print(text);
        let server = file.map(|file| (file.version, print(file.content.as_deref())));
        let was = self.common.get(name).map(|common| common.print);
        if let Some(text) = text
            && was != Some(here)
            && let Some(wait) = self.drafts.wait(&path, Rewritten::of(text), self.settle)
        {
            let sooner = self.look_again.map_or(wait, |other| other.min(wait));
            self.look_again = Some(sooner);
            return Ok(Settled::Draft);
        }
        let theirs = file.and_then(|file| file.content.as_deref());
        match (step(was, here, server), server) {
            (Step::Give { before }, _) => self.give(name, before, text),
            (Step::Take, Some((version, _))) => self.take(name, &path, here, version, theirs),
            (Step::TakeAndKeepAside, Some((version, _))) => {
                let (ours, theirs) = (text.unwrap_or_default(), theirs.unwrap_or_default());
                match self.merged(name, ours, theirs)? {
                    Some(merged) => self.join(name, &path, here, version, &merged),
                    None => {
                        self.keep_aside(name, ours, "this file was changed here and on another relay at the same time; the other's stands, and this one's is kept aside")?;
                        let theirs = file.and_then(|file| file.content.as_deref());
                        self.take(name, &path, here, version, theirs)
                    }
                }
            }
            (Step::Nothing, Some((version, _))) => Ok(self.know(name, version, text)),
            (Step::Nothing | Step::Take | Step::TakeAndKeepAside, None) => Ok(Settled::Same),
        }
    }

    fn give(&mut self, name: &str, before: u64, text: Option<&str>) -> Result<Settled, Behind> {
        match self.files.put(name, before, text).map_err(Behind::Server)? {
            true => Ok(self.know(name, before + 1, text)),
            false => Ok(Settled::NotYet),
        }
    }

    fn take(
        &mut self,
        name: &str,
        path: &Path,
        here: Print,
        version: u64,
        theirs: Option<&str>,
    ) -> Result<Settled, Behind> {
        let is_put = self.folder.put(path, here, theirs);
        if !is_put.map_err(Behind::Folder)? {
            return Ok(Settled::NotYet);
        }
        self.know(name, version, theirs);
        Ok(Settled::Taken)
    }

    /// Puts what was merged here, and in the place of the server's.
    fn join(
        &mut self,
        name: &str,
        path: &Path,
        here: Print,
        version: u64,
        merged: &str,
    ) -> Result<Settled, Behind> {
        let is_put = self.folder.put(path, here, Some(merged));
        if !is_put.map_err(Behind::Folder)? {
            return Ok(Settled::NotYet);
        }
        match self.give(name, version, Some(merged))? {
            Settled::Same | Settled::Taken => Ok(Settled::Taken),
            Settled::NotYet | Settled::Draft => Ok(Settled::NotYet),
        }
    }

    /// What is here and what is there as one, where it is a file of rows and what was common is known.
    fn merged(&self, name: &str, ours: &str, theirs: &str) -> Result<Option<String>, Behind> {
        let common = self.common.get(name);
        let Some(base) = common.and_then(|common| common.text.as_deref()) else {
            return Ok(None);
        };
        let Some(merged) = rows::merge(base, ours, theirs) else {
            return Ok(None);
        };
        if !merged.gave_way.is_empty() {
            let rows = merged.gave_way.join(" ");
            self.keep_aside(name, ours, &format!("rows of this file were changed here and on another relay at the same time, and what was changed here of these does not stand: {rows}; the file as it was here is kept aside"))?;
        }
        Ok(Some(merged.text))
    }

    fn keep_aside(&self, name: &str, text: &str, told: &str) -> Result<(), Behind> {
        let aside = self.folder.keep_aside(name, text, clock::unix_ms());
        let aside = aside.map_err(Behind::Folder)?;
        tracing::error!(file = name, aside = %aside.display(), "{told}");
        Ok(())
    }

    /// Notes what is common now.
    fn know(&mut self, name: &str, version: u64, text: Option<&str>) -> Settled {
        let common = Common {
            version,
            print: print(text),
            text: text
                .filter(|_| Folder::is_own_name(name))
                .map(str::to_owned),
        };
        self.common.insert(name.to_owned(), common);
        Settled::Same
    }
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    /// It is the same here and there.
    Same,
    /// So it is, and something of it came from the server.
    Taken,
    /// Somebody else was faster. That is settled at the next word, which has been told already.
    NotYet,
    /// Somebody is just writing it here: nothing is given before that is over, and nothing is put in its place.
    Draft,
}

/// Whether a name is that of a file of the catalog which there is, here or there, and not only of one that was removed.
fn is_file(here: &Here, there: &BTreeMap<&str, &SharedFile>, name: &str) -> bool {
    let is_there = there.get(name).is_some_and(|file| file.content.is_some());
    !Folder::is_own_name(name) && (is_there || here.files.contains_key(name))
}

/// How often all files are gone through at once where others change them meanwhile.
const PASSES_MAX: usize = 4;
/// How long no more changes must come after one before anything is given or taken.
const SETTLE: Duration = Duration::from_millis(50);
/// How long that is waited for where changes do not end: a change is in force at all relays within a second.
const SETTLE_MAX: Duration = Duration::from_millis(200);
/// How long a change may go unseen where the file system tells nothing.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Between two tries while the server is away.
const RETRY_WAIT: Duration = Duration::from_secs(1);
