//! Starts sessions in print mode: their files, their MCP address, the process and its driver.

use super::input;
use super::line::Lines;
use super::machine::Machine;
use super::spawn::Process;
use super::transport::PrintTransport;
use crate::clock;
use crate::disk::make_private_folder;
use crate::disk::write_private;
use crate::session::driver::Driver;
use crate::session::driver::Notify;
use crate::session::history;
use crate::session::inbox::Inbox;
use crate::session::installation::Installation;
use crate::session::launch;
use crate::session::launch::Files;
use crate::session::launch::Opening;
use crate::session::launcher::Birth;
use crate::session::launcher::Launcher;
use crate::session::launcher::Session;
use crate::session::mcp::tool_list::ToolList;
use crate::session::pty::spawn::Exit;
use crate::session::reply::Recipient;
use crate::session::reply::ReplySink;
use crate::session::resources::in_new_folder;
use crate::session::shape::Shape;
use crate::session::transcript_pipe::TranscriptPipe;
use crate::session::transcript_store::TranscriptReader;
use crate::session::turn_spec::DeliveryMethod;
use crate::session::turn_spec::TurnSpec;
use crate::session::witness::diagnostics::Diagnostics;
use crate::session::witness::receiver::HookAddress;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

/// What a session starts with.
struct Start {
    opening: Opening,
    /// How much its conversation has told of what the CLI tells by itself; one that comes through the pipe has all.
    told: Option<usize>,
    machine: Machine,
    transcript_pipe: Option<TranscriptPipe>,
    /// The conversation that is held back until the tools are there.
    held: Option<String>,
    /// The tools that the session finds when it comes up, where it comes up with any.
    tools: ToolList,
    /// The first line for its stdin.
    greeting: Option<String>,
}

impl Launcher {
    /// Starts a session in print mode.
    ///
    /// # Errors
    /// Where its files cannot be written or the process cannot be started.
    pub(crate) fn launch_print(
        &self,
        shape: &Shape,
        birth: Birth,
        notify: Notify,
    ) -> Result<Session, (io::Error, Option<Recipient>)> {
        let installation = match self.shared.installations.current() {
            Ok(installation) => installation,
            Err(error) => return Err((error, birth.into_caller())),
        };
        let (uuid, task, caller) = match birth {
            Birth::Empty => (Uuid::new_v4().to_string(), None, None),
            Birth::Primed => {
                let uuid = Uuid::new_v4().to_string();
                return self
                    .primed(&uuid, &installation)
                    .and_then(|start| self.spawn(shape, start, uuid.clone(), installation, notify))
                    .map(|(driver, session)| run(driver, None, session, Some(uuid)))
                    .map_err(|error| (error, None));
            }
            Birth::Turn(launched) => (launched.uuid, Some(launched.task), Some(launched.caller)),
        };
        let started = match task {
            None => self.empty(&uuid, installation.reader(&shape.model), &installation),
            Some(task) => self.with_turn(
                &uuid,
                task,
                installation.reader(&shape.model),
                &installation,
            ),
        };
        match started.and_then(|start| self.spawn(shape, start, uuid, installation, notify)) {
            Ok((driver, session)) => Ok(run(driver, caller, session, None)),
            Err(error) => Err((error, caller)),
        }
    }

    fn empty(
        &self,
        uuid: &str,
        reader: TranscriptReader<'_>,
        installation: &Installation,
    ) -> io::Result<Start> {
        let limits = self.limits(installation);
        let (opening, told) = self.beginning(uuid, reader)?;
        Ok(Start {
            greeting: Some(input::greeting()),
            told: Some(told),
            ..Start::of(opening, Machine::waiting(limits, clock::awake()))
        })
    }

    /// A conversation in which nothing was said: where it is known what the CLI would tell by itself, one in which that
    /// was told; and how much that is, at least.
    fn beginning(&self, uuid: &str, reader: TranscriptReader<'_>) -> io::Result<(Opening, usize)> {
        let transcript_store = &self.shared.launch_context.transcript_store;
        let told = transcript_store.tells(reader);
        if told == 0 {
            return Ok((Opening::Empty(uuid.to_owned()), told));
        }
        transcript_store.put_blank(uuid, reader)?;
        Ok((Opening::Resumed(uuid.to_owned()), told))
    }

    fn primed(&self, uuid: &str, installation: &Installation) -> io::Result<Start> {
        let limits = self.limits(installation);
        Ok(Start {
            transcript_pipe: Some(self.shared.launch_context.transcript_store.prime(uuid)?),
            ..Start::of(
                Opening::Resumed(uuid.to_owned()),
                Machine::waiting(limits, clock::awake()),
            )
        })
    }

    /// The history is a transcript already, where there is one.
    fn with_turn(
        &self,
        uuid: &str,
        mut task: TurnSpec,
        reader: TranscriptReader<'_>,
        installation: &Installation,
    ) -> io::Result<Start> {
        let transcript_store = &self.shared.launch_context.transcript_store;
        // It may be another claude by now than the one that the turn was made for.
        if self.may_tell_more(reader) {
            task.label_added();
        }
        let limits = self.limits(installation);
        let transcript = transcript_store.path(uuid);
        let tools = task.tools.clone();
        let is_answered = matches!(task.route, DeliveryMethod::Launched);
        let machine = Machine::launched(limits, task, clock::awake());
        let uuid = uuid.to_owned();
        Ok(match is_answered {
            // The transcript ends in the message that is to be answered: it waits until the tools are there.
            true => {
                let text = fs::read_to_string(&transcript)?;
                fs::remove_file(&transcript)?;
                Start {
                    transcript_pipe: Some(transcript_store.prime(&uuid)?),
                    held: Some(text),
                    tools,
                    ..Start::of(Opening::Interrupted(uuid), machine)
                }
            }
            false if transcript.is_file() => Start::of(Opening::Resumed(uuid), machine),
            false => Start::of(self.beginning(&uuid, reader)?.0, machine),
        })
    }

    fn spawn(
        &self,
        shape: &Shape,
        start: Start,
        uuid: String,
        installation: Arc<Installation>,
        notify: Notify,
    ) -> io::Result<(Driver<PrintTransport>, Session)> {
        let run_dir = &self.shared.launch_context.config.run_dir;
        in_new_folder(run_dir, |files| {
            self.spawn_in(files, shape, start, (uuid, installation), notify)
        })
    }

    fn spawn_in(
        &self,
        files: Files,
        shape: &Shape,
        start: Start,
        (uuid, installation): (String, Arc<Installation>),
        notify: Notify,
    ) -> io::Result<(Driver<PrintTransport>, Session)> {
        let launch_context = &self.shared.launch_context;
        let has_tools = !start.tools.is_empty();
        // It has no hooks: nobody listens to what they post.
        let Inbox {
            address,
            mcp,
            tool_events,
            ..
        } = Inbox::open(launch_context, start.tools)?;
        self.prepare_files(&files, shape, &address, has_tools)?;
        let (process, exit, diagnostics) =
            self.spawn_in_print(&installation.path, shape, &files, &start.opening, has_tools)?;
        if let Some(greeting) = start.greeting {
            process.write(greeting);
        }
        let (session, orders) = Session::begun(process.pid, &installation, None);
        let session_files = (files, shape.model.as_str());
        let (pipe, process_end) = (start.transcript_pipe, (process.pid, exit));
        let transport = PrintTransport {
            process,
            address,
            mcp,
            tool_events,
            machine: start.machine,
            lines: Lines::default(),
            diagnostics,
            held: start.held,
            told: start.told,
            transcript: launch_context.transcript_store.path(&uuid),
        };
        let running = self.running(
            process_end,
            installation,
            session_files,
            pipe,
            orders,
            notify,
        );
        Ok((Driver::new(running, transport), session))
    }

    /// Writes what the process reads.
    fn prepare_files(
        &self,
        files: &Files,
        shape: &Shape,
        address: &HookAddress,
        has_tools: bool,
    ) -> io::Result<()> {
        write_files(files, shape, address, has_tools)?;
        let config = &self.shared.launch_context.config;
        match config.builtin_tools {
            true => Ok(()),
            false => refuse_pictures(files, &config.work_dir),
        }
    }

    /// Starts the process; with it, where it tells of its requests, if it does.
    fn spawn_in_print(
        &self,
        program: &Path,
        shape: &Shape,
        files: &Files,
        opening: &Opening,
        has_tools: bool,
    ) -> io::Result<(Process, Exit, Option<Diagnostics>)> {
        let context = &self.shared.launch_context;
        let config = &context.config;
        let mut launch = launch::print_launch(program, config, shape, files, opening, has_tools);
        let diagnostics = self.diagnostics(&mut launch, files);
        let (process, exit) = Process::spawn(&launch, |pid| context.registry.add(pid))?;
        Ok((process, exit, diagnostics))
    }
}

impl Start {
    fn of(opening: Opening, machine: Machine) -> Start {
        Start {
            opening,
            told: None,
            machine,
            transcript_pipe: None,
            held: None,
            tools: ToolList::default(),
            greeting: None,
        }
    }
}

fn run(
    mut driver: Driver<PrintTransport>,
    caller: Option<Recipient>,
    session: Session,
    primed: Option<String>,
) -> Session {
    driver.session.reply = ReplySink::of(caller);
    tokio::spawn(driver.run());
    Session { primed, ..session }
}

/// Newer versions write the pictures of a message to files, and tell the model where. Where the folder for them cannot
/// be made, they do neither: a file stands in its place.
#[cfg(unix)]
fn refuse_pictures(files: &Files, work: &Path) -> io::Result<()> {
    let user = rustix::process::getuid().as_raw();
    let folder = files.passing().join(format!("claude-{user}"));
    make_private_folder(&folder)?;
    let work = fs::canonicalize(work)?;
    let project = history::project_slug(&work.to_string_lossy());
    write_private(&folder.join(project), b"", 0o600)
}

/// Where they go there was not seen yet.
#[cfg(not(unix))]
fn refuse_pictures(_files: &Files, _work: &Path) -> io::Result<()> {
    Ok(())
}

fn write_files(
    files: &Files,
    shape: &Shape,
    address: &HookAddress,
    has_tools: bool,
) -> io::Result<()> {
    make_private_folder(&files.folder)?;
    make_private_folder(&files.passing())?;
    if has_tools {
        let servers = launch::mcp_servers(&address.tools_url()).to_string();
        write_private(&files.tools(), servers.as_bytes(), 0o600)?;
    }
    if !shape.system.is_empty() {
        write_private(&files.system(), shape.system.as_bytes(), 0o600)?;
    }
    Ok(())
}
