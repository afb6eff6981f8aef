//! `restore`: puts a backup in the place of what a relay is made of, once it was read and found good; what stood there
//! before is kept.

use super::backup;
use super::backup::Scratch;
use super::unpack;
use crate::cli::args::Restore;
use crate::cli::out;
use crate::cli::run::CommandOutcome;
use crate::clock;
use crate::config;
use crate::config::Config;
use crate::config::Env;
use crate::daemon::StateLock;
use crate::disk;
use crate::store::StorePlace;
use anyhow::Context;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

pub(crate) fn restore(args: &Restore, env: &Env) -> anyhow::Result<CommandOutcome> {
    let config = config::load(&args.place.flags(), env)?;
    disk::make_folder(&config.home)
        .with_context(|| format!("{} cannot be made", config.home.display()))?;
    // A relay that runs would go on with what it holds, and write over what is put here.
    let lock = StateLock::take(&config.home)?;
    let scratch = Scratch::new(&config.home)?;
    let mut told = backup::check(&args.file, &scratch.0)?;
    let kept = config
        .home
        .join(format!("before-restore-{}", clock::unix_ms()));
    let mut moves = Moves::default();
    if let Err(error) = exchange(&config, &scratch.0, &kept, &mut moves) {
        moves.undo();
        return Err(error.context("nothing was restored; everything is as it was"));
    }
    drop(lock);
    told["kept"] = match kept.exists() {
        true => json!(kept),
        false => json!(null),
    };
    match args.json {
        true => out::json(&told)?,
        false => out::line(&said(args, &told["files"], &kept))?,
    }
    Ok(CommandOutcome::Done)
}

fn said(args: &Restore, files: &serde_json::Value, kept: &Path) -> String {
    let before = match kept.exists() {
        true => format!("what stood here before is in {}", kept.display()),
        false => "nothing stood here before".to_owned(),
    };
    format!(
        "{}: {files} files are in place; {before}. Put the master.key of that relay here (or set RELAY_MASTER_KEY), \
         and start it.",
        args.file.display()
    )
}

/// Moves that were made, so that they can be taken back.
#[derive(Default)]
struct Moves(Vec<(PathBuf, PathBuf)>);

impl Moves {
    fn make(&mut self, from: PathBuf, to: PathBuf) -> anyhow::Result<()> {
        let folder = to.parent().unwrap_or(&to);
        disk::make_folder(folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
        moved(&from, &to)
            .with_context(|| format!("{} cannot be moved to {}", from.display(), to.display()))?;
        self.0.push((from, to));
        Ok(())
    }

    fn undo(self) {
        for (from, to) in self.0.into_iter().rev() {
            if let Err(error) = moved(&to, &from) {
                out::note(&format!(
                    "{} belongs to {}, and could not be moved back: {error}",
                    to.display(),
                    from.display()
                ));
            }
        }
    }
}

/// Within one file system a name is changed; between two the bytes are copied.
fn moved(from: &Path, to: &Path) -> std::io::Result<()> {
    if fs::rename(from, to).is_ok() {
        return Ok(());
    }
    fs::copy(from, to)?;
    fs::remove_file(from)
}

/// Moves what is there out of the way, and what was unpacked into its place.
fn exchange(
    config: &Config,
    unpacked: &Path,
    kept: &Path,
    moves: &mut Moves,
) -> anyhow::Result<()> {
    for (name, path) in backup::plain_parts(config)?
        .into_iter()
        .chain(store_files(config))
    {
        if path.exists() {
            moves.make(path, kept.join(name))?;
        }
    }
    for name in names_in(unpacked)? {
        if let Some(place) = place(config, &name) {
            moves.make(unpacked.join(&name), place)?;
        }
    }
    Ok(())
}

/// The store, and what SQLite keeps beside it.
fn store_files(config: &Config) -> Vec<(String, PathBuf)> {
    let StorePlace::Sqlite(path) = &config.store.place else {
        return Vec::new();
    };
    let beside = |end: &str| {
        let mut name = path.clone().into_os_string();
        name.push(end);
        (format!("{}{end}", unpack::STORE), PathBuf::from(name))
    };
    ["", "-wal", "-shm"].map(beside).into()
}

/// Where a part of a backup belongs; `None` where this relay has no place for it, as for a store that it has in PostgreSQL.
fn place(config: &Config, name: &str) -> Option<PathBuf> {
    if let Some(row) = name.strip_prefix("catalog/") {
        return Some(config.catalog.dir.join(row));
    }
    match (name, &config.store.place) {
        (unpack::STORE, StorePlace::Sqlite(path)) => Some(path.clone()),
        (unpack::STORE, StorePlace::Postgres(_)) => None,
        (unpack::CONFIG, _) => Some(config.file.clone()),
        _ => Some(config.home.join(name)),
    }
}

/// Every file that was unpacked, by its name in the backup.
fn names_in(unpacked: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(unpacked)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.path().is_dir() {
            names.push(name);
            continue;
        }
        for below in fs::read_dir(entry.path())? {
            names.push(format!("{name}/{}", below?.file_name().to_string_lossy()));
        }
    }
    names.sort();
    Ok(names)
}
