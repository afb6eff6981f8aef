//! Another master key: everything that is stored is opened with the present one and sealed anew with the next.
//!
//! A key of the file is replaced in three steps, each whole: the next key beside the present one, the secrets sealed with
//! it, the next key in the place of the present one. A crash between any two loses nothing, since what the present key
//! does not open is tried with the one beside it, and a second run ends what the first began.

use super::fault::SecretFault;
use super::master::MasterKeySource;
use super::stored::SecretFile;

/// What was done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rekeyed {
    pub(crate) secrets: usize,
    /// The id of the new key.
    pub(crate) key: String,
    /// The new key came from a variable, which must take the place of the present one.
    pub(crate) is_by_variable: bool,
}

/// Seals every stored secret anew.
///
/// # Errors
/// Where one does not open, there is no next key where the present one is in a variable, or a file cannot be kept. Then
/// what is stored opens as before.
pub(crate) fn rekey(file: &SecretFile, master: &MasterKeySource) -> Result<Rekeyed, SecretFault> {
    let is_by_variable = master.is_variable();
    let next = match is_by_variable {
        true => master.next()?.ok_or(SecretFault::NoNextMasterKey)?,
        false => master.make_next()?,
    };
    let secrets = file.reseal(master, &next)?;
    if !is_by_variable {
        master.take_next()?;
    }
    Ok(Rekeyed {
        secrets,
        key: next.id().to_owned(),
        is_by_variable,
    })
}

#[cfg(test)]
mod tests {
    use super::super::reader::SecretReader;
    use super::super::reference::SecretRef;
    use super::super::value::SecretValue;
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;

    fn store(file: &SecretFile, master: &MasterKeySource) {
        for (name, value) in [("a", "sk-a"), ("b", "sk-b")] {
            let value = SecretValue::parse(value).expect("it is a credential");
            file.set(name, &value, master, 1).expect("it is stored");
        }
    }

    fn opened(home: &Path, master: &MasterKeySource) -> Vec<Option<String>> {
        let (vars, file) = (Arc::new(BTreeMap::new()), SecretFile::of(home));
        let reader = SecretReader::new(vars, home.to_owned(), file, master.clone());
        let pass = reader.pass();
        let open = |name: &str| {
            let value = pass.read(&SecretRef::Stored(name.to_owned())).ok()?;
            Some(value.reveal().to_owned())
        };
        ["a", "b"].map(open).to_vec()
    }

    fn both() -> Vec<Option<String>> {
        ["sk-a", "sk-b"]
            .map(|value| Some(value.to_owned()))
            .to_vec()
    }

    #[test]
    fn secrets_open_before_during_and_after_a_change_of_the_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path();
        let (file, master) = (SecretFile::of(home), MasterKeySource::of(home, None));
        store(&file, &master);
        let before = fs::read_to_string(home.join("master.key")).expect("it is there");
        // A crash between the steps: sealed anew, and the key not in its place yet.
        let next = master.make_next().expect("it is made");
        file.reseal(&master, &next).expect("it is sealed");
        assert_eq!(opened(home, &master), both());
        let done = rekey(&file, &master).expect("it ends what was begun");
        assert_eq!((done.secrets, done.is_by_variable), (2, false));
        assert_eq!(opened(home, &master), both());
        let after = fs::read_to_string(home.join("master.key")).expect("it is there");
        assert_ne!(before, after);
        assert!(!home.join("master.key.next").exists());
        fs::write(home.join("master.key"), before).expect("it is written");
        assert_eq!(
            opened(home, &master),
            [None, None],
            "the former key opens nothing"
        );
    }

    #[test]
    fn a_key_in_a_variable_is_followed_by_the_one_in_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path();
        let key = |byte: u8| Some(STANDARD.encode([byte; 32]));
        let (file, alone) = (SecretFile::of(home), MasterKeySource::of(home, key(1)));
        store(&file, &alone);
        assert!(matches!(
            rekey(&file, &alone),
            Err(SecretFault::NoNextMasterKey)
        ));
        let two = MasterKeySource::of(home, key(1)).followed_by(key(2));
        assert!(rekey(&file, &two).expect("it is sealed").is_by_variable);
        assert_eq!(
            opened(home, &two),
            both(),
            "a relay that was started with both goes on"
        );
        assert_eq!(opened(home, &alone), [None, None]);
        assert_eq!(opened(home, &MasterKeySource::of(home, key(2))), both());
    }

    #[test]
    fn one_secret_that_does_not_open_changes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path();
        let (file, master) = (SecretFile::of(home), MasterKeySource::of(home, None));
        store(&file, &master);
        let path = home.join("secrets.json");
        let text = fs::read_to_string(&path).expect("it is there");
        let at = text.rfind("\"sealed\": \"").expect("a row") + 40;
        let other = if &text[at..=at] == "A" { "B" } else { "A" };
        let broken = [&text[..at], other, &text[at + 1..]].concat();
        fs::write(&path, &broken).expect("it is written");
        assert!(rekey(&file, &master).is_err());
        assert_eq!(fs::read_to_string(&path).expect("it is there"), broken);
        assert_eq!(opened(home, &master)[0].as_deref(), Some("sk-a"));
    }
}
