//! How often a password may be tried: by account and by address, with waits that grow. `[pure]`
//!
//! Whoever sits at the machine shares its address with all its programs, and with a proxy that nobody listed. So tries
//! from there wait for their account alone: otherwise wrong tries with made-up names would keep everybody out. Whether
//! there is such an account plays no part in anything here.

use core::net::IpAddr;
use std::collections::HashMap;

/// Failures by account, and by address.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    users: Counts,
    addresses: Counts,
}

/// Failures by name; at most [`NAMES_MAX`].
#[derive(Debug, Default)]
struct Counts(HashMap<String, Failures>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
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
        let of_user = self.users.wait(&account(user), now_ms);
        let of_address = match is_local(address) {
            true => 0,
            false => self.addresses.wait(&network(address), now_ms),
        };
        match of_user.max(of_address) {
            0 => Ok(()),
            wait => Err(wait),
        }
    }

    fn failed(&mut self, user: &str, address: &str, now_ms: u64) {
        self.users.failed(account(user), now_ms);
        self.addresses.failed(network(address), now_ms);
    }

    pub(super) fn succeeded(&mut self, user: &str, address: &str) {
        self.users.0.remove(&account(user));
        self.addresses.0.remove(&network(address));
    }
}

impl Counts {
    fn wait(&self, name: &str, now_ms: u64) -> u64 {
        let failures = self.0.get(name).copied().unwrap_or_default();
        (failures.last_ms + pause(failures.count)).saturating_sub(now_ms)
    }

    fn failed(&mut self, name: String, now_ms: u64) {
        if self.0.len() >= NAMES_MAX && !self.0.contains_key(&name) {
            self.make_room();
        }
        let failures = self.0.entry(name).or_default();
        if now_ms.saturating_sub(failures.last_ms) >= FORGOTTEN_MS {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last_ms = now_ms;
    }

    /// Forgets the one that failed the fewest times, the longest ago: names that somebody makes up push out one another,
    /// and no account that is tried again and again.
    fn make_room(&mut self) {
        let least = self.0.iter().min_by_key(|(_, failures)| **failures);
        if let Some(name) = least.map(|(name, _)| name.clone()) {
            self.0.remove(&name);
        }
    }
}

/// As many characters of a name as tell accounts apart.
fn account(user: &str) -> String {
    user.chars().take(64).collect()
}

/// What one sender has: an address, or with IPv6 the network of a site, which has more addresses than can be counted.
fn network(address: &str) -> String {
    match address
        .parse::<IpAddr>()
        .map(|address| address.to_canonical())
    {
        Ok(IpAddr::V6(six)) => {
            let [a, b, c, d, ..] = six.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(IpAddr::V4(four)) => four.to_string(),
        Err(_) => address.to_owned(),
    }
}

/// This machine's own, or its socket file.
fn is_local(address: &str) -> bool {
    address
        .parse::<IpAddr>()
        .map_or(address == "socket", |address| {
            address.to_canonical().is_loopback()
        })
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
/// Accounts that are counted at once, and as many addresses.
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

    #[test]
    fn made_up_names_from_this_machine_keep_nobody_out_and_wear_out_no_count() {
        let mut throttle = Throttle::default();
        for local in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "socket"] {
            for number in 0..16 {
                assert_eq!(
                    throttle.try_once(&format!("made-up-{number}"), local, 0),
                    Ok(())
                );
            }
            throttle.users = Counts::default();
            assert_eq!(throttle.try_once("ada", local, 0), Ok(()), "{local}");
            // The account itself still waits.
            let tries = (0..16).map(|_| throttle.try_once("eve", local, 0));
            assert_eq!(tries.filter(Result::is_ok).count(), FREE_TRIES as usize);
        }
        for number in 0..NAMES_MAX + 100 {
            throttle.failed(&format!("flood-{number}"), "127.0.0.1", 1);
        }
        assert!(throttle.users.0.len() <= NAMES_MAX);
        assert!(throttle.try_once("eve", "127.0.0.1", 1).is_err());
    }

    #[test]
    fn addresses_of_one_ipv6_site_are_one_sender() {
        let mut throttle = Throttle::default();
        let tries = (0..16).map(|number| {
            let (user, address) = (format!("u{number}"), format!("2001:db8:0:7::{number:x}"));
            throttle.try_once(&user, &address, 0)
        });
        assert_eq!(tries.filter(Result::is_ok).count(), FREE_TRIES as usize);
        assert_eq!(throttle.try_once("ada", "2001:db8:0:8::1", 0), Ok(()));
    }
}
