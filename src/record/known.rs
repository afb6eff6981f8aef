//! Differences that are known, each with its reason. `[pure]`
//!
//! A list of them turns a comparison into a ratchet: what is not listed fails, and so does what is listed and no
//! longer there.

use super::drift::Change;
use serde::Deserialize;

/// The list, as its file says it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Known {
    #[serde(default)]
    known: Vec<Entry>,
}

/// One difference, or many that are alike.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// A part of the change's text; every change that contains it is meant.
    pub(crate) says: String,
    /// Why it is there.
    pub(crate) why: String,
    /// Only in these cases; none: in all.
    #[serde(default)]
    cases: Vec<String>,
    /// Only on these versions; none: on all.
    #[serde(default)]
    versions: Vec<String>,
}

impl Known {
    /// # Errors
    /// What is wrong with the text.
    pub(crate) fn read(text: &str) -> Result<Known, toml::de::Error> {
        toml::from_str(text)
    }

    /// The entry that speaks of a change.
    pub(crate) fn entry(&self, version: &str, case: &str, change: &Change) -> Option<&Entry> {
        let text = change.to_string();
        let among =
            |list: &[String], word: &str| list.is_empty() || list.iter().any(|one| one == word);
        self.known.iter().find(|entry| {
            text.contains(&entry.says)
                && among(&entry.cases, case)
                && among(&entry.versions, version)
        })
    }

    /// The entries for a version that speak of nothing that was found.
    pub(crate) fn idle(&self, version: &str, found: &[(String, Vec<Change>)]) -> Vec<&Entry> {
        let speaks = |entry: &Entry| {
            found.iter().any(|(case, changes)| {
                let mut all = changes.iter();
                all.any(|change| {
                    self.entry(version, case, change)
                        .is_some_and(|one| std::ptr::eq(one, entry))
                })
            })
        };
        let meant = |entry: &&Entry| {
            entry.versions.is_empty() || entry.versions.iter().any(|one| one == version)
        };
        let entries = self.known.iter().filter(meant);
        entries.filter(|entry| !speaks(entry)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::drift::Kind;
    use super::super::observe::Aspect;
    use super::*;

    fn change(head: &str) -> Change {
        Change {
            aspect: Aspect::Transcript,
            head: head.to_owned(),
            kind: Kind::Gone,
            field: String::new(),
        }
    }

    #[test]
    fn only_what_is_listed_is_known_and_an_idle_entry_is_found() {
        let text = "[[known]]\nsays = \"- api-request\"\nwhy = \"nothing reads it\"\nversions = [\"2.1.329\"]\n\
                    [[known]]\nsays = \"- mode\"\nwhy = \"nothing reads it\"";
        let known = Known::read(text).expect("the list must be TOML");
        let is_known = |version, head| known.entry(version, "short", &change(head)).is_some();
        assert!(is_known("2.1.329", "api-request-blob"));
        assert!(!is_known("2.1.197", "api-request-blob"));
        assert!(!is_known("2.1.329", "user"));
        let found = [("short".to_owned(), vec![change("mode")])];
        let idle = |version| {
            known
                .idle(version, &found)
                .iter()
                .map(|entry| entry.says.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(idle("2.1.329"), ["- api-request"]);
        assert_eq!(idle("2.1.197"), Vec::<String>::new());
    }
}
