//! One command, from its arguments to its exit code.

use crate::cli::args::Cli;
use crate::cli::args::Command;
use crate::cli::args::ConfigCommand;
use crate::cli::args::Serve;
use crate::cli::args::examples;
use crate::cli::args::help;
use crate::cli::ask;
use crate::cli::backup;
use crate::cli::bench;
use crate::cli::breaker;
use crate::cli::capability;
use crate::cli::catalog;
use crate::cli::codex;
use crate::cli::doctor;
use crate::cli::explain;
use crate::cli::explain::NoSuchCode;
use crate::cli::key;
use crate::cli::man;
use crate::cli::misuse::Misuse;
use crate::cli::out;
#[cfg(feature = "recorder")]
use crate::cli::record;
use crate::cli::restore;
use crate::cli::route;
use crate::cli::service;
use crate::cli::service::AlreadyServed;
use crate::cli::setup;
use crate::cli::setup::NobodyToAsk;
use crate::cli::show;
use crate::cli::status;
use crate::cli::story::NoSuchCall;
use crate::cli::top;
use crate::cli::update;
use crate::cli::usage;
use crate::cli::user;
use crate::config;
use crate::config::ConfigError;
use crate::config::Env;
use crate::config::Flags;
use crate::daemon;
use crate::daemon::DaemonError;
use crate::store::KeyError;
use crate::store::StoreError;
use crate::store::StoreFault;
use crate::update::UpdateError;
use clap::ArgMatches;
use clap::FromArgMatches;
use serde_json::json;
use std::io;
use std::process::ExitCode;

/// The whole program.
pub fn main() -> ExitCode {
    let command = examples::command();
    let words = help::without_repeated(&command, std::env::args_os().collect());
    let parsed = command.try_get_matches_from(words).and_then(|matches| {
        let is_for_a_program = wants_json(&matches);
        Cli::from_arg_matches(&matches).map(|cli| (cli, is_for_a_program))
    });
    let (cli, is_for_a_program) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version come this way as well. A reader that has gone away needs neither.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(cli.command, &Env::read()) {
        Ok(CommandOutcome::Done) => ExitCode::SUCCESS,
        Ok(CommandOutcome::Failed) => ExitCode::from(1),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let code = if is_for_the_user(&error) { 2 } else { 1 };
            out::note(&told(&error, code, is_for_a_program));
            ExitCode::from(code)
        }
    }
}

/// An error as whoever called reads it.
fn told(error: &anyhow::Error, code: u8, is_for_a_program: bool) -> String {
    match is_for_a_program {
        true => {
            json!({ "error": { "message": format!("{error:#}"), "exit_code": code } }).to_string()
        }
        false => format!("error: {error:#}"),
    }
}

/// Whether `--json` was said, wherever.
fn wants_json(matches: &ArgMatches) -> bool {
    let said = matches.try_get_one::<bool>("json").ok().flatten();
    let inner = || matches.subcommand().map(|(_, inner)| inner);
    said.copied().unwrap_or(false) || inner().is_some_and(wants_json)
}

/// How a command ended that has already said what there is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommandOutcome {
    Done,
    Failed,
}

fn run(command: Command, env: &Env) -> anyhow::Result<CommandOutcome> {
    match command {
        Command::Serve(args) => serve(&args, env),
        Command::Setup(args) => setup::setup(&args, env),
        Command::Service { command } => service::service(command, env),
        Command::Ask(args) => block_on(ask::ask(args, env))?,
        Command::Doctor(args) => doctor::doctor(&args, env),
        Command::Bench { words } => bench::bench(&words),
        #[cfg(feature = "recorder")]
        Command::Record(args) => record::record(&args, env),
        Command::Token { command } => key::token(&command, env),
        Command::Key { command } => key::key(&command, env),
        Command::Catalog { command } => catalog::catalog(&command, env),
        Command::Host { command } => catalog::row(&command, env),
        Command::HostKey { command } => catalog::row(&command, env),
        Command::Model { command } => catalog::row(&command, env),
        Command::Binding { command } => catalog::row(&command, env),
        Command::Policy { command } => catalog::row(&command, env),
        Command::User { command } => user::user(&command, env),
        Command::Secret { command } => catalog::secret(&command, env),
        Command::Login { cli, device, place } => codex::log_in(cli, device, &place, env),
        Command::Logout { cli, place } => codex::log_out(cli, &place, env),
        Command::Breaker { command } => block_on(breaker::breaker(&command, env))?,
        Command::Backup(args) => backup::backup(&args, env),
        Command::Restore(args) => restore::restore(&args, env),
        Command::Route(args) => block_on(route::route(&args, env))?,
        Command::Usage(args) => usage::usage(&args, env),
        Command::Top(args) => block_on(top::top(&args, env))?,
        Command::Status(args) => block_on(status::status(&args, env))?,
        Command::Explain(args) => explain::explain(&args, env),
        Command::Config { command } => configuration(command, env),
        Command::Update(args) => update::update(&args, env),
        Command::Man(args) => man::man(&args),
        Command::Capabilities(args) => capability::capabilities(&args),
        Command::Completions { shell } => completions(shell),
    }
}

fn configuration(command: ConfigCommand, env: &Env) -> anyhow::Result<CommandOutcome> {
    match command {
        ConfigCommand::Show(args) => show::show(&args, env),
        ConfigCommand::Path(args) => show::path(&args, env),
        ConfigCommand::Default => {
            out::text(config::DEFAULT_TOML)?;
            Ok(CommandOutcome::Done)
        }
    }
}

fn completions(shell: clap_complete::Shell) -> anyhow::Result<CommandOutcome> {
    let (mut command, mut script) = (examples::command(), Vec::new());
    clap_complete::generate(shell, &mut command, "inference-relay", &mut script);
    out::text(&String::from_utf8_lossy(&script))?;
    Ok(CommandOutcome::Done)
}

fn serve(args: &Serve, env: &Env) -> anyhow::Result<CommandOutcome> {
    let flags = Flags {
        no_auth: args.no_auth,
        ..args.place.flags()
    };
    let config = config::load(&flags, env)?;
    warn(&config);
    if args.simulated {
        out::note(
            "SIMULATED: answers come from fake-claude, a script. No model is asked, and nothing leaves this machine.",
        );
    }
    daemon::run(config, args.simulated, args.log_file.as_deref())?;
    Ok(CommandOutcome::Done)
}

/// Passes on what the configuration's readers found odd.
pub(crate) fn warn(config: &config::Config) {
    for warning in &config.warnings {
        out::note(&format!("warning: {warning}"));
    }
}

/// Runs a command's future on this thread, or on several where a daemon has to live beside it.
pub(crate) fn block_on<F: Future>(future: F) -> anyhow::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(future))
}

/// Whether the failure is one that the user mends before trying again.
fn is_for_the_user(error: &anyhow::Error) -> bool {
    let is_by_its_type = error.is::<ConfigError>()
        || error.is::<StoreFault>()
        || error.is::<NoSuchCode>()
        || error.is::<NoSuchCall>()
        || error.is::<Misuse>()
        || error.is::<NobodyToAsk>()
        || error.is::<AlreadyServed>();
    if is_by_its_type {
        return true;
    }
    if let Some(UpdateError::Off | UpdateError::Key(_)) = error.downcast_ref() {
        return true;
    }
    // What is no name for a key is none for any.
    let refused = match error.downcast_ref() {
        Some(StoreError::Refused(refused)) => Some(refused),
        _ => error.downcast_ref(),
    };
    if let Some(KeyError::Name(_)) = refused {
        return true;
    }
    matches!(
        error.downcast_ref::<DaemonError>(),
        Some(
            DaemonError::BindFailed { .. }
                | DaemonError::AlreadyRunning { .. }
                | DaemonError::Unguarded { .. }
                | DaemonError::Keys { .. }
                | DaemonError::Store { .. }
                | DaemonError::State { .. }
                | DaemonError::License { .. }
                | DaemonError::Home { .. }
                | DaemonError::Control { .. }
        )
    )
}

/// Whether the reader of our output has gone away, as `head` does: no failure of ours.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<io::Error>();
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
