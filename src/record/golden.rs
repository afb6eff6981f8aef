//! Goldens on disk: `terminal/VERSION/CASE/` has the recording, `wire/VERSION/CASE/` what went over the wire.

use super::case::Case;
use super::case::Shot;
use super::take::Take;
use super::take::Wire;
use crate::terminal::recording::Recording;
use serde::Serialize;
use serde_json::Value;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// A tree of goldens.
#[derive(Debug, Clone)]
pub(crate) struct Goldens {
    root: PathBuf,
}

/// What `case.toml` says: where the recording comes from, and the whole case.
#[derive(Serialize)]
struct Label<'a> {
    version: &'a str,
    columns: u16,
    rows: u16,
    case: &'a Case,
}

impl Goldens {
    pub(crate) fn at(root: &Path) -> Goldens {
        Goldens {
            root: root.to_owned(),
        }
    }

    /// The versions that there are goldens of, oldest first.
    pub(crate) fn versions(&self) -> Vec<String> {
        let mut versions: Vec<String> = names(&self.root.join("terminal"));
        versions.sort_by_key(|version| super::dialect::number(version));
        versions
    }

    /// The shots of a version that are there.
    pub(crate) fn shots(&self, version: &str) -> Vec<String> {
        names(&self.root.join("terminal").join(version))
    }

    /// The version to compare with: its own where that is wanted and there, else the newest that is older, else the
    /// oldest.
    pub(crate) fn nearest(&self, version: &str, own: bool) -> Option<String> {
        let versions = self.versions();
        if own && versions.iter().any(|known| known == version) {
            return Some(version.to_owned());
        }
        let number = super::dialect::number;
        let others = || versions.iter().filter(|known| *known != version);
        let older = others().rfind(|known| number(known) < number(version));
        older.or_else(|| others().next()).cloned()
    }

    /// Where the recordings of a version are.
    pub(crate) fn folder(&self, version: &str) -> PathBuf {
        self.root.join("terminal").join(version)
    }

    /// Reads a shot; `None` where there is none.
    ///
    /// # Errors
    /// Where a file is there and cannot be read as what it should be.
    pub(crate) fn read(&self, version: &str, shot: &Shot) -> io::Result<Option<Take>> {
        let terminal = self.terminal(version, shot);
        if !terminal.is_dir() {
            return Ok(None);
        }
        let text = fs::read_to_string(terminal.join(CAST))?;
        let recording = Recording::read(&text).map_err(io::Error::other)?;
        let wire = match shot.keeps_wire() {
            true => {
                let folder = self.wire(version, shot);
                Wire {
                    hooks: lines(&folder.join(HOOKS))?,
                    transcript: lines(&folder.join(TRANSCRIPT))?,
                    requests: lines(&folder.join(REQUESTS))?,
                }
            }
            false => Wire::default(),
        };
        Ok(Some(Take { recording, wire }))
    }

    /// Writes a shot in the place of what was there.
    ///
    /// # Errors
    /// Where the tree cannot be written.
    pub(crate) fn write(&self, version: &str, shot: &Shot, take: &Take) -> io::Result<()> {
        let terminal = self.terminal(version, shot);
        fs::create_dir_all(&terminal)?;
        fs::write(terminal.join(CAST), take.recording.write())?;
        let label = Label {
            version,
            columns: shot.columns,
            rows: shot.size().rows,
            case: &shot.case,
        };
        let label = toml::to_string(&label).map_err(io::Error::other)?;
        fs::write(terminal.join("case.toml"), label)?;
        fs::write(terminal.join(READING), super::reading::of(&take.recording))?;
        if shot.keeps_wire() {
            let wire = self.wire(version, shot);
            fs::create_dir_all(&wire)?;
            for (name, values) in [
                (HOOKS, &take.wire.hooks),
                (TRANSCRIPT, &take.wire.transcript),
                (REQUESTS, &take.wire.requests),
            ] {
                let text: String = values.iter().map(|value| format!("{value}\n")).collect();
                fs::write(wire.join(name), text)?;
            }
        }
        Ok(())
    }

    fn terminal(&self, version: &str, shot: &Shot) -> PathBuf {
        self.root.join("terminal").join(version).join(shot.name())
    }

    fn wire(&self, version: &str, shot: &Shot) -> PathBuf {
        self.root.join("wire").join(version).join(shot.name())
    }
}

/// The names of the folders in a folder, in order; none where it is not there.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn lines(path: &Path) -> io::Result<Vec<Value>> {
    let text = fs::read_to_string(path)?;
    let values: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
    values.map_err(io::Error::other)
}

const CAST: &str = "session.cast";
const READING: &str = "reading.txt";
const HOOKS: &str = "hooks.jsonl";
const TRANSCRIPT: &str = "transcript.jsonl";
const REQUESTS: &str = "requests.jsonl";
