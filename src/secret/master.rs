//! Where the master key comes from: the variable, or a private file that is made when it is first needed.

use super::fault::SecretFault;
use super::seal::KEY_LENGTH;
use super::seal::MasterKey;
use crate::disk;
use crate::store;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// The variable that holds the master key.
const VARIABLE: &str = "RELAY_MASTER_KEY";
/// The variable that holds the key which is to follow that one.
const NEXT_VARIABLE: &str = "RELAY_MASTER_KEY_NEXT";
/// The file of the state folder that holds it otherwise.
const FILE: &str = "master.key";
/// The key that is to follow the one in the file, while it changes.
const NEXT_FILE: &str = "master.key.next";

/// Where to look for the master key: what the variable says wins over the file.
#[derive(Clone)]
pub(crate) struct MasterKeySource {
    variable: Option<Zeroizing<String>>,
    /// The key that is to follow the variable's.
    next: Option<Zeroizing<String>>,
    path: PathBuf,
}

impl MasterKeySource {
    pub(crate) fn of(home: &Path, variable: Option<String>) -> MasterKeySource {
        MasterKeySource {
            variable: variable.map(Zeroizing::new),
            next: None,
            path: home.join(FILE),
        }
    }

    /// With the key that is to follow the one in the variable.
    pub(crate) fn followed_by(mut self, next: Option<String>) -> MasterKeySource {
        self.next = next.map(Zeroizing::new);
        self
    }

    /// Sees that what the variables say are keys.
    ///
    /// # Errors
    /// Names the one that is none.
    pub(crate) fn check_variables(&self) -> Result<(), SecretFault> {
        if self.variable.is_some() {
            self.read()?;
        }
        if self.next.is_some() {
            self.next()?;
        }
        Ok(())
    }

    /// Whether the variable says it, so that no file does.
    pub(crate) fn is_variable(&self) -> bool {
        self.variable.is_some()
    }

    /// The key that is to follow this one, while one is.
    ///
    /// # Errors
    /// Where what there is is no key.
    pub(super) fn next(&self) -> Result<Option<MasterKey>, SecretFault> {
        if let Some(text) = &self.next {
            return parse(text, NEXT_VARIABLE).map(Some);
        }
        let path = self.next_path();
        match fs::read_to_string(&path).map(Zeroizing::new) {
            Ok(text) => parse(&text, &path.display().to_string()).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(SecretFault::Unreadable { path, source }),
        }
    }

    /// Makes the key that is to follow, beside the present one; where a run before left one, it is that.
    pub(super) fn make_next(&self) -> Result<MasterKey, SecretFault> {
        match self.next()? {
            Some(next) => Ok(next),
            None => make(&self.next_path()),
        }
    }

    /// Puts the key that followed in the place of the one before.
    pub(super) fn take_next(&self) -> Result<(), SecretFault> {
        fs::rename(self.next_path(), &self.path).map_err(|source| unwritable(&self.path, source))
    }

    /// The files that it may stand in; none where the variable says it.
    pub(super) fn places(&self) -> Vec<PathBuf> {
        match self.is_variable() {
            true => Vec::new(),
            false => vec![self.path.clone(), self.next_path()],
        }
    }

    fn next_path(&self) -> PathBuf {
        self.path.with_file_name(NEXT_FILE)
    }

    /// The key that there is.
    ///
    /// # Errors
    /// Where there is none, or it is none.
    pub(crate) fn read(&self) -> Result<MasterKey, SecretFault> {
        if let Some(text) = &self.variable {
            return parse(text, VARIABLE);
        }
        match fs::read_to_string(&self.path).map(Zeroizing::new) {
            Ok(text) => parse(&text, &self.path.display().to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(SecretFault::NoMasterKey {
                    path: self.path.clone(),
                })
            }
            Err(source) => Err(SecretFault::Unreadable {
                path: self.path.clone(),
                source,
            }),
        }
    }

    /// The key that there is, or a new one, kept in the private file.
    ///
    /// # Errors
    /// Where what there is is no key, or a new one cannot be made or kept.
    pub(super) fn read_or_make(&self) -> Result<MasterKey, SecretFault> {
        match self.read() {
            Err(SecretFault::NoMasterKey { .. }) => make(&self.path),
            read => read,
        }
    }
}

/// Makes a key in a private file.
fn make(path: &Path) -> Result<MasterKey, SecretFault> {
    let bytes = random::<KEY_LENGTH>()?;
    let text = Zeroizing::new(format!("{}\n", STANDARD.encode(bytes)));
    disk::replace(path, text.as_bytes()).map_err(|source| unwritable(path, source))?;
    Ok(MasterKey::of(&bytes))
}

fn unwritable(path: &Path, source: io::Error) -> SecretFault {
    SecretFault::Store(store::StoreError::Unwritable {
        path: path.to_owned(),
        source,
    })
}

impl fmt::Debug for MasterKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKeySource({})", self.path.display())
    }
}

/// As many random bytes.
pub(super) fn random<const N: usize>() -> Result<[u8; N], SecretFault> {
    let mut bytes = [0; N];
    let filled = getrandom::fill(&mut bytes);
    filled.map_err(|error| SecretFault::NoRandomness {
        source: io::Error::other(error),
    })?;
    Ok(bytes)
}

fn parse(text: &str, place: &str) -> Result<MasterKey, SecretFault> {
    MasterKey::parse(text).ok_or_else(|| SecretFault::BadMasterKey {
        place: place.to_owned(),
    })
}
