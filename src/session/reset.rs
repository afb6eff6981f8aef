//! When a plan's limit ends, out of the CLI's own words. `[pure]`
//!
//! The CLI has the moment of the API, and writes it for a person: `resets 7pm (UTC)` where it is within a day, and else
//! `resets Dec 3, 7:05pm (Europe/Berlin)`, with the year where it is another one; the minutes where there are any. Print
//! mode of old versions writes `limit reached|1735689600`. Words of any other form name no moment.

use jiff::Timestamp;
use jiff::ToSpan;
use jiff::ZonedDateTime;
use jiff::civil::Date;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use std::time::Duration;

/// How long it is until the moment that these words name, measured from `now` (milliseconds since 1970); `None` where
/// they name none, or in a zone that nobody knows.
pub(crate) fn wait(
    words: &str,
    now: u64,
    zone: impl Fn(&str) -> Option<TimeZone>,
) -> Option<Duration> {
    let now = Timestamp::from_millisecond(i64::try_from(now).ok()?).ok()?;
    let at = since_epoch(words).or_else(|| {
        let (_, told) = words.split_once("resets ")?;
        let (moment, rest) = told.split_once(" (")?;
        let (name, _) = rest.split_once(')')?;
        let now = now.to_zoned_datetime(zone(name)?);
        Some(Moment::read(moment)?.near(&now)?.timestamp())
    })?;
    let wait = Duration::try_from(at.duration_since(now)).unwrap_or_default();
    Some(wait.max(WAIT_MIN))
}

/// `…limit reached|1735689600`.
fn since_epoch(words: &str) -> Option<Timestamp> {
    let (_, told) = words.split_once("limit reached|")?;
    let digits = told.split(|c: char| !c.is_ascii_digit()).next()?;
    Timestamp::from_second(digits.parse().ok()?).ok()
}

/// A moment as it is written: a time, and a day where it is not the next one that has that time.
#[derive(Debug, PartialEq, Eq)]
struct Moment {
    day: Option<Day>,
    time: Time,
}

#[derive(Debug, PartialEq, Eq)]
struct Day {
    month: i8,
    day: i8,
    /// `None`: of the year that it is.
    year: Option<i16>,
}

impl Moment {
    /// `7pm`, `7:05pm`, `Dec 3, 7pm`, `Dec 3, 2027, 7:05pm`.
    fn read(text: &str) -> Option<Moment> {
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        let (day, time) = match parts.as_slice() {
            [time] => (None, time),
            [day, time] => (Some(Day::read(day, None)?), time),
            [day, year, time] => (Some(Day::read(day, Some(year.parse().ok()?))?), time),
            _ => return None,
        };
        Some(Moment {
            day,
            time: time_of_day(time)?,
        })
    }

    /// The moment of this name that is meant now: what was written may be over by a little.
    fn near(&self, now: &ZonedDateTime) -> Option<ZonedDateTime> {
        let zone = || now.time_zone().clone();
        let on = |date: Date| date.to_datetime(self.time).to_zoned_datetime(zone()).ok();
        if let Some(Day { month, day, year }) = self.day {
            return on(Date::new(year.unwrap_or(now.year()), month, day).ok()?);
        }
        let today = now.date();
        let days = [today.yesterday(), Ok(today), today.tomorrow()].into_iter();
        let oldest = now.checked_sub(OVER_MAX_MINUTES.minutes()).ok()?;
        days.filter_map(|date| on(date.ok()?))
            .find(|at| *at >= oldest)
    }
}

impl Day {
    /// `Dec 3`.
    fn read(text: &str, year: Option<i16>) -> Option<Day> {
        let (month, day) = text.split_once(' ')?;
        let month = MONTHS.iter().position(|name| *name == month)?;
        Some(Day {
            month: i8::try_from(month + 1).ok()?,
            day: day.parse().ok()?,
            year,
        })
    }
}

/// `7pm`, `12:05am`.
fn time_of_day(text: &str) -> Option<Time> {
    let text = text.to_ascii_lowercase();
    let (clock, noon) = match (text.strip_suffix("am"), text.strip_suffix("pm")) {
        (Some(clock), _) => (clock, 0),
        (None, Some(clock)) => (clock, 12),
        (None, None) => return None,
    };
    let (hour, minute) = clock.trim().split_once(':').unwrap_or((clock.trim(), "0"));
    let hour: i8 = hour.parse().ok().filter(|hour| (1..=12).contains(hour))?;
    Time::new(hour % 12 + noon, minute.parse().ok()?, 0, 0).ok()
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// Minutes for which a moment without a day may be over; after that the next day's is meant.
const OVER_MAX_MINUTES: i64 = 5;
/// Whoever may come again at once waits so long: the CLI's words are true to the minute.
const WAIT_MIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds until what the words name, at this moment.
    fn seconds(words: &str, now: &str) -> Option<u64> {
        let now: Timestamp = now.parse().expect("a moment");
        let now = u64::try_from(now.as_millisecond()).expect("it is after 1970");
        let zone = |name: &str| match name {
            "UTC" => Some(TimeZone::UTC),
            "Asia/Kolkata" => Some(TimeZone::fixed(
                jiff::tz::Offset::from_seconds(19_800).expect("an offset"),
            )),
            _ => None,
        };
        Some(wait(words, now, zone)?.as_secs())
    }

    #[test]
    fn a_time_is_the_next_of_its_name() {
        let now = "2026-11-30T17:30:00Z";
        for (words, wait) in [
            ("You've hit your session limit · resets 7pm (UTC)", 5_400),
            ("You've hit your 5-hour limit · resets 5:31pm (UTC)", 60),
            ("You've hit your 5-hour limit · resets 12am (UTC)", 23_400),
            (
                "You've hit your limit · resets 11:39am (UTC) · progress saved",
                65_340,
            ),
            ("You've hit your session limit · resets 5:29pm (UTC)", 1),
            (
                "You've hit your session limit · resets 11:30pm (Asia/Kolkata)",
                1_800,
            ),
        ] {
            assert_eq!(seconds(words, now), Some(wait), "{words}");
        }
        let after_midnight = "2026-12-01T00:01:00Z";
        assert_eq!(seconds("resets 11:59pm (UTC)", after_midnight), Some(1));
    }

    #[test]
    fn a_day_is_of_this_year_or_the_one_that_is_named() {
        let now = "2026-11-30T17:30:00Z";
        for (words, wait) in [
            (
                "You've hit your weekly limit · resets Dec 3, 7pm (UTC)",
                264_600,
            ),
            (
                "You've hit your weekly limit · resets Jan 2, 2027, 12:05am (UTC)",
                2_788_500,
            ),
            ("Claude AI usage limit reached|1796061600", 1_800),
        ] {
            assert_eq!(seconds(words, now), Some(wait), "{words}");
        }
    }

    #[test]
    fn words_that_name_no_moment_name_none() {
        for words in [
            "You've hit your usage limit. Try again later.",
            "You've hit your session limit · resets 7pm",
            "You've hit your session limit · resets 7pm (Nowhere/Town)",
            "You've hit your session limit · resets 13pm (UTC)",
            "You've hit your session limit · resets soon (UTC)",
            "You've hit your weekly limit · resets Foo 3, 7pm (UTC)",
            "You've hit your weekly limit · resets Feb 30, 7pm (UTC)",
            "usage limit reached|soon",
        ] {
            assert_eq!(seconds(words, "2026-11-30T17:30:00Z"), None, "{words}");
        }
    }
}
