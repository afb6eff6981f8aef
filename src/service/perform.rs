//! Takes the steps of a plan.

use super::manager::Manager;
use super::step::Invocation;
use super::step::Step;
use crate::disk;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use thiserror::Error;

/// Why a step was not taken.
#[derive(Debug, Error)]
pub(crate) enum ServiceError {
    #[error(
        "this machine has no `{0}`, so it cannot keep the relay running; run `inference-relay serve` under the supervisor that it has"
    )]
    NoManager(&'static str),
    #[error(
        "the service manager does not serve this user here (`{command}` says: {words}); log in to the machine itself instead of changing users with su or sudo, or run `inference-relay serve` under a supervisor of your own"
    )]
    Unreachable { command: String, words: String },
    #[error("`{command}` failed: {words}")]
    Refused { command: String, words: String },
    #[error("{} cannot be changed", path.display())]
    File { path: PathBuf, source: io::Error },
}

/// The manager of this system. `user` names the account as Windows does.
pub(crate) fn here(config: &Path, home: &Path, state: &Path, user: &str) -> Manager {
    if cfg!(windows) {
        Manager::Scheduler {
            folder: state.to_owned(),
            user: user.to_owned(),
        }
    } else if cfg!(target_os = "macos") {
        Manager::Launchd {
            folder: home.join("Library").join("LaunchAgents"),
            user: user_number(),
        }
    } else {
        Manager::Systemd {
            folder: config.join("systemd").join("user"),
        }
    }
}

#[cfg(unix)]
fn user_number() -> u32 {
    rustix::process::getuid().as_raw()
}

#[cfg(not(unix))]
fn user_number() -> u32 {
    0
}

/// Takes every step, and stops at the first that fails.
///
/// # Errors
/// The first step that could not be taken.
pub(crate) fn perform(steps: &[Step]) -> Result<(), ServiceError> {
    steps.iter().try_for_each(take)
}

fn take(step: &Step) -> Result<(), ServiceError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        |source| ServiceError::File { path, source }
    };
    match step {
        Step::Write { path, bytes } => write(path, bytes).map_err(at(path)),
        Step::Remove(path) => match fs::remove_file(path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(at(path)(source)),
            Ok(()) | Err(_) => Ok(()),
        },
        Step::Run(command) => output(command).map(drop),
        Step::Try(command) => {
            drop(output(command)); // what it was to end had ended
            Ok(())
        }
    }
}

/// Whole or not at all: a manager may read the folder at any moment. For the user's eyes only: the address of a proxy
/// may hold a password.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    disk::replace(path, bytes)
}

/// Runs a command to its end, and gives what it printed.
///
/// # Errors
/// Where it is not there, or fails.
pub(crate) fn output(command: &Invocation) -> Result<String, ServiceError> {
    let run = process(command).stdin(Stdio::null()).output();
    let output = run.map_err(|source| missing(command, source))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let (command, words) = (line(command), words(&output));
    Err(match words.contains("connect to bus") {
        true => ServiceError::Unreachable { command, words },
        false => ServiceError::Refused { command, words },
    })
}

/// Runs a command that prints for the user until it ends; whether it ended well.
///
/// # Errors
/// Where it is not there.
pub(crate) fn exec(command: &Invocation) -> Result<bool, ServiceError> {
    let run = process(command).status();
    Ok(run.map_err(|source| missing(command, source))?.success())
}

fn process(command: &Invocation) -> Command {
    let mut process = Command::new(command.program);
    process.args(&command.args);
    process
}

fn missing(command: &Invocation, source: io::Error) -> ServiceError {
    match source.kind() {
        io::ErrorKind::NotFound => ServiceError::NoManager(command.program),
        _ => ServiceError::File {
            path: command.program.into(),
            source,
        },
    }
}

fn words(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    match text.trim() {
        "" => output.status.to_string(),
        words => words.replace('\n', "; "),
    }
}

fn line(command: &Invocation) -> String {
    format!("{} {}", command.program, command.args.join(" "))
}
