//! When a call was, as it is recorded.

use crate::clock;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// A time as it is recorded. It is given as one, or as a span before now.
pub(crate) fn since(text: &str) -> Option<String> {
    let time = match humantime::parse_duration(text) {
        Ok(span) => now().checked_sub(span)?,
        Err(_) => humantime::parse_rfc3339_weak(text).ok()?,
    };
    Some(written(time))
}

/// A moment in milliseconds since 1970, as it is recorded.
pub(super) fn stamp(ms: u64) -> String {
    written(UNIX_EPOCH + Duration::from_millis(ms))
}

fn written(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// Now, by the wall clock.
pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(clock::unix_ms())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_given_as_one_or_as_a_span() {
        assert_eq!(
            since("2026-01-31 12:00:00").as_deref(),
            Some("2026-01-31T12:00:00.000Z")
        );
        assert!(since("10m") < since("1m"));
        assert_eq!(since("yesterday"), None);
    }
}
