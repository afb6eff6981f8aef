//! The files here that are common to relays, by the names that the server knows them by.

use super::super::catalog_files::CATALOG_DEPTH_MAX;
use super::super::catalog_files::CATALOG_FILES_MAX;
use super::super::catalog_files::is_hidden;
use super::super::catalog_files::is_yaml;
use super::merge::Common;
use super::merge::Print;
use crate::disk;
use crate::hex::from_hex;
use crate::hex::to_hex;
use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

/// Where they are.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    pub(super) home: PathBuf,
    pub(super) catalog: PathBuf,
}

/// What there is in a folder.
#[derive(Debug, Default)]
pub(super) struct Here {
    /// Texts by their names.
    pub(super) files: BTreeMap<String, String>,
    /// The catalog has more files than it may; they are not all here.
    pub(super) is_over: bool,
}

/// What was common last, on disk.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Form(BTreeMap<String, Row>);

/// Version, print, and text of a file whose rows are merged. Older relays wrote no text.
#[derive(Debug, Serialize, Deserialize)]
struct Row(
    u64,
    Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")] Option<String>,
);

impl Folder {
    /// Every file that there is, by its name.
    ///
    /// # Errors
    /// Where one cannot be read. Then none is known, so that what cannot be read is not taken for removed.
    pub(super) fn read(&self) -> io::Result<Here> {
        let mut here = Here::default();
        self.list(&self.catalog, 0, &mut here)?;
        for name in OWN {
            if let Some(text) = read(&self.home.join(name))? {
                here.files.insert((*name).to_owned(), text);
            }
        }
        Ok(here)
    }

    fn list(&self, folder: &Path, depth: usize, here: &mut Here) -> io::Result<()> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let path = entry?.path();
            if here.is_over {
                return Ok(());
            }
            if path.is_dir() && depth < CATALOG_DEPTH_MAX && !is_hidden(&path) {
                self.list(&path, depth + 1, here)?;
            } else if is_row(&path)
                && let Ok(below) = path.strip_prefix(&self.catalog)
                && let Some(text) = read(&path)?
            {
                here.files
                    .insert(format!("{CATALOG}{}", below.display()), text);
                here.is_over = here.files.len() > CATALOG_FILES_MAX;
            }
        }
        Ok(())
    }

    /// Whether a name is that of a file of the state folder itself.
    pub(super) fn is_own_name(name: &str) -> bool {
        OWN.contains(&name)
    }

    /// Whether a path is of one of them.
    pub(super) fn is_common(&self, path: &Path) -> bool {
        let own = |name: &&str| path == self.home.join(name);
        OWN.iter().any(own) || path.starts_with(&self.catalog) && (is_row(path) || path.is_dir())
    }

    /// Where a file of this name is; `None` for a name that leads out of the folders.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        if OWN.contains(&name) {
            return Some(self.home.join(name));
        }
        let below = Path::new(name.strip_prefix(CATALOG)?);
        let is_plain = below
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        (is_plain && is_row(below)).then(|| self.catalog.join(below))
    }

    /// Puts a file in place, or removes it, where it still says what it said.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn put(&self, path: &Path, was: Print, content: Option<&str>) -> io::Result<bool> {
        // Commands change the keys under this lock.
        let lock = disk::lock_file(&path.with_extension("lock"))
            .ok()
            .filter(|_| self.is_own(path));
        if let Some(lock) = &lock {
            lock.lock()?;
        }
        if print(read(path)?.as_deref()) != was {
            return Ok(false);
        }
        match content {
            Some(content) => {
                if let Some(folder) = path.parent() {
                    disk::make_folder(folder)?;
                }
                disk::replace(path, content.as_bytes())?;
            }
            None => disk::remove(path),
        }
        drop(lock);
        Ok(true)
    }

    fn is_own(&self, path: &Path) -> bool {
        path.parent() == Some(&self.home)
    }

    /// Keeps a text aside that another one took the place of; where.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn keep_aside(&self, name: &str, text: &str, now_ms: u64) -> io::Result<PathBuf> {
        let folder = self.home.join("aside");
        disk::make_folder(&folder)?;
        let path = folder.join(format!("{now_ms}-{}", name.replace('/', "_")));
        disk::replace(&path, text.as_bytes())?;
        Ok(path)
    }

    /// What was common last; nothing where it is not known.
    pub(super) fn common(&self) -> BTreeMap<String, Common> {
        let text = fs::read(self.home.join(COMMON)).unwrap_or_default();
        let form: Form = serde_json::from_slice(&text).unwrap_or_default();
        let common = |(name, Row(version, hex, text)): (String, Row)| {
            let common = Common {
                version,
                print: match hex {
                    Some(hex) => Some(from_hex(&hex)?),
                    None => None,
                },
                text,
            };
            Some((name, common))
        };
        form.0.into_iter().filter_map(common).collect()
    }

    /// Remembers what is common.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn remember(&self, common: &BTreeMap<String, Common>) -> io::Result<()> {
        let row = |(name, common): (&String, &Common)| {
            let hex = common.print.map(|print| to_hex(&print));
            (name.clone(), Row(common.version, hex, common.text.clone()))
        };
        let form = Form(common.iter().map(row).collect());
        let text = serde_json::to_vec(&form)?;
        disk::replace(&self.home.join(COMMON), &text)
    }
}

/// What stands for a text.
pub(super) fn print(text: Option<&str>) -> Print {
    text.map(|text| Sha256::digest(text.as_bytes()).into())
}

fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_row(path: &Path) -> bool {
    is_yaml(path) && !is_hidden(path)
}

/// Files of the state folder itself: relay keys, and sealed secrets.
const OWN: &[&str] = &["keys.json", "secrets.json"];
/// What names of the catalog's files begin with.
const CATALOG: &str = "catalog/";
/// The file of what was common last.
const COMMON: &str = "shared.json";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_the_server_leads_nowhere_but_into_the_folders() {
        let folder = Folder {
            home: "/state".into(),
            catalog: "/rows".into(),
        };
        assert_eq!(folder.path("keys.json"), Some("/state/keys.json".into()));
        assert_eq!(
            folder.path("catalog/a/b.yaml"),
            Some("/rows/a/b.yaml".into())
        );
        for wrong in [
            "daemon.key",
            "catalog/../keys.yaml",
            "catalog//etc/x.yaml",
            "catalog/key-a",
            "catalog/.x.yaml",
            "",
        ] {
            assert_eq!(folder.path(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_changed_meanwhile_is_not_overwritten_and_what_was_common_is_remembered() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = Folder {
            home: home.path().to_owned(),
            catalog: home.path().join("catalog"),
        };
        let path = folder.path("catalog/a.yaml").expect("it is a row's");
        assert!(folder.put(&path, None, Some("one")).expect("it is written"));
        assert!(
            !folder
                .put(&path, None, Some("two"))
                .expect("it is looked at")
        );
        let files = folder.read().expect("they are read").files;
        assert_eq!(files.get("catalog/a.yaml").map(String::as_str), Some("one"));
        let common = |text: Option<&str>| Common {
            version: 3,
            print: print(Some("one")),
            text: text.map(str::to_owned),
        };
        let common = BTreeMap::from([
            ("catalog/a.yaml".to_owned(), common(None)),
            ("keys.json".to_owned(), common(Some("one"))),
        ]);
        folder.remember(&common).expect("it is kept");
        assert_eq!(folder.common(), common);
        assert!(
            folder
                .put(&path, print(Some("one")), None)
                .expect("it is removed")
        );
        assert!(folder.read().expect("they are read").files.is_empty());
    }

    #[test]
    fn a_catalog_with_too_many_files_is_read_up_to_there_and_says_so() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = Folder {
            home: home.path().to_owned(),
            catalog: home.path().join("catalog"),
        };
        fs::create_dir(&folder.catalog).expect("it is made");
        fs::write(home.path().join("keys.json"), "{}").expect("it is written");
        let row = |number: usize| folder.catalog.join(format!("{number}.yaml"));
        for number in 0..CATALOG_FILES_MAX {
            fs::write(row(number), "").expect("it is written");
        }
        let here = folder.read().expect("they are read");
        assert_eq!(
            (here.files.len(), here.is_over),
            (CATALOG_FILES_MAX + 1, false)
        );
        fs::write(row(CATALOG_FILES_MAX), "").expect("it is written");
        let here = folder.read().expect("they are read");
        assert!(here.is_over && here.files.contains_key("keys.json"));
        assert!(here.files.len() <= CATALOG_FILES_MAX + 2);
    }
}
