//! The claude that sessions run, as it lies on disk: which one it is at this moment, and what is known of it.
//!
//! A claude updates itself under the daemon: its file is replaced, or the link to it leads elsewhere. So each launch
//! looks at what it is about to run. What looks different is another installation: it is asked for its version and
//! assessed like the first one, and what was known of the one before stays with the sessions that run it. Where a
//! program stands before the real one and does not change with it, the CLI's own word tells (`heard`).

use super::habits::Habits;
use super::support::Assessment;
use super::support::Support;
use super::transcript_store::TranscriptReader;
use crate::clock;
use crate::sync::lock;
use crate::turn::Fault;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use tokio::sync::SetOnce;
use tokio::sync::watch;

/// Counts the installations that there were; the latest is the one that a launch runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edition(pub(crate) u64);

/// One claude, as it lay on disk for a while.
#[derive(Debug)]
pub(crate) struct Installation {
    pub(crate) edition: Edition,
    pub(crate) path: PathBuf,
    seal: Seal,
    version: SetOnce<String>,
    assessment: SetOnce<Assessment>,
    /// What can be known at once is known: its version is told, or it does not tell it.
    asked: SetOnce<()>,
    /// The assessment is there, or there will be none.
    settled: SetOnce<()>,
    /// What it tells the model by itself was looked for.
    rehearsed: SetOnce<()>,
    /// What to do where it cannot be driven.
    remedy: &'static str,
}

/// What a file looks like from outside; another file, or another content, looks different.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seal {
    file: PathBuf,
    size: u64,
    modified: Option<SystemTime>,
}

/// A claude was configured, or found, and is not where it was.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be looked at", .0.display())]
pub(crate) struct NotThere(pub(crate) PathBuf);

/// Finds out what an installation is, beside everything else; called once for each.
pub(crate) type Inquiry = Box<dyn Fn(Installations, Arc<Installation>) + Send + Sync>;
/// Finds a claude on this machine.
pub(crate) type Locate = Box<dyn Fn() -> Option<PathBuf> + Send + Sync>;

/// The installations; cheap to clone.
#[derive(Clone)]
pub(crate) struct Installations {
    shared: Arc<Shared>,
}

struct Shared {
    locate: Locate,
    inquiry: Inquiry,
    remedy: &'static str,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    current: Option<Arc<Installation>>,
    editions: u64,
    /// Since when the current one is not where it was.
    gone: Option<Instant>,
    /// Whether there was one at the last look.
    found: bool,
    /// When the last look was.
    looked: Option<Instant>,
}

impl Installation {
    /// Its version, once it has told it.
    pub(crate) fn version(&self) -> Option<&str> {
        self.version.get().map(String::as_str)
    }

    /// Who reads the transcripts that are written for its sessions.
    pub(crate) fn reader<'a>(&'a self, model: &'a str) -> TranscriptReader<'a> {
        let version = self.version().unwrap_or(VERSION_UNASKED);
        TranscriptReader { version, model }
    }

    /// What the relay can expect of it, once that is known.
    pub(crate) fn support(&self) -> Option<&Support> {
        self.assessment.get().map(|assessment| &assessment.support)
    }

    /// What it was seen to do; nothing is taken for granted of one that is still to be assessed.
    pub(crate) fn habits(&self) -> Habits {
        let known = self.assessment.get();
        known.map_or_else(Habits::default, |assessment| assessment.habits)
    }

    /// The same, once it is assessed, or after the time that an assessment may take.
    pub(crate) async fn habits_in_time(&self) -> Habits {
        drop(tokio::time::timeout(ASSESSMENT_WAIT, self.settled.wait()).await);
        self.habits()
    }

    /// Why no call can be served by it, once its version was asked.
    pub(crate) async fn refusal(&self) -> Option<Fault> {
        drop(tokio::time::timeout(VERSION_WAIT, self.asked.wait()).await);
        self.known_refusal()
    }

    /// The same, as far as it is known.
    pub(crate) fn known_refusal(&self) -> Option<Fault> {
        let version = self.version().unwrap_or_default();
        self.assessment.get()?.refusal(version, self.remedy)
    }

    /// Whether it is known that it can be driven.
    pub(crate) fn is_proven(&self) -> bool {
        matches!(
            self.support(),
            Some(Support::Supported | Support::Degraded(_))
        )
    }

    /// Whether sessions may be warmed: what they must have told is known, as far as it can be.
    pub(crate) fn is_rehearsed(&self) -> bool {
        self.rehearsed.get().is_some()
    }

    /// Whether there is nothing more to find out.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled.get().is_some()
    }
}

impl Installations {
    pub(crate) fn new(locate: Locate, inquiry: Inquiry, remedy: &'static str) -> Installations {
        let (changes, _) = watch::channel(0);
        Installations {
            shared: Arc::new(Shared {
                locate,
                inquiry,
                remedy,
                state: Mutex::default(),
                changes,
            }),
        }
    }

    /// The installation that a process started now would run.
    ///
    /// # Errors
    /// Where there is none: `NotFound`, or why its file cannot be looked at.
    pub(crate) fn current(&self) -> io::Result<Arc<Installation>> {
        let mut state = self.lock();
        let looked = self.path(&state).and_then(|path| match Seal::of(&path) {
            Ok(seal) => Ok((path, seal)),
            Err(error) => Err(io::Error::new(error.kind(), NotThere(path))),
        });
        let was_found = std::mem::replace(&mut state.found, looked.is_ok());
        state.looked = Some(clock::now());
        let (path, seal) = match looked {
            Ok(found) => found,
            Err(error) => {
                state.gone.get_or_insert_with(clock::now);
                drop(state);
                if was_found {
                    self.changed();
                }
                return Err(error);
            }
        };
        state.gone = None;
        if let Some(current) = &state.current
            && current.path == path
            && current.seal == seal
        {
            let current = Arc::clone(current);
            drop(state);
            if !was_found {
                self.changed();
            }
            return Ok(current);
        }
        let current = self.renew(&mut state, path, seal);
        drop(state);
        self.inquire(&current);
        Ok(current)
    }

    /// The same, as a look found it that may be as old as [`LOOK_AGE_MAX`]: for whoever starts no process, and has no
    /// time for the disk.
    ///
    /// # Errors
    /// As for `current`.
    pub(crate) fn recent(&self) -> io::Result<Arc<Installation>> {
        let state = self.lock();
        let is_recent = |looked: Instant| clock::now().duration_since(looked) < LOOK_AGE_MAX;
        match &state.current {
            Some(current) if state.found && state.looked.is_some_and(is_recent) => {
                Ok(Arc::clone(current))
            }
            Some(_) | None => {
                drop(state);
                self.current()
            }
        }
    }

    /// The one that was there last, be it gone or not.
    pub(crate) fn last(&self) -> Option<Arc<Installation>> {
        self.lock().current.clone()
    }

    /// The claude that is there, once it is known whether it can be driven; `None` where there is none for now.
    ///
    /// # Errors
    /// Why no call can be served, where the claude that is there, or was last, cannot be driven.
    pub(crate) async fn usable(&self) -> Result<Option<Arc<Installation>>, Fault> {
        let current = self.recent().ok();
        let Some(asked) = current.clone().or_else(|| self.last()) else {
            return Ok(None);
        };
        asked.refusal().await.map_or(Ok(current), Err)
    }

    /// A process told its version. Where it is not its installation's, another program hides behind the same file: that
    /// is another installation, whose version is what the process says, whatever the file does. Whether it was so.
    pub(crate) fn heard(&self, installation: &Installation, version: &str) -> bool {
        let told = installation.version.get();
        if version.is_empty() || told.is_none_or(|told| told == version) {
            return false;
        }
        let mut state = self.lock();
        let is_current = |current: &Arc<Installation>| current.edition == installation.edition;
        if !state.current.as_ref().is_some_and(is_current) {
            return true;
        }
        let (path, seal) = (installation.path.clone(), installation.seal.clone());
        let current = self.renew(&mut state, path, seal);
        drop(state);
        drop(current.version.set(version.to_owned()));
        self.inquire(&current);
        true
    }

    /// Changes whenever there is another installation, or more is known of the current one.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// Looks at the disk now and then, for as long as anybody listens to changes.
    pub(crate) fn watch(&self) {
        let own = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                if own.shared.changes.receiver_count() == 0 {
                    return;
                }
                drop(own.current());
            }
        });
    }

    /// The installation told its version.
    pub(crate) fn tell_version(&self, installation: &Installation, version: String) {
        drop(installation.version.set(version));
        self.changed();
    }

    /// It works again, where it was said that it does not: the next look finds another installation.
    pub(crate) fn forget(&self, installation: &Installation) {
        let mut state = self.lock();
        let current = state.current.as_ref();
        if current.is_some_and(|current| current.edition == installation.edition) {
            state.current = None;
        }
    }

    /// What can be known without trying it out is known.
    pub(crate) fn tell_asked(&self, installation: &Installation) {
        drop(installation.asked.set(()));
        self.changed();
    }

    /// It was rehearsed, with whatever success.
    pub(crate) fn tell_rehearsed(&self, installation: &Installation) {
        drop(installation.rehearsed.set(()));
        self.changed();
    }

    /// It was assessed; `None` where it cannot be.
    pub(crate) fn tell(&self, installation: &Installation, assessment: Option<Assessment>) {
        if let Some(assessment) = assessment {
            drop(installation.assessment.set(assessment));
        }
        drop(installation.asked.set(()));
        drop(installation.settled.set(()));
        self.changed();
    }

    /// Whether it is still the one that a launch would run.
    pub(crate) fn is_current(&self, installation: &Installation) -> bool {
        let current = self.current();
        current.is_ok_and(|current| current.edition == installation.edition)
    }

    /// Where the claude is: where it was, unless it is gone for good; or else wherever one is found.
    fn path(&self, state: &State) -> io::Result<PathBuf> {
        let stays = state
            .gone
            .is_none_or(|since| clock::now().duration_since(since) < GONE_MAX);
        let known = state.current.as_ref().filter(|_| stays);
        if let Some(current) = known {
            return Ok(current.path.clone());
        }
        let found = (self.shared.locate)();
        found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn renew(&self, state: &mut State, path: PathBuf, seal: Seal) -> Arc<Installation> {
        state.editions += 1;
        let current = Arc::new(Installation {
            edition: Edition(state.editions),
            path,
            seal,
            version: SetOnce::new(),
            assessment: SetOnce::new(),
            asked: SetOnce::new(),
            settled: SetOnce::new(),
            rehearsed: SetOnce::new(),
            remedy: self.shared.remedy,
        });
        state.current = Some(Arc::clone(&current));
        current
    }

    fn inquire(&self, current: &Arc<Installation>) {
        self.changed();
        (self.shared.inquiry)(self.clone(), Arc::clone(current));
    }

    fn changed(&self) {
        self.shared.changes.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.shared.state)
    }
}

impl Seal {
    fn of(path: &Path) -> io::Result<Seal> {
        let file = fs::canonicalize(path)?;
        let meta = fs::metadata(&file)?;
        Ok(Seal {
            file,
            size: meta.len(),
            modified: meta.modified().ok(),
        })
    }
}

/// What a transcript says where the CLI has not told its version yet; it only labels the record.
const VERSION_UNASKED: &str = "2.1.0";
/// How often the disk is looked at while nothing is launched: a look takes microseconds.
const LOOK: Duration = Duration::from_secs(1);
/// How old a look may be that is as good as one now. The next one is due before that.
const LOOK_AGE_MAX: Duration = Duration::from_secs(2);
/// How long a claude may be away before another one is taken in its place: an update takes seconds.
const GONE_MAX: Duration = Duration::from_secs(30);
/// A CLI tells its version within a tenth of a second; no call waits longer for it.
const VERSION_WAIT: Duration = Duration::from_secs(5);
/// Trying a version out takes some seconds; a busy machine takes a few times as long.
const ASSESSMENT_WAIT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    /// Installations of whatever lies at this path, each of which tells its file's text as its version.
    fn installations(path: &Path) -> Installations {
        let program = path.to_owned();
        Installations::new(
            Box::new(move || program.exists().then(|| program.clone())),
            Box::new(|own, installation| {
                let text = fs::read_to_string(&installation.path).unwrap_or_default();
                own.tell_version(&installation, text);
                own.tell_asked(&installation);
            }),
            "",
        )
    }

    fn version(installations: &Installations) -> Option<String> {
        let current = installations.current().ok()?;
        current.version().map(str::to_owned)
    }

    #[test]
    fn a_file_that_is_replaced_is_another_installation_and_one_that_is_not_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("claude");
        fs::write(&path, "1.2.3").expect("it is written");
        let installations = installations(&path);
        let first = installations.current().expect("it is there");
        assert_eq!(version(&installations).as_deref(), Some("1.2.3"));
        assert_eq!(
            installations.current().map(|it| it.edition).ok(),
            Some(first.edition)
        );
        fs::write(&path, "1.2.40").expect("it is written");
        assert_eq!(version(&installations).as_deref(), Some("1.2.40"));
        assert_eq!(first.version(), Some("1.2.3"));
        assert!(!installations.is_current(&first));
    }

    #[test]
    fn a_claude_that_is_gone_for_a_moment_is_not_found_and_then_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("claude");
        let installations = installations(&path);
        let missing = |found: io::Result<Arc<Installation>>| {
            found.err().map(|error| error.kind()) == Some(io::ErrorKind::NotFound)
        };
        assert!(missing(installations.current()));
        fs::write(&path, "1.2.3").expect("it is written");
        let first = installations.current().expect("it is there");
        fs::rename(&path, folder.path().join("away")).expect("it is moved");
        assert!(missing(installations.current()));
        assert!(installations.last().is_some());
        fs::rename(folder.path().join("away"), &path).expect("it is moved");
        assert_eq!(
            installations.current().map(|it| it.edition).ok(),
            Some(first.edition)
        );
    }

    #[test]
    fn a_program_that_tells_another_version_than_its_file_did_is_another_installation() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("claude");
        fs::write(&path, "1.2.3").expect("it is written");
        let installations = installations(&path);
        let first = installations.current().expect("it is there");
        assert!(!installations.heard(&first, "1.2.3"));
        assert!(installations.heard(&first, "1.2.4"));
        let second = installations.current().expect("it is there");
        assert!(second.edition > first.edition);
        assert_eq!(second.version(), Some("1.2.4"));
        assert!(!installations.heard(&second, "1.2.4"));
        // Another process of the first one says nothing new.
        assert!(installations.heard(&first, "1.2.4"));
        assert!(installations.is_current(&second));
    }

    #[tokio::test]
    async fn one_that_cannot_be_driven_is_refused_as_soon_as_that_is_known() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("claude");
        fs::write(&path, "1.2.3").expect("it is written");
        let installations = installations(&path);
        let current = installations.current().expect("it is there");
        assert_eq!(current.refusal().await, None);
        let support = Support::Unsupported("too old".to_owned());
        let habits = Habits::default();
        installations.tell(&current, Some(Assessment { support, habits }));
        let fault = installations.usable().await.expect_err("it is refused");
        assert!(
            fault
                .public
                .contains("1.2.3 cannot be driven (claude_unsupported: too old)")
        );
        assert!(current.is_settled() && !current.is_proven());
    }
}
