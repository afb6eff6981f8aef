//! The windows of a plan, as the upstream's headers tell them. `[pure]`

use serde_json::Value;
use std::time::Duration;

/// What is known of a plan's windows.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Limits {
    pub(crate) primary: Option<Window>,
    pub(crate) secondary: Option<Window>,
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

    /// How long until a window that is used up begins anew.
    pub(super) fn resets_in(&self, now: u64) -> Option<Duration> {
        let windows = [self.primary, self.secondary].into_iter().flatten();
        let used_up = windows.filter(|window| window.used_percent >= 100.0);
        let waits = used_up.filter_map(|window| window.resets_at?.checked_sub(now));
        waits.max().map(Duration::from_secs)
    }
}

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
}
