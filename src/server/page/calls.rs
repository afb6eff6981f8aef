//! The last calls as a table: when, by which model, how they ended, what they took. `[pure]`

use super::html::ago;
use super::html::escaped;
use super::html::took;
use serde_json::Value;
use std::time::Duration;
use std::time::UNIX_EPOCH;

/// What the journal kept of calls, the newest first, at a time in milliseconds since 1970.
pub(super) fn calls(calls: &[Value], now: u64) -> String {
    let content = match calls {
        [] => NONE.to_owned(),
        calls => table(calls, now),
    };
    format!(
        "<section aria-labelledby=\"calls\">\n<h2 id=\"calls\">Recent calls</h2>\n{content}</section>\n"
    )
}

/// On a phone its rows are laid out as blocks, which would take the table from who listens to it: so each part says its
/// role.
fn table(calls: &[Value], now: u64) -> String {
    let rows: String = calls.iter().map(|call| row(call, now)).collect();
    let stamp = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(now));
    let stamp = stamp.to_string();
    let clock = stamp.get("2026-01-31T".len().."2026-01-31T12:00:00".len());
    format!(
        "<div class=\"wide calls\" role=\"region\" aria-labelledby=\"last\" tabindex=\"0\">
<table role=\"table\">
<caption id=\"last\">The newest first, as of <time datetime=\"{stamp}\">{} UTC</time></caption>
<thead role=\"rowgroup\"><tr role=\"row\"><th role=\"columnheader\" scope=\"col\">When</th><th role=\"columnheader\" scope=\"col\">Model</th><th role=\"columnheader\" scope=\"col\">Result</th><th role=\"columnheader\" scope=\"col\" class=\"number\">Took</th></tr></thead>
<tbody role=\"rowgroup\">
{rows}</tbody>
</table>
</div>
",
        clock.unwrap_or_default()
    )
}

fn row(call: &Value, now: u64) -> String {
    let at = call["at"].as_str().unwrap_or_default();
    let (tone, result) = result(call);
    format!(
        "<tr role=\"row\"><th role=\"rowheader\" scope=\"row\"><time datetime=\"{0}\" title=\"{0}\">{1}</time></th><td role=\"cell\" class=\"model\">{2}</td><td role=\"cell\" class=\"result\"><span class=\"mark {tone}\">{3}</span></td><td role=\"cell\" class=\"number\">{4}</td></tr>\n",
        escaped(at),
        age(at, now).map_or_else(|| "–".to_owned(), ago),
        escaped(call["model"].as_str().unwrap_or_default()),
        escaped(&result).replace('_', "_<wbr>"),
        spans(call),
    )
}

/// How it ended, and the colour of that.
fn result(call: &Value) -> (&'static str, String) {
    let status = call["status"].as_u64();
    match (call["code"].as_str(), status) {
        (Some(code), Some(200)) => ("bad", format!("broke off: {code}")),
        (Some(code), Some(status)) if status < 500 => ("warn", format!("{status} {code}")),
        (Some(code), Some(status)) => ("bad", format!("{status} {code}")),
        (_, None) => ("warn", "client left".to_owned()),
        (None, Some(_)) if call["left"] == true => ("warn", "client left".to_owned()),
        (None, Some(200)) => ("good", "answered".to_owned()),
        (None, Some(status)) => ("warn", status.to_string()),
    }
}

/// All of it, and below it what of that was waiting: for a session, and for the first byte.
fn spans(call: &Value) -> String {
    let ms = |phase: &str| call["ms"][phase].as_f64();
    let total = ms("total").map_or_else(|| "–".to_owned(), took);
    let parts = [("queue", "queue"), ("first_byte", "first byte")];
    let known = parts.iter().filter_map(|(phase, name)| {
        let span = took(ms(phase)?);
        Some(format!("<span>{name} {span}</span>"))
    });
    let known: Vec<String> = known.collect();
    match known.is_empty() {
        true => total,
        false => format!("{total} <small>{}</small>", known.join(" ")),
    }
}

/// Milliseconds since a time.
fn age(at: &str, now: u64) -> Option<u64> {
    let at = humantime::parse_rfc3339(at).ok()?;
    let at = u64::try_from(at.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()?;
    Some(now.saturating_sub(at))
}

const NONE: &str =
    "<p class=\"quiet\">None yet. <code>inference-relay ask \"Say hello.\"</code> makes one.</p>\n";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: u64 = 1_790_000_000_000; // 2026-09-21T14:13:20Z

    fn call(status: Value, code: Value, left: bool) -> Value {
        json!({
            "at": "2026-09-21T14:11:20.000Z", "model": "<b>m", "status": status, "code": code, "left": left,
            "ms": { "queue": 0.4, "first_byte": 812.5, "total": 2345.6 },
        })
    }

    #[test]
    fn a_call_is_told_by_when_model_result_and_spans() {
        let limited = call(json!(429), json!("rate_limited"), false);
        let html = calls(&[call(json!(200), Value::Null, false), limited], NOW);
        for words in [
            ">2 min ago</time>",
            "datetime=\"2026-09-21T14:11:20.000Z\"",
            "&lt;b&gt;m",
            "mark good\">answered<",
            "429 rate_<wbr>limited",
            "2.3 s <small><span>queue 0.4 ms</span> <span>first byte 812 ms</span></small>",
            "14:13:20 UTC",
        ] {
            assert!(html.contains(words), "{words}: {html}");
        }
        assert!(calls(&[], NOW).contains("None yet"));
    }

    #[test]
    fn each_end_has_its_word_and_its_colour() {
        for (status, code, left, tone, words) in [
            (
                json!(529),
                json!("queue_full"),
                false,
                "bad",
                "529 queue_full",
            ),
            (
                json!(400),
                json!("invalid_request"),
                false,
                "warn",
                "400 invalid_request",
            ),
            (
                json!(200),
                json!("session_lost"),
                false,
                "bad",
                "broke off: session_lost",
            ),
            (json!(200), Value::Null, true, "warn", "client left"),
            (Value::Null, Value::Null, true, "warn", "client left"),
        ] {
            let found = result(&call(status, code, left));
            assert_eq!(found, (tone, words.to_owned()));
        }
    }
}
