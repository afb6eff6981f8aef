//! `login codex` and `logout codex`: the Codex CLI's own commands, run as the relay runs that CLI.

use crate::cli::args::ConfigArgs;
use crate::cli::args::OwnCli;
use crate::cli::check::Check;
use crate::cli::check::State;
use crate::cli::out;
use crate::cli::run::CommandOutcome;
use crate::cli::run::block_on;
use crate::codex::CodexConfig;
use crate::codex::CodexProgram;
use crate::config;
use crate::config::Env;
use anyhow::Context;

pub(crate) fn log_in(
    cli: OwnCli,
    device: bool,
    place: &ConfigArgs,
    env: &Env,
) -> anyhow::Result<CommandOutcome> {
    let OwnCli::Codex = cli;
    let program = program(place, env)?;
    let is_done = block_on(program.log_in(device))?;
    outcome(is_done.with_context(|| program.path().display().to_string())?)
}

pub(crate) fn log_out(
    cli: OwnCli,
    place: &ConfigArgs,
    env: &Env,
) -> anyhow::Result<CommandOutcome> {
    let OwnCli::Codex = cli;
    let program = program(place, env)?;
    let is_done = block_on(program.log_out())?;
    outcome(is_done.with_context(|| program.path().display().to_string())?)
}

fn program(place: &ConfigArgs, env: &Env) -> anyhow::Result<CodexProgram> {
    let config = config::load(&place.flags(), env)?;
    CodexProgram::find(&config.codex).context(
        "no `codex` was found on this machine; install the Codex CLI, or name yours as codex.command in relay.toml",
    )
}

/// The CLI has said itself how it went.
fn outcome(is_done: bool) -> anyhow::Result<CommandOutcome> {
    if !is_done {
        out::note("the Codex CLI says that it did not succeed");
        return Ok(CommandOutcome::Failed);
    }
    Ok(CommandOutcome::Done)
}

/// The Codex CLI, where there is one: nobody needs it.
pub(super) fn check(config: &CodexConfig) -> anyhow::Result<Check> {
    let check = |state, text: String| Check::new("codex", state, text);
    let Some(program) = CodexProgram::find(config) else {
        return Ok(check(
            State::Note,
            "none is found; only the lane `codex` needs it".to_owned(),
        ));
    };
    let (version, login) =
        block_on(async { (program.version().await, program.is_logged_in().await) })?;
    let path = program.path().display();
    Ok(match (version, login) {
        (Err(error), _) => check(
            State::Note,
            format!("{path} does not tell its version: {error}"),
        ),
        (Ok(version), Ok(true)) => check(State::Good, format!("{version} at {path}, logged in")),
        (Ok(version), Ok(false)) => check(
            State::Note,
            format!(
                "{version} at {path}, not logged in; a provider of its configuration may need no login"
            ),
        ),
        (Ok(version), Err(error)) => check(
            State::Note,
            format!("{version} at {path} says nothing of its login: {error}"),
        ),
    })
}
