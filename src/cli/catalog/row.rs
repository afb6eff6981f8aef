//! `add|list|show|test|remove` of one kind of row.

use crate::catalog;
use crate::catalog::ChangeSet;
use crate::catalog::Document;
use crate::catalog::DocumentSet;
use crate::catalog::Kind;
use crate::catalog::Prune;
use crate::catalog::RowId;
use crate::cli::catalog::args::CatalogPlace;
use crate::cli::catalog::args::NamedRow;
use crate::cli::catalog::args::RowCommand;
use crate::cli::catalog::ground::Ground;
use crate::cli::catalog::ground::row_json;
use crate::cli::catalog::secret;
use crate::cli::catalog::spec;
use crate::cli::catalog::spec::Describe;
use crate::cli::catalog::trial;
use crate::cli::out;
use crate::cli::run::CommandOutcome;
use crate::config::Env;
use clap::Args;
use serde_json::json;

pub(crate) fn row<A: Args + Describe>(
    command: &RowCommand<A>,
    env: &Env,
) -> anyhow::Result<CommandOutcome> {
    match command {
        RowCommand::Add {
            row,
            disabled,
            replace,
            place,
        } => add(row, *disabled, *replace, place, env),
        RowCommand::List { place } => list(A::KIND, place, env),
        RowCommand::Show(named) => show(A::KIND, named, env),
        RowCommand::Test(named) => {
            let ground = Ground::of(&named.place, env)?;
            let set = ground.load();
            found(&set, A::KIND, &named.name)?;
            trial::trial(
                A::KIND,
                &named.name,
                &ground.resolve(&set),
                named.place.json,
            )
        }
        RowCommand::Remove(named) => remove(A::KIND, named, env),
    }
}

fn add(
    row: &impl Describe,
    is_disabled: bool,
    is_replacing: bool,
    place: &CatalogPlace,
    env: &Env,
) -> anyhow::Result<CommandOutcome> {
    let ground = Ground::of(place, env)?;
    let documents = spec::documents(row, &row.name(), kind_of(row), is_disabled)?;
    let current = ground.load();
    let mut wanted = DocumentSet::default();
    for document in documents {
        let taken = current.find(&document.row());
        if let Some(taken) = taken.filter(|_| !is_replacing) {
            anyhow::bail!(
                "there is a {} at {} already; --replace puts this one in its place",
                taken.row(),
                taken.place
            );
        }
        wanted.put(document);
    }
    // Last, so that nothing is stored for a row that cannot be.
    if let Some(name) = row.stores() {
        secret::store(&ground, &name)?;
    }
    let changes = catalog::diff(&current, &wanted, Prune::Keep);
    ground.write(&current, &changes)?;
    let after = ground.load();
    for document in wanted.iter() {
        let stands = after.find(&document.row()).unwrap_or(document);
        match place.json {
            true => out::json(&row_json(stands, ground.resolve(&after).problems()))?,
            false => out::line(&format!("{}: in {}", stands.row(), stands.place))?,
        }
    }
    Ok(CommandOutcome::Done)
}

fn list(kind: Kind, place: &CatalogPlace, env: &Env) -> anyhow::Result<CommandOutcome> {
    let ground = Ground::of(place, env)?;
    let set = ground.load();
    let snapshot = ground.resolve(&set);
    let rows: Vec<_> = set
        .iter()
        .filter(|document| document.kind() == kind)
        .collect();
    if place.json {
        let rows: Vec<_> = rows
            .iter()
            .map(|document| row_json(document, snapshot.problems()))
            .collect();
        out::json(&json!({ "rows": rows }))?;
        return Ok(CommandOutcome::Done);
    }
    if rows.is_empty() {
        out::note(&format!(
            "There are none; `inference-relay {} add` makes one.",
            kind.word()
        ));
    }
    let width = rows
        .iter()
        .map(|document| document.name.len())
        .max()
        .unwrap_or(0);
    for document in rows {
        let state = match snapshot.problems_of(kind, &document.name).next() {
            Some(problem) => problem.message.as_str(),
            None if document.enabled => "enabled",
            None => "disabled",
        };
        out::line(&format!("{:width$}  {state}", document.name))?;
    }
    Ok(CommandOutcome::Done)
}

fn show(kind: Kind, named: &NamedRow, env: &Env) -> anyhow::Result<CommandOutcome> {
    let ground = Ground::of(&named.place, env)?;
    let set = ground.load();
    let document = found(&set, kind, &named.name)?;
    let snapshot = ground.resolve(&set);
    if named.place.json {
        out::json(&row_json(document, snapshot.problems()))?;
        return Ok(CommandOutcome::Done);
    }
    out::text(&format!("# {}\n{}", document.place, document.to_yaml()))?;
    for problem in snapshot.problems_of(kind, &named.name) {
        out::note(&format!("problem: {}", problem.message));
    }
    Ok(CommandOutcome::Done)
}

fn remove(kind: Kind, named: &NamedRow, env: &Env) -> anyhow::Result<CommandOutcome> {
    let ground = Ground::of(&named.place, env)?;
    let set = ground.load();
    let document = found(&set, kind, &named.name)?.clone();
    ground.write(&set, &ChangeSet::removal(document))?;
    let before = ground.resolve(&set).problems().len();
    let after = ground.load();
    for problem in ground.resolve(&after).problems().iter().skip(before) {
        out::note(&format!("warning: {problem}"));
    }
    match named.place.json {
        true => out::json(&json!({ "kind": kind.name(), "name": named.name, "removed": true }))?,
        false => out::line(&format!("{} {}: removed", kind.name(), named.name))?,
    }
    Ok(CommandOutcome::Done)
}

fn found<'a>(set: &'a DocumentSet, kind: Kind, name: &str) -> anyhow::Result<&'a Document> {
    set.find(&RowId::new(kind, name)).ok_or_else(|| {
        anyhow::anyhow!(
            "there is no {} \"{name}\"; `inference-relay {} list` shows those that there are",
            kind.word(),
            kind.word()
        )
    })
}

fn kind_of<D: Describe>(_row: &D) -> Kind {
    D::KIND
}
