//! The commands: what calls take, under load, against the floor, against another build, and as work grows.

mod compare;
mod floor;
mod hosts;
mod load;
mod report;
mod running_daemon;

use crate::args::Bench;
use crate::args::Cli;
use crate::load::host::Setup;
use crate::out;
use anyhow::Context;
use anyhow::bail;
use anyhow::ensure;
use clap::Parser;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

/// The whole program: exit code 0 where all went well, 1 where something failed or is slower than allowed.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way as well. A reader that has gone away needs neither.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(cli) {
        Ok(CommandOutcome::Done) => ExitCode::SUCCESS,
        Ok(CommandOutcome::Failed) => ExitCode::from(1),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            out::note(&format!("error: {error:#}"));
            ExitCode::from(1)
        }
    }
}

/// How a command ended that has already said what there is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CommandOutcome {
    Done,
    Failed,
}

/// What is measured.
struct Programs {
    relay: PathBuf,
    /// The simulated claude.
    claude: PathBuf,
}

fn run(cli: Cli) -> anyhow::Result<CommandOutcome> {
    open_more();
    let programs = Programs::find(cli.relay)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        tokio::select! {
            outcome = measured(&cli.command, &programs) => outcome,
            () = stopped() => bail!("interrupted"),
        }
    })
}

async fn measured(command: &Bench, programs: &Programs) -> anyhow::Result<CommandOutcome> {
    match command {
        Bench::Load(args) => load::load(args, programs).await,
        Bench::Floor(args) => floor::floor(args, programs).await,
        Bench::Hosts(args) => hosts::hosts(args, programs).await,
        Bench::Bare { host } => hosts::bare(*host).await,
        Bench::Compare(args) => compare::compare(args, programs).await,
        Bench::Report(args) => report::report(args, programs).await,
    }
}

/// Whether the reader of our output has gone away, as `head` does: no failure of ours.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<io::Error>();
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// Told to stop, by a key or a signal: the daemon that is measured goes with its owner.
async fn stopped() {
    let Ok(mut told) = signal(SignalKind::terminate()) else {
        return drop(tokio::signal::ctrl_c().await);
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = told.recv() => {}
    }
}

/// A connection is a descriptor, and a plan may have more callers than the 1,024 that most systems begin with: the limit
/// is raised as far as anybody may. Where it stays, the run says what it could not open.
fn open_more() {
    use rustix::process::Resource;
    let mut limit = rustix::process::getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = rustix::process::setrlimit(Resource::Nofile, limit); // A lower limit serves fewer callers.
}

impl Programs {
    /// The relay that was named, or the one beside this program; the simulated claude lies beside that one.
    fn find(relay: Option<PathBuf>) -> anyhow::Result<Programs> {
        let relay = match relay {
            Some(relay) => relay,
            None => {
                let own = std::env::current_exe();
                let own = own.context("this program does not know its own path")?;
                own.with_file_name("inference-relay")
            }
        };
        let claude = relay.with_file_name("fake-claude");
        for program in [&relay, &claude] {
            let is_there = program.is_file();
            ensure!(
                is_there,
                "{} is not built: run cargo build --release --workspace",
                program.display()
            );
        }
        Ok(Programs { relay, claude })
    }

    /// A pool of simulated sessions, all of them warm.
    fn simulated(&self, sessions: u32) -> Setup {
        Setup {
            program: self.relay.clone(),
            claude: self.claude.clone(),
            sessions_max: sessions,
            sessions_idle: sessions,
            queue_max: QUEUE_MAX,
            reply_bytes: REPLY_BYTES,
            model: MODEL.to_owned(),
            catalog: None,
        }
    }
}

/// A file of the results.
fn write(path: &PathBuf, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

/// More callers than any plan has.
const QUEUE_MAX: u32 = 10_000;
/// A short answer.
const REPLY_BYTES: usize = 256;
/// No model is asked; the name only has to be one and the same.
const MODEL: &str = "claude-opus-4-8";
