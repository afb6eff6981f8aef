//! `record --codex`: talks with a Codex CLI written, checked, compared.

use crate::cli::args;
use crate::cli::out;
use crate::cli::progress;
use crate::cli::run::CommandOutcome;
use crate::cli::run::block_on;
use crate::codex::CodexConfig;
use crate::codex::CodexProgram;
use crate::config::Env;
use crate::record::codex::case;
use crate::record::codex::case::Case;
use crate::record::codex::golden::Talks;
use crate::record::codex::play::HANDSHAKE;
use crate::record::codex::play::Player;
use crate::record::codex::talk::Difference;
use crate::record::codex::talk::differences;
use anyhow::Context;
use anyhow::anyhow;
use anyhow::bail;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) fn record(
    programs: &[PathBuf],
    args: &args::Record,
    env: &Env,
) -> anyhow::Result<CommandOutcome> {
    let goldens = Talks::at(&args.out);
    if let [old, new] = args.compare.as_slice() {
        let talks = recorded(&goldens, new, &cases(&args.cases)?)?;
        let found = found(&goldens, (new, &talks), old)?;
        tell(args, &[found])?;
        return Ok(CommandOutcome::Done);
    }
    let programs: Vec<Option<&Path>> = match programs {
        [] => vec![None],
        named => named
            .iter()
            .map(|program| Some(program.as_path()))
            .collect(),
    };
    let mut told = Vec::new();
    for program in programs {
        told.extend(one(program, &goldens, args, env)?);
    }
    tell(args, &told)?;
    let is_well = told.iter().all(|found| found.cases.is_empty());
    Ok(match args.check && !is_well {
        true => CommandOutcome::Failed,
        false => CommandOutcome::Done,
    })
}

/// How a version differs from a recorded one, case by case.
struct Found {
    version: String,
    against: String,
    /// Cases that were compared.
    count: usize,
    cases: Vec<(String, Vec<Difference>)>,
}

/// Plays all cases on one CLI, and writes or checks them; nothing is found of the first one that is ever recorded.
fn one(
    program: Option<&Path>,
    goldens: &Talks,
    args: &args::Record,
    env: &Env,
) -> anyhow::Result<Option<Found>> {
    let cases = cases(&args.cases)?;
    let (player, version) = player(program, args, env)?;
    let version = args.version.clone().unwrap_or(version);
    let against = goldens.nearest(&version);
    let talks = play(&player, &version, cases.clone())?;
    let Some(against) = against else {
        if args.check {
            bail!("{} has no talks to check against", args.out.display());
        }
        write(goldens, &version, &talks)?;
        return Ok(None);
    };
    let mut found = found(goldens, (&version, &talks), &against)?;
    let mut replays = REPLAYS_MAX;
    while args.check && !found.cases.is_empty() && replays > 0 {
        let mut again = cases.clone();
        again.retain(|case| found.cases.iter().any(|(name, _)| *name == case.name));
        let talks = play(&player, &version, again)?;
        let second = self::found(goldens, (&version, &talks), &against)?;
        // A difference that does not come every time is the clock's.
        found.cases.retain(|one| second.cases.contains(one));
        replays -= 1;
    }
    if !args.check {
        write(goldens, &version, &talks)?;
    }
    Ok(Some(found))
}

fn play(player: &Player, version: &str, cases: Vec<Case>) -> anyhow::Result<Vec<(String, String)>> {
    let what = format!("codex {version}: {} cases", cases.len());
    let talks = block_on(async {
        tokio::select! {
            talks = progress::during(&what, player.play(cases)) => Ok(talks),
            _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")),
        }
    })??;
    talks.with_context(|| format!("codex {version} could not be played"))
}

fn write(goldens: &Talks, version: &str, talks: &[(String, String)]) -> anyhow::Result<()> {
    for (case, talk) in talks {
        goldens.write(version, case, talk)?;
    }
    let files = goldens.folder(version);
    out::note(&format!("{} talks in {}", talks.len(), files.display()));
    Ok(())
}

fn recorded(
    goldens: &Talks,
    version: &str,
    cases: &[Case],
) -> anyhow::Result<Vec<(String, String)>> {
    let mut talks = Vec::new();
    let names = cases.iter().map(|case| case.name.as_str());
    for name in names.chain([HANDSHAKE]) {
        let talk = goldens.read(version, name)?;
        talks.extend(talk.map(|talk| (name.to_owned(), talk)));
    }
    if talks.is_empty() {
        bail!(
            "talks are recorded of {} only",
            goldens.versions().join(", ")
        );
    }
    Ok(talks)
}

fn found(
    goldens: &Talks,
    (version, talks): (&str, &[(String, String)]),
    against: &str,
) -> anyhow::Result<Found> {
    let mut cases = Vec::new();
    for (case, talk) in talks {
        let golden = goldens.read(against, case)?.unwrap_or_default();
        let different = differences((&golden, against), (talk, version));
        if !different.is_empty() {
            cases.push((case.clone(), different));
        }
    }
    Ok(Found {
        version: version.to_owned(),
        against: against.to_owned(),
        count: talks.len(),
        cases,
    })
}

fn tell(args: &args::Record, told: &[Found]) -> anyhow::Result<()> {
    if args.json {
        let told: Vec<Value> = told.iter().map(Found::machine).collect();
        return Ok(out::json(&Value::from(told))?);
    }
    for found in told {
        out::text(&found.text())?;
    }
    Ok(())
}

impl Found {
    fn text(&self) -> String {
        let mut text = format!(
            "codex {} against {}: {} cases, {} of them otherwise\n",
            self.version,
            self.against,
            self.count,
            self.cases.len()
        );
        for (case, different) in &self.cases {
            text.push_str(&format!("  {case}\n"));
            for Difference { is_new, line } in different {
                let mark = if *is_new { '+' } else { '-' };
                text.push_str(&format!("    {mark} {line}\n"));
            }
        }
        text
    }

    fn machine(&self) -> Value {
        let lines = |different: &[Difference], is_new: bool| -> Vec<Value> {
            let of_one = different.iter().filter(|one| one.is_new == is_new);
            of_one.map(|one| one.line.as_str().into()).collect()
        };
        let cases = self.cases.iter().map(|(case, different)| {
            json!({"case": case, "gone": lines(different, false), "new": lines(different, true)})
        });
        json!({"version": self.version, "against": self.against, "count": self.count, "cases": cases.collect::<Vec<_>>()})
    }
}

fn cases(names: &[String]) -> anyhow::Result<Vec<Case>> {
    let mut cases = case::cases();
    if let Some(unknown) = names
        .iter()
        .find(|name| cases.iter().all(|case| case.name != **name))
    {
        bail!("no case is called {unknown:?}; src/record/codex/cases.toml lists them");
    }
    cases.retain(|case| names.is_empty() || names.contains(&case.name));
    Ok(cases)
}

/// The CLI to play with, asked for its version.
fn player(
    program: Option<&Path>,
    args: &args::Record,
    env: &Env,
) -> anyhow::Result<(Player, String)> {
    let discover = env.discover();
    let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    let home = discover.home.map(|path| (home.into(), path.into()));
    let path = discover.path.clone().unwrap_or_default();
    let variables: BTreeMap<String, String> = args.env.iter().cloned().collect();
    let config = CodexConfig {
        command: program.map(Path::to_owned),
        env: variables.clone(),
        inherited: discover
            .path
            .map(|path| ("PATH".into(), path))
            .into_iter()
            .chain(home)
            .collect(),
        runs: PathBuf::new(),
        processes_max: 1,
        calls_max: 1,
        queue_wait_max: Duration::ZERO,
        turn_wait_max: Duration::ZERO,
        talk: None,
    };
    let found = CodexProgram::find(&config)
        .context("no codex is found on this machine; name one with --codex PATH")?;
    let version = block_on(found.version())?;
    let version =
        version.with_context(|| format!("{} does not tell its version", found.path().display()))?;
    let player = Player {
        program: found.path().canonicalize()?,
        path,
        env: variables,
    };
    Ok((player, version))
}

/// How often what differs is played again.
const REPLAYS_MAX: u32 = 2;
