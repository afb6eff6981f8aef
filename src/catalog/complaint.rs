//! Complaints, each of which is told once, until it is another or comes again. `[pure]`

use std::collections::BTreeSet;

/// What was complained of last.
#[derive(Debug, Default)]
pub(super) struct Complaints(BTreeSet<String>);

/// How complaints differ from those before.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    pub(super) new: Vec<String>,
    pub(super) gone: Vec<String>,
}

impl Complaints {
    /// These are all of them now.
    pub(super) fn are(&mut self, now: impl IntoIterator<Item = String>) -> News {
        let now: BTreeSet<String> = now.into_iter().collect();
        let news = News {
            new: now.difference(&self.0).cloned().collect(),
            gone: self.0.difference(&now).cloned().collect(),
        };
        self.0 = now;
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_told_once_until_it_changes_or_comes_again() {
        let mut complaints = Complaints::default();
        let mut are = |now: &[&str]| {
            let news = complaints.are(now.iter().map(|text| (*text).to_owned()));
            (news.new.join(","), news.gone.join(","))
        };
        let told = |new: &str, gone: &str| (new.to_owned(), gone.to_owned());
        assert_eq!(are(&["a", "b"]), told("a,b", ""));
        assert_eq!(are(&["a", "b"]), told("", ""));
        assert_eq!(are(&["a", "c"]), told("c", "b"));
        assert_eq!(are(&[]), told("", "a,c"));
        assert_eq!(are(&["a"]), told("a", ""));
    }
}
