//! The only file that reads the time.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
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
