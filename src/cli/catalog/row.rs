//! `add|list|show|test|remove` of one kind of row.

use crate::catalog;
use crate::catalog::ChangeSet;
use crate::catalog::Document;
use crate::catalog::DocumentSet;
use crate::catalog::Kind;
use crate::catalog::Problem;
use crate::catalog::ProblemCode;
use crate::catalog::Prune;
use crate::catalog::RowId;
use crate::cli::catalog::args::CatalogArgs;
use crate::cli::catalog::args::NamedRow;
use crate::cli::catalog::args::RemovedRow;
use crate::cli::catalog::args::RowCommand;
use crate::cli::catalog::columns;
use crate::cli::catalog::ground::Ground;
use crate::cli::catalog::ground::row_json;
use crate::cli::catalog::secret;
use crate::cli::catalog::spec;
use crate::cli::catalog::spec::Describe;
use crate::cli::catalog::trial;
use crate::cli::client::Client;
use crate::cli::out;
use crate::cli::run::CommandOutcome;
use crate::cli::run::block_on;
use crate::cli::table::table;
use crate::config;
use crate::config::Env;
use crate::store::KeyFile;
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
            force,
            place,
        } => {
            let how = Adding {
                is_disabled: *disabled,
                is_replacing: *replace,
                is_forced: *force,
            };
            add(row, how, place, env)
        }
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
        RowCommand::Remove(removed) => remove(A::KIND, removed, env),
    }
}

/// How a row is added.
#[derive(Debug, Clone, Copy)]
struct Adding {
    is_disabled: bool,
    is_replacing: bool,
    is_forced: bool,
}

fn add(
    row: &impl Describe,
    how: Adding,
    place: &CatalogArgs,
    env: &Env,
) -> anyhow::Result<CommandOutcome> {
    let ground = Ground::of(place, env)?;
    let documents = spec::documents(row, &row.name(), kind_of(row), how.is_disabled)?;
    let current = ground.load();
    let mut wanted = DocumentSet::default();
    for document in documents {
        let taken = current.find(&document.row());
        if let Some(taken) = taken.filter(|_| !how.is_replacing) {
            anyhow::bail!(
                "there is a {} at {} already; --replace puts this one in its place",
                taken.row(),
                taken.location
            );
        }
        wanted.put(document);
    }
    let changes = catalog::diff(&current, &wanted, Prune::Keep);
    if !how.is_forced {
        is_whole(&ground, &catalog::apply(&current, &changes), &wanted)?;
    }
    // Last, so that nothing is stored for a row that cannot be.
    if let Some(name) = row.stores() {
        secret::store(&ground, &name)?;
    }
    ground.write(&current, &changes)?;
    let after = ground.load();
    for document in wanted.iter() {
        let stands = after.find(&document.row()).unwrap_or(document);
        match place.json {
            true => out::json(&row_json(stands, ground.resolve(&after).problems()))?,
            false => out::line(&format!("{}: in {}", stands.row(), stands.location))?,
        }
    }
    if let Some(remark) = row.remark(&after) {
        out::note(&remark);
    }
    Ok(CommandOutcome::Done)
}

/// Sees that what is added names only what there is.
fn is_whole(ground: &Ground, after: &DocumentSet, wanted: &DocumentSet) -> anyhow::Result<()> {
    let snapshot = ground.resolve(after);
    let is_dangling = |problem: &&Problem| {
        let row = problem.row.as_ref();
        problem.code == ProblemCode::Dangling && row.is_some_and(|row| wanted.find(row).is_some())
    };
    match snapshot.problems().iter().find(is_dangling) {
        Some(problem) => anyhow::bail!(
            "{}; nothing was added. Add that first, or say --force",
            problem.message
        ),
        None => Ok(()),
    }
}

fn list(kind: Kind, place: &CatalogArgs, env: &Env) -> anyhow::Result<CommandOutcome> {
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
    tell_simulated(place, env);
    if rows.is_empty() {
        out::note(&format!(
            "There are none; `inference-relay {} add` makes one.",
            kind.word()
        ));
    }
    let state = |document: &Document| match snapshot.problems_of(kind, &document.name).next() {
        Some(problem) => problem.message.clone(),
        None if document.enabled => "enabled".to_owned(),
        None => "disabled".to_owned(),
    };
    let line = |document: &&Document| {
        let mut cells = vec![document.name.clone()];
        cells.extend(columns::cells(&document.spec));
        cells.push(state(document));
        cells
    };
    let lines: Vec<_> = rows.iter().map(line).collect();
    if !lines.is_empty() {
        let head = ["NAME"].iter().chain(columns::head(kind)).chain(&["STATE"]);
        let head: Vec<&str> = head.copied().collect();
        out::text(&table(&head, &lines))?;
    }
    Ok(CommandOutcome::Done)
}

/// Says where a simulated daemon runs, which serves more than the folder's rows say.
fn tell_simulated(place: &CatalogArgs, env: &Env) {
    let Ok(config) = config::load(&place.flags(), env) else {
        return;
    };
    // Where none ever ran, none is asked.
    if !config.home.join("simulated").is_dir() {
        return;
    }
    let client = Client::new(&config, env);
    let told = block_on(async { client.page("/v1/version").await });
    let runs = told.ok().and_then(Result::ok);
    let path = runs.map(|version| version["claudePath"].to_string());
    if path.is_some_and(|path| path.contains("fake-claude")) {
        out::note(
            "note: the daemon that runs is simulated, and has hosts and models of its own beside these rows; GET /v1/models \
             lists them.",
        );
    }
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
    out::text(&format!("# {}\n{}", document.location, document.to_yaml()))?;
    for problem in snapshot.problems_of(kind, &named.name) {
        out::note(&format!("problem: {}", problem.message));
    }
    Ok(CommandOutcome::Done)
}

fn remove(kind: Kind, removed: &RemovedRow, env: &Env) -> anyhow::Result<CommandOutcome> {
    let named = &removed.named;
    let ground = Ground::of(&named.place, env)?;
    let set = ground.load();
    let document = found(&set, kind, &named.name)?.clone();
    let dependents = dependents(&ground, &set, &document.row())?;
    is_free(
        &format!("{} \"{}\"", kind.word(), named.name),
        &dependents,
        removed.force,
    )?;
    ground.write(&set, &ChangeSet::removal(document))?;
    for dependent in dependents {
        out::note(&format!(
            "warning: {dependent} names it, and is out or grants less now"
        ));
    }
    match named.place.json {
        true => out::json(&json!({ "kind": kind.name(), "name": named.name, "removed": true }))?,
        false => out::line(&format!("{} {}: removed", kind.name(), named.name))?,
    }
    Ok(CommandOutcome::Done)
}

/// Refuses to take away what something depends on.
pub(super) fn is_free(what: &str, dependents: &[String], is_forced: bool) -> anyhow::Result<()> {
    anyhow::ensure!(
        is_forced || dependents.is_empty(),
        "the {what} is in use by {}; nothing was removed. Change or remove those first, or say --force",
        dependents.join(", ")
    );
    Ok(())
}

/// What would be out, or have less, without a row: other rows, relay keys, and the configuration.
fn dependents(ground: &Ground, set: &DocumentSet, row: &RowId) -> anyhow::Result<Vec<String>> {
    let rows = catalog::dependents(set, row);
    let mut found: Vec<String> = rows.iter().map(RowId::to_string).collect();
    if row.kind == Kind::Policy {
        let keys = KeyFile::of(&ground.home).read()?.unwrap_or_default();
        let bound = keys.with_policy(&row.name);
        found.extend(bound.map(|key| format!("relay key {}", key.name)));
        if ground.default_policy.as_deref() == Some(&row.name) {
            found.push("policy.default of the configuration".to_owned());
        }
    }
    Ok(found)
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
