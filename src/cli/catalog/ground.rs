//! Where a command finds the catalog, and how it tells of rows and problems.

use crate::catalog;
use crate::catalog::ChangeSet;
use crate::catalog::Document;
use crate::catalog::DocumentSet;
use crate::catalog::Location;
use crate::catalog::Model;
use crate::catalog::Problem;
use crate::catalog::Snapshot;
use crate::cli::catalog::args::CatalogArgs;
use crate::cli::out;
use crate::cli::running;
use crate::config;
use crate::config::Env;
use crate::secret::MasterKeySource;
use crate::secret::SecretFile;
use crate::secret::SecretReader;
use anyhow::Context;
use serde_json::Value;
use serde_json::json;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

/// The catalog's folder and what belongs to it.
pub(super) struct Ground {
    pub(super) dir: PathBuf,
    pub(super) secrets: SecretReader,
    pub(super) file: SecretFile,
    pub(super) master: MasterKeySource,
    pub(super) home: PathBuf,
    pub(super) default_policy: Option<Arc<str>>,
    /// The model that callers get who name none.
    model: String,
    env: Env,
}

impl Ground {
    pub(super) fn of(place: &CatalogArgs, env: &Env) -> anyhow::Result<Ground> {
        let config = config::load(&place.flags(), env)?;
        Ok(Ground {
            dir: place.dir.clone().unwrap_or(config.catalog.dir),
            default_policy: config.auth.default_policy,
            model: config.session.model,
            env: env.clone(),
            secrets: config.secrets,
            file: SecretFile::of(&config.home),
            master: MasterKeySource::of(&config.home, env.master_key())
                .followed_by(env.next_master_key()),
            home: config.home,
        })
    }

    /// The rows of the folder.
    pub(super) fn load(&self) -> DocumentSet {
        catalog::load(&self.dir)
    }

    /// What would be in force.
    pub(super) fn resolve(&self, set: &DocumentSet) -> Snapshot {
        let pass = self.secrets.pass();
        catalog::resolve(
            set,
            &mut |reference| pass.read(reference),
            &catalog::built_in,
        )
    }

    /// Has the running daemon, if there is one, take up what was changed.
    pub(super) fn take_up(&self) {
        running::take_up(&self.env, Some(&self.dir));
    }

    /// Whether claude still serves what it served without a catalog.
    fn is_served(&self, set: &DocumentSet) -> bool {
        let snapshot = self.resolve(set);
        let is_bound = |model: &Arc<Model>| model.enabled_bindings().next().is_some();
        !catalog::concerns_calls(set) || snapshot.model(&self.model).is_some_and(is_bound)
    }

    /// Makes changes in the folder, puts them in force, and tells what is wrong with the rows that are changed.
    pub(super) fn write(&self, current: &DocumentSet, changes: &ChangeSet) -> anyhow::Result<()> {
        catalog::write(&self.dir, changes)?;
        self.take_up();
        let after = catalog::apply(current, changes);
        if self.is_served(current) && !self.is_served(&after) {
            out::note(&format!(
                "note: with this catalog, calls are served only of models that it binds: \"{model}\" and every other model \
                 that claude served before gets 404 now. To serve one as before: \
                 `inference-relay binding add --model {model} --lane claude-pty`",
                model = self.model
            ));
        }
        for problem in self.resolve(&after).problems() {
            let touched = |row| changes.changes.iter().any(|change| change.row == row);
            if problem.row.clone().is_some_and(touched) {
                out::note(&format!("warning: {problem}"));
            }
        }
        Ok(())
    }
}

/// The rows that a path holds; "-" is standard input.
pub(super) fn rows_at(path: &Path) -> anyhow::Result<DocumentSet> {
    if path == Path::new("-") {
        let mut text = String::new();
        io::stdin()
            .take(TEXT_MAX)
            .read_to_string(&mut text)
            .context("standard input does not read")?;
        return Ok(DocumentSet::of_text(&text, &Location::default()));
    }
    anyhow::ensure!(path.exists(), "{} is not there", path.display());
    Ok(catalog::load(path))
}

pub(super) fn problem_json(problem: &Problem) -> Value {
    json!({
        "file": problem.location.path().map(|path| path.display().to_string()),
        "line": problem.location.line,
        "kind": problem.row.as_ref().map(|row| row.kind.name()),
        "name": problem.row.as_ref().map(|row| row.name.clone()),
        "code": problem.code.name(),
        "message": problem.message,
    })
}

pub(super) fn row_json(document: &Document, problems: &[Problem]) -> Value {
    let row = document.row();
    let mine = problems
        .iter()
        .filter(|problem| problem.row.as_ref() == Some(&row));
    let mut value = document.to_json();
    value["file"] = document
        .location
        .path()
        .map(|path| path.display().to_string())
        .into();
    value["line"] = document.location.line.into();
    value["problems"] = mine.map(problem_json).collect();
    value
}

/// Bytes of standard input that are read; a catalog is far below.
const TEXT_MAX: u64 = 16 << 20;
