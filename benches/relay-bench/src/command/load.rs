//! `bench load`: many clients at once.

use super::CommandOutcome;
use super::Programs;
use super::running_daemon::RunningDaemon;
use super::write;
use crate::args::Load;
use crate::load::Pace;
use crate::load::Plan;
use crate::load::Tally;
use crate::load::host::Host;
use crate::load::picture::Across;
use crate::load::picture::Curve;
use crate::load::picture::Picture;
use crate::load::plan::History;
use crate::load::run;
use crate::load::tally::Phase;
use crate::load::tally::milliseconds;
use crate::load::usage::Usage;
use crate::out;
use crate::progress;
use anyhow::Context;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

pub(crate) async fn load(args: &Load, programs: &Programs) -> anyhow::Result<CommandOutcome> {
    let (tally, usage) = match args.running {
        true => running(args, programs).await?,
        false => own(args, programs).await?,
    };
    if let Some(path) = &args.svg {
        let svg = picture(&tally)
            .svg()
            .context("no call ended well, so there is nothing to draw")?;
        write(path, &svg)?;
    }
    tell(args, &tally, usage)?;
    Ok(match tally.failures.is_empty() {
        true => CommandOutcome::Done,
        false => CommandOutcome::Failed,
    })
}

async fn running(args: &Load, programs: &Programs) -> anyhow::Result<(Tally, Option<Usage>)> {
    let daemon = RunningDaemon::of(programs, args.config.as_deref(), args.port).await?;
    let address = daemon.address;
    let plan = plan(args, &daemon.model);
    let tally = calls(&plan, address, args.key.as_deref()).await;
    let tally =
        tally.with_context(|| format!("no daemon answers on {address}, or it went away"))?;
    Ok((tally, None))
}

async fn own(args: &Load, programs: &Programs) -> anyhow::Result<(Tally, Option<Usage>)> {
    let mut setup = programs.simulated(args.sessions.unwrap_or(args.clients));
    setup.reply_bytes = args.reply;
    let host = progress::during("starting a simulated daemon", Host::start(&setup)).await?;
    let plan = plan(args, &setup.model);
    let before = host.usage().unwrap_or_default();
    let tally = calls(&plan, host.address, None).await?;
    let usage = host.usage().map(|usage| usage.since(before));
    host.stop().await;
    Ok((tally, usage))
}

async fn calls(plan: &Plan, address: SocketAddr, key: Option<&str>) -> std::io::Result<Tally> {
    let told = Arc::new(AtomicU32::new(0));
    let what = format!("{} calls by {} clients", plan.calls, plan.clients);
    progress::during(&what, run::run(plan, address, key, &told)).await
}

fn plan(args: &Load, model: &str) -> Plan {
    Plan {
        clients: args.clients,
        calls: args.calls,
        pace: match args.rate {
            Some(per_second) => Pace::Open { per_second },
            None => Pace::Closed,
        },
        model: model.to_owned(),
        prompt_bytes: args.prompt,
        history: History {
            turns: args.history,
            message_bytes: 0,
        },
        stream: !args.no_stream,
    }
}

fn tell(args: &Load, tally: &Tally, usage: Option<Usage>) -> std::io::Result<()> {
    if args.json {
        let mut told = tally.machine();
        if let Some(usage) = usage {
            told["usage"] = usage.machine();
        }
        return out::json(&told);
    }
    out::text(&tally.table())?;
    out::text(&usage.map(Usage::table).unwrap_or_default())
}

fn picture(tally: &Tally) -> Picture {
    let curve = |phase: Phase| Curve {
        name: phase.name().to_owned(),
        points: tally
            .curve(phase)
            .into_iter()
            .map(|(share, time)| (share * 100.0, milliseconds(time)))
            .collect(),
    };
    Picture {
        title: format!("{} calls, {:.0} a second", tally.good, tally.rate()),
        across: Across::Sum("per cent of the calls, the fastest first".to_owned()),
        up: "ms".to_owned(),
        curves: [Phase::Said, Phase::First, Phase::Total].map(curve).into(),
    }
}
