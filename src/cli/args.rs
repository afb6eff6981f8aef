//! What can be typed after `inference-relay`.

use crate::cli::catalog::args as catalog;
use crate::cli::catalog::args::BindingRow;
use crate::cli::catalog::args::CatalogCommand;
use crate::cli::catalog::args::HostKeyRow;
use crate::cli::catalog::args::HostRow;
use crate::cli::catalog::args::ModelRow;
use crate::cli::catalog::args::PolicyRow;
use crate::cli::catalog::args::RowCommand;
use crate::cli::catalog::args::SecretCommand;
use crate::cli::usage::Moment;
use crate::config;
use crate::config::Flags;
use crate::store::GroupBy;
use clap::ArgGroup;
use clap::Args;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;
use clap_complete::Shell;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

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
    /// Check this machine: every claude, the configuration, the port, the daemon; and say what to do next
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(Doctor),
    /// Log in a CLI that the relay drives, by its own login
    #[command(after_help = LOGIN_EXAMPLES)]
    Login {
        cli: OwnCli,
        /// By a code that is typed on another device, where this one has no browser
        #[arg(long)]
        device: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Have a CLI that the relay drives forget its login
    Logout {
        cli: OwnCli,
        #[command(flatten)]
        place: Place,
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
    Completions { shell: Shell },
    /// Print the manual page, or write the pages of every command
    #[command(hide = true, after_help = MAN_EXAMPLES)]
    Man(Man),
}

/// A CLI with a login of its own that a command of it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OwnCli {
    Codex,
}

const LOGIN_EXAMPLES: &str = "\
Examples:
  inference-relay login codex            runs `codex login`, with the environment of [codex.env]
  inference-relay login codex --device   by a code, where there is no browser
  inference-relay logout codex           the relay never sees what is forgotten";

/// What of the breakers.
#[derive(Debug, Subcommand)]
pub(crate) enum BreakerCommand {
    /// List every breaker of which something is known: host, key, model, state, class, next probe
    List(Query),
    /// End the rest of one host key, or of all of them
    Reset {
        /// The host key's name; left out: all
        key: Option<String>,
        #[command(flatten)]
        query: Query,
    },
}

/// Where a backup goes, or which one is looked at.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file, a tar archive; it must not be there yet
    pub(crate) file: PathBuf,
    /// Write nothing: read a backup, and say whether everything in it is good
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which backup is put in place.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The file that `backup` wrote
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const RESTORE_EXAMPLES: &str = "\
The relay must not run meanwhile. The whole file is read and verified before anything is touched; what stands in the
places of its parts is moved into `before-restore-…` of the state folder, and moved back where something goes wrong.
The master key is not in a backup: put master.key (or RELAY_MASTER_KEY) beside it.

Examples:
  inference-relay backup relay.tar --check     only look
  inference-relay restore relay.tar";

const BACKUP_EXAMPLES: &str = "\
In it: the store, relay keys (hashes), stored secrets (sealed), the catalog, the configuration, what budgets have spent.
Not in it: the master key, credentials in files of their own, texts of conversations and uploads. A store in PostgreSQL
is backed up with pg_dump.
`inference-relay restore` puts it back.

Examples:
  inference-relay backup relay.tar
  inference-relay backup relay.tar --check";

/// Which call is asked about.
#[derive(Debug, Args)]
pub(crate) struct RouteArgs {
    /// The model, as a caller would name it
    pub(crate) model: String,
    /// With the policy of this relay key, by its name or id
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// With this policy
    #[arg(long, value_name = "POLICY", conflicts_with = "key")]
    pub(crate) policy: Option<String>,
    /// As a call that asks for this lane
    #[arg(long, value_name = "LANE")]
    pub(crate) lane: Option<String>,
    /// As a call of this dialect
    #[arg(long, value_name = "DIALECT", value_parser = ["messages", "chat", "responses"])]
    pub(crate) dialect: Option<String>,
    #[command(flatten)]
    pub(crate) query: Query,
}

const ROUTE_EXAMPLES: &str = "\
Nothing is asked of a host, and nothing is taken of a limit.
Exit code: 0 if such a call would be served now, else 1.

Examples:
  inference-relay route gpt-4o
  inference-relay route gpt-4o --key laptop --dialect chat
  inference-relay route gpt-4o --key laptop --json";

/// Which calls, and how they are told.
#[derive(Debug, Args)]
pub(crate) struct Usage {
    #[command(flatten)]
    pub(crate) place: Place,
    /// From when on: a span before now, or a time
    #[arg(long, value_name = "WHEN", default_value = "1d", value_parser = Moment::parse)]
    pub(crate) since: Moment,
    /// Before when [default: now]
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    pub(crate) until: Option<Moment>,
    /// Sum by this: key, policy, lane, host, model or outcome
    #[arg(long, value_name = "WHAT", default_value = "model", value_parser = group)]
    pub(crate) by: GroupBy,
    /// List the calls themselves, the newest first
    #[arg(long, conflicts_with = "by")]
    pub(crate) calls: bool,
    /// At most so many calls
    #[arg(long, value_name = "N", default_value_t = 50, requires = "calls", value_parser = limit)]
    pub(crate) limit: usize,
    /// Only this relay key, by its name or id
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Only keys of this policy
    #[arg(long, value_name = "POLICY")]
    pub(crate) policy: Option<String>,
    /// Only this lane
    #[arg(long, value_name = "LANE")]
    pub(crate) lane: Option<String>,
    /// Only this host
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// Only this model, by the name that was asked for
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Only this status: 429, or ok, 4xx, 5xx, left
    #[arg(long, value_name = "STATUS")]
    pub(crate) status: Option<String>,
    /// Only this code of the error contract
    #[arg(long, value_name = "CODE")]
    pub(crate) code: Option<String>,
    #[command(flatten)]
    pub(crate) form: UsageForm,
}

/// For whom it is printed.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct UsageForm {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Print CSV
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
}

fn group(text: &str) -> Result<GroupBy, String> {
    let names = GroupBy::ALL.map(|(name, _)| name).join(", ");
    GroupBy::parse(text).ok_or_else(|| format!("it is one of {names}"))
}

/// Calls of one list: as many as a spreadsheet takes.
fn limit(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok();
    let limit = limit.filter(|limit| (1..=1_000_000).contains(limit));
    limit.ok_or_else(|| "give a number from 1 to 1000000".to_owned())
}

const USAGE_EXAMPLES: &str = "\
It reads the store (store.url), whether the daemon runs or not; records are kept for store.retention, sums for longer.

Examples:
  inference-relay usage                                  the last day, by model
  inference-relay usage --since 30d --by key --csv
  inference-relay usage --calls --status 5xx             what failed, call by call
  inference-relay usage --calls --limit 100000 --csv > calls.csv";

const BREAKER_EXAMPLES: &str = "\
Examples:
  inference-relay breaker list           what rests, why, and until when
  inference-relay breaker reset          end every rest
  inference-relay breaker reset mock-a   end the rest of one host key";

/// How far an update goes.
#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    pub(crate) query: Query,
    /// Look for a newer version, and change nothing
    #[arg(long)]
    pub(crate) check: bool,
}

/// Where the manual goes.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write every page into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) place: Place,
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

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Say how the key is; its text was shown when it was made, and is not known any more
    Show {
        #[command(flatten)]
        form: Form,
    },
    /// Make the key, or give it a new text, and print that, this once
    Rotate {
        /// How long the old text goes on working; 0s ends it at once
        #[arg(long, value_name = "SPAN", default_value = "0s", value_parser = config::duration)]
        overlap: Duration,
        #[command(flatten)]
        form: Form,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key and print its text, this once; from the first one on, calls need a key
    Create {
        /// A name for people: who or what calls with it
        name: String,
        /// Let it end after this long, such as 90d or 12h [default: never]
        #[arg(long, value_name = "SPAN", value_parser = config::duration)]
        expires_in: Option<Duration>,
        /// What it may have, by a policy of the catalog [default: what keys without one have]
        #[arg(long, value_name = "POLICY")]
        policy: Option<String>,
        #[command(flatten)]
        form: Form,
    },
    /// Give a key another policy of the catalog, or none
    Policy {
        #[command(flatten)]
        named: NamedKey,
        /// The policy; left out: the key has none any more
        policy: Option<String>,
    },
    /// List the keys; their texts are not known any more
    List {
        #[command(flatten)]
        form: Form,
    },
    /// Let a key in no longer, until it is enabled again
    Disable(NamedKey),
    /// Let a disabled key in again
    Enable(NamedKey),
    /// Give a key a new text and print it; the old one goes on working for the overlap
    Rotate {
        #[command(flatten)]
        named: NamedKey,
        /// How long the old text goes on working; 0s ends it at once
        #[arg(long, value_name = "SPAN", default_value = "1d", value_parser = config::duration)]
        overlap: Duration,
    },
    /// Let a key end, or take its end away
    #[command(group(ArgGroup::new("end").required(true).args(["after", "never"])))]
    Expire {
        #[command(flatten)]
        named: NamedKey,
        /// Let it end after this long; 0s ends it now
        #[arg(long = "in", value_name = "SPAN", value_parser = config::duration)]
        after: Option<Duration>,
        /// Let it go on for good
        #[arg(long)]
        never: bool,
    },
    /// Forget a key
    Delete(NamedKey),
}

/// What can be done with users of the control plane.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user; a random password is shown this once
    Add {
        #[command(flatten)]
        named: NamedUser,
        /// admin, operator or viewer
        #[arg(long, value_name = "ROLE", default_value = "viewer")]
        role: String,
        /// Read the password from standard input
        #[arg(long)]
        stdin: bool,
    },
    /// List the users
    List {
        #[command(flatten)]
        form: Form,
    },
    /// Give a user a new password; their sessions end
    Passwd {
        #[command(flatten)]
        named: NamedUser,
        /// Read the password from standard input
        #[arg(long)]
        stdin: bool,
    },
    /// Remove a user; their sessions end
    Remove(NamedUser),
}

/// One user.
#[derive(Debug, Args)]
pub(crate) struct NamedUser {
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) form: Form,
}

const USER_EXAMPLES: &str = "\
Examples:
  inference-relay user add ada --role admin
  inference-relay user passwd admin
  inference-relay user passwd admin --stdin < password.txt
  inference-relay user list --json";

/// One key, and how to tell of it.
#[derive(Debug, Args)]
pub(crate) struct NamedKey {
    /// The key's name or id
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) form: Form,
}

/// For whom a result is printed.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Form {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

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
    pub(crate) place: Place,
    /// Show this many lines
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    pub(crate) lines: u32,
    /// Go on showing what is added
    #[arg(long, short)]
    pub(crate) follow: bool,
}

/// What `capabilities` prints.
#[derive(Debug, Args)]
pub(crate) struct Capabilities {
    /// Print JSON, as `GET /v1/capabilities` does, of the claude lanes alone
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// What to ask; "-" reads it from standard input
    pub(crate) prompt: String,
    /// The model that should answer [default: claude.model of the configuration]
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// The system prompt
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Option<String>,
    /// The most tokens the answer may have
    #[arg(long, value_name = "N", default_value_t = ANSWER_TOKENS_MAX, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_tokens: u32,
    /// Print JSON: the events, one a line; with --no-stream the whole message as one object
    #[arg(long)]
    pub(crate) json: bool,
    /// Wait for the whole answer
    #[arg(long)]
    pub(crate) no_stream: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// What `doctor` looks at.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) query: Query,
    /// Ask the model for two words as well: tells the login and the whole way, and costs a few tokens
    #[arg(long)]
    pub(crate) canary: bool,
}

/// Which failure is explained.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A code, as `x-relay-error` and the messages on stderr have it; or "call" [default: all codes]
    pub(crate) code: Option<String>,
    /// With "call": the call's request-id
    #[arg(value_name = "REQUEST_ID")]
    pub(crate) request: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the page of all codes in Markdown
    #[arg(long, conflicts_with_all = ["code", "json", "request"])]
    pub(crate) markdown: bool,
}

/// What is recorded, and what with.
#[cfg(feature = "recorder")]
#[derive(Debug, Args)]
pub(crate) struct Record {
    /// Record this claude; may be given several times [default: the first one found]
    #[arg(long, value_name = "PATH")]
    pub(crate) claude: Vec<PathBuf>,
    /// Record a Codex CLI in place of a claude: what it and the relay say to each other; may be given several times
    /// [default: the first one found]
    #[arg(long, value_name = "PATH", num_args = 0..=1, conflicts_with_all = ["claude", "width", "known"])]
    pub(crate) codex: Option<Vec<PathBuf>>,
    /// Only these cases, with commas between them
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) cases: Vec<String>,
    /// Only terminals of this many columns
    #[arg(long, value_name = "COLUMNS")]
    pub(crate) width: Option<u16>,
    /// Write nothing; compare with what is recorded, and fail where something differs
    #[arg(long)]
    pub(crate) check: bool,
    /// Compare two recorded versions, and run nothing
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"], conflicts_with_all = ["claude", "check"])]
    pub(crate) compare: Vec<String>,
    /// The tree of goldens
    #[arg(long, value_name = "DIR", default_value = "golden")]
    pub(crate) out: PathBuf,
    /// With --check: compare with the goldens of this version [default: its own, or else the nearest]
    #[arg(long = "as", value_name = "VERSION")]
    pub(crate) version: Option<String>,
    /// With --check: differences that are known, each with its reason; one that is not listed fails
    #[arg(long, value_name = "FILE")]
    pub(crate) known: Option<PathBuf>,
    /// A variable for the claude; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) env: Vec<(String, String)>,
    /// Cases that are played at the same time
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) jobs: u16,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(feature = "recorder")]
fn variable(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = pair.ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A question about this machine, answered for people or for programs.
#[derive(Debug, Args)]
pub(crate) struct Query {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every value in force, and where it was written; secrets are masked
    Show(Query),
    /// Print which file is read
    Path(Query),
    /// Print the manual: every key with its default and its meaning
    Default,
}

/// Which configuration, and which port.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Read this file [default: relay.toml in $INFERENCE_RELAY_HOME or ~/.inference-relay]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The daemon's port; wins over SR_DAEMON_PORT and the file
    #[arg(long, value_name = "N")]
    port: Option<u16>,
}

impl Place {
    pub(crate) fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            port: self.port,
            no_auth: false,
        }
    }
}

/// Enough for a long answer; an API call has to name a bound.
const ANSWER_TOKENS_MAX: u32 = 8192;

const EXAMPLES: &str = "\
Examples:
  inference-relay setup                     set this machine up, step by step
  inference-relay serve                     start the daemon
  inference-relay ask \"What is a relay?\"    ask through it
  inference-relay doctor                    find out why it does not work";

const SERVE_EXAMPLES: &str = "\
Examples:
  inference-relay serve
  inference-relay serve --port 7500
  inference-relay serve --config ./relay.toml
  inference-relay serve --simulated         no claude needed; the answers are not a model's";

const SETUP_EXAMPLES: &str = "\
Exit code: 0 if all of it went well, 1 if something is still wrong, 2 if nobody can be asked.

Examples:
  inference-relay setup                     in a terminal
  inference-relay setup --yes --no-call     ask nothing, spend nothing
  inference-relay setup --json              ask nothing, and tell the outcome to a program";

const SERVICE_EXAMPLES: &str = "\
systemd (for your user), launchd, or the Task Scheduler: no administrator is needed.

Examples:
  inference-relay service install           start now, and at every login
  inference-relay service install --print   show the file that would be written
  inference-relay service status
  inference-relay service logs --follow
  inference-relay service uninstall";

const ASK_EXAMPLES: &str = "\
If no daemon answers on the port, one is started for this call alone.

Examples:
  inference-relay ask \"What is a relay?\"
  inference-relay ask --system \"Answer in one word.\" \"Largest planet?\"
  git diff | inference-relay ask --system \"Review this change.\" -
  inference-relay ask --json --no-stream \"Hello\" | jq .usage";

const DOCTOR_EXAMPLES: &str = "\
Exit code: 0 if nothing is wrong, else 1.

Examples:
  inference-relay doctor
  inference-relay doctor --json";

const STATUS_EXAMPLES: &str = "\
Exit code: 0 if a daemon answers, else 1.

Examples:
  inference-relay status
  inference-relay status --port 7500 --json";

const TOP_EXAMPLES: &str = "\
Exit code: 0, or 1 if no daemon answers.

Examples:
  inference-relay top                       q quits
  inference-relay top --json                one look, for programs";

const EXPLAIN_EXAMPLES: &str = "\
Exit code: 0 if there is such a code or call, else 2.

Examples:
  inference-relay explain
  inference-relay explain queue_full
  inference-relay explain queue_full --json
  inference-relay explain call req_0f3c...      one call's story: its tries, its times, its end";

const UPDATE_EXAMPLES: &str = "\
Nothing is asked of anybody unless update.source and update.public_keys are configured. What comes is verified before
anything is touched; the version before is kept, and comes back where the new one does not answer.
Exit code: 0 if this is the newest version or has become it, 1 if not, 2 if updates are off.

Examples:
  inference-relay update --check
  inference-relay update";

#[cfg(feature = "recorder")]
const RECORD_EXAMPLES: &str = "\
Everything is played in a throwaway home, against an upstream that the recorder brings: no login, no network, no model.
Exit code: 0 if all was recorded or nothing differs, else 1.

Examples:
  inference-relay record                                  every case, into ./golden
  inference-relay record --cases short,tool --width 120
  inference-relay record --check                          has this claude changed?
  inference-relay record --compare 2.1.197 2.1.329        what changed between two versions
  inference-relay record --codex --check                  has the Codex CLI of this machine changed?";

const KEY_EXAMPLES: &str = "\
Only hashes are kept, in keys.json of the state folder. A running daemon takes every change up at once.
Callers send a key as x-api-key or as Authorization: Bearer; the commands here need none.

Examples:
  inference-relay key create laptop                    prints irk_..., the only time that it is shown
  inference-relay key create ci --expires-in 90d --json
  inference-relay key list
  inference-relay key rotate laptop --overlap 2h       the old text works for two more hours
  inference-relay key disable ci
  inference-relay key expire ci --in 7d
  inference-relay key delete ci";
const CONFIG_EXAMPLES: &str = "\
Examples:
  inference-relay config show
  inference-relay config path
  inference-relay config default > relay.toml";

const CAPABILITIES_EXAMPLES: &str = "\
Examples:
  inference-relay capabilities
  inference-relay capabilities --json | jq '.fields[] | select(.[\"claude-pty\"][\"2023-06-01\"] == \"ignored\") | .field'";
const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  inference-relay completions bash > ~/.local/share/bash-completion/completions/inference-relay
  inference-relay completions zsh > ~/.zfunc/_inference-relay";

const MAN_EXAMPLES: &str = "\
Examples:
  inference-relay man | man -l -
  inference-relay man --dir ~/.local/share/man/man1";

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_of_the_command_line_holds() {
        Cli::command().debug_assert();
    }
}
