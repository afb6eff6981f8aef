//! The only file that reads the time.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// Now, for measuring spans.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the monotonic clock"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Now, without the time in which nobody here could run: the machine slept, or this process was stopped. What waits for
/// something that happens in another process counts by it, so that a jump of the clock ends nothing that lives.
pub(crate) fn awake() -> Instant {
    let now = now();
    now.checked_sub(slept()).unwrap_or(now)
}

/// When a moment that was counted in waking time comes.
pub(crate) fn of_awake(moment: Instant) -> Instant {
    moment + slept()
}

/// How long it was not awake, all together.
fn slept() -> Duration {
    Duration::from_millis(SLEPT_MS.load(Ordering::Relaxed))
}

/// Notices when the clock jumps, for as long as the daemon lives.
pub(crate) async fn watch_sleep() {
    loop {
        let due = now() + TICK;
        tokio::time::sleep_until(due.into()).await;
        note_late(now().saturating_duration_since(due));
    }
}

/// A tick came so much too late.
fn note_late(late: Duration) {
    if late >= JUMP_MIN {
        let late = u64::try_from(late.as_millis()).unwrap_or(u64::MAX);
        SLEPT_MS.fetch_add(late, Ordering::Relaxed);
    }
}

/// What a future gives, or `None` where it is not over by a moment. A timer is set, and the moment asked for, only where it
/// has to wait: most have it all when they are polled first.
pub(crate) async fn over_by<F: Future>(
    until: impl FnOnce() -> Instant,
    future: F,
) -> Option<F::Output> {
    let mut future = pin!(future);
    let first = poll_fn(|context| Poll::Ready(future.as_mut().poll(context)));
    match first.await {
        Poll::Ready(given) => Some(given),
        Poll::Pending => {
            let rest = tokio::time::timeout_at(until().into(), future);
            rest.await.ok()
        }
    }
}

static SLEPT_MS: AtomicU64 = AtomicU64::new(0);
/// How often the clock is looked at.
pub(crate) const TICK: Duration = Duration::from_millis(250);
/// A tick that is later than this is a jump; a busy machine is late by less.
pub(crate) const JUMP_MIN: Duration = Duration::from_secs(1);

/// Milliseconds since 1970-01-01 UTC, for records that people and other programs read.
pub(crate) fn unix_ms() -> u64 {
    unix_us() / 1000
}

/// Microseconds since 1970-01-01 UTC, for what another process of this machine stamped.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the wall clock"
)]
pub(crate) fn unix_us() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// The rules of a time zone of this name, as this machine has them; `None` where it has none.
pub(crate) fn zone(name: &str) -> Option<jiff::tz::TimeZone> {
    jiff::tz::TimeZone::get(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_there_asks_for_no_moment_and_what_is_not_is_over_by_it() {
        let there = over_by(|| unreachable!("nobody waits"), async { 1 });
        assert_eq!(there.await, Some(1));
        let soon = || tokio::time::Instant::now().into_std() + TICK;
        assert_eq!(over_by(soon, tokio::time::sleep(TICK / 2)).await, Some(()));
        assert_eq!(over_by(soon, tokio::time::sleep(TICK * 2)).await, None);
    }

    #[test]
    fn a_jump_of_the_clock_passes_no_waking_time() {
        let (before, moment) = (awake(), awake());
        note_late(Duration::from_millis(900));
        assert!(of_awake(moment) <= now());
        note_late(Duration::from_secs(3600));
        assert!(awake() + Duration::from_secs(3500) < before + Duration::from_secs(3600));
        assert!(of_awake(moment) > now() + Duration::from_secs(3500));
    }
}
