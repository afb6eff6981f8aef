//! What is typed to set a relay up, run it and renew it.

use super::ConfigArgs;
use super::Query;
use clap::Args;
use clap::Subcommand;
use clap::ValueEnum;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) place: ConfigArgs,
    /// Answer from fake-claude, a simulation, instead of a real claude: for a first look and for demonstrations
    #[arg(long)]
    pub(crate) simulated: bool,
    /// Ask callers for no key, although there are keys; on loopback only
    #[arg(long)]
    pub(crate) no_auth: bool,
    /// Write the log to this file instead of stderr; a full one becomes FILE.1
    #[arg(long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
}

pub(super) const SERVE_EXAMPLES: &str = "\
Examples:
  inference-relay serve
  inference-relay serve --port 7500
  inference-relay serve --config ./relay.toml
  inference-relay serve --simulated         no claude needed; the answers are not a model's";

/// How the setup is gone through.
#[derive(Debug, Args)]
pub(crate) struct Setup {
    #[command(flatten)]
    pub(crate) query: Query,
    /// Ask nothing: every question has its default answer, which is yes
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Leave the first call out; it would spend a few tokens
    #[arg(long)]
    pub(crate) no_call: bool,
    /// Leave the service out
    #[arg(long)]
    pub(crate) no_service: bool,
}

pub(super) const SETUP_EXAMPLES: &str = "\
Exit code: 0 if all of it went well, 1 if something is still wrong, 2 if nobody can be asked.

Examples:
  inference-relay setup                     in a terminal
  inference-relay setup --yes --no-call     ask nothing, spend nothing
  inference-relay setup --json              ask nothing, and tell the outcome to a program";

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// Have the daemon start when you log in, and start it now
    Install(ServiceInstall),
    /// Stop it, and take it out of the service manager
    Uninstall(Query),
    /// Start it now
    Start(Query),
    /// Stop it until the next login or start; calls in flight may end
    Stop(Query),
    /// Show how it is
    Status(Query),
    /// Show the end of its log
    Logs(ServiceLogs),
}

/// How the service is installed.
#[derive(Debug, Args)]
pub(crate) struct ServiceInstall {
    #[command(flatten)]
    pub(crate) query: Query,
    /// Print the file that would be written, and change nothing
    #[arg(long)]
    pub(crate) print: bool,
    /// Do not start it before the next login
    #[arg(long)]
    pub(crate) no_start: bool,
}

/// How much of the log is shown.
#[derive(Debug, Args)]
pub(crate) struct ServiceLogs {
    #[command(flatten)]
    pub(crate) place: ConfigArgs,
    /// Show this many lines
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    pub(crate) lines: u32,
    /// Go on showing what is added
    #[arg(long, short)]
    pub(crate) follow: bool,
}

pub(super) const SERVICE_EXAMPLES: &str = "\
systemd (for your user), launchd, or the Task Scheduler: no administrator is needed.

Examples:
  inference-relay service install           start now, and at every login
  inference-relay service install --print   show the file that would be written
  inference-relay service status
  inference-relay service logs --follow
  inference-relay service uninstall";

/// A CLI with a login of its own that a command of it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OwnCli {
    Codex,
}

pub(super) const LOGIN_EXAMPLES: &str = "\
Examples:
  inference-relay login codex            runs `codex login`, with the environment of [codex.env]
  inference-relay login codex --device   by a code, where there is no browser
  inference-relay logout codex           the relay never sees what is forgotten";

/// How far an update goes.
#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    pub(crate) query: Query,
    /// Look for a newer version, and change nothing
    #[arg(long)]
    pub(crate) check: bool,
}

pub(super) const UPDATE_EXAMPLES: &str = "\
Nothing is asked of anybody unless update.source and update.public_keys are configured. What comes is verified before \
anything is touched; the version before is kept, and comes back where the new one does not answer.
Exit code: 0 if this is the newest version or has become it, 1 if not, 2 if updates are off.

Examples:
  inference-relay update --check
  inference-relay update";
