//! What a Codex CLI is put through: cases as data, read from `cases.toml`. `[pure]`

use serde::Deserialize;
use serde_json::Value;

/// One call, by the name that is also its prompt.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// Why this case exists; for readers of the list.
    why: String,
    #[serde(rename = "step")]
    pub(super) steps: Vec<Step>,
}

/// A part of what the API answers.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Step {
    pub(super) think: Option<String>,
    pub(super) say: Option<String>,
    /// Characters of a piece.
    pub(super) chunk: Option<usize>,
    pub(super) call: Vec<ToolUse>,
    /// `max_tokens`, `content_filter` or `refusal`.
    pub(super) stop: Option<String>,
    /// The request is refused.
    pub(super) fail: Option<Fail>,
    /// The answer fails in its stream.
    pub(super) failed: Option<Fail>,
    /// The stream fails.
    pub(super) error: Option<Fail>,
    /// The connection breaks before the answer is whole.
    pub(super) cut: bool,
    /// The stream ends before the answer is whole.
    pub(super) close: bool,
    /// The model that answers in place of the one that was asked.
    pub(super) reroute: Option<String>,
    pub(super) limit: Option<Limit>,
    /// Nobody is there.
    pub(super) unreachable: bool,
}

/// A tool that the model uses.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToolUse {
    pub(super) tool: String,
    #[serde(default)]
    pub(super) input: Value,
    /// As the model wrote them, in place of an input.
    #[serde(default)]
    pub(super) arguments: Option<String>,
}

/// A failure of the API.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Fail {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
    /// Whether the plan's window is told, too.
    pub(super) resets_in: Option<u64>,
    /// Seconds that the answer tells to wait.
    pub(super) retry_after: Option<u64>,
}

/// How much of the plan's window is used; when it ends is the recorder's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limit {
    pub(super) used: u64,
    pub(super) minutes: u64,
    #[serde(rename = "resets_in")]
    _resets_in: u64,
}

impl Limit {
    /// A window that is used up.
    pub(super) const FULL: Limit = Limit {
        used: 100,
        minutes: 300,
        _resets_in: 0,
    };
}

impl Case {
    /// Whether nobody is there to be asked.
    pub(super) fn is_unreachable(&self) -> bool {
        self.steps.iter().any(|step| step.unreachable)
    }
}

/// Every case, in the order in which it is played.
pub(crate) fn cases() -> Vec<Case> {
    #[derive(Deserialize)]
    struct List {
        case: Vec<Case>,
    }
    let list: List = toml::from_str(CASES).expect("cases.toml must be a list of cases");
    list.case
}

const CASES: &str = include_str!("cases.toml");

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_case_has_a_name_of_its_own_and_a_step() {
        let cases = cases();
        let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), cases.len());
        assert!(cases.iter().all(|case| !case.steps.is_empty()));
    }
}
