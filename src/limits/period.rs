//! Days and months by the calendar, in UTC. `[pure]`

use crate::catalog::Period;
use std::fmt;
use std::time::Duration;

/// A day or a month, written as `2026-01-31` or `2026-01`. They sort as they follow one another, a month before its days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Window {
    year: u64,
    month: u8,
    /// 0: all of the month.
    day: u8,
}

impl Window {
    /// The one that a moment is in; milliseconds since 1970.
    pub(super) fn at(period: Period, unix_ms: u64) -> Window {
        let (year, month, day) = date(unix_ms / DAY_MS);
        let small = |number| u8::try_from(number).unwrap_or(u8::MAX); // It is 31 at the most.
        Window {
            year,
            month: small(month),
            day: match period {
                Period::Day => small(day),
                Period::Month => 0,
            },
        }
    }

    /// Out of what was written; `None` where it is no window.
    pub(super) fn read(text: &str) -> Option<Window> {
        let mut parts = text.splitn(3, '-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next());
        Some(Window {
            year: year.parse().ok()?,
            month: month.parse().ok()?,
            day: day.map_or(Ok(0), str::parse).ok()?,
        })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Window { year, month, day } = self;
        write!(f, "{year:04}-{month:02}")?;
        match day {
            0 => Ok(()),
            day => write!(f, "-{day:02}"),
        }
    }
}

/// The name of the day or month that a moment is in, in UTC; milliseconds since 1970.
pub(crate) fn window_name(period: Period, unix_ms: u64) -> String {
    Window::at(period, unix_ms).to_string()
}

/// How long it is until the next one begins.
pub(crate) fn until_next(period: Period, unix_ms: u64) -> Duration {
    let days = unix_ms / DAY_MS;
    let next = match period {
        Period::Day => days + 1,
        Period::Month => {
            let (_, month, day) = date(days);
            // The first day that is of another month, looked for from the last one that cannot be.
            let from = days - (day - 1) + 28;
            (from..from + 4)
                .find(|days| date(*days).1 != month)
                .unwrap_or(from + 3)
        }
    };
    Duration::from_millis(next * DAY_MS - unix_ms)
}

/// Year, month and day of a day since 1970, in the Gregorian calendar: counted from a March, so that the leap day is the
/// last of its year, in eras of 400 years, which are all alike.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

const DAY_MS: u64 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(stamp: &str) -> u64 {
        let time = humantime::parse_rfc3339(stamp).expect("a stamp");
        let since = time
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970");
        u64::try_from(since.as_millis()).expect("it is small")
    }

    #[test]
    fn a_window_is_read_as_it_is_written_and_sorts_by_its_time() {
        let texts = ["2026-01", "2026-01-01", "2026-01-31", "2026-02", "2027-01"];
        let windows = texts.map(|text| Window::read(text).expect("a window"));
        assert_eq!(windows.map(|window| window.to_string()), texts);
        assert!(windows.is_sorted());
        for text in ["", "2026", "2026-", "2026-x", "2026-01-", "2026-01-01-01"] {
            assert_eq!(Window::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_moment_is_in_its_day_and_in_its_month() {
        let leap = ms("2028-02-29T23:59:59Z");
        assert_eq!(window_name(Period::Day, leap), "2028-02-29");
        assert_eq!(window_name(Period::Month, leap), "2028-02");
        assert_eq!(until_next(Period::Month, leap), Duration::from_secs(1));
        let december = ms("2026-12-01T00:00:00Z");
        assert_eq!(
            until_next(Period::Month, december),
            Duration::from_secs(31 * 86_400)
        );
        assert_eq!(
            until_next(Period::Day, december),
            Duration::from_secs(86_400)
        );
    }

    proptest! {
        #[test]
        fn a_day_is_the_one_that_another_calendar_says(seconds in 0..7_000_000_000u64) {
            let stamp = std::time::UNIX_EPOCH + Duration::from_secs(seconds);
            let text = humantime::format_rfc3339_seconds(stamp).to_string();
            let window = Window::at(Period::Day, seconds * 1000);
            prop_assert_eq!(window.to_string(), &text[..10]);
        }

        #[test]
        fn the_next_one_begins_when_the_wait_is_over(ms in 0..7_000_000_000_000u64) {
            for period in [Period::Day, Period::Month] {
                let wait = u64::try_from(until_next(period, ms).as_millis()).expect("it is small");
                prop_assert_ne!(Window::at(period, ms), Window::at(period, ms + wait));
                prop_assert_eq!(Window::at(period, ms), Window::at(period, ms + wait - 1));
            }
        }
    }
}
