//! `bench report`: how the cost grows, as tables and pictures that anyone can make again.

use super::simulated;
use super::write;
use crate::cli::args::Report;
use crate::cli::out;
use crate::cli::progress;
use crate::cli::run::Outcome;
use crate::load::Pace;
use crate::load::Plan;
use crate::load::Tally;
use crate::load::host::Host;
use crate::load::host::Setup;
use crate::load::picture::Curve;
use crate::load::picture::Picture;
use crate::load::run;
use crate::load::tally::Phase;
use crate::load::tally::milliseconds;
use crate::load::usage::Usage;
use crate::load::usage::megabytes;
use anyhow::Context;
use serde_json::Value;
use serde_json::json;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

/// One thing that grows.
struct Sweep {
    name: &'static str,
    /// What grows, with its unit.
    across: &'static str,
    steps: Vec<u32>,
    /// What is run at a step.
    at: fn(u32, &mut Setup, &mut Plan),
}

/// What was seen at one step.
struct Point {
    step: u32,
    tally: Tally,
    usage: Usage,
}

pub(crate) async fn report(args: &Report) -> anyhow::Result<Outcome> {
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("{} cannot be made", args.out.display()))?;
    let mut page =
        String::from("# How the cost grows\n\nSimulated sessions that answer at once.\n");
    let mut figures = serde_json::Map::new();
    for sweep in sweeps(args) {
        let points = play(&sweep, args).await?;
        page.push_str(&chapter(&sweep, &points));
        for (kind, picture) in pictures(&sweep, &points) {
            let file = format!("{}-{kind}.svg", sweep.name);
            if let Some(svg) = picture.svg() {
                write(&args.out.join(&file), &svg)?;
                let _ = writeln!(page, "\n![{} of {}]({file})", kind, sweep.name);
            }
        }
        figures.insert(sweep.name.to_owned(), machine(&points));
    }
    write(
        &args.out.join("figures.json"),
        &format!("{:#}\n", Value::from(figures)),
    )?;
    let path = args.out.join("report.md");
    write(&path, &page)?;
    out::line(&path.display().to_string())?;
    Ok(Outcome::Done)
}

fn sweeps(args: &Report) -> Vec<Sweep> {
    vec![
        Sweep {
            name: "sessions",
            across: "sessions at once",
            steps: vec![1, 2, 4, 8, 16, 32, 64],
            at: |step, setup, plan| {
                (setup.sessions_max, setup.sessions_idle) = (step, step);
                plan.clients = step;
            },
        },
        Sweep {
            name: "waiting",
            across: "callers at once, for 4 sessions",
            steps: vec![1, 10, 100, 500, 1000, 2000],
            at: |step, setup, plan| {
                (setup.sessions_max, setup.sessions_idle) = (4, 4);
                plan.clients = step;
                plan.calls = plan.calls.max(2 * step);
            },
        },
        Sweep {
            name: "reply",
            across: "kB of a reply",
            steps: vec![1, 10, 100, 1000, 5000],
            at: |step, setup, plan| {
                setup.reply_bytes = step as usize * 1000;
                plan.calls = plan.calls.min(CALLS_LARGE);
            },
        },
        Sweep {
            name: "history",
            across: "earlier turns",
            steps: vec![0, 10, 50, 100, 250, 500],
            at: |step, _, plan| {
                plan.history_pairs = step;
                plan.calls = plan.calls.min(CALLS_LARGE);
            },
        },
        Sweep {
            name: "soak",
            across: "calls so far",
            steps: soak(args),
            at: |_, _, plan| plan.clients = 4,
        },
    ]
}

/// The long run in ten parts, on one daemon.
fn soak(args: &Report) -> Vec<u32> {
    let calls = if args.quick {
        args.soak / 10
    } else {
        args.soak
    };
    (1..=SOAK_PARTS)
        .map(|part| calls / SOAK_PARTS * part)
        .collect()
}

async fn play(sweep: &Sweep, args: &Report) -> anyhow::Result<Vec<Point>> {
    let is_soak = sweep.name == "soak";
    let mut points = Vec::new();
    let mut host = None;
    for step in sweep.steps.iter().copied() {
        let mut setup = simulated(4)?;
        let mut plan = plan(if args.quick { CALLS / 10 } else { CALLS });
        (sweep.at)(step, &mut setup, &mut plan);
        if is_soak {
            plan.calls = sweep.steps[0];
        }
        let mut here = match host.take() {
            Some(host) if is_soak => host,
            _ => Host::start(&setup).await?,
        };
        let what = format!("{}: {} {}", sweep.name, step, sweep.across);
        points.push(progress::during(&what, point(step, &plan, &mut here)).await?);
        if is_soak {
            host = Some(here);
        } else {
            here.stop().await;
        }
    }
    if let Some(host) = host {
        host.stop().await;
    }
    Ok(points)
}

async fn point(step: u32, plan: &Plan, host: &mut Host) -> anyhow::Result<Point> {
    let before = host.usage().unwrap_or_default();
    let told = Arc::new(AtomicU32::new(0));
    let tally = run::run(plan, host.address, None, &told).await?;
    let usage = host.usage().unwrap_or_default().since(before);
    Ok(Point { step, tally, usage })
}

fn plan(calls: u32) -> Plan {
    Plan {
        clients: 1,
        calls,
        pace: Pace::Closed,
        model: super::MODEL.to_owned(),
        prompt_bytes: 64,
        history_pairs: 0,
        stream: true,
    }
}

fn chapter(sweep: &Sweep, points: &[Point]) -> String {
    let mut text = format!(
        "\n## {}\n\n| {} | calls/s | first p50 ms | total p50 ms | p99 ms | failed | daemon CPU ms/call | daemon MB | threads | files |\n|{}\n",
        sweep.name,
        sweep.across,
        "---:|".repeat(10)
    );
    for point in points {
        let ms = |phase, share| point.tally.quantile(phase, share).map_or(0.0, milliseconds);
        let failed: u64 = point.tally.failures.values().sum();
        let _ = writeln!(
            text,
            "| {} | {:.0} | {:.2} | {:.2} | {:.2} | {failed} | {:.3} | {:.1} | {} | {} |",
            point.step,
            point.tally.rate(),
            ms(Phase::First, 0.5),
            ms(Phase::Total, 0.5),
            ms(Phase::Total, 0.99),
            cpu_a_call(point),
            megabytes(point.usage.resident_bytes),
            point.usage.threads,
            point.usage.descriptors,
        );
    }
    text
}

fn pictures(sweep: &Sweep, points: &[Point]) -> Vec<(&'static str, Picture)> {
    let curve = |name: &str, of: &dyn Fn(&Point) -> f64| Curve {
        name: name.to_owned(),
        points: points
            .iter()
            .map(|point| (f64::from(point.step.max(1)), of(point)))
            .collect(),
    };
    let picture = |title: &str, up: &str, curves| Picture {
        title: format!("{title} by {}", sweep.across),
        across: sweep.across.to_owned(),
        up: up.to_owned(),
        log: sweep.name != "soak",
        curves,
    };
    let total = |share| {
        move |point: &Point| {
            point
                .tally
                .quantile(Phase::Total, share)
                .map_or(0.0, milliseconds)
        }
    };
    vec![
        (
            "time",
            picture(
                "Time",
                "ms",
                vec![
                    curve("total p50", &total(0.5)),
                    curve("total p99", &total(0.99)),
                ],
            ),
        ),
        (
            "rate",
            picture(
                "Rate",
                "calls a second",
                vec![curve("calls/s", &|point| point.tally.rate())],
            ),
        ),
        (
            "memory",
            picture(
                "Memory of the daemon",
                "MB",
                vec![curve("resident", &|point| {
                    megabytes(point.usage.resident_bytes)
                })],
            ),
        ),
    ]
}

fn machine(points: &[Point]) -> Value {
    let told = points.iter().map(|point| {
        let mut told = point.tally.machine();
        told["step"] = point.step.into();
        told["usage"] = point.usage.machine();
        told["daemon_cpu_ms_a_call"] = json!(cpu_a_call(point));
        told
    });
    told.collect()
}

fn cpu_a_call(point: &Point) -> f64 {
    let calls = u32::try_from(point.tally.good).unwrap_or(u32::MAX).max(1);
    milliseconds(point.usage.cpu) / f64::from(calls)
}

/// Calls at a step.
const CALLS: u32 = 2000;
/// Calls at a step where one call is much.
const CALLS_LARGE: u32 = 100;
/// Looks at the long run.
const SOAK_PARTS: u32 = 10;
