//! Text as HTML. `[pure]`

use std::fmt::Write;

/// Text that means itself, between tags and in quoted attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}

/// Text in which `` `words` `` become code.
pub(super) fn prose(text: &str) -> String {
    let mut html = String::new();
    for (place, part) in text.split('`').enumerate() {
        let part = escaped(part);
        let _ = match place % 2 {
            1 => write!(html, "<code>{part}</code>"),
            _ => write!(html, "{part}"),
        }; // a string takes all
    }
    html
}

/// A span as people say it: its two largest units.
pub(super) fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// How long ago something was, to its largest unit.
pub(super) fn ago(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => "just now".to_owned(),
        1..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// What something took, to two or three digits.
pub(super) fn took(ms: f64) -> String {
    if ms < 9.95 {
        format!("{ms:.1} ms")
    } else if ms < 999.5 {
        format!("{ms:.0} ms")
    } else if ms < 59_950.0 {
        format!("{:.1} s", ms / 1000.0)
    } else {
        let seconds = (ms / 1000.0).round();
        format!("{} min {} s", (seconds / 60.0).floor(), seconds % 60.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_taken_for_markup() {
        assert_eq!(
            escaped("<a href=\"x\">'&"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;"
        );
        assert_eq!(prose("run `a <b>` now"), "run <code>a &lt;b&gt;</code> now");
        assert_eq!(prose("an odd ` one"), "an odd <code> one</code>");
    }

    #[test]
    fn times_are_told_to_as_many_digits_as_a_reader_wants() {
        let ages = [900, 59_999, 60_000, 7_300_000, 180_000_000].map(ago);
        assert_eq!(
            ages,
            ["just now", "59 s ago", "1 min ago", "2 h ago", "2 d ago"]
        );
        let spans = [0.44, 9.96, 812.5, 999.6, 12_345.0, 59_999.0, 125_000.0].map(took);
        assert_eq!(
            spans,
            [
                "0.4 ms",
                "10 ms",
                "812 ms",
                "1.0 s",
                "12.3 s",
                "1 min 0 s",
                "2 min 5 s"
            ]
        );
    }

    #[test]
    fn a_span_has_its_two_largest_units() {
        let spans = [900, 61_000, 3_700_000, 90_000_000].map(span);
        assert_eq!(spans, ["0 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]);
    }
}
