//! How often a password may be tried: by account and by address, with waits that grow. `[pure]`

use std::collections::HashMap;

/// Failures by what they are counted by.
#[derive(Debug, Default)]
pub(super) struct Throttle(HashMap<String, Failures>);

#[derive(Debug, Clone, Copy, Default)]
struct Failures {
    count: u32,
    /// Milliseconds since 1970.
    last_ms: u64,
}

impl Throttle {
    /// Admits a try, and counts it as a failure until it succeeds.
    ///
    /// # Errors
    /// Milliseconds to wait.
    pub(super) fn try_once(&mut self, user: &str, address: &str, now_ms: u64) -> Result<(), u64> {
        self.admit(user, address, now_ms)?;
        self.failed(user, address, now_ms);
        Ok(())
    }

    fn admit(&self, user: &str, address: &str, now_ms: u64) -> Result<(), u64> {
        let wait = |name: &String| {
            let failures = self.0.get(name).copied().unwrap_or_default();
            (failures.last_ms + pause(failures.count)).saturating_sub(now_ms)
        };
        match names(user, address).iter().map(wait).max() {
            None | Some(0) => Ok(()),
            Some(wait) => Err(wait),
        }
    }

    fn failed(&mut self, user: &str, address: &str, now_ms: u64) {
        if self.0.len() >= NAMES_MAX {
            self.0
                .retain(|_, failures| now_ms.saturating_sub(failures.last_ms) < FORGOTTEN_MS);
        }
        if self.0.len() >= NAMES_MAX {
            self.0.clear();
        }
        for name in names(user, address) {
            let failures = self.0.entry(name).or_default();
            if now_ms.saturating_sub(failures.last_ms) >= FORGOTTEN_MS {
                failures.count = 0;
            }
            failures.count = failures.count.saturating_add(1);
            failures.last_ms = now_ms;
        }
    }

    pub(super) fn succeeded(&mut self, user: &str, address: &str) {
        for name in names(user, address) {
            self.0.remove(&name);
        }
    }
}

fn names(user: &str, address: &str) -> [String; 2] {
    let user: String = user.chars().take(64).collect();
    [format!("user {user}"), format!("address {address}")]
}

/// Milliseconds after so many failures.
fn pause(count: u32) -> u64 {
    match count.checked_sub(FREE_TRIES) {
        None => 0,
        Some(more) => (1000_u64 << more.min(16)).min(PAUSE_MS_MAX),
    }
}

/// Tries that cost nothing: people mistype.
const FREE_TRIES: u32 = 5;
/// The longest wait in milliseconds; whoever knows the password can wait as long.
const PAUSE_MS_MAX: u64 = 5 * 60_000;
/// After this many milliseconds without a failure, they are forgotten.
const FORGOTTEN_MS: u64 = 60 * 60_000;
/// Names that are counted at once.
const NAMES_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_some_failures_each_try_waits_longer_by_account_and_by_address() {
        let mut throttle = Throttle::default();
        for _ in 0..FREE_TRIES {
            assert_eq!(throttle.admit("ada", "10.0.0.1", 0), Ok(()));
            throttle.failed("ada", "10.0.0.1", 0);
        }
        assert_eq!(throttle.admit("ada", "10.0.0.2", 0), Err(1000));
        assert_eq!(throttle.admit("bob", "10.0.0.1", 0), Err(1000));
        assert_eq!(throttle.admit("bob", "10.0.0.2", 0), Ok(()));
        assert_eq!(throttle.admit("ada", "10.0.0.1", 1000), Ok(()));
        throttle.failed("ada", "10.0.0.1", 1000);
        assert_eq!(throttle.admit("ada", "10.0.0.1", 1000), Err(2000));
        throttle.succeeded("ada", "10.0.0.1");
        assert_eq!(throttle.admit("ada", "10.0.0.1", 1000), Ok(()));
        assert_eq!(pause(u32::MAX), PAUSE_MS_MAX);
        // Nobody waits for how a try ends.
        let tries = (0..48).map(|_| throttle.try_once("eve", "10.0.0.3", 1000));
        assert_eq!(tries.filter(Result::is_ok).count(), FREE_TRIES as usize);
    }
}
