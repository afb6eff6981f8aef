//! What is typed to record a CLI.

use clap::Args;
use std::path::PathBuf;

/// What is recorded, and what with.
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

fn variable(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = pair.ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) const RECORD_EXAMPLES: &str = "\
Everything is played in a throwaway home, against an upstream that the recorder brings: no login, no network, no model.
Exit code: 0 if all was recorded or nothing differs, else 1.

Examples:
  inference-relay record                                  every case, into ./golden
  inference-relay record --cases short,tool --width 120
  inference-relay record --check                          has this claude changed?
  inference-relay record --compare 2.1.197 2.1.329        what changed between two versions
  inference-relay record --codex --check                  has the Codex CLI of this machine changed?";
