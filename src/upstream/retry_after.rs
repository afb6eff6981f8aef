//! How long a host asks to be left alone, in every spelling that hosts have. `[pure]`

use hyper::HeaderMap;
use serde_json::Value;
use std::time::Duration;
use std::time::UNIX_EPOCH;

/// The wait that an answer names, measured from `now` (milliseconds since 1970); `None` where it names none. A moment
/// that is over is a wait of nothing.
///
/// The general headers win over those of one vendor. Of several limits with a reset each, the one that is used up counts,
/// and where none says so the nearest, since a probe costs less than an hour of silence.
pub(crate) fn hint(headers: &HeaderMap, body: Option<&Value>, now: u64) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let millis = text("retry-after-ms").and_then(|text| seconds(text, 0.001));
    millis
        .or_else(|| text("retry-after").and_then(|text| general(text, now)))
        .or_else(|| vendor(headers, now))
        .or_else(|| body.and_then(in_body))
}

/// `retry-after`: seconds or a date.
fn general(text: &str, now: u64) -> Option<Duration> {
    let text = text.trim();
    let date = || {
        let date = httpdate::parse_http_date(text).ok()?;
        let at = date.duration_since(UNIX_EPOCH).ok()?;
        Some(at.saturating_sub(Duration::from_millis(now)))
    };
    seconds(text, 1.0).or_else(date).or_else(|| units(text))
}

/// `anthropic-ratelimit-*-reset` (RFC 3339, or seconds since 1970), `x-ratelimit-reset-*` (relative, or since 1970).
fn vendor(headers: &HeaderMap, now: u64) -> Option<Duration> {
    let resets = headers.iter().filter_map(|(name, value)| {
        let name = name.as_str();
        let limit = limit_of(name)?;
        let wait = moment(value.to_str().ok()?, now)?;
        let is_used_up = remaining(headers, limit).is_some_and(|left| left <= 0.0);
        Some((is_used_up, wait))
    });
    let resets: Vec<_> = resets.collect();
    let used_up = resets
        .iter()
        .filter(|(is_used_up, _)| *is_used_up)
        .map(|(_, wait)| *wait);
    used_up
        .max()
        .or_else(|| resets.iter().map(|(_, wait)| *wait).min())
}

/// A limit of one vendor, by the name of its reset: what stands before and after that word.
#[derive(Clone, Copy)]
struct Limit<'a> {
    before: &'a str,
    after: &'a str,
}

fn limit_of(name: &str) -> Option<Limit<'_>> {
    if let Some(before) = name
        .strip_suffix("-reset")
        .filter(|name| name.starts_with("anthropic-ratelimit-"))
    {
        return Some(Limit { before, after: "" });
    }
    let before = ["x-ratelimit", "ratelimit"].into_iter().find(|prefix| {
        let rest = name.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.starts_with("-reset"))
    })?;
    let after = name.get(before.len() + "-reset".len()..)?;
    Some(Limit { before, after })
}

fn remaining(headers: &HeaderMap, limit: Limit<'_>) -> Option<f64> {
    let name = format!("{}-remaining{}", limit.before, limit.after);
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// A moment in any spelling: RFC 3339, since 1970 in seconds or milliseconds, or from now in seconds or with units.
fn moment(text: &str, now: u64) -> Option<Duration> {
    let text = text.trim();
    let until = |at: Duration| at.saturating_sub(Duration::from_millis(now));
    if let Ok(number) = text.parse::<f64>() {
        return match number {
            number if number >= EPOCH_MILLIS_MIN => seconds(text, 0.001).map(until),
            number if number >= EPOCH_SECONDS_MIN => seconds(text, 1.0).map(until),
            _ => seconds(text, 1.0),
        };
    }
    let stamp = humantime::parse_rfc3339_weak(text).ok();
    let stamp = stamp.and_then(|stamp| stamp.duration_since(UNIX_EPOCH).ok());
    stamp.map(until).or_else(|| units(text))
}

/// A number of seconds, or of a part of them; nothing that is negative or no number.
fn seconds(text: &str, unit: f64) -> Option<Duration> {
    let number: f64 = text.trim().parse().ok()?;
    let is_plain = text
        .trim()
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !is_plain {
        return None;
    }
    Duration::try_from_secs_f64(number * unit).ok()
}

/// Numbers with units, such as `6m0s`, `1.5s`, `20ms`, `1h2m`.
fn units(text: &str) -> Option<Duration> {
    let (mut rest, mut sum) = (text, Duration::ZERO);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let end = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        sum = sum.checked_add(seconds(number, unit_of(unit.trim())?)?)?;
        rest = next.trim_start();
    }
    (!text.is_empty()).then_some(sum)
}

/// Seconds of a unit.
fn unit_of(unit: &str) -> Option<f64> {
    match unit {
        "d" => Some(86_400.0),
        "h" => Some(3600.0),
        "m" => Some(60.0),
        "s" => Some(1.0),
        "ms" => Some(0.001),
        "us" | "µs" => Some(0.000_001),
        "ns" => Some(0.000_000_001),
        _ => None,
    }
}

/// `error.details[].retryDelay`, as one family of APIs puts it.
fn in_body(body: &Value) -> Option<Duration> {
    let details = body["error"]["details"].as_array()?;
    details
        .iter()
        .find_map(|detail| units(detail["retryDelay"].as_str()?))
}

/// From here on a number is a moment since 1970 in seconds: as a wait it would be 30 years.
const EPOCH_SECONDS_MIN: f64 = 1e9;
/// From here on it is one in milliseconds.
const EPOCH_MILLIS_MIN: f64 = 1e12;

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderName;
    use hyper::header::HeaderValue;
    use proptest::prelude::*;
    use serde_json::json;

    /// 2026-01-01T00:00:00Z
    const NOW: u64 = 1_767_225_600_000;

    fn wait(headers: &[(&str, &str)]) -> Option<f64> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            map.insert(name, HeaderValue::from_str(value).expect("a value"));
        }
        hint(&map, None, NOW).map(|wait| wait.as_secs_f64())
    }

    #[test]
    fn every_spelling_is_understood() {
        for (name, value, expected) in [
            ("retry-after", "7", 7.0),
            ("retry-after", " 7 ", 7.0),
            ("retry-after", "1.5", 1.5),
            ("retry-after", "0", 0.0),
            ("retry-after", "Thu, 01 Jan 2026 00:01:00 GMT", 60.0),
            ("retry-after", "Wed, 31 Dec 2025 23:00:00 GMT", 0.0),
            ("retry-after", "20s", 20.0),
            ("retry-after-ms", "1500", 1.5),
            (
                "anthropic-ratelimit-requests-reset",
                "2026-01-01T00:00:30Z",
                30.0,
            ),
            ("anthropic-ratelimit-unified-reset", "1767225660", 60.0),
            ("x-ratelimit-reset-requests", "6m0s", 360.0),
            ("x-ratelimit-reset-tokens", "1s", 1.0),
            ("x-ratelimit-reset-tokens", "20ms", 0.02),
            ("x-ratelimit-reset-tokens", "1h2m3.5s", 3723.5),
            ("x-ratelimit-reset", "1767225605", 5.0),
            ("x-ratelimit-reset", "1767225605000", 5.0),
            ("x-ratelimit-reset", "12", 12.0),
            ("ratelimit-reset", "3", 3.0),
        ] {
            assert_eq!(wait(&[(name, value)]), Some(expected), "{name}: {value}");
        }
    }

    #[test]
    fn what_names_no_wait_is_none() {
        for (name, value) in [
            ("retry-after", ""),
            ("retry-after", "soon"),
            ("retry-after", "-5"),
            ("retry-after", "inf"),
            ("retry-after", "NaN"),
            ("retry-after", "1e30"),
            ("x-ratelimit-reset-tokens", "5 parsecs"),
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "0"),
        ] {
            assert_eq!(wait(&[(name, value)]), None, "{name}: {value}");
        }
    }

    #[test]
    fn the_more_exact_and_the_more_general_win() {
        assert_eq!(
            wait(&[("retry-after", "2"), ("retry-after-ms", "1700")]),
            Some(1.7)
        );
        assert_eq!(
            wait(&[("retry-after", "2"), ("x-ratelimit-reset-tokens", "9s")]),
            Some(2.0)
        );
    }

    #[test]
    fn of_several_limits_the_one_that_is_used_up_counts() {
        let both = [
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-reset-tokens", "50s"),
        ];
        assert_eq!(wait(&both), Some(1.0), "nobody says which");
        let tokens = [
            &both[..],
            &[
                ("x-ratelimit-remaining-tokens", "0"),
                ("x-ratelimit-remaining-requests", "9"),
            ],
        ]
        .concat();
        assert_eq!(wait(&tokens), Some(50.0));
        let anthropic = [
            ("anthropic-ratelimit-requests-reset", "2026-01-01T00:00:01Z"),
            (
                "anthropic-ratelimit-input-tokens-reset",
                "2026-01-01T00:00:40Z",
            ),
            ("anthropic-ratelimit-input-tokens-remaining", "0"),
        ];
        assert_eq!(wait(&anthropic), Some(40.0));
    }

    #[test]
    fn a_body_may_name_a_wait_where_no_header_does() {
        let body = json!({ "error": { "details": [{}, { "retryDelay": "34.5s" }] } });
        let wait = hint(&HeaderMap::new(), Some(&body), NOW);
        assert_eq!(wait, Some(Duration::from_millis(34_500)));
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(name in "(retry-after|retry-after-ms|x-ratelimit-reset-[a-z]{1,4}|anthropic-ratelimit-[a-z]{1,4}-reset)", value in "[ -~]{0,30}") {
            let _ = wait(&[(&name, &value)]);
        }

        #[test]
        fn a_wait_in_whole_seconds_is_the_same_however_it_is_written(seconds in 0..100_000u64) {
            let epoch = (NOW / 1000 + seconds).to_string();
            let units = format!("{}h{}m{}s", seconds / 3600, seconds % 3600 / 60, seconds % 60);
            let plain = wait(&[("retry-after", &seconds.to_string())]);
            prop_assert_eq!(plain, wait(&[("x-ratelimit-reset", &epoch)]));
            prop_assert_eq!(plain, wait(&[("x-ratelimit-reset-tokens", &units)]));
        }
    }
}
