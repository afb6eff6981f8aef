//! What can be typed after `inference-relay`.

mod access;
mod backup;
mod calls;
mod daemon;
pub(crate) mod examples;
pub(crate) mod help;
mod look;
#[cfg(feature = "recorder")]
mod record;

pub(crate) use access::KeyCommand;
pub(crate) use access::NamedKey;
pub(crate) use access::NamedUser;
pub(crate) use access::TokenCommand;
pub(crate) use access::UserCommand;
pub(crate) use backup::Backup;
pub(crate) use backup::Restore;
pub(crate) use calls::Ask;
pub(crate) use calls::BreakerCommand;
pub(crate) use calls::RouteArgs;
pub(crate) use calls::Usage;
pub(crate) use calls::UsageForm;
pub(crate) use daemon::OwnCli;
pub(crate) use daemon::Serve;
pub(crate) use daemon::ServiceCommand;
pub(crate) use daemon::ServiceInstall;
pub(crate) use daemon::ServiceLogs;
pub(crate) use daemon::Setup;
pub(crate) use daemon::Update;
pub(crate) use look::Capabilities;
pub(crate) use look::ConfigCommand;
pub(crate) use look::Doctor;
pub(crate) use look::Explain;
pub(crate) use look::Man;
#[cfg(feature = "recorder")]
pub(crate) use record::Record;

use crate::cli::catalog::args as catalog;
use crate::cli::catalog::args::BindingRow;
use crate::cli::catalog::args::CatalogCommand;
use crate::cli::catalog::args::HostKeyRow;
use crate::cli::catalog::args::HostRow;
use crate::cli::catalog::args::ModelRow;
use crate::cli::catalog::args::PolicyRow;
use crate::cli::catalog::args::RowCommand;
use crate::cli::catalog::args::SecretCommand;
use crate::config::Flags;
use access::KEY_EXAMPLES;
use access::USER_EXAMPLES;
use backup::BACKUP_EXAMPLES;
use backup::RESTORE_EXAMPLES;
use calls::ASK_EXAMPLES;
use calls::BREAKER_EXAMPLES;
use calls::ROUTE_EXAMPLES;
use calls::USAGE_EXAMPLES;
use clap::Args;
use clap::Parser;
use clap::Subcommand;
use clap_complete::Shell;
use daemon::LOGIN_EXAMPLES;
use daemon::SERVE_EXAMPLES;
use daemon::SERVICE_EXAMPLES;
use daemon::SETUP_EXAMPLES;
use daemon::UPDATE_EXAMPLES;
use look::CAPABILITIES_EXAMPLES;
use look::COMPLETIONS_EXAMPLES;
use look::CONFIG_EXAMPLES;
use look::DOCTOR_EXAMPLES;
use look::EXPLAIN_EXAMPLES;
use look::MAN_EXAMPLES;
use look::STATUS_EXAMPLES;
use look::TOP_EXAMPLES;
#[cfg(feature = "recorder")]
use record::RECORD_EXAMPLES;
use std::ffi::OsString;
use std::path::PathBuf;

/// Serves the Anthropic and OpenAI APIs on this machine from your own Claude Code, Codex and HTTP hosts.
#[derive(Debug, Parser)]
#[command(name = "inference-relay", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the daemon until it is told to stop
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Serve),
    /// Set this machine up, step by step: claude, login, a first call, the service, your program's variables
    #[command(after_help = SETUP_EXAMPLES)]
    Setup(Setup),
    /// Keep the daemon running, from login to login, by the service manager of this system
    #[command(after_help = SERVICE_EXAMPLES)]
    Service {
        #[command(subcommand)]
        command: ServiceCommand,
    },
    /// Ask one thing and print the answer while it is written
    #[command(after_help = ASK_EXAMPLES)]
    Ask(Ask),
    /// Check this machine: every claude, the configuration, the daemon, the catalog, credentials; and say what to do next
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(Doctor),
    /// Log in a CLI that the relay drives, by its own login
    #[command(after_help = LOGIN_EXAMPLES)]
    Login {
        /// Which CLI
        cli: OwnCli,
        /// By a code that is typed on another device, where this one has no browser
        #[arg(long)]
        device: bool,
        #[command(flatten)]
        place: ConfigArgs,
    },
    /// Have a CLI that the relay drives forget its login
    Logout {
        /// Which CLI
        cli: OwnCli,
        #[command(flatten)]
        place: ConfigArgs,
    },
    /// Show the running daemon: its health, versions and sessions
    #[command(after_help = STATUS_EXAMPLES)]
    Status(Query),
    /// Make, list and change the keys that callers show to be let in
    #[command(after_help = KEY_EXAMPLES)]
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Show or renew the one key of a relay that needs no more than one: the key named "default"
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Check, compare, change and export the catalog: models, hosts, keys, policies
    #[command(after_help = catalog::CATALOG_EXAMPLES)]
    Catalog {
        #[command(subcommand)]
        command: CatalogCommand,
    },
    /// HTTP endpoints that serve models
    #[command(after_help = catalog::HOST_EXAMPLES)]
    Host {
        #[command(subcommand)]
        command: RowCommand<HostRow>,
    },
    /// Credentials of hosts; several make a pool
    #[command(after_help = catalog::HOST_KEY_EXAMPLES)]
    HostKey {
        #[command(subcommand)]
        command: RowCommand<HostKeyRow>,
    },
    /// Models, with their other names and prices
    #[command(after_help = catalog::MODEL_EXAMPLES)]
    Model {
        #[command(subcommand)]
        command: RowCommand<ModelRow>,
    },
    /// Which lane serves a model, and in which order
    #[command(after_help = catalog::BINDING_EXAMPLES)]
    Binding {
        #[command(subcommand)]
        command: RowCommand<BindingRow>,
    },
    /// What relay keys may have: models, lanes, limits, a budget
    #[command(after_help = catalog::POLICY_EXAMPLES)]
    Policy {
        #[command(subcommand)]
        command: RowCommand<PolicyRow>,
    },
    /// Credentials that the relay stores itself, sealed
    #[command(after_help = catalog::SECRET_EXAMPLES)]
    Secret {
        #[command(subcommand)]
        command: SecretCommand,
    },
    /// Make, list and change the users of the control plane
    #[command(after_help = USER_EXAMPLES)]
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// See which host keys rest after failures, and end their rest
    #[command(after_help = BREAKER_EXAMPLES)]
    Breaker {
        #[command(subcommand)]
        command: BreakerCommand,
    },
    /// Put everything that this relay is made of into one private file, while it runs or not
    #[command(after_help = BACKUP_EXAMPLES)]
    Backup(Backup),
    /// Put a backup in the place of what this relay is made of, once it was found good; what stood there is kept
    #[command(after_help = RESTORE_EXAMPLES)]
    Restore(Restore),
    /// Tell where a call of a model would go, and why nowhere else: every lane, host and key, with the next step
    #[command(after_help = ROUTE_EXAMPLES)]
    Route(RouteArgs),
    /// Tell what calls took and cost: sums by model, key, host or lane, or the calls themselves
    #[command(after_help = USAGE_EXAMPLES)]
    Usage(Usage),
    /// Watch the running daemon: pool, queue, limits and the last calls; without a terminal, look once
    #[command(after_help = TOP_EXAMPLES)]
    Top(Query),
    /// Say what an error code means, whose fault it is, and what to do; alone, list all codes
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(Explain),
    /// Put a newer relay in place of this one, from the source that update.source names
    #[command(after_help = UPDATE_EXAMPLES)]
    Update(Update),
    /// Record what a claude or a Codex CLI does in every known case, or check it against what is recorded
    #[cfg(feature = "recorder")]
    #[command(after_help = RECORD_EXAMPLES)]
    Record(Record),
    /// Measure calls: under load, against the floor, against another build; with relay-bench, which lies beside this program
    #[command(disable_help_flag = true)]
    Bench {
        /// What relay-bench is told; --help prints what there is
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "COMMAND"
        )]
        words: Vec<OsString>,
    },
    /// Tell what becomes of each field of a request: honoured, emulated, moot, ignored or rejected
    #[command(after_help = CAPABILITIES_EXAMPLES)]
    Capabilities(Capabilities),
    /// Show the configuration
    #[command(after_help = CONFIG_EXAMPLES)]
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print a completion script for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell that completes
        shell: Shell,
    },
    /// Print the manual page, or write the pages of every command
    #[command(hide = true, after_help = MAN_EXAMPLES)]
    Man(Man),
}

/// For whom a result is printed.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Form {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A question about this machine, answered for people or for programs.
#[derive(Debug, Args)]
pub(crate) struct Query {
    #[command(flatten)]
    pub(crate) place: ConfigArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which configuration, and which port.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// Read this file [default: relay.toml in $INFERENCE_RELAY_HOME or ~/.inference-relay]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The daemon's port; wins over SR_DAEMON_PORT and the file
    #[arg(long, value_name = "N")]
    port: Option<u16>,
}

impl ConfigArgs {
    pub(crate) fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            port: self.port,
            no_auth: false,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  inference-relay setup                     set this machine up, step by step
  inference-relay serve                     start the daemon
  inference-relay ask \"What is a relay?\"    ask through it
  inference-relay doctor                    find out why it does not work

Exit code: 0 done, 1 failed, 2 for what you have to change first: what was typed, the configuration, a taken port.";

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_of_the_command_line_holds() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_every_word_behind_one_says_what_it_is() {
        let mut cli = Cli::command();
        cli.build();
        let mut open = vec![cli];
        while let Some(command) = open.pop() {
            let name = command.get_name().to_owned();
            assert!(command.get_about().is_some(), "{name}");
            for arg in command.get_arguments() {
                let is_ours = !matches!(arg.get_id().as_str(), "subcommand");
                let says = arg
                    .get_help()
                    .is_some_and(|help| !help.to_string().is_empty());
                assert!(!is_ours || says, "{name} {}", arg.get_id());
            }
            open.extend(command.get_subcommands().cloned());
        }
    }
}
