//! The windows of a plan, as the upstream's headers tell them. `[pure]`

use serde_json::Value;
use std::time::Duration;

/// What is known of a plan's windows.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Limits {
    pub(crate) primary: Option<Window>,
    pub(crate) secondary: Option<Window>,
    /// The last request that was refused for its rate.
    refused: Option<RefusedAt>,
}

/// When a request was refused, and for how long others would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RefusedAt {
    wait: Duration,
    /// Seconds since 1970.
    at: u64,
}

/// One window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Window {
    pub(crate) used_percent: f64,
    /// Seconds since 1970.
    pub(crate) resets_at: Option<u64>,
}

impl Limits {
    /// Takes what the CLI tells. A window that it does not tell stays as it is known.
    pub(super) fn take(&mut self, told: &Value) {
        let window = |name: &str| {
            let window = &told["rateLimits"][name];
            Some(Window {
                used_percent: window["usedPercent"].as_f64()?,
                resets_at: window["resetsAt"].as_u64(),
            })
        };
        self.primary = window("primary").or(self.primary);
        self.secondary = window("secondary").or(self.secondary);
    }

    /// Takes that a request was refused now, and how long the provider wants to be left alone.
    pub(super) fn refuse(&mut self, wait: Option<Duration>, now: u64) {
        self.refused = wait.map(|wait| RefusedAt { wait, at: now });
    }

    /// How long the provider wants to be left alone, as it said a moment ago.
    pub(super) fn wait(&self, now: u64) -> Option<Duration> {
        let refused = self.refused?;
        let is_of_now = now.saturating_sub(refused.at) <= MOMENT_SECONDS;
        is_of_now.then_some(refused.wait)
    }

    /// How long until a window that is used up begins anew.
    pub(super) fn resets_in(&self, now: u64) -> Option<Duration> {
        let windows = [self.primary, self.secondary].into_iter().flatten();
        let used_up = windows.filter(|window| window.used_percent >= 100.0);
        let waits = used_up.filter_map(|window| window.resets_at?.checked_sub(now));
        waits.max().map(Duration::from_secs)
    }
}

/// Between a refused request and the end of its turn, which come within milliseconds of each other.
const MOMENT_SECONDS: u64 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_window_that_is_not_told_stays_known() {
        let mut limits = Limits::default();
        limits.take(&json!({"rateLimits": {"primary": {"usedPercent": 100, "resetsAt": 90}}}));
        limits.take(&json!({"rateLimits": {"primary": null, "secondary": {"usedPercent": 5}}}));
        assert_eq!(limits.resets_in(30), Some(Duration::from_secs(60)));
        assert_eq!(limits.resets_in(91), None);
    }

    #[test]
    fn a_wait_is_of_the_request_that_was_refused_last() {
        let mut limits = Limits::default();
        limits.refuse(Some(Duration::from_secs(7)), 100);
        assert_eq!(limits.wait(101), Some(Duration::from_secs(7)));
        assert_eq!(limits.wait(110), None);
        limits.refuse(None, 111);
        assert_eq!(limits.wait(111), None);
    }
}
