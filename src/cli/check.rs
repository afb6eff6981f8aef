//! What was looked at, what was seen, and what to do about it: for people and for programs.

use crate::cli::out;
use serde_json::Value;
use serde_json::json;
use std::path::PathBuf;

/// Everything that was looked at.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) installs: Vec<Install>,
    pub(super) checks: Vec<Check>,
}

/// A claude on this machine.
#[derive(Debug)]
pub(super) struct Install {
    pub(super) path: PathBuf,
    pub(super) version: Result<String, String>,
    /// Whether it is the configured one, or else the first found: the one that sessions run.
    pub(super) chosen: bool,
}

/// One thing that was looked at, and what was seen.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) state: State,
    pub(super) text: String,
    /// What to do about it.
    pub(super) next: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Good,
    /// Worth knowing; nothing is wrong.
    Note,
    Bad,
    NotChecked,
}

impl Report {
    /// Puts what is better known in the place of what was said of the same thing.
    pub(super) fn correct(&mut self, better: Option<Check>) {
        if let Some(better) = better {
            self.checks.retain(|check| check.name != better.name);
            self.checks.insert(1, better);
        }
    }

    pub(super) fn is_well(&self) -> bool {
        self.checks.iter().all(|check| check.state != State::Bad)
    }

    /// What to do next: mend the first thing that is wrong, or else begin.
    fn next(&self) -> &str {
        let first = |state| self.checks.iter().filter(move |check| check.state == state);
        let bad = first(State::Bad).find_map(|check| check.next.as_deref());
        let note = || first(State::Note).find_map(|check| check.next.as_deref());
        bad.or_else(note)
            .unwrap_or("run `inference-relay ask \"Say hello.\"`")
    }

    pub(super) fn machine(&self) -> Value {
        let install = |install: &Install| {
            json!({
                "path": install.path.display().to_string(), "chosen": install.chosen,
                "version": install.version.as_ref().ok(), "problem": install.version.as_ref().err(),
            })
        };
        json!({
            "ok": self.is_well(),
            "installs": self.installs.iter().map(install).collect::<Vec<_>>(),
            "checks": self.checks.iter().map(Check::machine).collect::<Vec<_>>(),
            "next": self.next(),
        })
    }

    pub(super) fn plain(&self, colours: bool) -> String {
        let mut text = String::new();
        for check in &self.checks {
            text.push_str(&format!(
                "{} {:14} {}\n",
                check.state.mark(colours),
                check.name,
                out::tame(&check.text)
            ));
            if check.name == "claude" {
                text.extend(self.installs.iter().map(Install::line));
            }
            if let (State::NotChecked, Some(next)) = (check.state, &check.next) {
                text.push_str(&format!("{:27} to check: {next}\n", ""));
            }
        }
        text.push_str(&format!("\nnext: {}\n", self.next()));
        text
    }
}

impl Install {
    fn line(&self) -> String {
        let version = match &self.version {
            Ok(version) => version.clone(),
            Err(problem) => format!("({problem})"),
        };
        let chosen = if self.chosen {
            "  ← sessions run this one"
        } else {
            ""
        };
        format!("{:27} {}  {version}{chosen}\n", "", self.path.display())
    }
}

impl Check {
    pub(super) fn new(name: &'static str, state: State, text: impl Into<String>) -> Self {
        Self {
            name,
            state,
            text: text.into(),
            next: None,
        }
    }

    pub(super) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// The same, with a better step where something is wrong.
    pub(super) fn or_rather(self, better: Option<&str>) -> Self {
        match better {
            Some(better) if self.state == State::Bad => self.next(better),
            Some(_) | None => self,
        }
    }

    pub(super) fn machine(&self) -> Value {
        json!({ "name": self.name, "state": self.state.word(), "text": self.text, "next": self.next })
    }
}

impl State {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Note => "note",
            Self::Bad => "problem",
            Self::NotChecked => "not checked",
        }
    }

    fn mark(self, colours: bool) -> String {
        self.painted(&format!("{:11}", self.word()), colours)
    }

    pub(super) fn painted(self, word: &str, colours: bool) -> String {
        let colour = match self {
            Self::Good => "32",
            Self::Note => "33",
            Self::Bad => "31",
            Self::NotChecked => "2",
        };
        if colours {
            format!("\x1b[{colour}m{word}\x1b[0m")
        } else {
            word.to_owned()
        }
    }
}
