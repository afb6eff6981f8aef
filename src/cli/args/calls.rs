//! What is typed to make a call, or to learn of calls.

use super::ConfigArgs;
use super::Query;
use crate::catalog::LaneName;
use crate::cli::explain;
use crate::cli::usage::Moment;
use crate::control;
use crate::store::GroupBy;
use crate::wire::contract;
use clap::Args;
use clap::Subcommand;

#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// What to ask; "-", or nothing in a pipe, reads it from standard input
    pub(crate) prompt: Option<String>,
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
    pub(crate) place: ConfigArgs,
}

/// Enough for a long answer; an API call has to name a bound.
const ANSWER_TOKENS_MAX: u32 = 8192;

pub(super) const ASK_EXAMPLES: &str = "\
If no daemon answers on the port, one is started for this call alone.

Examples:
  inference-relay ask \"What is a relay?\"
  inference-relay ask --system \"Answer in one word.\" \"Largest planet?\"
  git diff | inference-relay ask --system \"Review this change.\" -
  inference-relay ask --json --no-stream \"Hello\" | jq .usage";

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

pub(super) const ROUTE_EXAMPLES: &str = "\
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
    pub(crate) place: ConfigArgs,
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
    #[arg(long, value_name = "LANE", value_parser = lane)]
    pub(crate) lane: Option<String>,
    /// Only this host
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// Only this model, by the name that was asked for
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Only this status: 429, or ok, 4xx, 5xx, left
    #[arg(long, value_name = "STATUS", value_parser = status)]
    pub(crate) status: Option<String>,
    /// Only this code of the error contract
    #[arg(long, value_name = "CODE", value_parser = code)]
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

fn status(text: &str) -> Result<String, String> {
    match control::is_status(text) {
        true => Ok(text.to_owned()),
        false => Err("give one, such as 429, a class (ok, 4xx, 5xx), or left".to_owned()),
    }
}

fn code(text: &str) -> Result<String, String> {
    match contract::find(text) {
        Some(row) => Ok(row.code.to_owned()),
        None => Err(format!(
            "there is no such code{}",
            explain::hint(explain::nearest(text))
        )),
    }
}

fn lane(text: &str) -> Result<String, String> {
    let lane = LaneName::parse(text);
    let told = || "give claude-pty, claude-print, codex or http:HOST".to_owned();
    lane.map(|lane| lane.to_string()).ok_or_else(told)
}

/// Calls of one list: as many as a spreadsheet takes.
fn limit(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok();
    let limit = limit.filter(|limit| (1..=1_000_000).contains(limit));
    limit.ok_or_else(|| "give a number from 1 to 1000000".to_owned())
}

pub(super) const USAGE_EXAMPLES: &str = "\
It reads the store (store.url), whether the daemon runs or not; records are kept for store.retention, sums for longer.

Examples:
  inference-relay usage                                  the last day, by model
  inference-relay usage --since 30d --by key --csv
  inference-relay usage --calls --status 5xx             what failed, call by call
  inference-relay usage --calls --limit 100000 --csv > calls.csv";

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

pub(super) const BREAKER_EXAMPLES: &str = "\
Examples:
  inference-relay breaker list           what rests, why, and until when
  inference-relay breaker reset          end every rest
  inference-relay breaker reset mock-a   end the rest of one host key";
