//! What is typed to look at this machine, a daemon or the program itself.

use super::ConfigArgs;
use super::Query;
use clap::Args;
use clap::Subcommand;
use std::path::PathBuf;

/// What `doctor` looks at.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) query: Query,
    /// Ask the model for two words as well: tells the login and the whole way, and costs a few tokens
    #[arg(long)]
    pub(crate) canary: bool,
}

pub(super) const DOCTOR_EXAMPLES: &str = "\
Exit code: 0 if nothing is wrong, else 1.

Examples:
  inference-relay doctor
  inference-relay doctor --json";

pub(super) const STATUS_EXAMPLES: &str = "\
Exit code: 0 if a daemon answers, else 1.

Examples:
  inference-relay status
  inference-relay status --port 7500 --json";

pub(super) const TOP_EXAMPLES: &str = "\
Exit code: 0, or 1 if no daemon answers.

Examples:
  inference-relay top                       q quits
  inference-relay top --json                one look, for programs";

/// Which failure is explained.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A code, as `x-relay-error` and the messages on stderr have it; or "call" [default: all codes]
    pub(crate) code: Option<String>,
    /// With "call": the call's request-id
    #[arg(value_name = "REQUEST_ID")]
    pub(crate) request: Option<String>,
    #[command(flatten)]
    pub(crate) place: ConfigArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the page of all codes in Markdown
    #[arg(long, conflicts_with_all = ["code", "json", "request"])]
    pub(crate) markdown: bool,
}

pub(super) const EXPLAIN_EXAMPLES: &str = "\
Exit code: 0 if there is such a code or call, else 2.

Examples:
  inference-relay explain
  inference-relay explain queue_full
  inference-relay explain queue_full --json
  inference-relay explain call req_0f3c...      one call's story: its tries, its times, its end";

/// What `capabilities` prints.
#[derive(Debug, Args)]
pub(crate) struct Capabilities {
    /// Print JSON, as `GET /v1/capabilities` does, of the claude lanes alone
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) const CAPABILITIES_EXAMPLES: &str = "\
Examples:
  inference-relay capabilities
  inference-relay capabilities --json | jq '.fields[] | select(.[\"claude-pty\"][\"2023-06-01\"] == \"ignored\") | .field'";

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every value in force, and where it was written; secrets are masked
    Show(Query),
    /// Print which file is read
    Path(Query),
    /// Print the manual: every key with its default and its meaning
    Default,
}

pub(super) const CONFIG_EXAMPLES: &str = "\
Examples:
  inference-relay config show
  inference-relay config path
  inference-relay config default > relay.toml";

/// Where the manual goes.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write every page into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

pub(super) const MAN_EXAMPLES: &str = "\
Examples:
  inference-relay man | man -l -
  inference-relay man --dir ~/.local/share/man/man1";

pub(super) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  inference-relay completions bash > ~/.local/share/bash-completion/completions/inference-relay
  inference-relay completions zsh > ~/.zfunc/_inference-relay";
