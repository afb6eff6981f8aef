//! `bench report`: how the cost grows, as tables and pictures that anyone can make again.

use super::CommandOutcome;
use super::Programs;
use super::write;
use crate::args::Report;
use crate::clock;
use crate::load::Pace;
use crate::load::Plan;
use crate::load::Tally;
use crate::load::host::Host;
use crate::load::host::Setup;
use crate::load::picture::Across;
use crate::load::picture::Board;
use crate::load::picture::Curve;
use crate::load::picture::Picture;
use crate::load::plan::History;
use crate::load::run;
use crate::load::tally::Phase;
use crate::load::tally::milliseconds;
use crate::load::usage::Usage;
use crate::load::usage::megabytes;
use crate::out;
use crate::progress;
use anyhow::Context;
use serde_json::Value;
use serde_json::json;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// One thing that grows.
struct Sweep {
    name: &'static str,
    /// What it is, and what is to be seen.
    about: &'static str,
    /// What grows, with its unit.
    across: &'static str,
    steps: Vec<u32>,
    /// All steps are of one daemon, and each goes on where the last one ended.
    goes_on: bool,
    /// What is run at a step.
    at: fn(u32, &mut Setup, &mut Plan),
}

/// What was seen at one step.
struct Point {
    step: u32,
    tally: Tally,
    usage: Usage,
    /// Processor time of the callers, who are this process.
    callers_cpu: Duration,
}

pub(crate) async fn report(args: &Report, programs: &Programs) -> anyhow::Result<CommandOutcome> {
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("{} cannot be made", args.out.display()))?;
    let began = clock::now();
    let mut page = String::new();
    let mut figures = serde_json::Map::new();
    for sweep in sweeps(args) {
        let points = play(&sweep, args, programs).await?;
        page.push_str(&chapter(&sweep, &points));
        if let Some(svg) = board(&sweep, &points).svg() {
            let file = format!("{}.svg", sweep.name);
            write(&args.out.join(&file), &svg)?;
            let _ = writeln!(page, "\n![{}]({file})", sweep.across);
        }
        figures.insert(sweep.name.to_owned(), machine(&points));
    }
    write(
        &args.out.join("figures.json"),
        &format!("{:#}\n", Value::from(figures)),
    )?;
    let path = args.out.join("report.md");
    let took = clock::now().duration_since(began);
    write(&path, &(opening(took) + &page))?;
    out::line(&path.display().to_string())?;
    Ok(CommandOutcome::Done)
}

fn opening(took: Duration) -> String {
    format!(
        "# How the cost grows\n\n\
         inference-relay {} on {} processors, measured in {} s. The sessions are simulated and answer at once, so what \
         is seen is the relay, the simulated claude, and the callers, on one machine. Times are as a caller sees them; \
         \"hook to first delta\" is from when the session posted the first piece to when the caller had it. \
         \"Busy\" is the share of all processors that these three used: near 100 % the machine is the bound. In a \
         picture whose axes both go by factors, what grows in proportion is a straight line that rises as much as it \
         goes on. The same figures for programs are in [figures.json](figures.json).\n",
        env!("CARGO_PKG_VERSION"),
        processors(),
        took.as_secs(),
    )
}

fn sweeps(args: &Report) -> Vec<Sweep> {
    vec![
        Sweep {
            name: "sessions",
            about: "As many callers as sessions. Calls a second grow until the processors are busy.",
            across: "sessions at once",
            steps: vec![1, 2, 4, 8, 16, 32, 64],
            goes_on: false,
            at: |step, setup, plan| {
                (setup.sessions_max, setup.sessions_idle) = (step, step);
                plan.clients = step;
            },
        },
        Sweep {
            name: "waiting",
            about: "Callers in the queue of 4 sessions. Each waits for those before it, so time grows with them; \
                    calls a second do not fall.",
            across: "callers at once",
            steps: vec![1, 10, 100, 500, 1000, 2000],
            goes_on: false,
            at: |step, setup, plan| {
                (setup.sessions_max, setup.sessions_idle) = (4, 4);
                plan.clients = step;
                plan.calls = plan.calls.max(2 * step);
            },
        },
        Sweep {
            name: "reply",
            about: "Longer replies, one call at a time. Time grows with the length.",
            across: "kB of a reply",
            steps: vec![1, 10, 100, 1000, 5000],
            goes_on: false,
            at: |step, setup, plan| {
                setup.reply_bytes = step as usize * 1000;
                plan.calls = afforded(plan.calls, setup.reply_bytes as u64);
            },
        },
        Sweep {
            name: "history",
            about: "Longer conversations of 20 kB a message, one call at a time: 500 turns are 20 MB. Time grows with \
                    the length.",
            across: "earlier turns",
            steps: vec![1, 10, 50, 100, 250, 500],
            goes_on: false,
            at: |step, _, plan| {
                plan.history = History {
                    turns: step,
                    message_bytes: 20_000,
                };
                plan.calls = afforded(plan.calls, plan.history.bytes());
            },
        },
        Sweep {
            name: "soak",
            about: "One daemon, 4 callers, many calls. Everything stays as it is.",
            across: "calls so far",
            steps: soak(args),
            goes_on: true,
            at: |_, _, plan| plan.clients = 4,
        },
    ]
}

/// Where a call moves much, fewer are enough.
fn afforded(calls: u32, bytes: u64) -> u32 {
    let most = u32::try_from(BYTES_MAX / bytes.max(1)).unwrap_or(u32::MAX);
    calls.min(most.max(CALLS_MIN))
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

async fn play(sweep: &Sweep, args: &Report, programs: &Programs) -> anyhow::Result<Vec<Point>> {
    let mut points = Vec::new();
    let mut host = None;
    for step in sweep.steps.iter().copied() {
        let mut setup = programs.simulated(4);
        let mut plan = plan(if args.quick { CALLS / 10 } else { CALLS });
        (sweep.at)(step, &mut setup, &mut plan);
        if sweep.goes_on {
            plan.calls = sweep.steps[0];
        }
        let here = match host.take() {
            Some(host) => host,
            None => Host::start(&setup).await?,
        };
        let what = format!("{}: {} {}", sweep.name, step, sweep.across);
        points.push(progress::during(&what, point(step, &plan, &here)).await?);
        match sweep.goes_on {
            true => host = Some(here),
            false => here.stop().await,
        }
    }
    if let Some(host) = host {
        host.stop().await;
    }
    Ok(points)
}

async fn point(step: u32, plan: &Plan, host: &Host) -> anyhow::Result<Point> {
    let own = || {
        let usage = Usage::of(std::process::id()).unwrap_or_default();
        usage.cpu
    };
    let (before, callers) = (host.usage().unwrap_or_default(), own());
    let told = Arc::new(AtomicU32::new(0));
    let tally = run::run(plan, host.address, None, &told).await?;
    Ok(Point {
        step,
        tally,
        usage: host.usage().unwrap_or_default().since(before),
        callers_cpu: own().saturating_sub(callers),
    })
}

fn plan(calls: u32) -> Plan {
    Plan {
        clients: 1,
        calls,
        pace: Pace::Closed,
        model: super::MODEL.to_owned(),
        prompt_bytes: 64,
        history: History::NONE,
        stream: true,
    }
}

impl Point {
    fn ms(&self, phase: Phase, share: f64) -> f64 {
        self.tally.quantile(phase, share).map_or(0.0, milliseconds)
    }

    fn a_call(&self, time: Duration) -> f64 {
        let calls = u32::try_from(self.tally.good).unwrap_or(u32::MAX).max(1);
        milliseconds(time) / f64::from(calls)
    }

    /// The share of all processors that callers, daemon and sessions had.
    fn busy(&self) -> f64 {
        let used = self.usage.cpu + self.usage.children_cpu + self.callers_cpu;
        100.0 * used.as_secs_f64() / (self.tally.span.as_secs_f64().max(1e-9) * processors())
    }
}

fn processors() -> f64 {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn chapter(sweep: &Sweep, points: &[Point]) -> String {
    let mut text = format!(
        "\n## {}\n\n{}\n\n| {} | calls/s | hook to first delta, p50 ms | total p50 ms | p99 ms | failed | daemon, CPU ms a call | sessions, CPU ms a call | busy % | daemon MB | at most | threads | files |\n|{}\n",
        title(sweep),
        sweep.about,
        sweep.across,
        "---:|".repeat(13)
    );
    for point in points {
        let failed: u64 = point.tally.failures.values().sum();
        let _ = writeln!(
            text,
            "| {} | {:.0} | {:.2} | {:.2} | {:.2} | {failed} | {:.2} | {:.2} | {:.0} | {:.1} | {:.1} | {} | {} |",
            point.step,
            point.tally.rate(),
            point.ms(Phase::Said, 0.5),
            point.ms(Phase::Total, 0.5),
            point.ms(Phase::Total, 0.99),
            point.a_call(point.usage.cpu),
            point.a_call(point.usage.children_cpu),
            point.busy(),
            megabytes(point.usage.resident_bytes),
            megabytes(point.usage.peak_bytes),
            point.usage.threads,
            point.usage.descriptors,
        );
    }
    text
}

fn title(sweep: &Sweep) -> String {
    let mut title = format!("Cost by {}", sweep.across);
    if sweep.goes_on {
        title = "Cost over a long run".to_owned();
    }
    title
}

/// A name, and what of a point it stands for.
type Line<'a> = (&'static str, &'a dyn Fn(&Point) -> f64);

fn board(sweep: &Sweep, points: &[Point]) -> Board {
    let picture = |title: &str, up: &str, lines: &[Line]| Picture {
        title: title.to_owned(),
        across: across(sweep),
        up: up.to_owned(),
        curves: lines.iter().map(|line| curve(line, points)).collect(),
    };
    let time: &[Line] = &[
        ("p50", &|point| point.ms(Phase::Total, 0.5)),
        ("p99", &|point| point.ms(Phase::Total, 0.99)),
    ];
    let cpu: &[Line] = &[
        ("daemon", &|point| point.a_call(point.usage.cpu)),
        ("sessions", &|point| point.a_call(point.usage.children_cpu)),
    ];
    let memory: &[Line] = &[
        ("at the end", &|point| megabytes(point.usage.resident_bytes)),
        ("at most", &|point| megabytes(point.usage.peak_bytes)),
    ];
    Board {
        title: title(sweep),
        pictures: vec![
            picture("A call, from its beginning to its end", "ms", time),
            picture(
                "Throughput",
                "calls a second",
                &[("", &|point| point.tally.rate())],
            ),
            picture("Processor time of a call", "ms", cpu),
            picture("Resident memory of the daemon", "MB", memory),
            picture(
                "Threads of the daemon",
                "threads",
                &[("", &|point| count(point.usage.threads))],
            ),
            picture(
                "Open files of the daemon",
                "files",
                &[("", &|point| count(point.usage.descriptors))],
            ),
        ],
    }
}

fn across(sweep: &Sweep) -> Across {
    let unit = sweep.across.to_owned();
    match sweep.goes_on {
        true => Across::Sum(unit),
        false => Across::Factor(unit, sweep.steps.iter().copied().map(f64::from).collect()),
    }
}

fn curve((name, of): &Line, points: &[Point]) -> Curve {
    Curve {
        name: (*name).to_owned(),
        points: points
            .iter()
            .map(|point| (f64::from(point.step), of(point)))
            .collect(),
    }
}

fn count(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn machine(points: &[Point]) -> Value {
    let told = points.iter().map(|point| {
        let mut told = point.tally.machine();
        told["step"] = point.step.into();
        told["usage"] = point.usage.machine();
        told["daemon_cpu_ms_a_call"] = json!(point.a_call(point.usage.cpu));
        told["busy_percent"] = json!(point.busy());
        told
    });
    told.collect()
}

/// Calls at a step.
const CALLS: u32 = 2000;
/// Bytes that all calls of a step move, where that is what they cost.
const BYTES_MAX: u64 = 100_000_000;
/// Fewer calls than this tell nothing.
const CALLS_MIN: u32 = 10;
/// Looks at the long run.
const SOAK_PARTS: u32 = 10;
