//! Starts sessions: writes their files, opens their hook address, spawns the process and its driver.

use super::SessionConfig;
use super::driver::Caller;
use super::driver::Driver;
use super::driver::Notify;
use super::driver::Order;
use super::history;
use super::history::Heading;
use super::launch;
use super::launch::Files;
use super::launch::Opening;
use super::machine::Limits;
use super::machine::Machine;
use super::pty::reap::Registry;
use super::pty::spawn::Process;
use super::shape::Shape;
use super::task::Task;
use super::witness::receiver::Receiver;
use super::witness::tail::Tails;
use crate::clock;
use crate::terminal::Screen;
use crate::turn::Message;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;
use std::time::UNIX_EPOCH;
use tokio::sync::mpsc;
use uuid::Uuid;

/// All that sessions share; cheap to clone.
#[derive(Clone)]
pub(crate) struct Launcher {
    shared: Arc<Shared>,
}

struct Shared {
    config: SessionConfig,
    program: PathBuf,
    /// The CLI's version, once it was asked.
    version: Arc<OnceLock<String>>,
    receiver: Receiver,
    tails: Tails,
    registry: Registry,
    limits: Limits,
    /// The folder of the CLI's transcripts of our sessions.
    project: Option<PathBuf>,
}

/// A session's files and what it does with shared things.
pub(crate) struct Workshop {
    pub(crate) tails: Tails,
    files: Files,
    registry: Registry,
    keep_transcripts: bool,
}

/// A turn that a session is launched with.
pub(crate) struct Launched {
    pub(crate) task: Task,
    pub(crate) caller: Caller,
    /// The id of the transcript that was written for it.
    pub(crate) uuid: String,
}

/// A live session, for the pool.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) pid: u32,
    pub(crate) orders: mpsc::Sender<Order>,
    /// Whether prompts may go through its text editor.
    pub(crate) edits: bool,
}

impl Launcher {
    pub(crate) fn new(
        config: SessionConfig,
        program: PathBuf,
        version: Arc<OnceLock<String>>,
        receiver: Receiver,
        tails: Tails,
        registry: Registry,
        limits: Limits,
    ) -> Launcher {
        let folder = config.work_dir.to_string_lossy().into_owned();
        let project = launch::claude_folder(&config)
            .map(|claude| claude.join("projects").join(history::project_slug(&folder)));
        let shared = Shared {
            config,
            program,
            version,
            receiver,
            tails,
            registry,
            limits,
            project,
        };
        Launcher {
            shared: Arc::new(shared),
        }
    }

    /// Whether the CLI was given an API key of its own.
    pub(crate) fn is_keyed(&self) -> bool {
        ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"]
            .iter()
            .any(|name| self.shared.config.env.contains_key(*name))
    }

    /// Writes a conversation where the CLI will find it; returns its id.
    ///
    /// # Errors
    /// Where the CLI's folder is unknown or cannot be written.
    pub(crate) fn write_history(&self, messages: &[Message], model: &str) -> io::Result<String> {
        let project = self
            .shared
            .project
            .as_ref()
            .ok_or_else(|| io::Error::other("claude's folder is unknown"))?;
        let uuid = Uuid::new_v4().to_string();
        let now = UNIX_EPOCH + Duration::from_millis(clock::unix_ms());
        let heading = Heading {
            session: uuid.clone(),
            folder: self.shared.config.work_dir.to_string_lossy().into_owned(),
            version: self
                .shared
                .version
                .get()
                .cloned()
                .unwrap_or_else(|| VERSION_UNASKED.to_owned()),
            model: model.to_owned(),
            timestamp: humantime::format_rfc3339_millis(now).to_string(),
        };
        fs::create_dir_all(project)?;
        let text = history::write(messages, &heading, || Uuid::new_v4().to_string());
        write_private(&self.transcript(&uuid), text.as_bytes(), 0o600)?;
        Ok(uuid)
    }

    /// Where the transcript of this id is.
    fn transcript(&self, uuid: &str) -> PathBuf {
        self.shared
            .project
            .clone()
            .unwrap_or_default()
            .join(format!("{uuid}.jsonl"))
    }

    /// Starts a session; `notify` is told of its readiness and its end.
    ///
    /// # Errors
    /// Where its files cannot be written or the process cannot be started.
    pub(crate) fn launch(
        &self,
        shape: &Shape,
        launched: Option<Launched>,
        notify: Notify,
    ) -> Result<Session, (io::Error, Option<Caller>)> {
        let (turn, caller) = match launched {
            Some(Launched { task, caller, uuid }) => (Some((task, uuid)), Some(caller)),
            None => (None, None),
        };
        match self.start(shape, turn, notify) {
            Ok((mut driver, orders)) => {
                driver.caller = caller;
                let session = Session {
                    pid: driver.process.pid,
                    orders,
                    edits: driver.workshop.files.can_edit(),
                };
                tokio::spawn(driver.run());
                Ok(session)
            }
            Err(error) => Err((error, caller)),
        }
    }

    fn start(
        &self,
        shape: &Shape,
        turn: Option<(Task, String)>,
        notify: Notify,
    ) -> io::Result<(Driver, mpsc::Sender<Order>)> {
        let shared = &self.shared;
        let files = Files {
            folder: shared.config.run_dir.join(Uuid::new_v4().to_string()),
        };
        let (posts_tx, posts) = mpsc::channel(POSTS_MAX);
        let (orders_tx, orders) = mpsc::channel(ORDERS_MAX);
        let place = shared.receiver.open(posts_tx)?;
        write_files(&files, shape, &place.url)?;
        let opening = match &turn {
            Some((_, uuid)) => Opening::Interrupted(uuid.clone()),
            None => Opening::Empty(Uuid::new_v4().to_string()),
        };
        let launch = launch::launch(&shared.program, &shared.config, shape, &files, &opening);
        let turn = turn.map(|(task, uuid)| (task, self.transcript(&uuid)));
        let machine = Machine::new(shared.limits, turn, clock::now());
        let process = Process::spawn(&launch)?;
        shared.registry.add(process.pid);
        let workshop = Workshop {
            tails: shared.tails.clone(),
            files,
            registry: shared.registry.clone(),
            keep_transcripts: shared.config.keep_transcripts,
        };
        let driver = Driver {
            process,
            workshop,
            _place: place,
            posts,
            orders,
            notify,
            machine,
            caller: None,
            tail: None,
            screen: Screen::new(),
            verdict: None,
            fault: None,
            ending: None,
        };
        Ok((driver, orders_tx))
    }

    /// Removes transcripts that an earlier daemon left. None of our sessions may be alive.
    pub(crate) fn sweep(&self) {
        drop(fs::remove_dir_all(&self.shared.config.run_dir));
        if self.shared.config.keep_transcripts {
            return;
        }
        let left = self
            .shared
            .project
            .as_ref()
            .and_then(|project| fs::read_dir(project).ok());
        for entry in left.into_iter().flatten().flatten() {
            if entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "jsonl")
            {
                drop(fs::remove_file(entry.path()));
            }
        }
    }
}

impl Workshop {
    /// Puts a prompt where the editor takes it from.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn stage_prompt(&self, text: &str) -> io::Result<()> {
        write_private(&self.files.prompt(), text.as_bytes(), 0o600)
    }

    /// Removes what a turn left on disk.
    pub(crate) fn forget(&self, transcript: &Path) {
        drop(fs::remove_file(self.files.prompt()));
        if !self.keep_transcripts && transcript.is_absolute() {
            drop(fs::remove_file(transcript));
        }
    }

    /// Removes what the session left on disk.
    pub(crate) fn close(&self, pid: u32) {
        self.registry.remove(pid);
        drop(fs::remove_dir_all(&self.files.folder));
    }
}

fn write_files(files: &Files, shape: &Shape, url: &str) -> io::Result<()> {
    create_private(&files.folder)?;
    write_private(
        &files.settings(),
        launch::settings(url).to_string().as_bytes(),
        0o600,
    )?;
    if !shape.system.is_empty() {
        write_private(&files.system(), shape.system.as_bytes(), 0o600)?;
    }
    write_private(
        &files.editor(),
        launch::editor_script(files).as_bytes(),
        0o700,
    )
}

/// Makes a folder that only this user can look into.
///
/// # Errors
/// Where it cannot be made.
pub(crate) fn create_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    set_mode(folder, 0o700)
}

fn write_private(path: &Path, text: &[u8], mode: u32) -> io::Result<()> {
    use std::io::Write;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    options.open(path)?.write_all(text)
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// What a transcript says where the CLI has not told its version yet; it only labels the record.
const VERSION_UNASKED: &str = "2.1.0";
/// Hooks that may wait for a session; one that is this far behind is stuck.
const POSTS_MAX: usize = 4096;
/// A session gets one order at a time.
const ORDERS_MAX: usize = 4;
