//! The minute's counts as they outlive a process: told now and then, and taken up by the next one. `[pure]`
//!
//! What is told is how long each bucket still takes to be full; what passes until it is taken up is refilling like any
//! other time. A process that is killed loses what it took since it last told: less than a window.

use super::ask::SubjectKind;
use serde::Deserialize;
use serde::Serialize;

/// How two buckets of one subject stand. Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WindowCount {
    pub(super) kind: SubjectKind,
    pub(super) id: String,
    /// Until the bucket of requests is full.
    pub(super) requests_ms: u64,
    pub(super) tokens_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct Form {
    at_ms: u64,
    /// Kind, id, requests, tokens.
    rows: Vec<(char, String, u64, u64)>,
}

/// As a text.
pub(super) fn write(counts: &[WindowCount], at_ms: u64) -> String {
    let row = |count: &WindowCount| {
        let kind = count.kind.letter();
        (kind, count.id.clone(), count.requests_ms, count.tokens_ms)
    };
    let rows = counts.iter().map(row).collect();
    serde_json::to_string(&Form { at_ms, rows })
        .expect("texts and numbers must have a form in JSON")
}

/// What is left of them by now; nothing of a text that is none.
pub(super) fn read(text: &str, now_ms: u64) -> Vec<WindowCount> {
    let Ok(form) = serde_json::from_str::<Form>(text) else {
        return Vec::new();
    };
    let passed = now_ms.saturating_sub(form.at_ms);
    let left = |ms: u64| ms.saturating_sub(passed).min(LEFT_MAX_MS);
    let count = |(kind, id, requests, tokens): (char, String, u64, u64)| {
        Some(WindowCount {
            kind: SubjectKind::of_letter(&kind.to_string())?,
            id,
            requests_ms: left(requests),
            tokens_ms: left(tokens),
        })
    };
    let counts = form.rows.into_iter().filter_map(count);
    counts
        .filter(|count| count.requests_ms + count.tokens_ms > 0)
        .collect()
}

/// A debt that is longer is no minute's: a clock that was set, or a text that somebody wrote.
const LEFT_MAX_MS: u64 = 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_passes_between_two_processes_refills() {
        let count = WindowCount {
            kind: SubjectKind::Policy,
            id: "team".to_owned(),
            requests_ms: 30_000,
            tokens_ms: 5_000,
        };
        let text = write(std::slice::from_ref(&count), 1_000);
        assert_eq!(read(&text, 1_000), std::slice::from_ref(&count));
        let later = WindowCount {
            requests_ms: 20_000,
            tokens_ms: 0,
            ..count
        };
        assert_eq!(read(&text, 11_000), [later]);
        assert!(read(&text, 40_000).is_empty() && read("no text", 0).is_empty());
    }
}
