//! `bench`: what calls take, under load, against the floor, against another build, and as work grows.

mod compare;
mod floor;
mod load;
mod report;

use crate::cli::args;
use crate::cli::run::CommandOutcome;
use crate::config::Env;
use crate::daemon;
use crate::load::host::Setup;
use anyhow::Context;
use anyhow::bail;
use std::path::PathBuf;
#[cfg(unix)]
use tokio::signal::unix::SignalKind;
#[cfg(unix)]
use tokio::signal::unix::signal;

pub(crate) async fn bench(command: &args::Bench, env: &Env) -> anyhow::Result<CommandOutcome> {
    open_more();
    let measured = async {
        match command {
            args::Bench::Load(args) => load::load(args, env).await,
            args::Bench::Floor(args) => floor::floor(args).await,
            args::Bench::Compare(args) => compare::compare(args).await,
            args::Bench::Report(args) => report::report(args).await,
        }
    };
    tokio::select! {
        outcome = measured => outcome,
        () = stopped() => bail!("interrupted"),
    }
}

/// Told to stop, by a key or a signal: the daemon that is measured goes with its owner.
async fn stopped() {
    #[cfg(unix)]
    if let Ok(mut told) = signal(SignalKind::terminate()) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = told.recv() => {}
        }
        return;
    }
    drop(tokio::signal::ctrl_c().await);
}

/// A connection is a descriptor, and a plan may have more callers than the 1,024 that most systems begin with: the limit
/// is raised as far as anybody may. Where it stays, the run says what it could not open.
#[cfg(unix)]
fn open_more() {
    use rustix::process::Resource;
    let mut limit = rustix::process::getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = rustix::process::setrlimit(Resource::Nofile, limit); // A lower limit serves fewer callers.
}

#[cfg(not(unix))]
fn open_more() {}

/// A pool of simulated sessions, all of them warm.
fn simulated(sessions: u32) -> anyhow::Result<Setup> {
    let program = std::env::current_exe().context("this program does not know its own path")?;
    Ok(Setup {
        program,
        claude: daemon::simulated_claude()?,
        sessions_max: sessions,
        sessions_idle: sessions,
        queue_max: QUEUE_MAX,
        reply_bytes: REPLY_BYTES,
        model: MODEL.to_owned(),
    })
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
