//! The talks that are kept: `golden/codex/VERSION/CASE.jsonl`.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// A tree of goldens.
#[derive(Debug, Clone)]
pub(crate) struct Talks {
    root: PathBuf,
}

impl Talks {
    /// Those of the tree at this folder.
    pub(crate) fn at(golden: &Path) -> Talks {
        Talks {
            root: golden.join("codex"),
        }
    }

    /// The versions that are recorded, the oldest first.
    pub(crate) fn versions(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        let mut versions: Vec<String> = entries.map(name).collect();
        versions.sort_by_key(|version| parts(version));
        versions
    }

    /// The version to compare with: its own, or else the newest that is older, or else the oldest.
    pub(crate) fn nearest(&self, version: &str) -> Option<String> {
        let versions = self.versions();
        let own = versions.iter().find(|known| *known == version);
        let older = versions.iter().rfind(|known| parts(known) < parts(version));
        own.or(older).or(versions.first()).cloned()
    }

    /// Where those of a version are.
    pub(crate) fn folder(&self, version: &str) -> PathBuf {
        self.root.join(version)
    }

    /// The talk of a case; `None` where it is not recorded.
    ///
    /// # Errors
    /// Where it is there and cannot be read.
    pub(crate) fn read(&self, version: &str, case: &str) -> io::Result<Option<String>> {
        match fs::read_to_string(self.file(version, case)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps the talk of a case.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn write(&self, version: &str, case: &str, talk: &str) -> io::Result<()> {
        fs::create_dir_all(self.folder(version))?;
        fs::write(self.file(version, case), talk)
    }

    fn file(&self, version: &str, case: &str) -> PathBuf {
        let name = format!("{}.jsonl", case.replace(' ', "-"));
        self.folder(version).join(name)
    }
}

/// A version in the order of its numbers.
fn parts(version: &str) -> Vec<u64> {
    let parts = version.split(['.', '-']);
    parts.map(|part| part.parse().unwrap_or(0)).collect()
}
