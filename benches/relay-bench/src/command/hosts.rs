//! `bench hosts`: what a call by the lane of a host takes, beside a bare proxy to the same host and the host itself.
//!
//! All of them run in one run, in turn, so that what the machine does meanwhile falls on each.

use super::CommandOutcome;
use super::Programs;
use crate::args::HostCalls;
use crate::load::Pace;
use crate::load::Plan;
use crate::load::Tally;
use crate::load::bare;
use crate::load::compare::median;
use crate::load::host::Host;
use crate::load::host::Setup;
use crate::load::plan::History;
use crate::load::program::Program;
use crate::load::run;
use crate::load::tally::Phase;
use crate::load::usage::Usage;
use crate::out;
use crate::progress;
use anyhow::Context;
use anyhow::ensure;
use serde_json::Value;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;
use tokio::net::TcpListener;

/// Serves as the bare proxy of a run; a process of its own, as the relay is.
pub(crate) async fn bare(host: SocketAddr) -> anyhow::Result<CommandOutcome> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    out::line(&format!("listening address={}", listener.local_addr()?))?;
    bare::serve(listener, host).await?;
    Ok(CommandOutcome::Done)
}

/// What stands in a call's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Host,
    Bare,
    Relay,
}

const TARGETS: [Target; 3] = [Target::Host, Target::Bare, Target::Relay];

impl Target {
    fn name(self) -> &'static str {
        match self {
            Target::Host => "host itself",
            Target::Bare => "bare proxy",
            Target::Relay => "relay",
        }
    }
}

/// One target in one round.
#[derive(Debug, Clone, Copy)]
struct Measured {
    middle: Duration,
    late: Duration,
    /// Calls a second by many clients at once.
    rate: f64,
    /// Processor time of a call by many clients at once.
    cpu: Duration,
}

struct Stand {
    host: Program,
    bare: Program,
    relay: Host,
}

pub(crate) async fn hosts(args: &HostCalls, programs: &Programs) -> anyhow::Result<CommandOutcome> {
    let stand = progress::during("starting a host, a proxy and a relay", stand(programs)).await?;
    let what = format!("{} rounds of three", args.rounds);
    let rounds = progress::during(&what, rounds(args, &stand)).await?;
    stand.relay.stop().await;
    match args.json {
        true => out::json(&machine(&rounds))?,
        false => out::text(&table(&rounds))?,
    }
    Ok(CommandOutcome::Done)
}

async fn stand(programs: &Programs) -> anyhow::Result<Stand> {
    let host_program = programs.relay.with_file_name("fake-host");
    ensure!(
        host_program.is_file(),
        "{} is not built: run cargo build --release --workspace",
        host_program.display()
    );
    let host = Program::start(&host_program, ["--with-stdin"]).await;
    let host = host.context("the simulated host does not start")?;
    let own = std::env::current_exe().context("this program does not know its own path")?;
    let address = host.address.to_string();
    let bare = Program::start(&own, ["bare", address.as_str()]).await;
    let bare = bare.context("the bare proxy does not start")?;
    let setup = Setup {
        catalog: Some(catalog(host.address)),
        sessions_idle: 0,
        ..programs.simulated(1)
    };
    let relay = Host::start(&setup).await?;
    Ok(Stand { host, bare, relay })
}

fn catalog(host: SocketAddr) -> String {
    format!(
        "kind: Host\nmetadata: {{ name: bench }}\nspec: {{ url: \"http://{host}\", network: private, auth: none }}\n\
         ---\nkind: Model\nmetadata: {{ name: {MODEL} }}\n\
         ---\nkind: Binding\nmetadata: {{ name: bench }}\nspec: {{ model: {MODEL}, lane: \"http:bench\", adapter: anthropic }}\n"
    )
}

type Round = Vec<(Target, Measured)>;

async fn rounds(args: &HostCalls, stand: &Stand) -> anyhow::Result<Vec<Round>> {
    let mut rounds = Vec::new();
    for number in 0..args.rounds as usize + 1 {
        let mut round = Vec::new();
        for place in 0..TARGETS.len() {
            // Each is the first as often as the others.
            let target = TARGETS[(place + number) % TARGETS.len()];
            round.push((target, measure(args, stand, target).await?));
        }
        rounds.push(round);
    }
    // The first one fills caches.
    rounds.remove(0);
    Ok(rounds)
}

async fn measure(args: &HostCalls, stand: &Stand, target: Target) -> anyhow::Result<Measured> {
    let (address, usage): (_, Box<dyn Fn() -> Option<Usage>>) = match target {
        Target::Host => (stand.host.address, Box::new(|| stand.host.usage())),
        Target::Bare => (stand.bare.address, Box::new(|| stand.bare.usage())),
        Target::Relay => (stand.relay.address, Box::new(|| stand.relay.usage())),
    };
    let alone = calls(args, 1, args.calls, address).await?;
    let before = usage().unwrap_or_default();
    let many = calls(args, args.clients, args.calls_at_once, address).await?;
    let cpu = usage().unwrap_or_default().since(before).cpu;
    let time = |share| alone.quantile(Phase::Total, share).unwrap_or_default();
    Ok(Measured {
        middle: time(0.5),
        late: time(0.99),
        rate: many.rate(),
        cpu: cpu / args.calls_at_once,
    })
}

async fn calls(
    args: &HostCalls,
    clients: u32,
    calls: u32,
    address: SocketAddr,
) -> anyhow::Result<Tally> {
    let plan = Plan {
        clients,
        calls,
        pace: Pace::Closed,
        model: MODEL.to_owned(),
        prompt_bytes: args.prompt,
        history: History::NONE,
        stream: args.stream,
    };
    let tally = run::run(&plan, address, None, &Arc::<AtomicU32>::default()).await?;
    ensure!(
        tally.failures.is_empty(),
        "calls failed: {:?}",
        tally.failures
    );
    Ok(tally)
}

/// The medians of a target over the rounds.
fn medians(rounds: &[Round], target: Target) -> Measured {
    let of = |what: fn(&Measured) -> Duration| {
        let all = rounds.iter().flatten();
        let own = all.filter(|(found, _)| *found == target);
        median(&own.map(|(_, measured)| what(measured)).collect::<Vec<_>>())
    };
    Measured {
        middle: of(|measured| measured.middle),
        late: of(|measured| measured.late),
        rate: 1.0
            / of(|measured| Duration::from_secs_f64(1.0 / measured.rate.max(1e-6))).as_secs_f64(),
        cpu: of(|measured| measured.cpu),
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// How many times as long a call takes as by the bare proxy, and how many times as many are served.
fn ratios(rounds: &[Round]) -> (f64, f64) {
    let (relay, bare) = (
        medians(rounds, Target::Relay),
        medians(rounds, Target::Bare),
    );
    (
        relay.middle.as_secs_f64() / bare.middle.as_secs_f64().max(1e-9),
        relay.rate / bare.rate.max(1e-9),
    )
}

fn table(rounds: &[Round]) -> String {
    let mut text = format!(
        "{:14}{:>10}{:>10}{:>12}{:>12}\n",
        "", "p50 us", "p99 us", "calls/s", "cpu us"
    );
    for target in TARGETS {
        let found = medians(rounds, target);
        text.push_str(&format!(
            "{:14}{:>10.0}{:>10.0}{:>12.0}{:>12.0}\n",
            target.name(),
            micros(found.middle),
            micros(found.late),
            found.rate,
            micros(found.cpu)
        ));
    }
    let (time, rate) = ratios(rounds);
    text.push_str(&format!(
        "relay to bare proxy: {time:.2} times the time, {rate:.2} times the calls a second\n"
    ));
    text
}

fn machine(rounds: &[Round]) -> Value {
    let row = |target: Target| {
        let found = medians(rounds, target);
        let name = target.name().replace(' ', "_");
        let row = json!({"p50_us": micros(found.middle), "p99_us": micros(found.late), "calls_per_s": found.rate,
            "cpu_us": micros(found.cpu)});
        (name, row)
    };
    let mut told: serde_json::Map<String, Value> = TARGETS.into_iter().map(row).collect();
    let (time, rate) = ratios(rounds);
    told.insert(
        "relay_to_bare".to_owned(),
        json!({"time": time, "rate": rate}),
    );
    Value::Object(told)
}

/// The host answers whatever is asked for; the name only has to be one and the same.
const MODEL: &str = "bench";
