//! What `top` shows: the pool, the queue, the limits and the last calls, as lines that fit a terminal. `[pure]`

use serde_json::Value;

/// Columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

/// The lines of one look, none wider and no more than the terminal has.
pub(crate) fn board(look: &Value, size: Size) -> Vec<String> {
    let mut lines = vec![title(look), pool(look)];
    lines.extend(lanes(look));
    if let Some(why) = look["health"]["why"].as_str() {
        lines.push(format!("why       {why}"));
    }
    lines.extend(limit(look));
    lines.push(String::new());
    lines.push(row(&SESSION_COLUMNS, |column| column.0.to_owned()));
    lines.extend(list(&look["sessions"]["sessions"]).map(session));
    lines.push(String::new());
    lines.push(row(&CALL_COLUMNS, |column| column.0.to_owned()));
    lines.extend(list(&look["calls"]).map(call));
    lines.truncate(size.rows);
    lines.iter().map(|line| plain(line, size.columns)).collect()
}

fn title(look: &Value) -> String {
    let health = &look["health"];
    let seconds = health["uptime_seconds"].as_u64().unwrap_or(0);
    format!(
        "inference-relay on {}   {}   up {}   q quits",
        text(&look["address"]),
        text(&health["status"]),
        span(seconds)
    )
}

fn pool(look: &Value) -> String {
    let sessions = list(&look["sessions"]["sessions"]).count();
    let limits = &look["limits"];
    format!(
        "sessions  {sessions} of {}: {} idle, {} busy   queue  {} of {}",
        text(&limits["sessions_max"]),
        text(&look["sessions"]["idle"]),
        text(&look["sessions"]["busy"]),
        text(&look["sessions"]["waiting"]),
        text(&limits["queue_depth_max"]),
    )
}

/// Every lane with its state.
fn lanes(look: &Value) -> Option<String> {
    let lanes = list(&look["health"]["lanes"]);
    let told = lanes.map(|lane| format!("{} {}", text(&lane["lane"]), text(&lane["state"])));
    let told = told.collect::<Vec<_>>();
    (!told.is_empty()).then(|| format!("lanes     {}", told.join(", ")))
}

/// The last call that met a limit of the plan or of the provider.
fn limit(look: &Value) -> Option<String> {
    let met = |call: &&Value| {
        let code = call["code"].as_str().unwrap_or_default();
        LIMIT_CODES.contains(&code)
    };
    let call = list(&look["calls"]).find(met)?;
    Some(format!(
        "limits    {} at {}",
        text(&call["code"]),
        time(&call["at"])
    ))
}

fn session(session: &Value) -> String {
    row(&SESSION_COLUMNS, |(name, _)| match *name {
        "AGE" => span(session["age_ms"].as_u64().unwrap_or(0) / 1000),
        name => text(&session[name.to_lowercase()]),
    })
}

fn call(call: &Value) -> String {
    row(&CALL_COLUMNS, |(name, _)| match *name {
        "AT" => time(&call["at"]),
        "OUT" => text(&call["usage"]["output_tokens"]),
        "QUEUE" | "TOTAL" => milliseconds(&call["ms"][name.to_lowercase()]),
        "FIRST" => milliseconds(&call["ms"]["first_byte"]),
        name => text(&call[name.to_lowercase()]),
    })
}

fn row(columns: &[Column], cell: impl Fn(&Column) -> String) -> String {
    let cells = columns.iter().map(|column| {
        let text: String = cell(column).chars().take(column.1).collect();
        format!("{text:width$}", width = column.1)
    });
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

fn milliseconds(value: &Value) -> String {
    match value.as_f64() {
        Some(ms) if ms >= 10_000.0 => format!("{:.1} s", ms / 1000.0),
        Some(ms) => format!("{ms:.0} ms"),
        None => "-".to_owned(),
    }
}

/// The time of day of a stamp.
fn time(stamp: &Value) -> String {
    let stamp = stamp.as_str().unwrap_or_default();
    stamp.get(11..19).unwrap_or("-").to_owned()
}

fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        _ => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A model's name is a caller's text: no part of it is a terminal's command.
fn plain(line: &str, columns: usize) -> String {
    let safe = |c: char| if c.is_control() { '?' } else { c };
    line.chars().take(columns).map(safe).collect()
}

/// A heading, and how wide its column is.
type Column = (&'static str, usize);

const SESSION_COLUMNS: [Column; 5] = [
    ("PID", 8),
    ("STATE", 10),
    ("MODEL", 26),
    ("TURNS", 6),
    ("AGE", 8),
];
const CALL_COLUMNS: [Column; 9] = [
    ("AT", 8),
    ("STATUS", 6),
    ("CODE", 21),
    ("MODEL", 20),
    ("LANE", 18),
    ("QUEUE", 9),
    ("FIRST", 9),
    ("TOTAL", 9),
    ("OUT", 6),
];
const LIMIT_CODES: [&str; 3] = [
    "usage_limit",
    "upstream_rate_limited",
    "upstream_overloaded",
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn look() -> Value {
        json!({
            "address": "127.0.0.1:7421",
            "health": {"status": "degraded", "uptime_seconds": 184, "why": "log in",
                "lanes": [{"lane": "claude-pty", "state": "ready"}, {"lane": "http:one", "state": "ready"}]},
            "limits": {"sessions_max": 5, "queue_depth_max": 256},
            "sessions": {"idle": 1, "busy": 0, "waiting": 2, "sessions": [
                {"pid": 77, "state": "idle", "model": "m", "turns": 3, "age_ms": 4_000_000},
            ]},
            "calls": [
                {"at": "2026-01-31T12:00:01.000Z", "status": 429, "code": "usage_limit", "model": "\u{1b}[2J",
                 "lane": "http:one", "usage": null, "ms": {"queue": 1.4, "delivery": null, "total": 12_345.0}},
            ],
        })
    }

    #[test]
    fn a_look_reads_as_lines() {
        let size = Size {
            columns: 120,
            rows: 50,
        };
        insta::assert_snapshot!(board(&look(), size).join("\n"), @r"
        inference-relay on 127.0.0.1:7421   degraded   up 3m 4s   q quits
        sessions  1 of 5: 1 idle, 0 busy   queue  2 of 256
        lanes     claude-pty ready, http:one ready
        why       log in
        limits    usage_limit at 12:00:01

        PID       STATE       MODEL                       TURNS   AGE
        77        idle        m                           3       1h 6m

        AT        STATUS  CODE                   MODEL                 LANE                QUEUE      FIRST      TOTAL      OUT
        12:00:01  429     usage_limit            ?[2J                  http:one            1 ms       -          12.3 s     -
        ");
    }

    #[test]
    fn nothing_is_larger_than_the_terminal() {
        let size = Size {
            columns: 20,
            rows: 3,
        };
        let lines = board(&look(), size);
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.chars().count() <= 20));
    }
}
