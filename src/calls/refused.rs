//! Requests that failed before they were calls: the last ones, for whoever asks why. `[pure]`

use serde::Serialize;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::Arc;

/// A request of which no call was made: its key was refused, or it was none that the relay understands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct RefusedRequest {
    /// Its `request-id`.
    pub(crate) id: String,
    /// When it came, in RFC 3339.
    pub(crate) at: String,
    /// The method and the route's pattern, never the path itself.
    pub(crate) route: String,
    pub(crate) status: u16,
    /// The code of the error contract.
    pub(crate) code: &'static str,
    /// What the log says of it, such as the id of the key; empty: nothing more.
    pub(crate) cause: String,
}

/// The last of them. Whoever floods the relay with refused requests pushes out those of others, and no call.
#[derive(Debug, Default)]
pub(super) struct RefusedRequests(VecDeque<Arc<RefusedRequest>>);

impl RefusedRequests {
    pub(super) fn push(&mut self, refused: RefusedRequest) {
        if self.0.len() >= REFUSED_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Arc::new(refused));
    }

    /// The newest first.
    pub(super) fn newest(&self) -> Vec<Arc<RefusedRequest>> {
        self.0.iter().rev().map(Arc::clone).collect()
    }
}

impl RefusedRequest {
    pub(crate) fn json(&self) -> Value {
        serde_json::to_value(self).expect("texts and numbers must be JSON")
    }
}

/// Refused requests that are kept: what a person reads, and some hundred bytes each.
const REFUSED_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_refused_requests_are_kept_and_the_oldest_go() {
        let mut kept = RefusedRequests::default();
        for number in 0..REFUSED_MAX + 2 {
            kept.push(RefusedRequest {
                id: number.to_string(),
                ..RefusedRequest::default()
            });
        }
        let newest = kept.newest();
        assert_eq!(newest.len(), REFUSED_MAX);
        assert_eq!(newest[0].id, (REFUSED_MAX + 1).to_string());
        assert_eq!(newest[REFUSED_MAX - 1].id, "2");
    }
}
