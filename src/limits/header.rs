//! How limits are told in the headers of each dialect. `[pure]`

use super::ask::Level;
use super::ask::Readings;
use std::time::Duration;
use std::time::UNIX_EPOCH;

/// `x-ratelimit-*`, as the OpenAI API has them: resets are spans such as `6m0s`.
pub(crate) fn openai_headers(readings: &Readings) -> Vec<(&'static str, String)> {
    let requests = [
        "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
    ];
    let tokens = [
        "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-tokens",
    ];
    let told = |names, reading| told(names, reading, span);
    let told = told(requests, readings.requests).chain(told(tokens, readings.tokens));
    told.collect()
}

/// `anthropic-ratelimit-*`: resets are moments. `now` is in milliseconds since 1970.
pub(crate) fn anthropic_headers(readings: &Readings, now: u64) -> Vec<(&'static str, String)> {
    let requests = [
        "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ];
    let tokens = [
        "anthropic-ratelimit-tokens-limit",
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ];
    let moment = |wait: Duration| {
        let at = UNIX_EPOCH + Duration::from_millis(now) + wait;
        humantime::format_rfc3339_seconds(at).to_string()
    };
    let told = |names, reading| told(names, reading, moment);
    let told = told(requests, readings.requests).chain(told(tokens, readings.tokens));
    told.collect()
}

fn told(
    names: [&'static str; 3],
    reading: Option<Level>,
    reset: impl Fn(Duration) -> String,
) -> impl Iterator<Item = (&'static str, String)> {
    let values = |reading: Level| {
        [
            reading.limit.to_string(),
            reading.remaining.to_string(),
            reset(reading.reset),
        ]
    };
    let values = reading.map(values).into_iter().flatten();
    names.into_iter().zip(values)
}

/// `1h2m3s`, `12.5s` or `20ms`.
fn span(wait: Duration) -> String {
    let (seconds, millis) = (wait.as_secs(), wait.subsec_millis());
    if seconds == 0 {
        return format!("{millis}ms");
    }
    let part = if millis == 0 {
        String::new()
    } else {
        format!(".{millis:03}").trim_end_matches('0').to_owned()
    };
    let (hours, minutes, rest) = (seconds / 3600, seconds % 3600 / 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}{part}s"),
        (0, minutes) => format!("{minutes}m{rest}{part}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{rest}{part}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialect_is_told_in_its_own_words() {
        let reading = |limit, remaining, ms| {
            Some(Level {
                limit,
                remaining,
                reset: Duration::from_millis(ms),
            })
        };
        let readings = Readings {
            requests: reading(600, 599, 100),
            tokens: reading(1000, 0, 360_000),
        };
        let openai = openai_headers(&readings);
        assert_eq!(
            openai[1],
            ("x-ratelimit-remaining-requests", "599".to_owned())
        );
        assert_eq!(
            openai[2],
            ("x-ratelimit-reset-requests", "100ms".to_owned())
        );
        assert_eq!(openai[5], ("x-ratelimit-reset-tokens", "6m0s".to_owned()));
        let anthropic = anthropic_headers(&readings, 1_767_225_600_000);
        assert_eq!(
            anthropic[5],
            (
                "anthropic-ratelimit-tokens-reset",
                "2026-01-01T00:06:00Z".to_owned()
            )
        );
        assert_eq!(openai_headers(&Readings::default()), []);
    }

    #[test]
    fn a_span_is_written_as_short_as_it_can_be() {
        for (ms, text) in [
            (0, "0ms"),
            (1000, "1s"),
            (1500, "1.5s"),
            (61_000, "1m1s"),
            (3_723_040, "1h2m3.04s"),
        ] {
            assert_eq!(span(Duration::from_millis(ms)), text);
        }
    }
}
