//! `record`: goldens written, checked, compared.

use crate::cli::args;
use crate::cli::out;
use crate::cli::run::Outcome;
use crate::cli::run::block_on;
use crate::config::Env;
use crate::record::case;
use crate::record::case::Shot;
use crate::record::drive;
use crate::record::golden::Goldens;
use crate::record::stage::Subject;
use crate::session::pty::candidates;
use crate::session::pty::version;
use anyhow::Context;
use anyhow::anyhow;
use anyhow::bail;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub(crate) fn record(args: &args::Record, env: &Env) -> anyhow::Result<Outcome> {
    let shots = case::shots(&args.cases, args.width)
        .map_err(|name| anyhow!("no case is called {name:?}; golden/README.md lists them"))?;
    if shots.is_empty() {
        bail!("no case is recorded at {} columns", args.width.unwrap_or(0));
    }
    let goldens = Goldens::at(&args.out);
    for subject in subjects(args, env)? {
        let takes = block_on(async {
            let mut takes = JoinSet::new();
            let places = Arc::new(Semaphore::new(usize::from(args.jobs)));
            for shot in shots.clone() {
                let (subject, places) = (subject.clone(), Arc::clone(&places));
                takes.spawn(async move {
                    let _place = places.acquire().await;
                    let take = drive::play(&subject, &shot).await;
                    (shot, take)
                });
            }
            let mut done: Vec<(Shot, _)> = Vec::new();
            while let Some(Ok((shot, take))) = takes.join_next().await {
                out::note(&format!("{} {}", subject.version, shot.name()));
                done.push((shot, take));
            }
            done
        })?;
        for (shot, take) in takes {
            goldens.write(&subject.version, &shot, &take?)?;
        }
    }
    Ok(Outcome::Done)
}

/// The claudes to play with, each asked for its version.
fn subjects(args: &args::Record, env: &Env) -> anyhow::Result<Vec<Subject>> {
    let mut programs = args.claude.clone();
    if programs.is_empty() {
        programs.extend(candidates(&env.discover()).into_iter().next());
    }
    if programs.is_empty() {
        bail!("no claude is found on this machine; name one with --claude");
    }
    programs
        .into_iter()
        .map(|program| subject(program, args, env))
        .collect()
}

fn subject(program: PathBuf, args: &args::Record, env: &Env) -> anyhow::Result<Subject> {
    let program = program
        .canonicalize()
        .with_context(|| format!("{} is not there", program.display()))?;
    let version = match &args.version {
        Some(version) => version.clone(),
        None => version(&program, VERSION_WAIT_MAX)
            .with_context(|| format!("{} does not tell its version", program.display()))?,
    };
    Ok(Subject {
        program,
        version,
        path: env.discover().path.unwrap_or_default(),
        env: args.env.iter().cloned().collect(),
    })
}

/// A claude tells its version in well under a second, unless the machine is very busy.
const VERSION_WAIT_MAX: Duration = Duration::from_secs(10);
