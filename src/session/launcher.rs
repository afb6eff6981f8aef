//! Starts sessions: writes their files, opens their hook address, spawns the process and its driver.

use super::discard::discard_all;
use super::driver::Driver;
use super::driver::Notify;
use super::driver::Order;
use super::driver::RunningSession;
use super::inbox::Inbox;
use super::installation::Installation;
use super::installation::Installations;
use super::launch;
use super::launch::Files;
use super::launch::Launch;
use super::launch::Opening;
use super::launch_context::LaunchContext;
use super::machine::Limits;
use super::machine::Machine;
use super::mcp::tool_delivery::OwnTools;
use super::mcp::tool_list::ToolList;
use super::mode::Mode;
use super::prepare;
use super::pty::spawn::Exit;
use super::pty::spawn::Process;
use super::pty::transport::PtyTransport;
use super::reply::Recipient;
use super::reply::ReplySink;
use super::resources::SessionResources;
use super::resources::in_new_folder;
use super::resources::write_files;
use super::shape::Shape;
use super::transcript_pipe::TranscriptPipe;
use super::transcript_store::TranscriptReader;
use super::turn_spec::TurnSpec;
use super::witness::copies::Copies;
use super::witness::diagnostics::Diagnostics;
use super::witness::tail::Tail;
use crate::clock;
use crate::tap::TapSession;
use crate::turn::Message;
use crate::turn::Request;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;
use uuid::Uuid;

/// All that sessions share; cheap to clone.
#[derive(Clone)]
pub(crate) struct Launcher {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) launch_context: LaunchContext,
    pub(super) installations: Installations,
    /// A claude did not know how to tell of its requests; no further one is asked to.
    pub(super) tells_nothing: Arc<AtomicBool>,
}

/// A turn that a session is launched with.
pub(crate) struct Launched {
    pub(crate) task: TurnSpec,
    pub(crate) caller: Recipient,
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

impl Birth {
    /// Whoever waits for the session's first answer.
    pub(super) fn into_caller(self) -> Option<Recipient> {
        match self {
            Birth::Empty | Birth::Primed => None,
            Birth::Turn(launched) => Some(launched.caller),
        }
    }
}

/// A live session, for the pool.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) pid: u32,
    pub(crate) orders: mpsc::Sender<Order>,
    /// The claude that it runs.
    pub(crate) installation: Arc<Installation>,
    /// Whether prompts may go through its text editor.
    pub(crate) edits: bool,
    /// The conversation that a primed session waits for; only its first turn can be that one.
    pub(crate) primed: Option<String>,
}

impl Session {
    /// The session that runs in this process, and the orders that it gets.
    pub(super) fn begun(
        pid: u32,
        installation: &Arc<Installation>,
        primed: Option<String>,
    ) -> (Session, mpsc::Receiver<Order>) {
        let (orders, given) = mpsc::channel(ORDERS_MAX);
        let session = Session {
            pid,
            orders,
            installation: Arc::clone(installation),
            edits: false,
            primed,
        };
        (session, given)
    }
}

impl Launcher {
    pub(crate) fn new(installations: Installations, launch_context: LaunchContext) -> Launcher {
        Launcher {
            shared: Arc::new(Shared {
                launch_context,
                installations,
                tells_nothing: Arc::default(),
            }),
        }
    }

    /// The claudes that sessions run.
    pub(crate) fn installations(&self) -> &Installations {
        &self.shared.installations
    }

    /// Returns once it is known what this claude tells this model by itself, or cannot be known for now.
    pub(crate) async fn rehearse(&self, installation: &Installation, model: &str) {
        let rehearsals = &self.shared.launch_context.rehearsals;
        rehearsals.play(installation, model).await;
    }

    /// Whether the CLI may tell this model something that was not seen yet.
    pub(crate) fn may_tell_more(&self, reader: TranscriptReader<'_>) -> bool {
        !self.shared.launch_context.transcript_store.is_known(reader)
    }

    /// What must be known of this call when its session is launched.
    pub(crate) fn shape(&self, request: &Request, mode: Mode) -> Shape {
        Shape::of(request, mode, self.own_tools())
    }

    /// What of this call no session can honour, by path.
    pub(crate) fn ignored(&self, request: &Request) -> Vec<String> {
        prepare::ignored(request, self.own_tools())
    }

    pub(super) fn own_tools(&self) -> OwnTools {
        match self.shared.launch_context.config.builtin_tools {
            true => OwnTools::Offered,
            false => OwnTools::None,
        }
    }

    /// Whether sessions can be primed on this system.
    pub(crate) fn primes(&self) -> bool {
        TranscriptPipe::is_possible()
    }

    /// Whether the CLI was given an API key of its own.
    pub(crate) fn is_keyed(&self) -> bool {
        ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"]
            .iter()
            .any(|name| self.shared.launch_context.config.env.contains_key(*name))
    }

    /// Writes a conversation that the next prompt goes on with, in the user's own last message; returns its id.
    ///
    /// # Errors
    /// Where the CLI's folder cannot be written.
    pub(crate) fn write_open_history(
        &self,
        messages: &[Message],
        reader: TranscriptReader<'_>,
    ) -> io::Result<String> {
        self.shared
            .launch_context
            .transcript_store
            .write_open(messages, reader)
    }

    /// Writes a conversation where the CLI will find it; returns its id.
    ///
    /// # Errors
    /// Where the CLI's folder cannot be written.
    pub(crate) fn write_history(
        &self,
        messages: &[Message],
        reader: TranscriptReader<'_>,
    ) -> io::Result<String> {
        self.shared
            .launch_context
            .transcript_store
            .write(messages, reader)
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
    ) -> Result<Session, (io::Error, Option<Recipient>)> {
        if shape.mode == Mode::Print {
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
        let run_dir = &self.shared.launch_context.config.run_dir;
        match in_new_folder(run_dir, |files| self.start(shape, files, start, notify)) {
            Ok((mut driver, mut session)) => {
                driver.session.reply = ReplySink::of(caller);
                session.edits = driver.session.resources.files.can_edit();
                tokio::spawn(driver.run());
                Ok(session)
            }
            Err(error) => Err((error, caller)),
        }
    }

    fn start(
        &self,
        shape: &Shape,
        files: Files,
        start: Start,
        notify: Notify,
    ) -> io::Result<(Driver<PtyTransport>, Session)> {
        let launch_context = &self.shared.launch_context;
        let installation = self.shared.installations.current()?;
        let tools = start.tools();
        let gated = !tools.is_empty();
        let inbox = Inbox::open(launch_context, tools)?;
        write_files(&files, shape, &inbox.address, gated)?;
        let tapped = self.tapped(&start, &shape.model)?;
        let opened = self.open(start, &shape.model, &installation)?;
        let program = &installation.path;
        let (process, exit, witnesses) =
            self.spawn_on_screen(program, shape, &files, &opened.opening, tapped.as_ref())?;
        let (session, orders) = Session::begun(process.pid, &installation, opened.primed);
        let running = self.running(
            (process.pid, exit),
            installation,
            (files, &shape.model),
            opened.transcript_pipe,
            orders,
            notify,
        );
        let transport = PtyTransport::new(
            process,
            inbox,
            (opened.machine, opened.tail),
            tapped,
            witnesses,
        );
        Ok((Driver::new(running, transport), session))
    }

    /// The session in this process, for its driver.
    pub(super) fn running(
        &self,
        process_end: (u32, Exit),
        installation: Arc<Installation>,
        (files, model): (Files, &str),
        transcript_pipe: Option<TranscriptPipe>,
        orders: mpsc::Receiver<Order>,
        notify: Notify,
    ) -> RunningSession {
        let resources = SessionResources::new(&self.shared.launch_context, files, model);
        RunningSession::new(
            process_end,
            (installation, self.shared.installations.clone()),
            resources,
            transcript_pipe,
            orders,
            notify,
        )
    }

    /// The session's API address, where the user wants one of ours.
    fn tapped(&self, start: &Start, model: &str) -> io::Result<Option<TapSession>> {
        let Some(tap) = &self.shared.launch_context.tap else {
            return Ok(None);
        };
        let mut tapped = tap.open(model)?;
        // Once the process is there, its request may come before the driver's first word.
        if matches!(start, Start::Turn(..)) {
            tapped.arm();
        }
        Ok(Some(tapped))
    }

    /// Where the session copies the API's answers to. Not every system can tell of them; then the transcript does, later.
    fn copies(&self, launch: &mut Launch, files: &Files) -> Option<Copies> {
        if launch::records_bodies(launch) {
            return None;
        }
        let copies = self
            .shared
            .launch_context
            .tails
            .copies(&files.copies())
            .ok()?;
        launch::copy_answers(launch, files);
        Some(copies)
    }

    /// Where the session tells of its requests before it sends them, where this system can hear that. With tools of its
    /// own it asks on as often as it uses them.
    pub(super) fn diagnostics(&self, launch: &mut Launch, files: &Files) -> Option<Diagnostics> {
        let tells_nothing = &self.shared.tells_nothing;
        let is_unknown = tells_nothing.load(Ordering::Relaxed);
        if self.shared.launch_context.config.builtin_tools || is_unknown {
            return None;
        }
        let diagnostics =
            Diagnostics::open(&files.diagnostics(), Arc::clone(tells_nothing)).ok()?;
        launch::tell_requests(launch, files);
        Some(diagnostics)
    }

    /// Starts the process; with it, where it copies the API's answers to, if no tap hears them.
    fn spawn_on_screen(
        &self,
        program: &Path,
        shape: &Shape,
        files: &Files,
        opening: &Opening,
        tapped: Option<&TapSession>,
    ) -> io::Result<(Process, Exit, Witnesses)> {
        let launch_context = &self.shared.launch_context;
        let mut launch = launch::pty_launch(program, &launch_context.config, shape, files, opening);
        let witnesses = match tapped {
            Some(tapped) => {
                launch::lead_through(&mut launch, &tapped.url);
                (None, None)
            }
            None => (
                self.copies(&mut launch, files),
                self.diagnostics(&mut launch, files),
            ),
        };
        if witnesses.1.is_some() && shape.is_soon_cut() {
            launch::wait_before_requests(&mut launch);
        }
        let (process, exit) = Process::spawn(&launch)?;
        launch_context.registry.add(process.pid);
        Ok((process, exit, witnesses))
    }

    /// The conversation that a session starts with, and the machine that knows it.
    fn open(&self, start: Start, model: &str, installation: &Installation) -> io::Result<Opened> {
        let (limits, now) = (self.limits(installation), clock::awake());
        let transcript_store = &self.shared.launch_context.transcript_store;
        let uuid = || Uuid::new_v4().to_string();
        Ok(match start {
            Start::Empty if transcript_store.tells(installation.reader(model)) > 0 => {
                let uuid = uuid();
                let machine = Machine::emptying(limits, uuid.clone(), now);
                Opened::new(Opening::Empty(uuid), machine)
            }
            Start::Empty => {
                let uuid = uuid();
                let machine = Machine::waiting(limits, uuid.clone(), now);
                Opened::new(Opening::Empty(uuid), machine)
            }
            Start::Turn(mut task, uuid) => {
                // It may be another claude by now than the one that the turn was made for.
                if self.may_tell_more(installation.reader(model)) {
                    task.label_added();
                }
                return self.open_turn(*task, uuid, limits);
            }
            Start::Primed => {
                let uuid = uuid();
                let machine = Machine::primed(limits, uuid.clone(), now);
                let opened = Opened::new(Opening::Interrupted(uuid.clone()), machine);
                Opened {
                    transcript_pipe: Some(transcript_store.prime(&uuid)?),
                    primed: Some(uuid),
                    ..opened
                }
            }
        })
    }

    /// A conversation whose last message is to be answered at once.
    fn open_turn(&self, task: TurnSpec, uuid: String, limits: Limits) -> io::Result<Opened> {
        let launch_context = &self.shared.launch_context;
        let transcript = launch_context.transcript_store.path(&uuid);
        // From here on: what is written after the spawn is the answer.
        let written = fs::metadata(&transcript)?.len();
        let tail = launch_context.tails.follow(&transcript, written)?;
        let now = clock::awake();
        let machine = Machine::launched(limits, uuid.clone(), task, transcript, now);
        Ok(Opened {
            tail: Some(tail),
            ..Opened::new(Opening::Interrupted(uuid), machine)
        })
    }

    /// The limits of a session of this installation.
    pub(super) fn limits(&self, installation: &Installation) -> Limits {
        Limits {
            proven: installation.is_proven(),
            ..self.shared.launch_context.limits
        }
    }

    /// The whole conversation for a primed session.
    pub(crate) fn compose(
        &self,
        uuid: &str,
        messages: &[Message],
        reader: TranscriptReader<'_>,
    ) -> String {
        self.shared
            .launch_context
            .transcript_store
            .compose(uuid, messages, reader)
    }

    /// Removes what an earlier daemon left. None of our sessions may be alive.
    pub(crate) fn sweep(&self) {
        discard_all(&self.shared.launch_context.config.run_dir);
        self.shared.launch_context.transcript_store.sweep();
    }
}

/// What a session on a screen tells of its requests and their answers, where no tap hears them.
pub(super) type Witnesses = (Option<Copies>, Option<Diagnostics>);

/// What a session starts with.
enum Start {
    Empty,
    Primed,
    Turn(Box<TurnSpec>, String),
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
    transcript_pipe: Option<TranscriptPipe>,
    primed: Option<String>,
    tail: Option<Tail>,
}

impl Opened {
    fn new(opening: Opening, machine: Machine) -> Opened {
        Opened {
            opening,
            machine,
            transcript_pipe: None,
            primed: None,
            tail: None,
        }
    }
}

/// A session gets one order at a time.
const ORDERS_MAX: usize = 4;
