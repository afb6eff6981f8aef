//! Which files somebody is just writing, so that what they say meanwhile is not believed.
//!
//! Whoever saves a file in place empties it first and writes it then, at once or as slowly as the program whose output
//! it is. What stands there meanwhile is nobody's wish. Where the file system tells of it (Linux), a file is a draft from
//! its first write until it is closed. Elsewhere only time tells: a file that was emptied, or written just now, may be
//! written further. A file that is renamed over another one is none: it was whole before.

use super::catalog_files::CATALOG_FILES_MAX;
use crate::clock;
use crate::sync::lock;
use notify::EventKind;
use notify::event::AccessKind;
use notify::event::AccessMode;
use notify::event::ModifyKind;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::UNIX_EPOCH;

/// Files that were written and not closed yet, as far as the file system tells. Clones are one and the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drafts(Arc<Mutex<BTreeSet<PathBuf>>>);

impl Drafts {
    /// Takes in what the file system told.
    pub(super) fn hear(&self, event: &notify::Event) {
        let mut open = lock(&self.0);
        if event.need_rescan() || open.len() > CATALOG_FILES_MAX {
            open.clear();
        }
        match event.kind {
            EventKind::Modify(ModifyKind::Data(_)) => open.extend(event.paths.iter().cloned()),
            EventKind::Modify(ModifyKind::Name(_)) | EventKind::Remove(_) => {
                open.retain(|path| !event.paths.contains(path));
            }
            _ if is_closed(event) => open.retain(|path| !event.paths.contains(path)),
            _ => {}
        }
    }

    /// How long from now a file that says something new must stand as it is before that is believed; `None`: it is
    /// believed. One that is neither open nor emptied must have stood for `settle`.
    pub(crate) fn wait(
        &self,
        path: &Path,
        change: Rewritten,
        settle: Duration,
    ) -> Option<Duration> {
        let wait = match change {
            _ if lock(&self.0).contains(path) => OPEN_WAIT,
            Rewritten::Emptied => EMPTIED_WAIT,
            Rewritten::Changed => settle,
        };
        let rest = wait.checked_sub(age(path)?)?;
        (!rest.is_zero()).then_some(rest)
    }
}

/// What became of what a file said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rewritten {
    /// It says nothing any more.
    Emptied,
    Changed,
}

impl Rewritten {
    /// Of a text that took the place of one that said something.
    pub(crate) fn of(text: &str) -> Rewritten {
        match text.trim().is_empty() {
            true => Rewritten::Emptied,
            false => Rewritten::Changed,
        }
    }
}

/// Whether whoever wrote a file is done with it.
pub(super) fn is_closed(event: &notify::Event) -> bool {
    event.kind == EventKind::Access(AccessKind::Close(AccessMode::Write))
}

/// How long ago a file was written last. One from the future (a server's clock is ahead) is not known to be new.
fn age(path: &Path) -> Option<Duration> {
    let written = fs::metadata(path).and_then(|data| data.modified()).ok()?;
    let written = written.duration_since(UNIX_EPOCH).ok()?;
    Duration::from_micros(clock::unix_us()).checked_sub(written)
}

/// How long a file stays a draft after its last write while it is open. A program whose output it is may think for
/// seconds; one that keeps a file open for good is to be believed in the end.
const OPEN_WAIT: Duration = Duration::from_secs(30);
/// How long a file that was emptied keeps what it said, where nobody tells whether it is open: until a slow program
/// begins to write. Whoever wants the rows gone at once removes the file, or what stands in it row by row.
const EMPTIED_WAIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::super::watch::Depth;
    use super::super::watch::Watch;
    use super::*;
    use std::fs::File;
    use std::io::Write;
    use std::sync::mpsc;
    use std::time::SystemTime;

    /// Longer than any machine is busy with something else.
    const SETTLE: Duration = Duration::from_secs(3600);

    fn written(file: &File, ago: Duration) {
        let moment = UNIX_EPOCH + Duration::from_micros(clock::unix_us());
        let moment: SystemTime = moment.checked_sub(ago).expect("it was after 1970");
        file.set_modified(moment).expect("it is stamped");
    }

    #[test]
    fn what_was_written_is_believed_once_it_stood_and_an_emptied_file_later() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.yaml");
        let drafts = Drafts::default();
        let wait = |change| drafts.wait(&path, change, SETTLE);
        assert_eq!(wait(Rewritten::Changed), None, "it is not there");
        let file = File::create(&path).expect("it is made");
        assert!(wait(Rewritten::Changed).is_some_and(|wait| wait <= SETTLE));
        assert!(wait(Rewritten::Emptied).is_some_and(|wait| wait <= EMPTIED_WAIT));
        written(&file, EMPTIED_WAIT);
        assert_eq!(wait(Rewritten::Emptied), None);
        assert!(wait(Rewritten::Changed).is_some());
        written(&file, SETTLE);
        assert_eq!(wait(Rewritten::Changed), None);
        assert_eq!(Rewritten::of(" \n"), Rewritten::Emptied);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_is_a_draft_from_its_first_write_until_it_is_closed_and_not_for_good() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.yaml");
        let drafts = Drafts::default();
        let (told, heard) = mpsc::channel();
        let tell = move || {
            told.send(()).unwrap_or_default(); // Nobody listens any more once the test is over.
        };
        let folders = [(folder.path(), Depth::All)];
        let _watch = Watch::begin(&folders, &drafts, |_| true, tell).expect("it is watched");
        let next = || heard.recv_timeout(Duration::from_secs(30)).expect("told");
        let is_draft = || {
            let wait = drafts.wait(&path, Rewritten::Changed, Duration::ZERO);
            wait.is_some()
        };
        let mut file = File::create(&path).expect("it is made");
        file.write_all(b"half").expect("it is written");
        while !is_draft() {
            next();
        }
        written(&file, OPEN_WAIT);
        assert!(!is_draft(), "it has been open for so long");
        file.write_all(b" whole").expect("it is written");
        assert!(is_draft());
        drop(file);
        while is_draft() {
            next();
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_is_put_in_place_whole_is_no_draft() {
        let event = |kind| notify::Event::new(kind).add_path("a.yaml".into());
        let any = notify::event::RenameMode::To;
        let drafts = Drafts::default();
        let open = || drafts.0.lock().expect("it is free").len();
        for over in [
            EventKind::Modify(ModifyKind::Name(any)),
            EventKind::Remove(notify::event::RemoveKind::File),
            EventKind::Access(AccessKind::Close(AccessMode::Write)),
        ] {
            drafts.hear(&event(EventKind::Modify(ModifyKind::Data(
                notify::event::DataChange::Any,
            ))));
            assert_eq!(open(), 1);
            drafts.hear(&event(over));
            assert_eq!(open(), 0, "{over:?}");
        }
    }
}
