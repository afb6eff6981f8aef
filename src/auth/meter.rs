//! Budgets: how many calls a minute, and how many at once. `[pure]`
//!
//! The arithmetic of the bucket is that of the limits. Its table is bounded, and `now` is an argument.

use super::table::Table;
use crate::limits::Bucket;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

/// What one caller may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// Calls a minute over time; `None`: as many as come.
    pub(crate) per_minute: Option<NonZeroU32>,
    /// Calls that may come at once after a silence.
    pub(crate) burst: NonZeroU32,
    /// Calls that are being answered at the same time.
    pub(crate) concurrent_max: usize,
}

/// The budgets of all callers of one kind.
pub(super) struct Meter<K> {
    budget: Budget,
    began: Instant,
    accounts: Table<K, Account>,
}

/// A call that counts as being answered for as long as this is held.
#[derive(Debug)]
pub(super) struct Slot {
    _open: Arc<()>,
}

/// Which budget is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    Rate { wait: Duration },
    Concurrent { max: usize },
}

#[derive(Default)]
struct Account {
    bucket: Bucket,
    /// As many holders as calls are open, and this one.
    open: Arc<()>,
}

impl<K: Ord + Clone> Meter<K> {
    pub(super) fn new(budget: Budget, accounts_max: usize, began: Instant) -> Meter<K> {
        Meter {
            budget,
            began,
            accounts: Table::new(accounts_max),
        }
    }

    /// Takes a call in, or says what is used up. A call that finds no place takes nothing from the rate.
    pub(super) fn enter(&mut self, caller: &K, now: Instant) -> Result<Slot, Over> {
        let budget = self.budget;
        let account = self.accounts.row(caller, now, Account::default);
        if Arc::strong_count(&account.open) > budget.concurrent_max {
            return Err(Over::Concurrent {
                max: budget.concurrent_max,
            });
        }
        if let Some(per_minute) = budget.per_minute {
            let passed = now.duration_since(self.began).as_nanos();
            let passed = u64::try_from(passed).unwrap_or(u64::MAX);
            let (limit, burst) = (per_minute.get().into(), budget.burst.get().into());
            let taken = account.bucket.take_one(limit, burst, passed);
            taken.map_err(|wait| Over::Rate { wait })?;
        }
        Ok(Slot {
            _open: Arc::clone(&account.open),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn meter(per_minute: u32, burst: u32, concurrent_max: usize) -> (Meter<u8>, Instant) {
        let budget = Budget {
            per_minute: NonZeroU32::new(per_minute),
            burst: NonZeroU32::new(burst).expect("a burst"),
            concurrent_max,
        };
        let began = clock::now();
        (Meter::new(budget, 8, began), began)
    }

    #[test]
    fn a_burst_is_taken_and_then_calls_drip() {
        let (mut meter, began) = meter(60, 3, 99);
        for _ in 0..3 {
            assert!(meter.enter(&1, began).is_ok());
        }
        let wait = Duration::from_secs(1);
        assert_eq!(meter.enter(&1, began).err(), Some(Over::Rate { wait }));
        assert!(meter.enter(&2, began).is_ok(), "others have their own");
        assert!(meter.enter(&1, began + wait).is_ok());
        assert!(meter.enter(&1, began + wait).is_err());
        let later = began + Duration::from_secs(60);
        let taken = (0..9).filter(|_| meter.enter(&1, later).is_ok()).count();
        assert_eq!(taken, 3, "a silence fills the burst and no more");
    }

    #[test]
    fn a_place_is_free_again_when_its_call_is_over() {
        let (mut meter, now) = meter(0, 1, 2);
        let first = meter.enter(&1, now).expect("a place");
        let _second = meter.enter(&1, now).expect("a place");
        assert_eq!(
            meter.enter(&1, now).err(),
            Some(Over::Concurrent { max: 2 })
        );
        drop(first);
        assert!(meter.enter(&1, now).is_ok());
    }
}
