//! When no session is warmed though one is missing: after launches that failed, and while a call begins. `[pure]`

use std::time::Duration;
use std::time::Instant;

/// Pauses of the warming.
#[derive(Debug, Default)]
pub(super) struct Pause {
    /// Launches that failed in a row, and until when there is rest because of it.
    failures: u32,
    rest_until: Option<Instant>,
    /// Until when a call that has just begun should have the processor to itself.
    quiet_until: Option<Instant>,
}

impl Pause {
    /// A launch failed: the next one has to wait, and longer each time.
    pub(super) fn handle_failure(&mut self, now: Instant) {
        let rest = REST_FIRST.saturating_mul(1 << self.failures.min(REST_DOUBLINGS_MAX));
        self.failures += 1;
        self.rest_until = Some(now + rest);
    }

    /// A session came up.
    pub(super) fn handle_success(&mut self) {
        self.failures = 0;
        self.rest_until = None;
    }

    /// A call begins.
    pub(super) fn keep_quiet(&mut self, now: Instant) {
        self.quiet_until.get_or_insert(now + QUIET);
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.rest_until = self.rest_until.filter(|until| *until > now);
        self.quiet_until = self.quiet_until.filter(|until| *until > now);
    }

    /// When to call [`Pause::handle_timeout`].
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.rest_until.into_iter().chain(self.quiet_until).min()
    }

    pub(super) fn is_on(&self, now: Instant) -> bool {
        self.rest_until.is_some() || self.quiet_until.is_some_and(|until| until > now)
    }

    /// Whether the last launch failed.
    pub(super) fn follows_failure(&self) -> bool {
        self.failures > 0
    }
}

/// How long a call's own beginning takes: its delivery and the request.
pub(super) const QUIET: Duration = Duration::from_millis(250);
/// Rest after a launch that failed; doubled at each further one.
const REST_FIRST: Duration = Duration::from_secs(1);
/// At most 64 seconds.
const REST_DOUBLINGS_MAX: u32 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rest_grows_with_each_failure_up_to_a_bound_and_ends_with_a_success() {
        let now = crate::clock::now();
        let mut pause = Pause::default();
        for seconds in [1, 2, 4, 8, 16, 32, 64, 64] {
            pause.handle_failure(now);
            assert_eq!(
                pause.poll_timeout(),
                Some(now + Duration::from_secs(seconds))
            );
        }
        pause.handle_success();
        assert!(!pause.is_on(now) && !pause.follows_failure());
    }

    #[test]
    fn a_quiet_that_has_begun_is_not_made_longer() {
        let now = crate::clock::now();
        let mut pause = Pause::default();
        pause.keep_quiet(now);
        pause.keep_quiet(now + QUIET / 2);
        assert!(pause.is_on(now));
        pause.handle_timeout(now + QUIET);
        assert!(!pause.is_on(now + QUIET));
    }
}
