//! What can be measured, as a command line.

use clap::Args;
use clap::Parser;
use clap::Subcommand;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Measure calls: under load, against the floor, against another build.
#[derive(Debug, Parser)]
#[command(name = "relay-bench", bin_name = "inference-relay bench", version, after_help = BENCH_EXAMPLES)]
pub(crate) struct Cli {
    /// The relay that is measured [default: inference-relay, in the folder of this program]
    #[arg(long, value_name = "PROGRAM", global = true)]
    pub(crate) relay: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Bench,
}

/// What is measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Many clients at once: latencies, rate, processor and memory
    #[command(after_help = BENCH_LOAD_EXAMPLES)]
    Load(Load),
    /// What the relay adds, beside a terminal's echo, a loopback round trip and a session driven by hand
    Floor(Pairs),
    /// A call by the lane of a host beside a bare proxy to the same host, as a ratio, in one run
    #[command(after_help = BENCH_HOSTS_EXAMPLES)]
    Hosts(HostCalls),
    /// Serve as the bare proxy of such a run
    #[command(hide = true)]
    Bare {
        /// The host
        host: SocketAddr,
    },
    /// This build against another one, call by call in turn; exit code 1 if it is surely slower
    #[command(after_help = BENCH_COMPARE_EXAMPLES)]
    Compare(Compare),
    /// How the cost grows with sessions, waiting callers, replies, histories and calls: tables and pictures
    Report(Report),
}

/// How many calls of what kind.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// Calls under way at the same time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) clients: u32,
    /// Calls altogether
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) calls: u32,
    /// Calls a second, due whatever became of the others; latencies then begin when a call was due [default: each
    /// client calls when its last call has ended]
    #[arg(long, value_name = "PER_SECOND", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Bytes of a prompt
    #[arg(long, value_name = "BYTES", default_value_t = 64)]
    pub(crate) prompt: usize,
    /// Bytes of a reply, of the simulated claude
    #[arg(long, value_name = "BYTES", default_value_t = 256)]
    pub(crate) reply: usize,
    /// Earlier questions, each with its answer
    #[arg(long, value_name = "PAIRS", default_value_t = 0)]
    pub(crate) history: u32,
    /// Whole answers instead of streamed ones
    #[arg(long)]
    pub(crate) no_stream: bool,
    /// Sessions of the simulated pool [default: as many as clients]
    #[arg(long, value_name = "N")]
    pub(crate) sessions: Option<u32>,
    /// Call the daemon that runs already, whatever answers there: a real claude is asked, and tokens are spent
    #[arg(long, conflicts_with_all = ["reply", "sessions"])]
    pub(crate) running: bool,
    /// A relay key, for a running daemon that asks for one
    #[arg(long, value_name = "KEY", requires = "running")]
    pub(crate) key: Option<String>,
    /// Draw the latencies into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// The running daemon's configuration [default: relay.toml in $INFERENCE_RELAY_HOME or ~/.inference-relay]
    #[arg(long, value_name = "FILE", requires = "running")]
    pub(crate) config: Option<PathBuf>,
    /// The running daemon's port
    #[arg(long, value_name = "N", requires = "running")]
    pub(crate) port: Option<u16>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How many measurements.
#[derive(Debug, Args)]
pub(crate) struct Pairs {
    /// Rounds; in each, everything is measured once, in turn
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(10..))]
    pub(crate) rounds: u32,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which calls of a host.
#[derive(Debug, Args)]
pub(crate) struct HostCalls {
    /// Rounds; in each, host, proxy and relay are measured once, in turn
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// Calls one after the other
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) calls: u32,
    /// Calls by many clients
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) calls_at_once: u32,
    /// Clients at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) clients: u32,
    /// Bytes of a prompt
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    pub(crate) prompt: usize,
    /// Streamed answers instead of whole ones
    #[arg(long)]
    pub(crate) stream: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The other build.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// The relay to compare with, such as the last release
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) baseline: PathBuf,
    /// How much slower is allowed, as a factor
    #[arg(long, value_name = "FACTOR", default_value_t = 1.1)]
    pub(crate) allow: f64,
    #[command(flatten)]
    pub(crate) pairs: Pairs,
}

/// Where the report goes.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The folder for report.md, its pictures and its figures as JSON
    #[arg(long, value_name = "DIR", default_value = "target/bench-report")]
    pub(crate) out: PathBuf,
    /// Calls of the long run
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) soak: u32,
    /// A tenth of everything, for a first look
    #[arg(long)]
    pub(crate) quick: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("write a number above 0".to_owned()),
    }
}

const BENCH_EXAMPLES: &str = "\
Without --running everything is measured on a daemon of its own with simulated sessions: no login, no network, no model.
Build with --release before you believe a figure.

Examples:
  inference-relay bench load --clients 16 --calls 5000
  inference-relay bench floor                               what the relay adds
  inference-relay bench hosts                               the same of calls that a host serves
  inference-relay bench compare --baseline ./old-relay      is this build slower?
  inference-relay bench report --out report                 pictures";

const BENCH_HOSTS_EXAMPLES: &str = "\
The host is fake-host, on loopback; medians over the rounds are told. What the bare proxy takes is what no gateway goes \
below, so read the ratio: it is the same on a slower machine.

Examples:
  inference-relay bench hosts
  inference-relay bench hosts --stream --prompt 100000 --json | jq .relay_to_bare";

const BENCH_LOAD_EXAMPLES: &str = "\
Examples:
  inference-relay bench load --clients 16 --calls 5000 --svg latency.svg
  inference-relay bench load --rate 200 --calls 4000        latencies as seen by callers who do not wait
  inference-relay bench load --running --calls 20           the running daemon, with its real claude
  inference-relay bench load --json | jq .phases.total.p99_ms";

const BENCH_COMPARE_EXAMPLES: &str = "\
Examples:
  inference-relay bench compare --baseline /usr/local/bin/inference-relay
  inference-relay bench compare --baseline ./old --allow 1.05 --rounds 500";
