//! Durations and sizes as people write them. `[pure]`

use std::time::Duration;

/// Reads `"250ms"`, `"30s"`, `"10m"`, `"4h"`, `"1d"`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("\"{text}\" is not a duration; write a number and a unit, such as \"30s\"");
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let (_, ms) = DURATIONS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(wrong)?;
    let ms = number
        .checked_mul(*ms)
        .ok_or_else(|| format!("\"{text}\" is too long"))?;
    Ok(Duration::from_millis(ms))
}

/// A duration in which something has to happen, so not none.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("nothing happens in no time; write a longer one".to_owned()),
        span => Ok(span),
    }
}

/// Reads `"512KiB"`, `"8MiB"`, `"1GiB"`, and the decimal `"64MB"`; `"900B"` or `"900"` are bytes.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("\"{text}\" is not a size; write a number and a unit, such as \"8MiB\"");
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let (_, bytes) = SIZES
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(wrong)?;
    number
        .checked_mul(*bytes)
        .ok_or_else(|| format!("\"{text}\" is too large"))
}

fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim()))
}

/// In milliseconds.
const DURATIONS: &[(&str, u64)] = &[
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// In bytes.
const SIZES: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("KB", 1_000),
    ("", 1),
    ("B", 1),
];

#[cfg(test)]
mod tests {
    use super::duration;
    use super::size;
    use std::time::Duration;

    #[test]
    fn units_are_read_as_people_write_them() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("4 h"), Ok(Duration::from_secs(4 * 3600)));
        assert_eq!(size("8MiB"), Ok(8 << 20));
        assert_eq!(size("64MB"), Ok(64_000_000));
        assert_eq!(size("900"), Ok(900));
    }

    #[test]
    fn a_wrong_unit_says_what_a_right_one_looks_like() {
        let problem = duration("30").expect_err("a bare number must not be a duration");
        assert_eq!(
            problem,
            "\"30\" is not a duration; write a number and a unit, such as \"30s\""
        );
        assert!(duration("-3s").is_err());
        assert!(size("8XB").is_err());
        assert!(size("99999999999999999GiB").is_err());
    }
}
