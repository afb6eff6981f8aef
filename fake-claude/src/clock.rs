//! The only file that reads the time or waits for it.

use std::sync::OnceLock;
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

/// Milliseconds since 1970-01-01 UTC.
pub(crate) fn unix_ms() -> u64 {
    unix_us() / 1000
}

/// Microseconds since 1970-01-01 UTC.
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

/// Waits, as a slow program would.
#[expect(
    clippy::disallowed_methods,
    reason = "the pace of the simulated world is made here"
)]
pub(crate) fn sleep(span: Duration) {
    std::thread::sleep(span);
}

/// A span of the script's time in real time: `FAKE_CLAUDE_TIME_SCALE` says how much faster or slower the world runs.
pub(crate) fn scaled(ms: u64) -> Duration {
    let scale = SCALE.get().copied().unwrap_or(1.0);
    Duration::from_millis(ms).mul_f64(scale)
}

/// Sets the scale, once, before anything waits.
pub(crate) fn scale(by: f64) {
    let _ = SCALE.set(by.clamp(0.0, 1000.0));
}

static SCALE: OnceLock<f64> = OnceLock::new();

/// `2026-11-21T06:19:27.502Z`, as the transcript writes it.
pub(crate) fn iso(ms: u64) -> String {
    let (year, month, day) = civil(ms / DAY_MS);
    let in_day = ms % DAY_MS;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        in_day / 3_600_000,
        in_day / 60_000 % 60,
        in_day / 1000 % 60,
        in_day % 1000
    )
}

/// `2026-11-21`, as the reminder about the date writes it.
pub(crate) fn date(ms: u64) -> String {
    iso(ms).chars().take(10).collect()
}

/// `6:19 AM`, as the end of a turn shows it.
pub(crate) fn wall(ms: u64) -> String {
    let minutes = ms % DAY_MS / 60_000;
    let (hour, half) = (minutes / 60, if minutes >= 720 { "PM" } else { "AM" });
    format!("{}:{:02} {half}", (hour + 11) % 12 + 1, minutes % 60)
}

/// `7pm` or `11:39am`, as a limit's end is told.
pub(crate) fn short(ms: u64) -> String {
    let whole = wall(ms).to_lowercase().replace(' ', "");
    whole.replace(":00", "")
}

/// When a limit ends, as it is told: with its day where that is more than a day from now, and with the year where it is
/// another one.
pub(crate) fn limit_end(ms: u64) -> String {
    limit_end_at(ms, unix_ms())
}

fn limit_end_at(ms: u64, now: u64) -> String {
    if ms.saturating_sub(now) <= DAY_MS {
        return short(ms);
    }
    let (year, month, day) = civil(ms / DAY_MS);
    let name = usize::try_from(month)
        .ok()
        .and_then(|month| MONTHS.get(month - 1));
    let year = match civil(now / DAY_MS).0 == year {
        true => String::new(),
        false => format!(" {year},"),
    };
    format!("{} {day},{year} {}", name.unwrap_or(&""), short(ms))
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Days since 1970-01-01 as year, month and day of the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

const DAY_MS: u64 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_the_transcript_writes_it() {
        assert_eq!(iso(1_795_242_168_263), "2026-11-21T06:22:48.263Z");
        assert_eq!(date(951_782_400_000), "2000-02-29");
        assert_eq!(wall(0), "12:00 AM");
        assert_eq!(
            (short(0), short(61_000)),
            ("12am".to_owned(), "12:01am".to_owned())
        );
        assert_eq!(wall(13 * 3_600_000 + 60_000), "1:01 PM");
        let now = 1_795_242_168_263;
        let end = |days: u64| limit_end_at(now + days * DAY_MS, now);
        assert_eq!(
            (end(1), end(3)),
            ("6:22am".to_owned(), "Nov 24, 6:22am".to_owned())
        );
        assert_eq!(end(50), "Jan 10, 2027, 6:22am");
    }
}
