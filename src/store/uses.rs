//! `key-uses.json`: when each key was last used.
//!
//! It is a file of its own, for `keys.json` is the commands' to write and this one the daemon's. What stands in it is
//! nice to know and nothing depends on it: one that is gone, broken or of another version says nothing.

use crate::disk;
use crate::turn::KeyId;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// The version that is written, and the only one there was.
const VERSION: u32 = 1;

/// Where the uses of one state folder lie.
#[derive(Debug, Clone)]
pub(crate) struct UseFile {
    path: PathBuf,
}

/// When each key was last used, in milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Uses(pub(crate) BTreeMap<KeyId, u64>);

#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    last_used_at: BTreeMap<String, u64>,
}

impl UseFile {
    pub(crate) fn of(home: &Path) -> UseFile {
        UseFile {
            path: home.join("key-uses.json"),
        }
    }

    pub(crate) fn read(&self) -> Uses {
        let text = fs::read(&self.path).unwrap_or_default();
        let written: Option<Written> = serde_json::from_slice(&text).ok();
        let known = written.filter(|written| written.version == VERSION);
        let pairs = known.into_iter().flat_map(|written| written.last_used_at);
        Uses(pairs.map(|(id, at)| (KeyId(id), at)).collect())
    }

    /// # Errors
    /// Where it cannot be written; then the old one still stands.
    pub(crate) fn write(&self, uses: &Uses) -> io::Result<()> {
        let pairs = uses.0.iter().map(|(id, at)| (id.0.clone(), *at));
        let written = Written {
            version: VERSION,
            last_used_at: pairs.collect(),
        };
        disk::replace(&self.path, &serde_json::to_vec(&written)?)
    }
}

impl Uses {
    pub(crate) fn note(&mut self, key: &KeyId, at: u64) {
        match self.0.get_mut(key) {
            Some(last) => *last = at,
            None => drop(self.0.insert(key.clone(), at)),
        }
    }

    pub(crate) fn of(&self, key: &KeyId) -> Option<u64> {
        self.0.get(key).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_survive_the_disk_and_a_broken_file_says_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = UseFile::of(folder.path());
        assert_eq!(file.read(), Uses::default());
        let mut uses = Uses::default();
        uses.note(&KeyId("key_1".into()), 5);
        uses.note(&KeyId("key_1".into()), 7);
        file.write(&uses).expect("it is written");
        assert_eq!(file.read().of(&KeyId("key_1".into())), Some(7));
        assert_eq!(file.read().of(&KeyId("key_2".into())), None);
        for text in ["{", "{\"version\": 9, \"last_used_at\": {\"key_1\": 7}}"] {
            fs::write(&file.path, text).expect("it is written");
            assert_eq!(file.read(), Uses::default());
        }
    }
}
