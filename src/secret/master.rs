//! Where the master key comes from: the variable, or a private file that is made when it is first needed.

use super::fault::SecretFault;
use super::seal::KEY_LENGTH;
use super::seal::MasterKey;
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
/// The file of the state folder that holds it otherwise.
const FILE: &str = "master.key";

/// Where to look for the master key: what the variable says wins over the file.
#[derive(Clone)]
pub(crate) struct MasterKeySource {
    variable: Option<Zeroizing<String>>,
    path: PathBuf,
}

impl MasterKeySource {
    pub(crate) fn of(home: &Path, variable: Option<String>) -> MasterKeySource {
        MasterKeySource {
            variable: variable.map(Zeroizing::new),
            path: home.join(FILE),
        }
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
            Err(SecretFault::NoMasterKey { .. }) => self.make(),
            read => read,
        }
    }

    fn make(&self) -> Result<MasterKey, SecretFault> {
        let bytes = random::<KEY_LENGTH>()?;
        let text = Zeroizing::new(format!("{}\n", STANDARD.encode(bytes)));
        store::replace(&self.path, text.as_bytes()).map_err(|source| {
            SecretFault::Store(store::StoreError::Unwritable {
                path: self.path.clone(),
                source,
            })
        })?;
        Ok(MasterKey::of(&bytes))
    }
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
