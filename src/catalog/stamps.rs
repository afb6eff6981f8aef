//! By what a changed file is told from the same one, without reading it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

/// Files as they were at some moment; one that is not there is among them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stamps(BTreeMap<PathBuf, Option<Stamp>>);

/// What differs once a file was changed or replaced; through links, since a mounted volume swaps what they lead to.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    changed: Option<SystemTime>,
    made: Option<SystemTime>,
}

impl Stamps {
    /// Takes a file as it is now, if it is not among them. Whoever reads it afterwards reads this or a later one.
    pub(super) fn take(&mut self, path: PathBuf) {
        self.0.entry(path).or_insert_with_key(stamp);
    }

    /// Whether a file of them is another one now, is gone, or has come.
    pub(super) fn are_old(&self) -> bool {
        self.0.iter().any(|(path, seen)| stamp(path) != *seen)
    }
}

fn stamp(path: &PathBuf) -> Option<Stamp> {
    let data = fs::metadata(path).ok()?;
    Some(Stamp {
        bytes: data.len(),
        changed: data.modified().ok(),
        made: data.created().ok(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_comes_is_replaced_or_goes_makes_them_old() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        let taken = || {
            let mut stamps = Stamps::default();
            stamps.take(path.clone());
            assert!(!stamps.are_old());
            stamps
        };
        let none = taken();
        fs::write(&path, "sk-1").expect("it is written");
        assert!(none.are_old(), "it has come");
        let one = taken();
        fs::write(&path, "sk-two").expect("it is written");
        assert!(one.are_old(), "it is another one");
        let two = taken();
        fs::remove_file(&path).expect("it is removed");
        assert!(two.are_old(), "it is gone");
    }
}
