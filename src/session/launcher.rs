//! Starts sessions: writes their files, opens their hook address, spawns the process and its driver.

use super::SessionConfig;
use super::discard::discard;
use super::discard::discard_all;
use super::driver::Driver;
use super::driver::Notify;
use super::driver::Order;
use super::gate;
use super::launch;
use super::launch::Files;
use super::launch::Launch;
use super::launch::Opening;
use super::library::Library;
use super::machine::Limits;
use super::machine::Machine;
use super::primer::Primer;
use super::private::create_private;
use super::private::write_private;
use super::pty::reap::Registry;
use super::pty::spawn::Process;
use super::seat::Caller;
use super::seat::Seat;
use super::shape::Shape;
use super::task::Task;
use super::tool::desk::Desk;
use super::tool::list::ToolList;
use super::witness::copies::Copies;
use super::witness::receiver::Line;
use super::witness::receiver::Place;
use super::witness::receiver::Receiver;
use super::witness::tail::Tail;
use super::witness::tail::Tails;
use crate::clock;
use crate::tap::Tap;
use crate::terminal::Screen;
use crate::turn;
use crate::turn::Message;
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;
use uuid::Uuid;

/// All that sessions share; cheap to clone.
#[derive(Clone)]
pub(crate) struct Launcher {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) outfit: Outfit,
    pub(super) program: PathBuf,
}

/// What every session is given.
pub(crate) struct Outfit {
    pub(crate) config: SessionConfig,
    pub(crate) library: Library,
    pub(crate) receiver: Receiver,
    pub(crate) tails: Tails,
    pub(crate) registry: Registry,
    pub(crate) limits: Limits,
    /// Where sessions find the API, where the user wants that to be with us.
    pub(crate) tap: Option<Tap>,
}

/// A session's files and what it does with shared things.
pub(crate) struct Workshop {
    pub(crate) tails: Tails,
    pub(crate) library: Library,
    files: Files,
    registry: Registry,
    /// Transcripts that were removed last; the CLI writes a last line into some of them when it leaves or ends.
    forgotten: VecDeque<PathBuf>,
}

/// A turn that a session is launched with.
pub(crate) struct Launched {
    pub(crate) task: Task,
    pub(crate) caller: Caller,
    /// The id of the transcript that was written for it.
    pub(crate) uuid: String,
}

/// What a session is started for.
pub(crate) enum Birth {
    /// To wait with an empty conversation.
    Empty,
    /// To wait for any conversation.
    Primed,
    Turn(Box<Launched>),
}

/// A live session, for the pool.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) pid: u32,
    pub(crate) orders: mpsc::Sender<Order>,
    /// Whether prompts may go through its text editor.
    pub(crate) edits: bool,
    /// The conversation that a primed session waits for; only its first turn can be that one.
    pub(crate) primed: Option<String>,
}

impl Launcher {
    pub(crate) fn new(program: PathBuf, outfit: Outfit) -> Launcher {
        Launcher {
            shared: Arc::new(Shared { outfit, program }),
        }
    }

    /// Whether sessions can be primed on this system.
    pub(crate) fn primes(&self) -> bool {
        Primer::is_possible()
    }

    /// Whether the CLI was given an API key of its own.
    pub(crate) fn is_keyed(&self) -> bool {
        ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"]
            .iter()
            .any(|name| self.shared.outfit.config.env.contains_key(*name))
    }

    /// Whether a session launched with a turn waits for its tools.
    pub(crate) async fn gates(&self) -> bool {
        Primer::is_possible() && self.shared.outfit.library.is_at_least(GATES_SINCE).await
    }

    /// Writes a conversation that the next prompt goes on with, in the user's own last message; returns its id.
    ///
    /// # Errors
    /// Where the CLI's folder cannot be written.
    pub(crate) fn write_open_history(
        &self,
        messages: &[Message],
        model: &str,
    ) -> io::Result<String> {
        self.shared.outfit.library.write_open(messages, model)
    }

    /// Writes a conversation where the CLI will find it; returns its id.
    ///
    /// # Errors
    /// Where the CLI's folder cannot be written.
    pub(crate) fn write_history(&self, messages: &[Message], model: &str) -> io::Result<String> {
        self.shared.outfit.library.write(messages, model)
    }

    /// Starts a session; `notify` is told of its readiness and its end.
    ///
    /// # Errors
    /// Where its files cannot be written or the process cannot be started.
    pub(crate) fn launch(
        &self,
        shape: &Shape,
        birth: Birth,
        notify: Notify,
    ) -> Result<Session, (io::Error, Option<Caller>)> {
        if shape.driver == turn::Driver::Print {
            return self.launch_print(shape, birth, notify);
        }
        let (start, caller) = match birth {
            Birth::Empty => (Start::Empty, None),
            Birth::Primed => (Start::Primed, None),
            Birth::Turn(launched) => {
                let Launched { task, caller, uuid } = *launched;
                (Start::Turn(Box::new(task), uuid), Some(caller))
            }
        };
        match self.start(shape, start, notify) {
            Ok((mut driver, mut session)) => {
                driver.seat = Seat::of(caller);
                session.edits = driver.workshop.files.can_edit();
                tokio::spawn(driver.run());
                Ok(session)
            }
            Err(error) => Err((error, caller)),
        }
    }

    fn start(&self, shape: &Shape, start: Start, notify: Notify) -> io::Result<(Driver, Session)> {
        let outfit = &self.shared.outfit;
        let files = Files {
            folder: outfit.config.run_dir.join(Uuid::new_v4().to_string()),
        };
        let (posts_tx, posts) = mpsc::channel(POSTS_MAX);
        let (orders_tx, orders) = mpsc::channel(ORDERS_MAX);
        let tools = start.tools();
        let gated = !tools.is_empty();
        let (desk, tool_events) = Desk::new(tools);
        let place = outfit.receiver.open(Line {
            posts: posts_tx,
            desk: desk.clone(),
        })?;
        write_files(&files, shape, &place, gated)?;
        let tapped = outfit.tap.as_ref().map(|tap| tap.open(&shape.model));
        let mut tapped = tapped.transpose()?;
        // Once the process is there, its request may come before the driver's first word.
        if let (Start::Turn(..), Some(tapped)) = (&start, &mut tapped) {
            tapped.arm();
        }
        let Opened {
            opening,
            machine,
            primer,
            primed,
            tail,
        } = self.open(start)?;
        let mut launch = launch::launch(
            &self.shared.program,
            &outfit.config,
            shape,
            &files,
            &opening,
        );
        let copies = match &tapped {
            Some(tapped) => {
                launch::lead_through(&mut launch, &tapped.url);
                None
            }
            None => self.copies(&mut launch, &files),
        };
        let process = Process::spawn(&launch)?;
        outfit.registry.add(process.pid);
        let session = Session {
            pid: process.pid,
            orders: orders_tx,
            edits: false,
            primed,
        };
        let workshop = Workshop::new(outfit, files);
        let driver = Driver {
            process,
            workshop,
            _place: place,
            tapped,
            posts,
            desk,
            tool_events,
            orders,
            notify,
            machine,
            seat: Seat::default(),
            tail,
            copies,
            primer,
            gate: None,
            screen: Screen::new(),
            verdict: None,
            ending: None,
        };
        Ok((driver, session))
    }

    /// Where the session copies the API's answers to. Not every system can tell of them; then the transcript does, later.
    fn copies(&self, launch: &mut Launch, files: &Files) -> Option<Copies> {
        if launch::records_bodies(launch) {
            return None;
        }
        let copies = self.shared.outfit.tails.copies(&files.copies()).ok()?;
        launch::copy_answers(launch, files);
        Some(copies)
    }

    /// The conversation that a session starts with, and the machine that knows it.
    fn open(&self, start: Start) -> io::Result<Opened> {
        let (limits, now) = (self.shared.outfit.limits, clock::now());
        let library = &self.shared.outfit.library;
        let uuid = || Uuid::new_v4().to_string();
        Ok(match start {
            Start::Empty => {
                let uuid = uuid();
                let machine = Machine::waiting(limits, uuid.clone(), now);
                Opened::new(Opening::Empty(uuid), machine)
            }
            Start::Turn(task, uuid) => {
                let transcript = library.path(&uuid);
                // From here on: what is written after the spawn is the answer.
                let written = fs::metadata(&transcript)?.len();
                let tail = self.shared.outfit.tails.follow(&transcript, written)?;
                let machine = Machine::launched(limits, uuid.clone(), *task, transcript, now);
                Opened {
                    tail: Some(tail),
                    ..Opened::new(Opening::Interrupted(uuid), machine)
                }
            }
            Start::Primed => {
                let uuid = uuid();
                let machine = Machine::primed(limits, uuid.clone(), now);
                let opened = Opened::new(Opening::Interrupted(uuid.clone()), machine);
                Opened {
                    primer: Some(library.prime(&uuid)?),
                    primed: Some(uuid),
                    ..opened
                }
            }
        })
    }

    /// The whole conversation for a primed session.
    pub(crate) fn compose(&self, uuid: &str, messages: &[Message], model: &str) -> String {
        self.shared.outfit.library.compose(uuid, messages, model)
    }

    /// Removes what an earlier daemon left. None of our sessions may be alive.
    pub(crate) fn sweep(&self) {
        discard_all(&self.shared.outfit.config.run_dir);
        self.shared.outfit.library.sweep();
    }
}

/// What a session starts with.
enum Start {
    Empty,
    Primed,
    Turn(Box<Task>, String),
}

impl Start {
    /// The tools that the session finds at its first look.
    fn tools(&self) -> ToolList {
        match self {
            Start::Empty | Start::Primed => ToolList::default(),
            Start::Turn(task, _) => task.tools.clone(),
        }
    }
}

/// A conversation, opened.
struct Opened {
    opening: Opening,
    machine: Machine,
    primer: Option<Primer>,
    primed: Option<String>,
    tail: Option<Tail>,
}

impl Opened {
    fn new(opening: Opening, machine: Machine) -> Opened {
        Opened {
            opening,
            machine,
            primer: None,
            primed: None,
            tail: None,
        }
    }
}

impl Workshop {
    pub(super) fn new(outfit: &Outfit, files: Files) -> Workshop {
        Workshop {
            tails: outfit.tails.clone(),
            library: outfit.library.clone(),
            files,
            registry: outfit.registry.clone(),
            forgotten: VecDeque::with_capacity(FORGOTTEN_MAX + 1),
        }
    }

    /// Puts a prompt where the editor takes it from.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn stage_prompt(&self, text: &str) -> io::Result<()> {
        write_private(&self.files.prompt(), text.as_bytes(), 0o600)
    }

    /// Lets a session that waits at its gate begin; the pipe's end is to be held until it has.
    ///
    /// # Errors
    /// Where the pipe cannot be written.
    pub(crate) fn open_gate(&self) -> io::Result<fs::File> {
        gate::open(&self.files)
    }

    /// Removes what a turn left on disk.
    pub(crate) fn forget(&mut self, transcript: &Path) {
        drop(fs::remove_file(self.files.prompt()));
        self.library.remove(transcript);
        self.forgotten.push_back(transcript.to_owned());
        if self.forgotten.len() > FORGOTTEN_MAX {
            let left = self.forgotten.pop_front();
            left.into_iter().for_each(|path| self.library.remove(&path));
        }
    }

    /// Removes what the session left on disk.
    pub(crate) fn close(&self, pid: u32) {
        self.registry.remove(pid);
        for transcript in &self.forgotten {
            self.library.remove(transcript);
        }
        discard(&self.files);
    }
}

fn write_files(files: &Files, shape: &Shape, place: &Place, gated: bool) -> io::Result<()> {
    create_private(&files.folder)?;
    let gate = gated.then(|| files.gate());
    if let Some(gate) = &gate {
        super::primer::make_pipe(gate)?;
    }
    let mut settings = launch::settings(&place.url, gate.as_deref());
    if shape.thinking {
        settings = launch::telling_thinking(settings);
    }
    write_private(&files.settings(), settings.to_string().as_bytes(), 0o600)?;
    let servers = launch::servers(&place.tools_url()).to_string();
    write_private(&files.tools(), servers.as_bytes(), 0o600)?;
    if !shape.system.is_empty() {
        write_private(&files.system(), shape.system.as_bytes(), 0o600)?;
    }
    write_private(
        &files.editor(),
        launch::editor_script(files).as_bytes(),
        0o700,
    )
}

/// The first version seen to run its `SessionStart` hooks before a resumed turn asks for the tools; 2.1.197 does not.
const GATES_SINCE: [u32; 3] = [2, 1, 329];
/// Removed transcripts that a session may still write into. It writes into one when it goes on to the next, so two would
/// do; whatever is older is removed once more and then left.
const FORGOTTEN_MAX: usize = 4;
/// Hooks that may wait for a session; one that is this far behind is stuck.
const POSTS_MAX: usize = 4096;
/// A session gets one order at a time.
pub(super) const ORDERS_MAX: usize = 4;
