//! How long a host says that it takes, in every spelling that hosts use. `[pure]`

use hyper::HeaderMap;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// The wait that the headers name; the longest where they name several that are all over-used, and `None` where they
/// name none.
pub(crate) fn hint(headers: &HeaderMap, unix_ms: u64) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let millis = text("retry-after-ms").and_then(|text| text.parse::<f64>().ok());
    let millis = millis.and_then(|ms| Duration::try_from_secs_f64(ms / 1000.0).ok());
    let seconds = || text("retry-after").and_then(|text| seconds_or_date(text, unix_ms));
    let reset = || {
        let named = RESETS
            .iter()
            .filter_map(|name| moment(text(name)?, unix_ms));
        named.max()
    };
    millis.or_else(seconds).or_else(reset)
}

fn seconds_or_date(text: &str, unix_ms: u64) -> Option<Duration> {
    match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => until(httpdate::parse_http_date(text).ok()?, unix_ms),
    }
}

/// A moment, as hosts write one: a date, seconds since 1970, or a span from now.
fn moment(text: &str, unix_ms: u64) -> Option<Duration> {
    if let Ok(number) = text.parse::<f64>() {
        return match number > EPOCH_BEGINS {
            true => {
                let at = UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(number).ok()?)?;
                until(at, unix_ms)
            }
            false => Duration::try_from_secs_f64(number).ok(),
        };
    }
    let date = humantime::parse_rfc3339_weak(text).ok();
    match date {
        Some(at) => until(at, unix_ms),
        None => span(text),
    }
}

/// `6m0s`, `1.5s`, `20ms`, `1h2m`.
fn span(text: &str) -> Option<Duration> {
    let (mut rest, mut total) = (text, 0.0_f64);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        total += number
            * match &rest[..end] {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "d" => 86400.0,
                _ => return None,
            };
        rest = &rest[end..];
    }
    Duration::try_from_secs_f64(total).ok()
}

fn until(at: SystemTime, unix_ms: u64) -> Option<Duration> {
    let now = UNIX_EPOCH.checked_add(Duration::from_millis(unix_ms))?;
    Some(at.duration_since(now).unwrap_or_default())
}

/// Numbers beyond are seconds since 1970, and no span.
const EPOCH_BEGINS: f64 = 1_000_000_000.0;
const RESETS: [&str; 9] = [
    "anthropic-ratelimit-requests-reset",
    "anthropic-ratelimit-tokens-reset",
    "anthropic-ratelimit-input-tokens-reset",
    "anthropic-ratelimit-output-tokens-reset",
    "anthropic-ratelimit-unified-reset",
    "x-ratelimit-reset",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "ratelimit-reset",
];

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderName;
    use hyper::header::HeaderValue;
    use proptest::prelude::*;

    /// 2026-01-01T00:00:00Z.
    const NOW_MS: u64 = 1_767_225_600_000;

    fn read(name: &'static str, value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_str(value).expect("a header can carry it");
        headers.insert(HeaderName::from_static(name), value);
        hint(&headers, NOW_MS)
    }

    #[test]
    fn every_spelling_is_read() {
        for (name, value, ms) in [
            ("retry-after", "7", 7_000),
            ("retry-after", "0.5", 500),
            ("retry-after", "Thu, 01 Jan 2026 00:00:09 GMT", 9_000),
            ("retry-after-ms", "1500", 1_500),
            (
                "anthropic-ratelimit-requests-reset",
                "2026-01-01T00:01:00Z",
                60_000,
            ),
            ("anthropic-ratelimit-unified-reset", "1767225630", 30_000),
            ("x-ratelimit-reset-requests", "1s", 1_000),
            ("x-ratelimit-reset-tokens", "6m0s", 360_000),
            ("x-ratelimit-reset-tokens", "20ms", 20),
            ("x-ratelimit-reset", "1767225605", 5_000),
            ("x-ratelimit-reset", "12", 12_000),
        ] {
            assert_eq!(
                read(name, value),
                Some(Duration::from_millis(ms)),
                "{name}: {value}"
            );
        }
        for (name, value) in [
            ("retry-after", "soon"),
            ("x-ratelimit-reset", "5x"),
            ("retry-after", "-1"),
        ] {
            assert_eq!(read(name, value), None, "{name}: {value}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[ -~]{0,20}") {
            for name in ["retry-after", "retry-after-ms", "x-ratelimit-reset"] {
                let wait = read(name, &text);
                prop_assert!(wait.is_none_or(|wait| wait >= Duration::ZERO));
            }
        }
    }
}
