//! `bench floor`: what the relay adds to the session, and how that compares with what nothing can go below.

use super::CommandOutcome;
use super::Programs;
use crate::args::Pairs;
use crate::clock;
use crate::load::Pace;
use crate::load::Plan;
use crate::load::caller::Caller;
use crate::load::compare::quantile;
use crate::load::floor::Bare;
use crate::load::floor::Echo;
use crate::load::host::Host;
use crate::load::host::Setup;
use crate::load::plan::History;
use crate::load::tally::Sample;
use crate::load::tally::milliseconds;
use crate::out;
use crate::progress;
use anyhow::Context;
use anyhow::bail;
use bytes::Bytes;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;

/// One round: everything once.
struct Round {
    echo: Duration,
    page: Duration,
    bare: Duration,
    buffered: Duration,
    streamed: Sample,
}

/// What was measured.
struct Measured {
    rounds: Vec<Round>,
    starts: Vec<Duration>,
}

pub(crate) async fn floor(args: &Pairs, programs: &Programs) -> anyhow::Result<CommandOutcome> {
    let setup = programs.simulated(SESSIONS);
    let host = progress::during("starting a simulated daemon", Host::start(&setup)).await?;
    let what = format!("{} rounds", args.rounds);
    let rounds = progress::during(&what, rounds(args, &host, &setup)).await?;
    host.stop().await;
    let starts = progress::during("starts", starts(&setup)).await?;
    let measured = Measured { rounds, starts };
    match args.json {
        true => out::json(&machine(&measured))?,
        false => out::text(&table(&measured))?,
    }
    Ok(CommandOutcome::Done)
}

async fn rounds(args: &Pairs, host: &Host, setup: &Setup) -> anyhow::Result<Vec<Round>> {
    let mut echo = Echo::start().await.context("no terminal can be measured")?;
    let mut bare = Bare::start(host, setup)
        .await
        .context("the simulated claude does not start")?;
    let mut caller = Caller::connect(host.address, None).await?;
    let mut rounds = Vec::new();
    for number in 0..args.rounds + WARM_UP {
        at_rest(&mut caller).await?;
        let began = clock::now();
        caller.page("/v1/health").await?;
        let page = clock::now().duration_since(began);
        let buffered = call(&mut caller, setup, number, false).await?.ended;
        let bare = bare.measure(&format!("call {number} asks")).await?;
        at_rest(&mut caller).await?;
        let streamed = call(&mut caller, setup, number, true).await?;
        let echo = echo.measure().await?;
        rounds.push(Round {
            echo,
            page,
            bare,
            buffered,
            streamed,
        });
    }
    Ok(rounds.split_off(WARM_UP as usize))
}

/// How long it takes a daemon to listen. It warms no session meanwhile, as a service does beside the listening.
async fn starts(setup: &Setup) -> anyhow::Result<Vec<Duration>> {
    let setup = Setup {
        sessions_idle: 0,
        ..setup.clone()
    };
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let began = clock::now();
        let host = Host::start(&setup).await?;
        starts.push(clock::now().duration_since(began));
        host.stop().await;
    }
    Ok(starts)
}

/// Waits until all sessions are idle, so that a call does not wait for the one before.
pub(super) async fn at_rest(caller: &mut Caller) -> anyhow::Result<()> {
    for _ in 0..LOOKS_MAX {
        let page: Value = serde_json::from_slice(&caller.page("/v1/sessions").await?)?;
        let sessions = page["sessions"].as_array().map_or(0, Vec::len);
        if sessions > 0 && page["idle"] == sessions {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    bail!("the simulated sessions do not come to rest")
}

/// One call that began when it was sent.
pub(super) async fn call(
    caller: &mut Caller,
    setup: &Setup,
    number: u32,
    stream: bool,
) -> anyhow::Result<Sample> {
    let plan = Plan {
        clients: 1,
        calls: 1,
        pace: Pace::Closed,
        model: setup.model.clone(),
        prompt_bytes: 0,
        history: History::NONE,
        stream,
    };
    let body = Bytes::from(plan.body(number).to_string());
    let sample = caller.call(body, clock::now(), None).await?;
    match sample.failure {
        Some(code) => bail!("a call failed: {code}"),
        None => Ok(sample),
    }
}

/// The rows of the table: name, and one time a round.
fn columns(measured: &Measured) -> Vec<(&'static str, Vec<Duration>)> {
    let column = |of: fn(&Round) -> Duration| measured.rounds.iter().map(of).collect();
    let said = |round: &Round| round.streamed.since_said;
    vec![
        ("terminal echo", column(|round| round.echo)),
        ("loopback page", column(|round| round.page)),
        ("floor (both)", column(|round| round.echo + round.page)),
        ("session by hand", column(|round| round.bare)),
        ("first delta", column(|round| round.first())),
        (
            "hook to delta",
            measured.rounds.iter().filter_map(said).collect(),
        ),
        ("call, streamed", column(|round| round.streamed.ended)),
        ("call, buffered", column(|round| round.buffered)),
        (
            "added, streamed",
            column(|round| round.streamed.ended.saturating_sub(round.bare)),
        ),
        (
            "added, buffered",
            column(|round| round.buffered.saturating_sub(round.bare)),
        ),
        ("start to listening", measured.starts.clone()),
    ]
}

impl Round {
    fn first(&self) -> Duration {
        self.streamed.pieces.first().copied().unwrap_or_default()
    }
}

fn table(measured: &Measured) -> String {
    let mut text = format!("{:20}{:>10}{:>10}{:>10}\n", "ms", "p50", "p90", "p99");
    for (name, times) in columns(measured) {
        let ms = |share| milliseconds(quantile(&times, share));
        text.push_str(&format!(
            "{name:20}{:>10.3}{:>10.3}{:>10.3}\n",
            ms(0.5),
            ms(0.9),
            ms(0.99)
        ));
    }
    text
}

fn machine(measured: &Measured) -> Value {
    let rows = columns(measured).into_iter().map(|(name, times)| {
        let ms = |share| milliseconds(quantile(&times, share));
        let name = name.replace([',', '(', ')'], "").replace(' ', "_");
        (
            name,
            json!({"p50_ms": ms(0.5), "p90_ms": ms(0.9), "p99_ms": ms(0.99)}),
        )
    });
    Value::Object(rows.collect())
}

/// One serves, one is ready: what is measured is a warm call.
const SESSIONS: u32 = 2;
/// Starts of a daemon: the median of fewer would jump.
const STARTS: u32 = 11;
/// The first rounds fill caches.
const WARM_UP: u32 = 5;
/// Between looks whether all is at rest; outside of what is measured.
const LOOK: Duration = Duration::from_millis(2);
/// Half a minute of looks.
const LOOKS_MAX: u32 = 15_000;
