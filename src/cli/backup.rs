//! `backup`: everything that a relay is made of, in one private file, while it runs or not; and whether such a file is good.
//!
//! Left out are what belongs to nobody's configuration (texts of conversations and files, logs), the master key, without
//! which the stored secrets are of no use, and credentials in files, which are others' to keep.

use super::unpack::CHARGES;
use super::unpack::CONFIG;
use super::unpack::HOME_PARTS;
use super::unpack::MANIFEST;
use super::unpack::PARTS_MAX;
use super::unpack::STORE;
use super::unpack::bytes_max;
use super::unpack::is_charges;
use super::unpack::is_rows;
use super::unpack::sum;
use super::unpack::unpack;
use crate::cli::args::Backup;
use crate::cli::out;
use crate::cli::run::CommandOutcome;
use crate::clock;
use crate::config;
use crate::config::Config;
use crate::config::Env;
use crate::disk;
use crate::secret::SecretFile;
use crate::store;
use crate::store::KeyFile;
use crate::store::StorePlace;
use crate::store::StoreReader;
use anyhow::Context;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use tar::Builder;
use tar::Header;

pub(crate) fn backup(args: &Backup, env: &Env) -> anyhow::Result<CommandOutcome> {
    let config = config::load(&args.place.flags(), env)?;
    let scratch = Scratch::new(&config.home)?;
    let told = match args.check {
        true => check(&args.file, &scratch.0)?,
        false => {
            let made = make(&args.file, &config, &scratch.0);
            if made.is_err() && !args.file.is_dir() {
                disk::remove(&beside(&args.file));
            }
            made?
        }
    };
    match args.json {
        true => out::json(&told)?,
        false => out::line(&format!(
            "{}: {} files, {} keys, {} secrets; {}",
            args.file.display(),
            told["files"],
            told["keys"],
            told["secrets"],
            match args.check {
                true => "everything in it is good",
                false =>
                    "keep master.key (or RELAY_MASTER_KEY) apart from it: stored secrets open with nothing else",
            }
        ))?,
    }
    Ok(CommandOutcome::Done)
}

/// A private folder that goes away again.
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    pub(super) fn new(home: &Path) -> anyhow::Result<Scratch> {
        let folder = home.join(format!("backup.{}.tmp", std::process::id()));
        disk::make_folder(&folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
        Ok(Scratch(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0)); // What stays is private, and told by its name.
    }
}

/// Writes beside it first, so that a file of this name is whole.
fn make(path: &Path, config: &Config, scratch: &Path) -> anyhow::Result<Value> {
    anyhow::ensure!(
        !path.exists(),
        "{} is there already; name another file",
        path.display()
    );
    let next = beside(path);
    let file =
        disk::lock_file(&next).with_context(|| format!("{} cannot be written", next.display()))?;
    file.set_len(0)?;
    let mut packed = Packed {
        tar: Builder::new(file),
        sums: BTreeMap::new(),
    };
    for (name, from) in parts(config, scratch)? {
        packed.add(&name, &from)?;
    }
    let told = json!({
        "version": VERSION,
        "relay": env!("CARGO_PKG_VERSION"),
        "made_at_ms": clock::unix_ms(),
        "files": packed.sums.len(),
        "keys": keys(&config.home)?,
        "secrets": SecretFile::of(&config.home).names()?.len(),
        "sha256": packed.sums,
    });
    packed.tar.append_data(
        &mut header(told.to_string().len() as u64),
        MANIFEST,
        told.to_string().as_bytes(),
    )?;
    packed.tar.into_inner()?.sync_all()?;
    fs::rename(&next, path)
        .with_context(|| format!("{} cannot be put in place", path.display()))?;
    Ok(without_sums(told))
}

struct Packed {
    tar: Builder<File>,
    sums: BTreeMap<String, String>,
}

impl Packed {
    /// A part that is not there is left out: a relay needs none of them.
    fn add(&mut self, name: &str, from: &Path) -> anyhow::Result<()> {
        let bytes = match fs::read(from) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                return Err(error).with_context(|| format!("{} does not read", from.display()));
            }
        };
        anyhow::ensure!(
            bytes.len() as u64 <= bytes_max(name) && self.sums.len() < PARTS_MAX,
            "{} is more than a backup takes",
            from.display()
        );
        self.tar
            .append_data(&mut header(bytes.len() as u64), name, bytes.as_slice())?;
        self.sums.insert(name.to_owned(), sum(&bytes));
        Ok(())
    }
}

/// Each part by its name in the backup. What changes while it is copied is copied in an order in which nothing is counted
/// twice: the charges that are summed up come after the single ones.
fn parts(config: &Config, scratch: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut parts = Vec::new();
    if matches!(config.store.place, StorePlace::Sqlite(_)) {
        let copy = scratch.join(STORE);
        if store::copy_store(&config.store.place, &copy)? {
            parts.push((STORE.to_owned(), copy));
        }
    }
    parts.extend(plain_parts(config)?);
    Ok(parts)
}

/// Each part but the store, which is copied by its own means.
pub(super) fn plain_parts(config: &Config) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let home = &config.home;
    let mut parts = Vec::new();
    for name in HOME_PARTS {
        parts.push((name.to_owned(), home.join(name)));
    }
    parts.push((CONFIG.to_owned(), config.file.clone()));
    listed(&config.catalog.dir, "catalog", is_rows, &mut parts)?;
    let limits = home.join("limits");
    listed(&limits, "limits", is_charges, &mut parts)?;
    parts.push((format!("limits/{CHARGES}"), limits.join(CHARGES)));
    Ok(parts)
}

fn listed(
    folder: &Path,
    prefix: &str,
    is_part: impl Fn(&str) -> bool,
    parts: &mut Vec<(String, PathBuf)>,
) -> anyhow::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(error).with_context(|| format!("{} does not read", folder.display()));
        }
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| is_part(name))
        .collect();
    names.sort();
    parts.extend(
        names
            .into_iter()
            .map(|name| (format!("{prefix}/{name}"), folder.join(&name))),
    );
    Ok(())
}

/// Reads all of a backup, and opens what can be opened.
pub(super) fn check(path: &Path, scratch: &Path) -> anyhow::Result<Value> {
    let (manifest, sums) = unpack(path, scratch)?;
    let told: BTreeMap<String, String> = serde_json::from_value(manifest["sha256"].clone())?;
    for (name, sum) in &told {
        anyhow::ensure!(
            sums.get(name) == Some(sum),
            "{name} in {} is not what was put in",
            path.display()
        );
    }
    anyhow::ensure!(
        sums.len() == told.len(),
        "{} has more in it than was put in",
        path.display()
    );
    opens(scratch)?;
    Ok(without_sums(manifest))
}

/// Whether what was unpacked is understood.
fn opens(home: &Path) -> anyhow::Result<()> {
    KeyFile::of(home).read()?;
    SecretFile::of(home).names()?;
    if let Some(mut reader) = StoreReader::open(&StorePlace::of(home))? {
        reader.verify()?;
    }
    Ok(())
}

fn keys(home: &Path) -> anyhow::Result<usize> {
    let keys = KeyFile::of(home).read()?;
    Ok(keys.map_or(0, |keys| keys.all().len()))
}

/// The file that is written until it is whole.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.next", std::process::id()));
    path.with_file_name(name)
}

/// Only its owner reads what is unpacked, too.
pub(super) fn header(bytes: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_mtime(clock::unix_ms() / 1000);
    header
}

fn without_sums(mut manifest: Value) -> Value {
    if let Some(manifest) = manifest.as_object_mut() {
        manifest.remove("sha256");
    }
    manifest
}

/// The version of a backup's form.
const VERSION: u64 = 1;
