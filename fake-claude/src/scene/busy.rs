//! The line of a turn that runs, and the words for it.

use std::time::Instant;

use crate::cell::Line;
use crate::cell::Style;
use crate::id;
use crate::look::Dialect;

/// A turn that runs.
#[derive(Clone, Debug)]
pub(crate) struct Busy {
    pub(crate) since: Instant,
    pub(crate) verb: &'static str,
    pub(crate) beat: usize,
    pub(crate) running: Option<&'static str>,
    /// What is waited for before the request is made again, until when, and the rest of the line.
    pub(crate) retry: Option<(String, Instant, String)>,
}

impl Busy {
    pub(crate) fn new(now: Instant) -> Busy {
        Busy {
            since: now,
            verb: VERBS[id::pick(VERBS.len())],
            beat: 0,
            running: None,
            retry: None,
        }
    }

    /// The line with the spinner.
    pub(super) fn line(&self, now: Instant, dialect: &Dialect) -> Line {
        let spinner = SPINNER[self.beat % SPINNER.len()];
        if let Some((what, until, rest)) = &self.retry {
            let ms = until.saturating_duration_since(now).as_millis();
            let verb = if dialect.is_new() {
                "retrying"
            } else {
                "Retrying"
            };
            let line = Line::of(Style::Orange, "✻").and(Style::Plain, " ");
            let told = format!("{what} · {verb} in {}s · {rest}", ms.div_ceil(1000).max(1));
            return line.and(Style::Red, &told);
        }
        let line = Line::of(Style::Orange, spinner)
            .and(Style::Plain, " ")
            .and(Style::Orange, &format!("{}… ", self.verb));
        let seconds = now.duration_since(self.since).as_secs();
        match (self.running, seconds) {
            (Some(what), _) => line.and(Style::Grey, &format!("({what})")),
            (None, _) if dialect.esc_at_spinner => line.and(Style::Grey, "(esc to interrupt)"),
            (None, 0) => line,
            (None, seconds) => line.and(
                Style::Grey,
                &format!("({seconds}s · ↓ {} tokens)", self.beat),
            ),
        }
    }
}

/// A word for the end of a turn.
pub(crate) fn past_verb() -> &'static str {
    PAST[id::pick(PAST.len())]
}

const SPINNER: [&str; 6] = ["·", "✢", "✳", "✶", "✻", "✽"];

const VERBS: [&str; 8] = [
    "Effecting",
    "Nesting",
    "Orbiting",
    "Twisting",
    "Hatching",
    "Ruminating",
    "Booping",
    "Churning",
];

const PAST: [&str; 8] = [
    "Baked",
    "Brewed",
    "Churned",
    "Cogitated",
    "Cooked",
    "Crunched",
    "Sautéed",
    "Worked",
];
