//! `bench compare`: this build and another one, call by call in turn.

use super::CommandOutcome;
use super::Programs;
use super::floor::at_rest;
use super::floor::call;
use crate::args::Compare;
use crate::load::Ratio;
use crate::load::caller::Caller;
use crate::load::compare::median;
use crate::load::host::Host;
use crate::load::host::Setup;
use crate::load::tally::milliseconds;
use crate::out;
use crate::progress;
use anyhow::Context;
use serde_json::json;
use std::time::Duration;

/// A pair: the baseline's call, and ours.
type Pair = (Duration, Duration);

pub(crate) async fn compare(args: &Compare, programs: &Programs) -> anyhow::Result<CommandOutcome> {
    let ours = programs.simulated(SESSIONS);
    let theirs = Setup {
        program: args.baseline.clone(),
        ..ours.clone()
    };
    let baseline = Host::start(&theirs).await;
    let baseline =
        baseline.with_context(|| format!("{} does not serve", args.baseline.display()))?;
    let own = Host::start(&ours).await?;
    let what = format!("{} rounds", args.pairs.rounds);
    let pairs = progress::during(&what, pairs(args, &baseline, &own, &ours)).await?;
    let cpu = [&baseline, &own].map(|host| host.usage().unwrap_or_default().cpu);
    baseline.stop().await;
    own.stop().await;
    let ratio = Ratio::of(&pairs).context("too few rounds to tell")?;
    tell(args, &pairs, ratio, cpu)?;
    Ok(match ratio.low > args.allow {
        true => CommandOutcome::Failed,
        false => CommandOutcome::Done,
    })
}

/// The order within a pair changes from round to round, so that neither is always the second.
async fn pairs(
    args: &Compare,
    baseline: &Host,
    own: &Host,
    setup: &Setup,
) -> anyhow::Result<Vec<Pair>> {
    let mut theirs = Caller::connect(baseline.address, None).await?;
    let mut ours = Caller::connect(own.address, None).await?;
    let mut pairs = Vec::new();
    for number in 0..args.pairs.rounds {
        at_rest(&mut theirs).await?;
        at_rest(&mut ours).await?;
        let pair = if number.is_multiple_of(2) {
            let first = call(&mut theirs, setup, number, true).await?;
            (
                first.ended,
                call(&mut ours, setup, number, true).await?.ended,
            )
        } else {
            let second = call(&mut ours, setup, number, true).await?;
            (
                call(&mut theirs, setup, number, true).await?.ended,
                second.ended,
            )
        };
        pairs.push(pair);
    }
    Ok(pairs)
}

fn tell(args: &Compare, pairs: &[Pair], ratio: Ratio, cpu: [Duration; 2]) -> std::io::Result<()> {
    let (theirs, ours): (Vec<Duration>, Vec<Duration>) = pairs.iter().copied().unzip();
    let (theirs, ours) = (milliseconds(median(&theirs)), milliseconds(median(&ours)));
    if args.pairs.json {
        return out::json(&json!({
            "baseline_p50_ms": theirs,
            "p50_ms": ours,
            "ratio": ratio.median,
            "ratio_low": ratio.low,
            "ratio_high": ratio.high,
            "allowed": args.allow,
            "pairs": pairs.len(),
            "baseline_cpu_seconds": cpu[0].as_secs_f64(),
            "cpu_seconds": cpu[1].as_secs_f64(),
        }));
    }
    let verdict = match (ratio.low > args.allow, ratio.high < 1.0) {
        (true, _) => "surely SLOWER than allowed",
        (_, true) => "surely faster",
        _ => "not slower than allowed",
    };
    out::line(&format!(
        "baseline {theirs:.3} ms, this build {ours:.3} ms: ratio {:.3} (95 %: {:.3} to {:.3}), {verdict}\n\
         processor time of all {} calls and their looks: baseline {:.2} s, this build {:.2} s",
        ratio.median,
        ratio.low,
        ratio.high,
        pairs.len(),
        cpu[0].as_secs_f64(),
        cpu[1].as_secs_f64(),
    ))
}

/// One serves, one is ready.
const SESSIONS: u32 = 2;
