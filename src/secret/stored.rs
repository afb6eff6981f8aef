//! The relay's own file of sealed secrets, `secrets.json` in the state folder.

use super::fault::SecretFault;
use super::master;
use super::master::MasterKeySource;
use super::seal::MasterKey;
use super::seal::OpenFault;
use super::value::SecretValue;
use crate::disk;
use crate::store::StoreError;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// Secrets that may be stored. A person puts each in; more than this is a program that forgets to remove.
const SECRETS_MAX: usize = 10_000;
/// The version of the file's form.
const VERSION: u64 = 1;

/// The file. Reading and changing it takes the file system only; no call does either.
#[derive(Debug, Clone)]
pub(crate) struct SecretFile {
    path: PathBuf,
}

/// What stands in it: names, and what is sealed for them.
#[derive(Debug, Clone, Default)]
pub(super) struct Sealed(BTreeMap<String, Row>);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Row {
    sealed: String,
    /// Milliseconds since 1970.
    set_at: u64,
}

#[derive(Serialize, Deserialize)]
struct Form {
    version: u64,
    secrets: BTreeMap<String, Row>,
}

impl SecretFile {
    pub(crate) fn of(home: &Path) -> SecretFile {
        SecretFile {
            path: home.join("secrets.json"),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The state folder that it is in.
    pub(super) fn home(&self) -> Option<&Path> {
        self.path.parent()
    }

    /// Seals a value under a name; an earlier one of that name is gone.
    ///
    /// # Errors
    /// Where the name is none, there is no key to seal with, or the file cannot be kept; then the old one stands.
    pub(crate) fn set(
        &self,
        name: &str,
        value: &SecretValue,
        master: &MasterKeySource,
        now: u64,
    ) -> Result<(), SecretFault> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_plain) {
            return Err(SecretFault::Name(name.to_owned()));
        }
        self.change(|rows| {
            if rows.len() >= SECRETS_MAX && !rows.contains_key(name) {
                return Err(SecretFault::TooMany);
            }
            let sealed = master.read_or_make()?.seal(name, value, master::random()?);
            let row = Row {
                sealed,
                set_at: now,
            };
            rows.insert(name.to_owned(), row);
            Ok(())
        })
    }

    /// Forgets a secret.
    ///
    /// # Errors
    /// Where there is none of that name, or the file cannot be kept.
    pub(crate) fn remove(&self, name: &str) -> Result<(), SecretFault> {
        self.change(|rows| match rows.remove(name) {
            Some(_) => Ok(()),
            None => Err(SecretFault::NotStored {
                name: name.to_owned(),
            }),
        })
    }

    /// Seals everything anew with the next key; how much that was. Nothing changes where one secret does not open.
    pub(super) fn reseal(
        &self,
        master: &MasterKeySource,
        next: &MasterKey,
    ) -> Result<usize, SecretFault> {
        self.change(|rows| {
            let before = Sealed(rows.clone());
            let key = (!rows.is_empty()).then(|| master.read()).transpose()?;
            for (name, row) in rows.iter_mut() {
                let key = key
                    .as_ref()
                    .expect("there must be a key where there is a row");
                // One that a run before has sealed already opens with the next key.
                let value = before.open(name, key).or_else(|fault| match fault {
                    SecretFault::OtherMasterKey { .. } => before.open(name, next),
                    fault => Err(fault),
                })?;
                row.sealed = next.seal(name, &value, master::random()?);
            }
            Ok(rows.len())
        })
    }

    /// Each name, with the time it was set, in milliseconds since 1970.
    ///
    /// # Errors
    /// Where the file cannot be read or understood.
    pub(crate) fn names(&self) -> Result<Vec<(String, u64)>, SecretFault> {
        let rows = self.read()?.0.into_iter();
        Ok(rows.map(|(name, row)| (name, row.set_at)).collect())
    }

    pub(super) fn read(&self) -> Result<Sealed, SecretFault> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Sealed::default()),
            Err(source) => {
                let path = self.path.clone();
                return Err(StoreError::Unreadable { path, source }.into());
            }
        };
        let form: Form = serde_json::from_str(&text).map_err(|error| StoreError::Damaged {
            path: self.path.clone(),
            problem: error.to_string(),
        })?;
        if form.version != VERSION {
            let (path, version) = (self.path.clone(), form.version);
            return Err(StoreError::Newer { path, version }.into());
        }
        Ok(Sealed(form.secrets))
    }

    /// One change at a time, whole or not at all.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, Row>) -> Result<T, SecretFault>,
    ) -> Result<T, SecretFault> {
        let unwritable = |source| StoreError::Unwritable {
            path: self.path.clone(),
            source,
        };
        let folder = self.path.parent().unwrap_or(Path::new("."));
        disk::make_folder(folder).map_err(unwritable)?;
        let lock = disk::lock_file(&self.path.with_extension("lock")).map_err(unwritable)?;
        lock.lock().map_err(unwritable)?;
        let mut secrets = self.read()?.0;
        let done = change(&mut secrets)?;
        let version = VERSION;
        let text = serde_json::to_vec_pretty(&Form { version, secrets })
            .expect("a map of texts must have a form in JSON");
        disk::replace(&self.path, &text).map_err(unwritable)?;
        Ok(done)
    }
}

impl Sealed {
    /// Opens the secret of a name.
    pub(super) fn open(&self, name: &str, master: &MasterKey) -> Result<SecretValue, SecretFault> {
        let row = self.0.get(name).ok_or_else(|| SecretFault::NotStored {
            name: name.to_owned(),
        })?;
        master.open(name, &row.sealed).map_err(|fault| match fault {
            OpenFault::OtherKey(sealed_by) => SecretFault::OtherMasterKey {
                name: name.to_owned(),
                sealed_by,
                present: master.id().to_owned(),
            },
            OpenFault::Damaged => SecretFault::Undecryptable {
                name: name.to_owned(),
            },
        })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}
