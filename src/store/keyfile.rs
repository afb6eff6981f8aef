//! `keys.json`: the keys on disk.

use super::error::StoreError;
use super::key::Key;
use super::key::KeyError;
use super::key::Keys;
use super::key::Text;
use super::migrate;
use super::migrate::Step;
use super::migrate::Unliftable;
use super::secret::Digest;
use crate::disk;
use crate::turn::KeyId;
use serde::Deserialize;
use serde::Serialize;
use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use uuid::Uuid;

/// The version that is written.
const VERSION: usize = STEPS.len() + 1;
/// From each older version to the next; there is none yet.
const STEPS: &[Step] = &[];

/// Where the keys of one state folder lie.
#[derive(Debug, Clone)]
pub(crate) struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    pub(crate) fn of(home: &Path) -> KeyFile {
        KeyFile {
            path: home.join("keys.json"),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The keys; `None` where nobody has ever made one.
    ///
    /// # Errors
    /// Where the file is there and cannot be understood. It is never taken for an empty one.
    pub(crate) fn read(&self) -> Result<Option<Keys>, StoreError> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(StoreError::Unreadable {
                    path: self.path.clone(),
                    source,
                });
            }
        };
        let damaged = |problem: String| StoreError::Damaged {
            path: self.path.clone(),
            problem,
        };
        let content = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        let content = migrate::lift(content, STEPS).map_err(|problem| match problem {
            Unliftable::Newer(version) => StoreError::Newer {
                path: self.path.clone(),
                version,
            },
            Unliftable::Unversioned => damaged("it has no version".to_owned()),
        })?;
        let written: Written =
            serde_json::from_value(content).map_err(|error| damaged(error.to_string()))?;
        written.keys().map(Some).map_err(damaged)
    }

    /// Changes the keys: read, changed and written under a lock, so that two commands do not undo one another.
    ///
    /// # Errors
    /// Where the change is refused or cannot be written; then nothing has changed.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut Keys) -> Result<T, KeyError>,
    ) -> Result<T, StoreError> {
        let unwritable = |source| StoreError::Unwritable {
            path: self.path.clone(),
            source,
        };
        let lock = self.lock().map_err(unwritable)?;
        let mut keys = self.read()?.unwrap_or_default();
        let result = change(&mut keys)?;
        let content = serde_json::to_vec_pretty(&Written::from(&keys));
        let content = content.map_err(|error| unwritable(error.into()))?;
        disk::replace(&self.path, &content).map_err(unwritable)?;
        drop(lock);
        Ok(result)
    }

    /// A file of its own is locked: the keys' file is another one after each change.
    fn lock(&self) -> io::Result<File> {
        if let Some(home) = self.path.parent() {
            disk::make_folder(home)?;
        }
        let lock = disk::lock_file(&self.path.with_extension("lock"))?;
        lock.lock()?;
        Ok(lock)
    }
}

/// An id for a new key.
pub(crate) fn new_id() -> KeyId {
    let id = Uuid::new_v4().simple().to_string();
    KeyId(format!("key_{}", &id[..12]))
}

/// The file's content.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: usize,
    keys: Vec<WrittenKey>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    id: String,
    name: String,
    created_at: u64,
    disabled: bool,
    expires_at: Option<u64>,
    /// Absent in files of older relays, and left out where there is none, so that they can read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    texts: Vec<WrittenText>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenText {
    sha256: String,
    ends_at: Option<u64>,
}

impl From<&Keys> for Written {
    fn from(keys: &Keys) -> Written {
        let text = |text: &Text| WrittenText {
            sha256: text.digest.to_hex(),
            ends_at: text.ends_at,
        };
        let key = |key: &Key| WrittenKey {
            id: key.id.0.clone(),
            name: key.name.clone(),
            created_at: key.created_at,
            disabled: key.disabled,
            expires_at: key.expires_at,
            policy: key.policy.as_deref().map(str::to_owned),
            texts: key.texts.iter().map(text).collect(),
        };
        Written {
            version: VERSION,
            keys: keys.keys.iter().map(key).collect(),
        }
    }
}

impl Written {
    fn keys(self) -> Result<Keys, String> {
        let keys: Result<Vec<Key>, String> = self.keys.into_iter().map(WrittenKey::key).collect();
        Ok(Keys { keys: keys? })
    }
}

impl WrittenKey {
    fn key(self) -> Result<Key, String> {
        let text = |text: &WrittenText| {
            Digest::from_hex(&text.sha256).map(|digest| Text {
                digest,
                ends_at: text.ends_at,
            })
        };
        let texts: Option<Vec<Text>> = self.texts.iter().map(text).collect();
        let texts = texts.filter(|texts| !texts.is_empty());
        Ok(Key {
            texts: texts.ok_or_else(|| format!("the key \"{}\" has no good hash", self.name))?,
            id: KeyId(self.id),
            name: self.name,
            created_at: self.created_at,
            disabled: self.disabled,
            expires_at: self.expires_at,
            policy: self.policy.map(Arc::from),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::secret::Secret;
    use super::*;

    fn file() -> (tempfile::TempDir, KeyFile) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = KeyFile::of(&folder.path().join("state"));
        (folder, file)
    }

    fn create(file: &KeyFile, name: &str) -> Result<Secret, StoreError> {
        let secret = Secret::mint().expect("there is randomness");
        file.change(|keys| keys.create(new_id(), name, &secret, Some(9), 5).map(|_| ()))?;
        Ok(secret)
    }

    #[test]
    fn keys_survive_the_disk_and_their_text_is_not_on_it() {
        let (_folder, file) = file();
        assert!(file.read().expect("it is absent").is_none());
        let secret = create(&file, "laptop").expect("it is made");
        let new = Secret::mint().expect("there is randomness");
        file.change(|keys| keys.rotate("laptop", &new, 3, 5).map(|_| ()))
            .expect("it is rotated");
        let keys = file.read().expect("it is good").expect("it is there");
        let (key, _) = keys.judge(&secret.digest(), 5).expect("it is known");
        assert_eq!(
            (key.name.as_str(), key.expires_at, key.overlap_until(5)),
            ("laptop", Some(9), Some(8))
        );
        let text = fs::read_to_string(file.path()).expect("it is text");
        assert!(!text.contains(&secret.reveal()[4..]) && !text.contains(&new.reveal()[4..]));
    }

    #[test]
    fn commands_at_the_same_time_do_not_undo_one_another() {
        let (_folder, file) = file();
        std::thread::scope(|scope| {
            for number in 0..8 {
                let file = &file;
                scope.spawn(move || create(file, &format!("n{number}")).expect("it is made"));
            }
        });
        let keys = file.read().expect("it is good").expect("it is there");
        assert_eq!(keys.all().len(), 8);
    }

    #[test]
    fn a_file_that_is_not_understood_is_refused_and_stays() {
        let (_folder, file) = file();
        create(&file, "laptop").expect("it is made");
        for (text, words) in [
            ("{\"version\": 1, \"keys\": [", "understand"),
            ("{}", "it has no version"),
            (
                "{\"version\": 9, \"keys\": []}",
                "a newer relay wrote (version 9)",
            ),
            ("{\"version\": 1, \"keys\": 5}", "understand"),
        ] {
            fs::write(file.path(), text).expect("it is written");
            let error = file.read().expect_err("it must be refused").to_string();
            assert!(error.contains(words), "{error}");
            assert!(create(&file, "other").is_err());
            assert_eq!(fs::read_to_string(file.path()).expect("it is text"), text);
        }
    }
}
