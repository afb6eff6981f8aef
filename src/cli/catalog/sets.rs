//! `catalog kinds|validate|diff|apply|export`: whole sets of rows.

use crate::catalog;
use crate::catalog::Change;
use crate::catalog::ChangeSet;
use crate::catalog::Changed;
use crate::catalog::Document;
use crate::catalog::DocumentSet;
use crate::catalog::Prune;
use crate::cli::catalog::args::CatalogArgs;
use crate::cli::catalog::args::CatalogCommand;
use crate::cli::catalog::args::Wanted;
use crate::cli::catalog::ground::Ground;
use crate::cli::catalog::ground::problem_json;
use crate::cli::catalog::ground::rows_at;
use crate::cli::out;
use crate::cli::run::CommandOutcome;
use crate::config::Env;
use serde_json::json;
use std::path::Path;

pub(crate) fn catalog(command: &CatalogCommand, env: &Env) -> anyhow::Result<CommandOutcome> {
    match command {
        CatalogCommand::Validate { path, place } => validate(path.as_deref(), place, env),
        CatalogCommand::Diff(wanted) => {
            let (_, _, changes) = plan(wanted, env)?;
            tell(&changes, "would change", wanted.place.json)?;
            Ok(outcome(changes.is_empty()))
        }
        CatalogCommand::Apply { wanted, dry_run } => {
            let (ground, current, changes) = plan(wanted, env)?;
            if *dry_run {
                tell(&changes, "would change", wanted.place.json)?;
            } else {
                ground.write(&current, &changes)?;
                tell(&changes, "changed", wanted.place.json)?;
            }
            Ok(CommandOutcome::Done)
        }
        CatalogCommand::Kinds { kind } => {
            out::text(kind.map_or(catalog::KINDS, catalog::section))?;
            Ok(CommandOutcome::Done)
        }
        CatalogCommand::Export { place } => {
            let set = Ground::of(place, env)?.load();
            for problem in set.problems() {
                out::note(&format!("warning: left out: {problem}"));
            }
            match place.json {
                true => out::json(&set.iter().map(Document::to_json).collect())?,
                false => out::text(&set.export())?,
            }
            Ok(outcome(set.problems().is_empty()))
        }
    }
}

fn validate(path: Option<&Path>, place: &CatalogArgs, env: &Env) -> anyhow::Result<CommandOutcome> {
    let ground = Ground::of(place, env)?;
    let set = path.map_or_else(|| Ok(ground.load()), rows_at)?;
    let snapshot = ground.resolve(&set);
    let problems = snapshot.problems();
    if place.json {
        let found: Vec<_> = problems.iter().map(problem_json).collect();
        out::json(&json!({ "valid": problems.is_empty(), "rows": set.len(), "problems": found }))?;
        return Ok(outcome(problems.is_empty()));
    }
    for problem in problems {
        out::line(&problem.to_string())?;
    }
    match problems.len() {
        0 => out::line(&format!(
            "{}: {}, nothing wrong",
            shown(path, &ground),
            counted(set.len(), "row")
        ))?,
        count => out::note(&format!(
            "{}; the other rows serve all the same",
            counted(count, "problem")
        )),
    }
    Ok(outcome(problems.is_empty()))
}

fn shown(path: Option<&Path>, ground: &Ground) -> String {
    path.unwrap_or(&ground.dir).display().to_string()
}

/// What has to change. Wanted rows that are wrong are no basis for a change.
fn plan(wanted: &Wanted, env: &Env) -> anyhow::Result<(Ground, DocumentSet, ChangeSet)> {
    let ground = Ground::of(&wanted.place, env)?;
    let rows = rows_at(&wanted.path)?;
    for problem in rows.problems() {
        out::note(&problem.to_string());
    }
    anyhow::ensure!(
        rows.problems().is_empty(),
        "{} is wrong in {} places; nothing was changed",
        wanted.path.display(),
        rows.problems().len()
    );
    let current = ground.load();
    let prune = if wanted.prune {
        Prune::Remove
    } else {
        Prune::Keep
    };
    let changes = catalog::diff(&current, &rows, prune);
    Ok((ground, current, changes))
}

fn tell(changes: &ChangeSet, verb: &str, is_json: bool) -> anyhow::Result<()> {
    if is_json {
        let list: Vec<_> = changes.changes.iter().map(Change::json).collect();
        out::json(&json!({ "changes": list, "same": changes.same }))?;
        return Ok(());
    }
    for change in &changes.changes {
        out::line(&format!("{} {}", change.sign(), change.row))?;
        if let Changed::Edited { fields, .. } = &change.what {
            for field in fields {
                out::line(&format!(
                    "    {}: {} → {}",
                    field.path,
                    side(&field.before),
                    side(&field.after)
                ))?;
            }
        }
        if let Some(note) = change.note() {
            out::note(&format!("    note: {note}"));
        }
    }
    out::note(&format!(
        "{} {verb}, {} are as they should be",
        counted(changes.changes.len(), "row"),
        changes.same
    ));
    Ok(())
}

/// So many of a thing, in words.
fn counted(count: usize, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    }
}

fn side(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or("–")
}

fn outcome(is_good: bool) -> CommandOutcome {
    if is_good {
        CommandOutcome::Done
    } else {
        CommandOutcome::Failed
    }
}
