//! The only file of this program that reads the time.

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
