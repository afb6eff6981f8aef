//! So many a minute, as a bucket that is refilled all the time; one number, changed without a lock. `[pure]`
//!
//! A bucket of N a minute holds N and gets N back in a minute, evenly, as the providers' own limits do. It is kept as the
//! moment at which it would be full again: taking moves that moment on, and time itself is the refilling. What was taken
//! by an estimate is corrected by moving it once more.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The bucket. Times are nanoseconds since its keeper began.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    full_at: AtomicU64,
}

/// How a bucket stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    /// Until it is full again.
    pub(crate) reset: Duration,
}

impl Bucket {
    /// Takes an amount, or says how long to wait until it is there. More than the whole bucket is taken from a full one; who
    /// comes after waits the debt off.
    pub(super) fn take(&self, amount: u64, limit: u64, now: u64) -> Result<(), Duration> {
        self.take_unless(span(amount, limit), now, |missing| {
            late(missing, amount, limit)
        })
    }

    /// Takes one from a bucket that holds `burst` instead of a minute's worth, or says how long to wait until it is there.
    pub(crate) fn take_one(&self, limit: u64, burst: u64, now: u64) -> Result<(), Duration> {
        let one = span(1, limit);
        let whole = one.saturating_mul(burst);
        self.take_unless(one, now, |missing| {
            missing.saturating_add(one).saturating_sub(whole)
        })
    }

    /// Takes what comes back in `span` nanoseconds, unless there is a wait for a bucket that is full in so many.
    fn take_unless(&self, span: u64, now: u64, wait: impl Fn(u64) -> u64) -> Result<(), Duration> {
        let mut late = 0;
        let taken = self
            .full_at
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |full_at| {
                let full_at = full_at.max(now);
                late = wait(full_at - now);
                (late == 0).then(|| full_at.saturating_add(span))
            });
        taken.map(|_| ()).map_err(|_| Duration::from_nanos(late))
    }

    /// Gives back what was taken too much, or takes what was taken too little; there is no refusing any more.
    pub(super) fn correct(&self, taken: u64, used: u64, limit: u64) {
        let (taken, used) = (span(taken, limit), span(used, limit));
        let corrected = self
            .full_at
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |full_at| {
                Some(full_at.saturating_add(used).saturating_sub(taken))
            });
        corrected.expect("the change is never refused, so it must be made");
    }

    /// Nanoseconds until it is full.
    pub(super) fn missing(&self, now: u64) -> u64 {
        self.full_at.load(Ordering::Acquire).saturating_sub(now)
    }

    /// Takes up what a process before took: it is full no sooner than then.
    pub(super) fn recall(&self, missing: u64, now: u64) {
        self.full_at
            .fetch_max(now.saturating_add(missing), Ordering::AcqRel);
    }

    pub(super) fn reading(&self, limit: u64, now: u64) -> Level {
        Level::of(limit, self.missing(now))
    }
}

impl Level {
    /// How a bucket of this limit stands that is full in so many nanoseconds.
    pub(super) fn of(limit: u64, missing: u64) -> Level {
        let there =
            u128::from(MINUTE.saturating_sub(missing)) * u128::from(limit) / u128::from(MINUTE);
        Level {
            limit,
            remaining: u64::try_from(there).unwrap_or(u64::MAX),
            reset: Duration::from_nanos(missing),
        }
    }

    /// How long until an amount is there; nothing where it is.
    pub(super) fn wait(&self, amount: u64) -> Duration {
        let missing = u64::try_from(self.reset.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(late(missing, amount, self.limit))
    }
}

/// Nanoseconds until an amount is there, of a bucket that is full in so many; of more than the whole until it is full.
fn late(missing: u64, amount: u64, limit: u64) -> u64 {
    let need = span(amount.min(limit), limit);
    missing.saturating_add(need).saturating_sub(MINUTE)
}

/// How long an amount takes to come back.
fn span(amount: u64, limit: u64) -> u64 {
    let nanos = u128::from(amount) * u128::from(MINUTE) / u128::from(limit.max(1));
    u64::try_from(nanos).unwrap_or(u64::MAX / 4)
}

/// Nanoseconds.
const MINUTE: u64 = 60_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_bucket_gives_its_limit_at_once_and_then_as_it_is_refilled() {
        let bucket = Bucket::default();
        for _ in 0..60 {
            bucket.take(1, 60, 0).expect("it is there");
        }
        assert_eq!(bucket.take(1, 60, 0), Err(Duration::from_secs(1)));
        assert_eq!(
            bucket.take(1, 60, SECOND / 4),
            Err(Duration::from_millis(750))
        );
        assert_eq!(bucket.take(1, 60, SECOND), Ok(()));
        assert_eq!(bucket.reading(60, SECOND).remaining, 0);
        assert_eq!(bucket.reading(60, 31 * SECOND).remaining, 30);
        assert_eq!(
            bucket.reading(60, 31 * SECOND).reset,
            Duration::from_secs(30)
        );
    }

    #[test]
    fn a_bucket_of_a_burst_holds_the_burst_and_drips_at_its_limit() {
        let bucket = Bucket::default();
        for burst in [3, 5] {
            let full = bucket.missing(0) + 120 * SECOND;
            for _ in 0..burst {
                bucket.take_one(60, burst, full).expect("it is there");
            }
            let wait = Duration::from_secs(1);
            assert_eq!(bucket.take_one(60, burst, full), Err(wait));
            assert_eq!(bucket.take_one(60, burst, full + SECOND), Ok(()));
            assert_eq!(bucket.take_one(60, burst, full + SECOND), Err(wait));
        }
    }

    #[test]
    fn an_estimate_is_corrected_in_both_directions() {
        let bucket = Bucket::default();
        bucket.take(500, 1000, 0).expect("it is there");
        bucket.correct(500, 100, 1000);
        assert_eq!(bucket.reading(1000, 0).remaining, 900);
        bucket.correct(0, 1400, 1000);
        assert_eq!(bucket.reading(1000, 0).remaining, 0);
        assert_eq!(bucket.take(1, 1000, 0), Err(Duration::from_millis(30_060)));
    }

    #[test]
    fn more_than_the_whole_is_taken_from_a_full_one_and_waited_off() {
        let bucket = Bucket::default();
        assert_eq!(bucket.take(3000, 1000, 0), Ok(()));
        assert_eq!(bucket.take(1000, 1000, 0), Err(Duration::from_secs(180)));
        assert_eq!(bucket.take(5000, 1000, 0), Err(Duration::from_secs(180)));
    }

    proptest! {
        #[test]
        fn in_any_minute_no_more_goes_out_than_a_full_bucket_and_a_minutes_refill(
            limit in 1..100u64,
            steps in proptest::collection::vec((0..20u64, 1..10u64), 1..200),
        ) {
            let bucket = Bucket::default();
            let (mut now, mut taken) = (0, Vec::new());
            for (step, amount) in steps {
                now += step * SECOND;
                if bucket.take(amount, limit, now).is_ok() {
                    taken.push((now, amount));
                }
                let recent: u64 = taken.iter().filter(|(at, _)| at + MINUTE > now).map(|(_, amount)| amount).sum();
                prop_assert!(recent <= 2 * limit + 10, "{recent} of {limit}");
            }
        }

        #[test]
        fn after_the_wait_that_it_names_it_gives(limit in 1..1000u64, amount in 1..1000u64, before in 0..1000u64) {
            let bucket = Bucket::default();
            let _ = bucket.take(before, limit, 0);
            if let Err(wait) = bucket.take(amount, limit, 0) {
                let later = u64::try_from(wait.as_nanos()).expect("it is small");
                prop_assert!(bucket.take(amount, limit, later - 1).is_err());
                prop_assert_eq!(bucket.take(amount, limit, later), Ok(()));
            }
        }

        #[test]
        fn what_is_given_back_is_there_again(limit in 1..1000u64, amount in 0..1000u64) {
            let bucket = Bucket::default();
            let amount = amount.min(limit);
            bucket.take(amount, limit, 5).expect("it is full");
            bucket.correct(amount, 0, limit);
            prop_assert_eq!(bucket.reading(limit, 5).remaining, limit);
        }
    }
}
