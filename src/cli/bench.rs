//! `bench`: hands over to relay-bench, the program that measures, which lies beside this one.

use crate::cli::out;
use crate::cli::run::CommandOutcome;
use anyhow::Context;
use anyhow::ensure;
use std::ffi::OsString;
use std::process::Command;

/// Ends with the exit code of relay-bench.
pub(crate) fn bench(words: &[OsString]) -> anyhow::Result<CommandOutcome> {
    let own = std::env::current_exe().context("this program does not know its own path")?;
    let program = own.with_file_name(format!("relay-bench{}", std::env::consts::EXE_SUFFIX));
    let asks_for_help = words.iter().any(|word| word == "--help" || word == "-h");
    if asks_for_help && !program.is_file() {
        out::text(UNBUILT)?;
        return Ok(CommandOutcome::Done);
    }
    ensure!(
        program.is_file(),
        "{} is not built. It measures the relay and is no part of it: run cargo build --release --workspace in the \
         repository, or copy relay-bench and fake-claude there",
        program.display()
    );
    let mut command = Command::new(program);
    command.args(words);
    hand_over(command)
}

/// What `--help` says where the program that knows more is not there.
const UNBUILT: &str = "\
Measures calls: under load, against the floor, against another build. It hands over to relay-bench, a program of its own that
lies beside this one once `cargo build --release --workspace` has built it; then this prints what that one can do.

Examples:
  inference-relay bench --help
";

/// Becomes that program: signals, input and exit code are its own.
#[cfg(unix)]
fn hand_over(mut command: Command) -> anyhow::Result<CommandOutcome> {
    let error = std::os::unix::process::CommandExt::exec(&mut command);
    Err(error).context("relay-bench does not start")
}

#[cfg(not(unix))]
fn hand_over(mut command: Command) -> anyhow::Result<CommandOutcome> {
    let status = command.status().context("relay-bench does not start")?;
    Ok(match status.success() {
        true => CommandOutcome::Done,
        false => CommandOutcome::Failed,
    })
}
