//! What can be typed after `catalog`, `host`, `host-key`, `model`, `binding`, `policy` and `secret`.

use crate::catalog::Kind;
use crate::config::Flags;
use clap::ArgGroup;
use clap::Args;
use clap::Subcommand;
use std::path::PathBuf;

/// Which catalog, and for whom the result is printed.
#[derive(Debug, Clone, Args)]
pub(crate) struct CatalogArgs {
    /// Read this configuration file [default: relay.toml in $INFERENCE_RELAY_HOME or ~/.inference-relay]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The catalog's folder; wins over RELAY_CONFIG_DIR and the file
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl CatalogArgs {
    pub(crate) fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            ..Flags::default()
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum CatalogCommand {
    /// Check every row: the text, what rows refer to, and whether secrets can be read
    Validate {
        /// A file or a folder, or "-" for standard input [default: the catalog]
        path: Option<PathBuf>,
        #[command(flatten)]
        place: CatalogArgs,
    },
    /// Show what `apply` would change; exit code 1 if it would change anything
    Diff(Wanted),
    /// Make the catalog what a file, a folder or standard input says, row by row
    Apply {
        #[command(flatten)]
        wanted: Wanted,
        /// Say what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Tell what can be written about a kind of row: every field with an example, in Markdown
    Kinds {
        /// host, host-key, model, binding, policy or user [default: all of them]
        #[arg(value_parser = kind)]
        kind: Option<Kind>,
    },
    /// Print the whole catalog in its one form: the same rows are the same bytes
    Export {
        #[command(flatten)]
        place: CatalogArgs,
    },
}

fn kind(word: &str) -> Result<Kind, String> {
    let words = Kind::ALL.map(Kind::word).join(", ");
    Kind::of_word(word).ok_or_else(|| format!("there are {words}"))
}

/// The rows that are wanted.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// A file or a folder, or "-" for standard input
    pub(crate) path: PathBuf,
    /// Remove the rows that are not in it
    #[arg(long)]
    pub(crate) prune: bool,
    #[command(flatten)]
    pub(crate) place: CatalogArgs,
}

/// What can be done with the rows of one kind.
#[derive(Debug, Subcommand)]
pub(crate) enum RowCommand<A: Args> {
    /// Add one, as a row in a file that only you can read
    Add {
        #[command(flatten)]
        row: A,
        /// Say that it is not to be used yet
        #[arg(long)]
        disabled: bool,
        /// Replace the row of this name, if there is one
        #[arg(long)]
        replace: bool,
        /// Add it although it names what there is not (yet): without that, it is out
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        place: CatalogArgs,
    },
    /// List the rows of this kind
    List {
        #[command(flatten)]
        place: CatalogArgs,
    },
    /// Show one row, where it stands, and what is wrong with it
    Show(NamedRow),
    /// Try what can be tried without a call: references, secrets, addresses, a connection to a host
    Test(NamedRow),
    /// Remove a row that no other one names
    Remove(RemovedRow),
}

/// One row that goes.
#[derive(Debug, Args)]
pub(crate) struct RemovedRow {
    #[command(flatten)]
    pub(crate) named: NamedRow,
    /// Remove it although something depends on it, which is out or grants less then
    #[arg(long)]
    pub(crate) force: bool,
}

/// One row.
#[derive(Debug, Args)]
pub(crate) struct NamedRow {
    /// Its name
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: CatalogArgs,
}

/// An HTTP endpoint.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("credential").args(["key_env", "key_file", "key_secret", "key_stdin"])))]
pub(crate) struct HostRow {
    /// The host's name
    pub(crate) name: String,
    /// Its address, without /v1
    #[arg(long, value_name = "URL")]
    pub(crate) url: String,
    /// "private" lets it be on this machine or in a private network
    #[arg(long, value_name = "WORD", default_value = "public")]
    pub(crate) network: String,
    /// How a key is shown: adapter, bearer, x-api-key or none [default: adapter; none for a private host without a key]
    #[arg(long, value_name = "WORD")]
    pub(crate) auth: Option<String>,
    #[command(flatten)]
    pub(crate) timeouts: TimeoutFlags,
    /// Add a host key NAME-key too, which reads this variable
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) key_env: Option<String>,
    /// Add a host key too, which reads this file
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Add a host key too, of a stored secret
    #[arg(long, value_name = "SECRET")]
    pub(crate) key_secret: Option<String>,
    /// Add a host key too, and store its value, read from standard input
    #[arg(long)]
    pub(crate) key_stdin: bool,
}

/// How long a host is waited for.
#[derive(Debug, Args)]
pub(crate) struct TimeoutFlags {
    /// Wait so long for a connection, such as 10s
    #[arg(long, value_name = "TIME")]
    pub(crate) connect_timeout: Option<String>,
    /// Wait so long for the first meaningful event of a stream, such as 2m
    #[arg(long, value_name = "TIME")]
    pub(crate) first_event_timeout: Option<String>,
    /// Wait so long between two pieces of an answer
    #[arg(long, value_name = "TIME")]
    pub(crate) idle_timeout: Option<String>,
    /// Wait so long for a whole answer that is not streamed
    #[arg(long, value_name = "TIME")]
    pub(crate) total_timeout: Option<String>,
}

/// A credential of a host.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("value").required(true).args(["env", "file", "secret", "stdin"])))]
pub(crate) struct HostKeyRow {
    /// The host key's name
    pub(crate) name: String,
    /// The host that it is for
    #[arg(long, value_name = "HOST")]
    pub(crate) host: String,
    /// The variable that holds it
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) env: Option<String>,
    /// The file that holds it
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// The stored secret that is it
    #[arg(long, value_name = "SECRET")]
    pub(crate) secret: Option<String>,
    /// Store its value, read from standard input
    #[arg(long)]
    pub(crate) stdin: bool,
    /// Lower ones are taken first
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) order: u32,
    /// Its share among those of one order, where the host chooses by weight
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) weight: u32,
    #[command(flatten)]
    pub(crate) limits: LimitFlags,
}

/// How much there may be.
#[derive(Debug, Args)]
pub(crate) struct LimitFlags {
    /// Calls that may begin in a minute
    #[arg(long, value_name = "N")]
    pub(crate) requests_per_minute: Option<u64>,
    /// Tokens of a minute, input and output
    #[arg(long, value_name = "N")]
    pub(crate) tokens_per_minute: Option<u64>,
    /// Calls at once
    #[arg(long, value_name = "N")]
    pub(crate) concurrent: Option<u64>,
}

/// A model.
#[derive(Debug, Args)]
pub(crate) struct ModelRow {
    /// The model's name, as callers write it
    pub(crate) name: String,
    /// Another name that callers may use; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) alias: Vec<String>,
    /// Price of a million input tokens
    #[arg(long, value_name = "AMOUNT", requires = "output_price")]
    pub(crate) input_price: Option<String>,
    /// Price of a million output tokens
    #[arg(long, value_name = "AMOUNT", requires = "input_price")]
    pub(crate) output_price: Option<String>,
    /// Price of a million tokens read from a cache
    #[arg(long, value_name = "AMOUNT", requires = "input_price")]
    pub(crate) cache_read_price: Option<String>,
    /// Price of a million tokens written to a cache
    #[arg(long, value_name = "AMOUNT", requires = "input_price")]
    pub(crate) cache_write_price: Option<String>,
    /// The currency of the prices
    #[arg(long, value_name = "CODE", default_value = "USD")]
    pub(crate) currency: String,
    /// Tokens that its context holds
    #[arg(long, value_name = "N")]
    pub(crate) context: Option<u64>,
    /// Tokens of its longest answer
    #[arg(long, value_name = "N")]
    pub(crate) output: Option<u64>,
}

/// A way from a model to a lane.
#[derive(Debug, Args)]
pub(crate) struct BindingRow {
    /// The binding's name [default: made of the model and the lane]
    pub(crate) name: Option<String>,
    /// The model, by its name or an alias
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: String,
    /// claude-pty, claude-print, codex or http:HOST
    #[arg(long, value_name = "LANE")]
    pub(crate) lane: String,
    /// What a host speaks: anthropic, openai or responses
    #[arg(long, value_name = "WORD")]
    pub(crate) adapter: Option<String>,
    /// What the model is called there [default: its name]
    #[arg(long, value_name = "NAME")]
    pub(crate) upstream_name: Option<String>,
    /// Lower ones are tried first
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) order: u32,
    /// Its share among those of one order
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) weight: u32,
}

/// What a relay key may have.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("grant").required(true).args(["models", "all"])))]
pub(crate) struct PolicyRow {
    /// The policy's name
    pub(crate) name: String,
    /// The models, with commas between them
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) models: Vec<String>,
    /// Every model
    #[arg(long)]
    pub(crate) all: bool,
    /// The lanes, with commas between them [default: all that the models are bound to]
    #[arg(long, value_name = "LANES", value_delimiter = ',')]
    pub(crate) lanes: Vec<String>,
    #[command(flatten)]
    pub(crate) limits: LimitFlags,
    /// Money, such as 50/month or 2.5/day
    #[arg(long, value_name = "AMOUNT/PERIOD")]
    pub(crate) budget: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Store a credential, read from standard input; an earlier one of this name is gone
    Set(NamedRow),
    /// List the names of stored credentials; what they are is not shown again
    List {
        #[command(flatten)]
        place: CatalogArgs,
    },
    /// Forget a stored credential that no host key uses
    Remove(RemovedRow),
    /// Seal every stored credential anew, under a new master key
    Rekey {
        #[command(flatten)]
        place: CatalogArgs,
    },
}

pub(crate) const CATALOG_EXAMPLES: &str = "\
Exit code: 0, or 1 if something is wrong (for diff: if something differs).

Examples:
  inference-relay catalog kinds host       every field of a host, with an example
  inference-relay catalog validate
  inference-relay catalog diff ./catalog --prune
  inference-relay catalog apply ./catalog --dry-run
  inference-relay catalog export > backup.yaml
  inference-relay catalog apply backup.yaml --prune";

pub(crate) const HOST_EXAMPLES: &str = "\
Examples:
  inference-relay host add openai --url https://api.openai.com --key-env OPENAI_API_KEY
  inference-relay host add local --url http://127.0.0.1:11434 --network private --auth none
  inference-relay host add anthropic --url https://api.anthropic.com --key-stdin < key.txt
  inference-relay host test openai
  inference-relay host list --json";

pub(crate) const HOST_KEY_EXAMPLES: &str = "\
Examples:
  inference-relay host-key add openai-b --host openai --env OPENAI_API_KEY_B --order 2
  inference-relay host-key add openai-c --host openai --stdin < key.txt
  inference-relay host-key test openai-b";

pub(crate) const MODEL_EXAMPLES: &str = "\
Examples:
  inference-relay model add gpt-test --alias gpt-test-latest --input-price 2.5 --output-price 10
  inference-relay model test gpt-test
  inference-relay model list --json";

pub(crate) const BINDING_EXAMPLES: &str = "\
Examples:
  inference-relay binding add --model gpt-4o --lane http:openai --adapter openai
  inference-relay binding add --model claude-opus-4-8 --lane claude-pty
  inference-relay binding add --model claude-opus-4-8 --lane http:anthropic --adapter anthropic --order 2";

pub(crate) const POLICY_EXAMPLES: &str = "\
Examples:
  inference-relay policy add team --models gpt-4o,gpt-4o-mini --requests-per-minute 600 --budget 50/month
  inference-relay policy add local --all --lanes http:local
  inference-relay policy test team";

pub(crate) const SECRET_EXAMPLES: &str = "\
Sealed with RELAY_MASTER_KEY (base64 of 32 bytes), or with master.key in the state folder, which is made when it is \
needed. A credential never stands in an argument, and is never shown again.

Examples:
  inference-relay secret set openai < key.txt
  inference-relay secret list
  inference-relay secret rekey                 a new master.key; the relay may run";
