//! The block after bad keys: an address that sends them again and again is told to wait. `[pure]`
//!
//! It guards no secret, for nobody guesses 256 bits; it keeps a program with a stale key, or a scanner, from filling
//! the log and the processor. So a good key passes it, and to try again within a block does not lengthen it.

use super::address::Address;
use super::table::Table;
use std::time::Duration;
use std::time::Instant;

/// When an address is blocked, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockRule {
    /// Bad keys within the window; the next one is blocked.
    pub(crate) tries_max: u32,
    pub(crate) window: Duration,
    pub(crate) span: Duration,
}

/// The addresses that sent bad keys of late.
#[derive(Debug)]
pub(super) struct Blocks {
    rule: BlockRule,
    tries: Table<Address, Tries>,
}

#[derive(Debug)]
enum Tries {
    Counted { since: Instant, count: u32 },
    Blocked { until: Instant },
}

impl Blocks {
    pub(super) fn new(rule: BlockRule, addresses_max: usize) -> Blocks {
        Blocks {
            rule,
            tries: Table::new(addresses_max),
        }
    }

    /// Takes note of a bad key. Says how long the address has to wait where it is blocked already.
    pub(super) fn bad_key(&mut self, address: Address, now: Instant) -> Option<Duration> {
        if let Some(wait) = self.wait(address, now) {
            return Some(wait);
        }
        let fresh = || Tries::Counted {
            since: now,
            count: 0,
        };
        let tries = self.tries.row(&address, now, fresh);
        let (since, count) = match tries {
            Tries::Counted { since, count } if now < *since + self.rule.window => {
                (*since, *count + 1)
            }
            Tries::Counted { .. } | Tries::Blocked { .. } => (now, 1),
        };
        *tries = if count >= self.rule.tries_max {
            let until = now + self.rule.span;
            Tries::Blocked { until }
        } else {
            Tries::Counted { since, count }
        };
        None
    }

    fn wait(&mut self, address: Address, now: Instant) -> Option<Duration> {
        match self.tries.find(&address) {
            Some(Tries::Blocked { until }) if now < *until => Some(*until - now),
            Some(Tries::Blocked { .. }) => {
                self.tries.remove(&address);
                None
            }
            Some(Tries::Counted { .. }) | None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use core::net::IpAddr;

    const RULE: BlockRule = BlockRule {
        tries_max: 3,
        window: Duration::from_secs(60),
        span: Duration::from_secs(300),
    };

    fn address(last: u8) -> Address {
        Address::Network(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn an_address_is_blocked_after_its_bad_keys_and_free_again_after_the_span() {
        let began = clock::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut blocks = Blocks::new(RULE, 9);
        for second in 0..3 {
            assert_eq!(blocks.bad_key(address(1), at(second)), None);
        }
        let left = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(blocks.bad_key(address(1), at(10)), left(292));
        assert_eq!(blocks.bad_key(address(1), at(301)), left(1)); // Trying does not lengthen it.
        assert_eq!(blocks.bad_key(address(2), at(301)), None);
        for second in 302..305 {
            assert_eq!(blocks.bad_key(address(1), at(second)), None);
        }
        assert!(blocks.bad_key(address(1), at(305)).is_some());
    }

    #[test]
    fn bad_keys_that_are_far_apart_block_nobody() {
        let began = clock::now();
        let mut blocks = Blocks::new(RULE, 9);
        for minute in 0..50 {
            let now = began + Duration::from_secs(31 * minute);
            assert_eq!(blocks.bad_key(address(1), now), None);
        }
    }
}
