//! Tables, and times and numbers in them as people read them. `[pure]`

use serde_json::Value;
use std::time::Duration;
use std::time::UNIX_EPOCH;

/// A table, or what is said in place of an empty one.
#[derive(Default)]
pub(super) struct Table {
    pub(super) caption: &'static str,
    pub(super) heads: Vec<&'static str>,
    pub(super) rows: Vec<Vec<Cell>>,
    pub(super) empty: &'static str,
    /// The next step, where there is nothing yet.
    pub(super) next_href: &'static str,
    pub(super) next: &'static str,
}

impl Table {
    /// The name of a column; nothing beyond the last.
    pub(super) fn head(&self, column: &usize) -> &'static str {
        self.heads.get(*column).copied().unwrap_or_default()
    }

    /// Whether a column has numbers, which stand at its right.
    pub(super) fn is_number(&self, column: &usize) -> bool {
        let first = self.rows.first();
        first
            .and_then(|row| row.get(*column))
            .is_some_and(|cell| cell.is_number)
    }
}

/// One cell.
#[derive(Default)]
pub(super) struct Cell {
    pub(super) text: String,
    /// Empty: no link.
    pub(super) href: String,
    /// `good`, `warn`, `bad`; empty: plain. The words say the same as the colour.
    pub(super) tone: &'static str,
    pub(super) is_number: bool,
    /// A sentence of ours, with commands between backticks.
    pub(super) is_said: bool,
}

pub(super) fn plain(text: impl Into<String>) -> Cell {
    Cell {
        text: text.into(),
        ..Cell::default()
    }
}

pub(super) fn linked(text: impl Into<String>, href: String) -> Cell {
    Cell {
        href,
        ..plain(text)
    }
}

pub(super) fn marked(text: impl Into<String>, tone: &'static str) -> Cell {
    Cell {
        tone,
        ..plain(text)
    }
}

pub(super) fn number(text: impl Into<String>) -> Cell {
    Cell {
        is_number: true,
        ..plain(text)
    }
}

/// A sentence of ours, whose commands stand between backticks.
pub(super) fn said(text: impl Into<String>) -> Cell {
    Cell {
        is_said: true,
        ..plain(text)
    }
}

/// A value as text: a text as it is, nothing as a dash.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A value as people read it, without the signs of JSON.
pub(super) fn spoken(value: &Value) -> String {
    let joined = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::Array(items) if items.is_empty() => "–".to_owned(),
        Value::Array(items) => joined(items.iter().map(spoken).collect()),
        Value::Object(fields) => {
            let fields = fields.iter();
            joined(
                fields
                    .map(|(name, value)| format!("{name} {}", spoken(value)))
                    .collect(),
            )
        }
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => text(other),
    }
}

/// A text in parts, and which of them stand between backticks.
pub(super) fn words(text: &str) -> Vec<(bool, &str)> {
    let parts = text.split('`').enumerate();
    parts
        .map(|(place, part)| (place % 2 == 1, part))
        .filter(|(_, part)| !part.is_empty())
        .collect()
}

/// A time in milliseconds since 1970, in UTC.
pub(super) fn time(value: &Value) -> String {
    let Some(ms) = value.as_u64() else {
        return "–".to_owned();
    };
    let stamp =
        humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(ms)).to_string();
    stamp.replace('T', " ").replace('Z', " UTC")
}

/// A stamp in RFC 3339 as the other times are read, to the second.
pub(super) fn moment(stamp: &str) -> String {
    match stamp.get(..19) {
        Some(second) if stamp.ends_with('Z') => format!("{} UTC", second.replace('T', " ")),
        _ => stamp.to_owned(),
    }
}

/// How a call ended, and the tone of that.
pub(super) fn result(call: &Value) -> Cell {
    let status = call["status"].as_u64();
    match (call["code"].as_str(), status) {
        (Some(code), Some(200)) => marked(format!("broke off: {code}"), "bad"),
        (Some(code), Some(status)) if status < 500 => marked(format!("{status} {code}"), "warn"),
        (Some(code), Some(status)) => marked(format!("{status} {code}"), "bad"),
        (_, None) => marked("client left", "warn"),
        (None, Some(_)) if call["left"] == true => marked("client left", "warn"),
        (None, Some(200)) => marked("answered", "good"),
        (None, Some(status)) => marked(status.to_string(), "warn"),
    }
}

/// Milliseconds as people read them.
pub(super) fn took(value: &Value) -> String {
    match value.as_f64() {
        None => "–".to_owned(),
        Some(ms) if ms < 1000.0 => format!("{ms:.0} ms"),
        Some(ms) => format!("{:.1} s", ms / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_read_without_the_signs_of_json() {
        let value =
            json!({ "models": ["a", "b"], "budget": { "amount": 50, "per": "month" }, "on": true });
        assert_eq!(
            spoken(&value),
            "models a, b, budget amount 50, per month, on yes"
        );
    }

    #[test]
    fn a_stamp_is_read_like_every_other_time() {
        assert_eq!(
            moment("2026-01-02T03:04:05.678Z"),
            "2026-01-02 03:04:05 UTC"
        );
        assert_eq!(moment("2026-01-02 03:04:05 UTC"), "2026-01-02 03:04:05 UTC");
        assert_eq!(moment("–"), "–");
    }

    #[test]
    fn what_stands_between_backticks_is_told_apart() {
        assert_eq!(
            words("run `a b`, then `c`"),
            [
                (false, "run "),
                (true, "a b"),
                (false, ", then "),
                (true, "c")
            ]
        );
        assert_eq!(words(""), []);
    }
}
