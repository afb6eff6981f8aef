//! Where a command finds the catalog, and how it tells of rows and problems.

use crate::catalog;
use crate::catalog::ChangeSet;
use crate::catalog::Document;
use crate::catalog::DocumentSet;
use crate::catalog::Place;
use crate::catalog::Problem;
use crate::catalog::Snapshot;
use crate::cli::catalog::args::CatalogPlace;
use crate::cli::out;
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

/// The catalog's folder and what belongs to it.
pub(super) struct Ground {
    pub(super) dir: PathBuf,
    pub(super) secrets: SecretReader,
    pub(super) file: SecretFile,
    pub(super) master: MasterKeySource,
}

impl Ground {
    pub(super) fn of(place: &CatalogPlace, env: &Env) -> anyhow::Result<Ground> {
        let config = config::load(&place.flags(), env)?;
        Ok(Ground {
            dir: place.dir.clone().unwrap_or(config.catalog.dir),
            secrets: config.secrets,
            file: SecretFile::of(&config.home),
            master: MasterKeySource::of(&config.home, env.master_key())
                .followed_by(env.next_master_key()),
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

    /// Makes changes in the folder, and tells what is wrong with the rows that are changed.
    pub(super) fn write(&self, current: &DocumentSet, changes: &ChangeSet) -> anyhow::Result<()> {
        catalog::write(&self.dir, changes)?;
        let after = catalog::apply(current, changes);
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
        return Ok(DocumentSet::of_text(&text, &Place::default()));
    }
    anyhow::ensure!(path.exists(), "{} is not there", path.display());
    Ok(catalog::load(path))
}

pub(super) fn problem_json(problem: &Problem) -> Value {
    json!({
        "file": problem.place.path().map(|path| path.display().to_string()),
        "line": problem.place.line,
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
        .place
        .path()
        .map(|path| path.display().to_string())
        .into();
    value["line"] = document.place.line.into();
    value["problems"] = mine.map(problem_json).collect();
    value
}

/// Bytes of standard input that are read; a catalog is far below.
const TEXT_MAX: u64 = 16 << 20;
