//! What a comparison found, told to people and to programs. `[pure]`

use super::drift::Change;
use super::drift::capability;
use super::drift::gather;
use super::known::Known;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;

/// All cases of one version, compared with what is recorded of one.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) version: String,
    /// The recorded version.
    pub(crate) against: String,
    /// Each case with what changed in it.
    pub(crate) found: Vec<(String, Vec<Change>)>,
    /// Cases that there is nothing recorded of.
    pub(crate) unrecorded: Vec<String>,
    pub(crate) known: Known,
    /// Whether every case was played, so that an entry which speaks of nothing is idle.
    pub(crate) is_whole: bool,
}

impl Report {
    /// Whether nothing differs but what is known.
    pub(crate) fn is_well(&self) -> bool {
        self.news().is_empty() && self.unrecorded.is_empty()
    }

    /// Cases in which something differs that is not known.
    pub(crate) fn news(&self) -> Vec<String> {
        let is_news = |(case, changes): &&(String, Vec<Change>)| {
            changes.iter().any(|change| self.is_new(case, change))
        };
        let news = self.found.iter().filter(is_news);
        news.map(|(case, _)| case.clone()).collect()
    }

    /// Keeps of a case's changes those that came again.
    pub(crate) fn confirm(&mut self, place: &str, again: &[Change]) {
        for (_, changes) in self.found.iter_mut().filter(|(case, _)| case == place) {
            changes.retain(|change| again.contains(change));
        }
    }

    fn is_new(&self, case: &str, change: &Change) -> bool {
        self.known.entry(&self.version, case, change).is_none()
    }

    fn idle(&self) -> Vec<String> {
        if !self.is_whole {
            return Vec::new();
        }
        let idle = self.known.idle(&self.version, &self.found);
        idle.iter().map(|entry| entry.says.clone()).collect()
    }

    /// A line a case: the same, or how many changes and the first of them.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "{} against the goldens of {}\n\n",
            self.version, self.against
        );
        let width = self
            .found
            .iter()
            .map(|(case, _)| case.len())
            .max()
            .unwrap_or_default();
        for (case, changes) in &self.found {
            let fresh: Vec<&Change> = changes
                .iter()
                .filter(|change| self.is_new(case, change))
                .collect();
            let known = changes.len() - fresh.len();
            let verdict = match (fresh.first(), known) {
                (None, 0) => "same".to_owned(),
                (None, known) => format!("same but for {known} known differences"),
                (Some(first), _) => format!("DIFFERS in {}: {first}", fresh.len()),
            };
            text.push_str(&format!("{case:width$}  {verdict}\n"));
        }
        for case in &self.unrecorded {
            text.push_str(&format!("{case:width$}  NOT RECORDED\n"));
        }
        for says in self.idle() {
            text.push_str(&format!(
                "known difference that is no longer there: {says:?}\n"
            ));
        }
        text
    }

    /// The changes by what they touch, each once, with the number of cases that show it.
    pub(crate) fn drift(&self) -> String {
        let mut touched: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (change, cases) in gather(&self.found) {
            let first = cases.first().map_or("", String::as_str);
            let place = match cases.len() {
                1 => format!("in {first}"),
                count => format!("in {count} cases, first {first}"),
            };
            let lines = touched.entry(capability(&change, first)).or_default();
            lines.push(format!("  {}  ({place})\n", cut(&change.to_string())));
        }
        let mut text = format!("Drift from {} to {}\n", self.against, self.version);
        for (capability, lines) in touched {
            text.push_str(&format!("\n{capability}: {} changes\n", lines.len()));
            text.extend(lines.iter().take(LINES_MAX).cloned());
            if let Some(more) = lines.len().checked_sub(LINES_MAX).filter(|more| *more > 0) {
                text.push_str(&format!("  … and {more} more, with --json\n"));
            }
        }
        text
    }

    pub(crate) fn machine(&self) -> Value {
        let change = |case: &str, change: &Change| {
            let entry = self.known.entry(&self.version, case, change);
            json!({
                "change": change.to_string(),
                "touches": capability(change, case),
                "known": entry.map(|entry| entry.why.clone()),
            })
        };
        let case = |(case, changes): &(String, Vec<Change>)| {
            let changes: Vec<Value> = changes.iter().map(|found| change(case, found)).collect();
            json!({ "case": case, "changes": changes })
        };
        json!({
            "version": self.version,
            "against": self.against,
            "ok": self.is_well(),
            "cases": self.found.iter().map(case).collect::<Vec<_>>(),
            "unrecorded": self.unrecorded,
            "idle": self.idle(),
        })
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LINE_CHARACTERS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// A capability with more changes than this is read by a program.
const LINES_MAX: usize = 25;
const LINE_CHARACTERS_MAX: usize = 160;

#[cfg(test)]
mod tests {
    use super::super::drift::Kind;
    use super::super::observe::Aspect;
    use super::*;

    fn report(known: &str, found: Vec<(String, Vec<Change>)>) -> Report {
        Report {
            version: "2.1.329".into(),
            against: "2.1.197".into(),
            found,
            unrecorded: Vec::new(),
            known: Known::read(known).expect("the list must be TOML"),
            is_whole: true,
        }
    }

    fn gone(head: &str) -> Change {
        Change {
            aspect: Aspect::Hooks,
            head: head.into(),
            kind: Kind::Gone,
            field: String::new(),
        }
    }

    #[test]
    fn a_change_that_is_not_known_is_told_with_what_it_touches() {
        let report = report(
            "",
            vec![
                ("short".into(), vec![gone("MessageDisplay")]),
                ("long".into(), vec![]),
            ],
        );
        assert!(!report.is_well());
        assert!(
            report
                .table()
                .contains("short  DIFFERS in 1: hooks: - MessageDisplay")
        );
        assert!(report.table().contains("long   same\n"));
        assert!(
            report.drift().contains(
                "exact text, streaming: 1 changes\n  hooks: - MessageDisplay  (in short)"
            )
        );
        assert_eq!(
            report.machine()["cases"][0]["changes"][0]["touches"],
            "exact text, streaming"
        );
    }

    #[test]
    fn a_known_change_is_well_and_one_that_does_not_come_again_is_none() {
        let known = "[[known]]\nsays = \"- Stop\"\nwhy = \"a reason\"";
        assert!(report(known, vec![("short".into(), vec![gone("Stop")])]).is_well());
        let idle = report(known, vec![("short".into(), vec![])]);
        assert_eq!(idle.machine()["idle"][0], "- Stop");
        let mut flighty = report("", vec![("short".into(), vec![gone("Stop")])]);
        assert_eq!(flighty.news(), ["short"]);
        flighty.confirm("short", &[]);
        assert!(flighty.is_well());
    }
}
