//! `record`: goldens written, checked, compared.

use crate::cli::args;
use crate::cli::out;
use crate::cli::progress;
use crate::cli::record_codex;
use crate::cli::run::CommandOutcome;
use crate::cli::run::block_on;
use crate::config::Env;
use crate::record::case;
use crate::record::case::Shot;
use crate::record::drift;
use crate::record::drift::Change;
use crate::record::drive;
use crate::record::golden::Goldens;
use crate::record::known::Known;
use crate::record::observe::Observation;
use crate::record::report::Report;
use crate::record::stage::Subject;
use crate::record::take::Take;
use crate::session::claude_candidates;
use crate::session::claude_version;
use anyhow::Context;
use anyhow::anyhow;
use anyhow::bail;
use serde_json::Value;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub(crate) fn record(args: &args::Record, env: &Env) -> anyhow::Result<CommandOutcome> {
    if let Some(programs) = &args.codex {
        return record_codex::record(programs, args, env);
    }
    let goldens = Goldens::at(&args.out);
    if let [old, new] = args.compare.as_slice() {
        return compare(args, &goldens, old, new);
    }
    let mut outcome = CommandOutcome::Done;
    let mut told = Vec::new();
    for subject in subjects(args, env)? {
        let shots = shots(args, &subject.version)?;
        let (found, report) = block_on(async {
            tokio::select! {
                found = one(args, &goldens, &subject, shots) => found,
                _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")),
            }
        })??;
        if found == CommandOutcome::Failed {
            outcome = found;
        }
        told.extend(report);
    }
    if args.json {
        out::json(&Value::from(told))?;
    }
    Ok(outcome)
}

/// Plays all shots on one claude, and writes or checks them.
async fn one(
    args: &args::Record,
    goldens: &Goldens,
    subject: &Subject,
    shots: Vec<Shot>,
) -> anyhow::Result<(CommandOutcome, Option<Value>)> {
    let against = goldens.nearest(&subject.version, args.check);
    let takes = play(args.jobs, subject, shots).await?;
    if !args.check {
        for (shot, take) in &takes {
            goldens.write(&subject.version, shot, take)?;
        }
        goldens.write_versions()?;
        let files = goldens.folder(&subject.version);
        out::note(&format!(
            "{} recordings in {}",
            takes.len(),
            files.display()
        ));
    }
    let Some(against) = against else {
        if args.check {
            bail!("{} has no goldens to check against", args.out.display());
        }
        return Ok((CommandOutcome::Done, None));
    };
    let mut report = report(args, goldens, &subject.version, &against, &takes)?;
    let mut replays = REPLAYS_MAX;
    while args.check && !report.is_well() && replays > 0 {
        confirm(goldens, subject, &mut report, &takes).await?;
        replays -= 1;
    }
    tell(args, &report, args.check)?;
    let outcome = match args.check && !report.is_well() {
        true => CommandOutcome::Failed,
        false => CommandOutcome::Done,
    };
    Ok((outcome, Some(report.machine())))
}

/// Plays again what differs, one case at a time; a difference that does not come every time is the clock's.
async fn confirm(
    goldens: &Goldens,
    subject: &Subject,
    report: &mut Report,
    takes: &[(Shot, Take)],
) -> anyhow::Result<()> {
    let news = report.news();
    let again = takes.iter().filter(|(shot, _)| news.contains(&shot.name()));
    let shots = again.map(|(shot, _)| shot.clone()).collect();
    for (shot, take) in play(ONE_AT_A_TIME, subject, shots).await? {
        if let Some(golden) = goldens.read(&report.against, &shot)? {
            report.confirm(&shot.name(), &changes(&golden, &take));
        }
    }
    Ok(())
}

/// Compares the goldens of two versions.
fn compare(
    args: &args::Record,
    goldens: &Goldens,
    old: &str,
    new: &str,
) -> anyhow::Result<CommandOutcome> {
    let mut takes = Vec::new();
    for shot in shots(args, new)? {
        if let Some(take) = goldens.read(new, &shot)? {
            takes.push((shot, take));
        }
    }
    if takes.is_empty() || goldens.shots(old).is_empty() {
        bail!(
            "{} has goldens of {} only",
            args.out.display(),
            goldens.versions().join(", ")
        );
    }
    let report = report(args, goldens, new, old, &takes)?;
    tell(args, &report, false)?;
    if args.json {
        out::json(&report.machine())?;
    }
    Ok(CommandOutcome::Done)
}

/// Prints what was found: the table of a check, and the drift.
fn tell(args: &args::Record, report: &Report, is_check: bool) -> io::Result<()> {
    if args.json {
        return Ok(());
    }
    if is_check {
        out::line(&report.table())?;
    }
    if is_check && report.is_well() {
        return Ok(());
    }
    out::text(&report.drift())
}

fn report(
    args: &args::Record,
    goldens: &Goldens,
    version: &str,
    against: &str,
    takes: &[(Shot, Take)],
) -> anyhow::Result<Report> {
    let known = match &args.known {
        None => Known::default(),
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("{} cannot be read", file.display()))?;
            Known::read(&text).with_context(|| format!("{} is not a list", file.display()))?
        }
    };
    let mut report = Report {
        version: version.to_owned(),
        against: against.to_owned(),
        found: Vec::new(),
        unrecorded: Vec::new(),
        known,
        is_whole: args.cases.is_empty() && args.width.is_none(),
    };
    for (shot, take) in takes {
        match goldens.read(against, shot)? {
            Some(golden) => report.found.push((shot.name(), changes(&golden, take))),
            // What a version cannot do is not recorded of it.
            None if shot.case.not_on.contains_key(against) => {}
            None => report.unrecorded.push(shot.name()),
        }
    }
    Ok(report)
}

fn changes(golden: &Take, take: &Take) -> Vec<Change> {
    drift::changes(&Observation::of(golden), &Observation::of(take))
}

/// Plays the shots, some at the same time; gives them back in their order.
async fn play(jobs: u16, subject: &Subject, shots: Vec<Shot>) -> anyhow::Result<Vec<(Shot, Take)>> {
    let places = Arc::new(Semaphore::new(usize::from(jobs)));
    let (count, mut playing) = (shots.len(), JoinSet::new());
    for (number, shot) in shots.into_iter().enumerate() {
        let (subject, places) = (subject.clone(), Arc::clone(&places));
        playing.spawn(async move {
            let _place = places.acquire().await;
            let take = drive::play(&subject, &shot).await;
            (number, shot, take)
        });
    }
    let mut takes = Vec::new();
    loop {
        let what = format!(
            "claude {}: {} of {count} cases",
            subject.version,
            takes.len()
        );
        let Some(played) = progress::during(&what, playing.join_next()).await else {
            break;
        };
        let (number, shot, take) = played?;
        let take = take.with_context(|| format!("{} could not be played", shot.name()))?;
        takes.push((number, shot, take));
    }
    takes.sort_by_key(|(number, ..)| *number);
    Ok(takes
        .into_iter()
        .map(|(_, shot, take)| (shot, take))
        .collect())
}

fn shots(args: &args::Record, version: &str) -> anyhow::Result<Vec<Shot>> {
    let mut shots = case::shots(&args.cases, args.width)
        .map_err(|name| anyhow!("no case is called {name:?}; golden/README.md lists them"))?;
    shots.retain(|shot| !shot.case.not_on.contains_key(version));
    if shots.is_empty() {
        bail!("no such case is recorded at that width");
    }
    Ok(shots)
}

/// The claudes to play with, each asked for its version.
fn subjects(args: &args::Record, env: &Env) -> anyhow::Result<Vec<Subject>> {
    let mut programs = args.claude.clone();
    if programs.is_empty() {
        programs.extend(claude_candidates(&env.discover()).into_iter().next());
    }
    if programs.is_empty() {
        bail!("no claude is found on this machine; name one with --claude");
    }
    let subjects = programs
        .into_iter()
        .map(|program| subject(program, args, env));
    subjects.collect()
}

fn subject(program: PathBuf, args: &args::Record, env: &Env) -> anyhow::Result<Subject> {
    let program = program
        .canonicalize()
        .with_context(|| format!("{} is not there", program.display()))?;
    let version = match &args.version {
        Some(version) => version.clone(),
        None => claude_version(&program, VERSION_WAIT_MAX)
            .with_context(|| format!("{} does not tell its version", program.display()))?,
    };
    Ok(Subject {
        program,
        version,
        home: env.user_home(),
        path: env.discover().path.unwrap_or_default(),
        env: args.env.iter().cloned().collect(),
    })
}

/// How often what differs is played again: a busy machine has been seen to draw a step late twice in a row.
const REPLAYS_MAX: u32 = 3;
/// What differs is played without the company that may have made it differ.
const ONE_AT_A_TIME: u16 = 1;
/// A claude tells its version in well under a second, unless the machine is very busy.
const VERSION_WAIT_MAX: Duration = Duration::from_secs(10);
