//! Reads what a reference names.

use super::fault::SecretFault;
use super::master::MasterKeySource;
use super::reference::SecretRef;
use super::seal::MasterKey;
use super::stored::Sealed;
use super::stored::SecretFile;
use super::value::SecretValue;
use crate::egress::read_small_file;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

/// Everything that references can lead to.
#[derive(Clone)]
pub(crate) struct SecretReader {
    /// The environment as it was at the start.
    vars: Arc<BTreeMap<OsString, OsString>>,
    /// Where relative paths of files begin.
    folder: PathBuf,
    file: SecretFile,
    master: MasterKeySource,
}

/// One reading of many references: the relay's own file and the master key are read at most once, and only where a
/// reference leads there.
pub(crate) struct SecretPass<'a> {
    reader: &'a SecretReader,
    sealed: OnceCell<Result<Sealed, Arc<SecretFault>>>,
    master: OnceCell<Result<MasterKey, Arc<SecretFault>>>,
}

impl SecretReader {
    pub(crate) fn new(
        vars: Arc<BTreeMap<OsString, OsString>>,
        folder: PathBuf,
        file: SecretFile,
        master: MasterKeySource,
    ) -> SecretReader {
        SecretReader {
            vars,
            folder,
            file,
            master,
        }
    }

    pub(crate) fn pass(&self) -> SecretPass<'_> {
        SecretPass {
            reader: self,
            sealed: OnceCell::new(),
            master: OnceCell::new(),
        }
    }

    fn env(&self, name: &str) -> Result<SecretValue, SecretFault> {
        if OWN_VARS.iter().any(|own| name.starts_with(own)) {
            let place = format!("the variable {name}");
            return Err(SecretFault::Own { place });
        }
        let text = self.vars.get(&OsString::from(name));
        let text = text.ok_or_else(|| SecretFault::Unset {
            name: name.to_owned(),
        })?;
        value(&text.to_string_lossy(), || format!("the variable {name}"))
    }

    fn file(&self, path: &std::path::Path) -> Result<SecretValue, SecretFault> {
        let path = self.folder.join(path);
        if self.is_own(&path) {
            let place = format!("the file {}", path.display());
            return Err(SecretFault::Own { place });
        }
        let text = read_small_file(&path, FILE_BYTES_MAX).and_then(|bytes| {
            String::from_utf8(bytes)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
        });
        let text = text.map_err(|source| SecretFault::Unreadable {
            path: path.clone(),
            source,
        })?;
        value(&text, || format!("the file {}", path.display()))
    }
}

impl SecretReader {
    /// Whether a file is one that the relay keeps for itself: in the state folder, but not among the catalog's files, or in
    /// a session's folder.
    fn is_own(&self, path: &Path) -> bool {
        let real = |path: &Path| path.canonicalize().ok();
        let (Some(path), Some(home)) = (real(path), self.file.home().and_then(real)) else {
            return false; // It cannot be read either.
        };
        let is_in_home = path.parent() == Some(&home);
        let is_shared = real(&self.folder).is_some_and(|folder| folder == home);
        let name = path.file_name().and_then(OsStr::to_str);
        let is_named = name.is_some_and(|name| OWN_FILES.contains(&name));
        is_in_home && (is_named || !is_shared) || path.starts_with(home.join(OWN_FOLDER))
    }
}

impl SecretReader {
    /// The files whose change may change what a reference names; none for a variable.
    pub(crate) fn places(&self, reference: &SecretRef) -> Vec<PathBuf> {
        match reference {
            SecretRef::Env(_) => Vec::new(),
            SecretRef::File(path) => vec![self.folder.join(path)],
            SecretRef::Stored(_) => {
                let mut places = self.master.places();
                places.push(self.file.path().to_owned());
                places
            }
        }
    }
}

impl SecretPass<'_> {
    /// The value that a reference names.
    ///
    /// # Errors
    /// Where there is none, or it does not open. That is the referring row's fault alone.
    pub(crate) fn read(&self, reference: &SecretRef) -> Result<SecretValue, Arc<SecretFault>> {
        match reference {
            SecretRef::Env(name) => self.reader.env(name).map_err(Arc::new),
            SecretRef::File(path) => self.reader.file(path).map_err(Arc::new),
            SecretRef::Stored(name) => self.stored(name),
        }
    }

    fn stored(&self, name: &str) -> Result<SecretValue, Arc<SecretFault>> {
        let sealed = self
            .sealed
            .get_or_init(|| self.reader.file.read().map_err(Arc::new));
        let sealed = sealed.as_ref().map_err(Arc::clone)?;
        if !sealed.has(name) {
            return Err(Arc::new(SecretFault::NotStored {
                name: name.to_owned(),
            }));
        }
        let master = self
            .master
            .get_or_init(|| self.reader.master.read().map_err(Arc::new));
        let master = master.as_ref().map_err(Arc::clone)?;
        let opened = sealed.open(name, master).or_else(|fault| match fault {
            // The key is being changed, and this one is sealed with the next already.
            SecretFault::OtherMasterKey { .. } => match self.reader.master.next() {
                Ok(Some(next)) => sealed.open(name, &next),
                Ok(None) | Err(_) => Err(fault),
            },
            fault => Err(fault),
        });
        opened.map_err(Arc::new)
    }
}

impl fmt::Debug for SecretReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretReader({})", self.folder.display())
    }
}

/// What the relay's own variables begin with. Who may edit hosts would otherwise have the admin's token or the master key
/// sent to a host of theirs.
const OWN_VARS: [&str; 3] = ["RELAY_", "INFERENCE_RELAY_", "SR_"];
/// Files of the state folder that open something; even where the catalog lies in that folder itself.
const OWN_FILES: [&str; 4] = ["daemon.key", "master.key", "keys.json", "secrets.json"];
/// Bytes of a file with a credential: the longest, a token with many claims, has a few thousand.
const FILE_BYTES_MAX: u64 = 1 << 16;
/// The folder of the state folder in which sessions have theirs.
const OWN_FOLDER: &str = "run";

fn value(text: &str, place: impl Fn() -> String) -> Result<SecretValue, SecretFault> {
    match SecretValue::parse(text) {
        Some(value) => Ok(value),
        None if text.trim().is_empty() => Err(SecretFault::Empty { place: place() }),
        None => Err(SecretFault::NotALine { place: place() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use std::fs;
    use std::path::Path;

    fn reader(home: &Path, key: Option<[u8; 32]>) -> SecretReader {
        let vars =
            [("KEY_A", "sk-env"), ("EMPTY", " ")].map(|(name, value)| (name.into(), value.into()));
        let master = MasterKeySource::of(home, key.map(|key| STANDARD.encode(key)));
        SecretReader::new(
            Arc::new(BTreeMap::from(vars)),
            home.to_owned(),
            SecretFile::of(home),
            master,
        )
    }

    fn store(home: &Path, key: Option<[u8; 32]>, name: &str, text: &str) {
        let value = SecretValue::parse(text).expect("this is a credential");
        let reader = reader(home, key);
        let set = reader.file.set(name, &value, &reader.master, 1);
        set.expect("it is stored");
    }

    fn read(reader: &SecretReader, reference: SecretRef) -> Result<String, String> {
        let value = reader.pass().read(&reference);
        value
            .map(|value| value.reveal().to_owned())
            .map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_secret_is_read_from_a_variable_a_file_or_the_relays_own_store() {
        let home = tempfile::tempdir().expect("a folder");
        fs::write(home.path().join("key"), "sk-file\n").expect("it is written");
        store(home.path(), None, "openai", "sk-stored");
        let reader = reader(home.path(), None);
        let of = |reference| read(&reader, reference);
        assert_eq!(of(SecretRef::Env("KEY_A".into())), Ok("sk-env".into()));
        assert_eq!(of(SecretRef::File("key".into())), Ok("sk-file".into()));
        assert_eq!(
            of(SecretRef::Stored("openai".into())),
            Ok("sk-stored".into())
        );
        let text = fs::read_to_string(home.path().join("secrets.json")).expect("it is there");
        assert!(!text.contains("sk-stored"), "{text}");
    }

    #[test]
    fn what_the_relay_keeps_for_itself_is_no_hosts_credential() {
        let home = tempfile::tempdir().expect("a folder");
        let catalog = home.path().join("catalog");
        fs::create_dir(&catalog).expect("it is made");
        for file in ["daemon.key", "other", "catalog/key"] {
            fs::write(home.path().join(file), "sk-own\n").expect("it is written");
        }
        let reader = SecretReader {
            folder: catalog,
            ..reader(home.path(), None)
        };
        for own in [
            SecretRef::Env("RELAY_ADMIN_TOKEN".into()),
            SecretRef::Env("RELAY_MASTER_KEY".into()),
            SecretRef::File("../daemon.key".into()),
            SecretRef::File("../other".into()),
            SecretRef::File(home.path().join("catalog/../daemon.key")),
        ] {
            let fault = read(&reader, own).expect_err("it is refused");
            assert!(fault.contains("is the relay's own"), "{fault}");
        }
        assert_eq!(
            read(&reader, SecretRef::File("key".into())),
            Ok("sk-own".into())
        );
    }

    #[test]
    fn what_is_missing_says_which_and_what_to_do() {
        let home = tempfile::tempdir().expect("a folder");
        let reader = reader(home.path(), None);
        for (reference, expected) in [
            (
                SecretRef::Env("NONE".into()),
                "the variable NONE is not set",
            ),
            (
                SecretRef::Env("EMPTY".into()),
                "the variable EMPTY is empty",
            ),
            (SecretRef::File("none".into()), "read the secret in"),
            (
                SecretRef::Stored("none".into()),
                "no secret is stored under \"none\"",
            ),
        ] {
            let fault = read(&reader, reference).expect_err("there is none");
            assert!(fault.starts_with(expected), "{fault}");
        }
        assert!(!home.path().join("master.key").exists(), "nothing was made");
    }

    #[test]
    fn a_secret_sealed_by_another_master_key_is_out_alone() {
        let home = tempfile::tempdir().expect("a folder");
        store(home.path(), Some([1; 32]), "old", "sk-old");
        store(home.path(), Some([2; 32]), "new", "sk-new");
        let reader = reader(home.path(), Some([2; 32]));
        let pass = reader.pass();
        let fault = pass
            .read(&SecretRef::Stored("old".into()))
            .expect_err("another key");
        assert!(fault.is_undecryptable());
        assert!(
            fault.to_string().contains("was sealed with master key"),
            "{fault}"
        );
        let new = pass
            .read(&SecretRef::Stored("new".into()))
            .expect("it opens");
        assert_eq!(new.reveal(), "sk-new");
    }

    #[test]
    fn a_secret_is_removed_and_names_are_listed() {
        let home = tempfile::tempdir().expect("a folder");
        store(home.path(), None, "b", "2");
        store(home.path(), None, "a", "1");
        let file = SecretFile::of(home.path());
        let names = file.names().expect("it reads");
        assert_eq!(names, [("a".to_owned(), 1), ("b".to_owned(), 1)]);
        file.remove("a").expect("it was there");
        assert!(matches!(
            file.remove("a"),
            Err(SecretFault::NotStored { .. })
        ));
        let reader = reader(home.path(), None);
        let value = SecretValue::parse("x").expect("a value");
        let named = file.set("a b", &value, &reader.master, 1);
        assert!(matches!(named, Err(SecretFault::Name(_))));
    }

    #[cfg(unix)]
    #[test]
    fn the_master_key_and_the_secrets_are_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().expect("a folder");
        store(home.path(), None, "a", "1");
        for name in ["master.key", "secrets.json"] {
            let data = fs::metadata(home.path().join(name)).expect("it is there");
            assert_eq!(data.permissions().mode() & 0o777, 0o600, "{name}");
        }
    }
}
