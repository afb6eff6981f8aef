//! The page's text, out of one moment of the relay. `[pure]`

use super::calls::calls;
use super::health_line::health_line;
use super::html::escaped;
use super::html::prose;
use super::html::span;
use crate::pool::ClaudeView;
use crate::pool::Condition;
use crate::pool::SessionView;
use crate::pool::Snapshot;
use serde_json::Value;
use std::time::Instant;

/// What the page shows.
pub(super) struct View<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) uptime_ms: u64,
    /// Where programs reach the relay.
    pub(super) url: &'a str,
    pub(super) builtin_tools: bool,
    /// The last calls, the newest first, as the journal keeps them.
    pub(super) calls: &'a [Value],
    /// Milliseconds since 1970.
    pub(super) now: u64,
    /// The same moment, for what is measured in spans.
    pub(super) instant: Instant,
    /// How the keys stand, where there are some; whether calls need one is `needs_key`.
    pub(super) keys: Option<String>,
    pub(super) needs_key: bool,
    /// How the licence stands, where there is an authority.
    pub(super) licence: Option<String>,
    /// How the Codex CLI and its plan stand, once it told.
    pub(super) codex: Option<String>,
    /// Why the licence lets no call through, where it does not.
    pub(super) denied: Option<&'a str>,
    /// Calls need a key, and the reader shows none: then the page tells health and nothing else.
    pub(super) is_closed: bool,
    /// The reader chose to have the page ask again.
    pub(super) is_live: bool,
    /// What marks the style sheet as ours.
    pub(super) nonce: &'a str,
}

pub(super) fn page(view: &View<'_>) -> String {
    let health_line = health_line(view.snapshot, view.denied);
    let details = match view.is_closed {
        true => [CLOSED.to_owned(), program(view)].concat(),
        false => [
            pool(view),
            calls(view.calls, view.now),
            program(view),
            about(view),
        ]
        .concat(),
    };
    let refresh = match view.is_live {
        true => "<meta http-equiv=\"refresh\" content=\"5\">\n",
        false => "",
    };
    format!(
        r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
{refresh}<title>{word} · inference-relay</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='6' fill='%23{colour}'/%3E%3C/svg%3E">
<style nonce="{nonce}">
{STYLE}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
<p class="name">{MARK} inference-relay <span class="version">{version}</span></p>
<nav aria-label="Page">{nav}</nav>
</header>
<main id="main" tabindex="-1">
<section class="hero {tone}" aria-labelledby="state">
<h1 id="state">{word}</h1>
<p>{sentence}</p>
{next}</section>
{details}</main>
<footer><p>Served from this machine, to this machine. No text of a call is shown or kept here.</p></footer>
</body>
</html>
"##,
        word = health_line.word,
        colour = health_line.colour,
        tone = health_line.tone,
        nonce = view.nonce,
        version = env!("CARGO_PKG_VERSION"),
        nav = nav(view.is_live),
        sentence = prose(&health_line.sentence),
        next = next(health_line.next),
    )
}

fn next(step: Option<&str>) -> String {
    match step {
        Some(step) => format!(
            "<p class=\"next\"><strong>Next:</strong> {}</p>\n",
            prose(step)
        ),
        None => String::new(),
    }
}

fn nav(is_live: bool) -> &'static str {
    if is_live {
        "<a href=\"/\">Stop updating</a>"
    } else {
        "<a href=\"/\">Refresh</a> <a href=\"/?live\">Update every 5 s</a>"
    }
}

fn pool(view: &View<'_>) -> String {
    let snapshot = view.snapshot;
    let in_state = |state: &str| {
        let sessions = snapshot.sessions.iter();
        sessions.filter(|session| session.state == state).count()
    };
    let figure =
        |name: &str, value: String| format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n");
    let figures = [
        figure("Idle", in_state("idle").to_string()),
        figure("Busy", in_state("busy").to_string()),
        figure("Waiting", snapshot.waiting.to_string()),
        figure("Uptime", span(view.uptime_ms)),
    ];
    format!(
        "<section aria-labelledby=\"pool\">\n<h2 id=\"pool\">Pool</h2>\n<dl class=\"figures\">\n{}</dl>\n{}</section>\n",
        figures.concat(),
        sessions(snapshot, view.instant)
    )
}

fn sessions(snapshot: &Snapshot, now: Instant) -> String {
    let sessions = &snapshot.sessions;
    if let (true, Condition::Degraded(_)) = (sessions.is_empty(), &snapshot.condition) {
        return "<p class=\"quiet\">No session is alive.</p>\n".to_owned();
    }
    if sessions.is_empty() {
        return "<p class=\"quiet\">No session is alive. The first call starts one.</p>\n"
            .to_owned();
    }
    let rows: String = sessions.iter().map(|session| row(session, now)).collect();
    format!(
        "<div class=\"wide\" role=\"region\" aria-labelledby=\"sessions\" tabindex=\"0\">
<table>
<caption id=\"sessions\">Live sessions</caption>
<thead><tr><th scope=\"col\">Process</th><th scope=\"col\">State</th><th scope=\"col\">Model</th><th scope=\"col\" class=\"number\">Turns</th><th scope=\"col\" class=\"number\">Age</th></tr></thead>
<tbody>
{rows}</tbody>
</table>
</div>
"
    )
}

fn row(session: &SessionView, now: Instant) -> String {
    format!(
        "<tr><th scope=\"row\">{}</th><td><span class=\"state {1}\">{1}</span></td><td class=\"model\">{2}</td><td class=\"number\">{3}</td><td class=\"number\">{4}</td></tr>\n",
        session.pid,
        escaped(session.state),
        escaped(&session.model),
        session.turns,
        span(session.age_ms(now))
    )
}

fn program(view: &View<'_>) -> String {
    let (key, words) = match view.needs_key {
        true => (
            "irk_…",
            "The key is one of the relay\u{2019}s own: `inference-relay key create NAME` makes it.",
        ),
        false => (
            "unused",
            "The key may be any text, unless you made keys of the relay\u{2019}s own.",
        ),
    };
    format!(
        "<section aria-labelledby=\"program\">
<h2 id=\"program\">Your program</h2>
<p>Start it with these two variables. {}</p>
<pre tabindex=\"0\" role=\"region\" aria-label=\"Variables\"><code>ANTHROPIC_BASE_URL={}
ANTHROPIC_API_KEY={key}</code></pre>
</section>
",
        prose(words),
        escaped(view.url)
    )
}

fn about(view: &View<'_>) -> String {
    let claude = view.snapshot.claude.as_ref();
    let path = claude.map(|claude| claude.path.display().to_string());
    let tools = if view.builtin_tools { "on" } else { "off" };
    let rows = [
        ("Address", Some(view.url.to_owned())),
        (
            "Claude Code",
            Some(claude.map_or("none found".to_owned(), version)),
        ),
        ("Its program", path),
        ("Its own tools", Some(tools.to_owned())),
        ("Codex", view.codex.clone()),
        ("Keys", view.keys.clone()),
        ("Licence", view.licence.clone()),
    ];
    let row = |(name, value): (&str, Option<String>)| {
        let value = escaped(&value?);
        Some(format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n"))
    };
    let rows: String = rows.into_iter().filter_map(row).collect();
    format!(
        "<section aria-labelledby=\"about\">\n<h2 id=\"about\">This relay</h2>\n<dl class=\"facts\">\n{rows}</dl>\n</section>\n"
    )
}

fn version(claude: &ClaudeView) -> String {
    let version = claude.version.as_deref().unwrap_or("not asked yet");
    match &claude.support {
        Some(support) => format!("{version}, {support}"),
        None => version.to_owned(),
    }
}

const CLOSED: &str = "<p class=\"quiet\">Calls need a key here. Sessions and calls are shown to who shows one, as <code>inference-relay top</code> does.</p>\n";
const STYLE: &str = include_str!("style.css");
/// Two ends and a way between them.
const MARK: &str = "<svg aria-hidden=\"true\" viewBox=\"0 0 32 16\" width=\"32\" height=\"16\"><circle cx=\"5\" cy=\"8\" r=\"4\"/><circle cx=\"27\" cy=\"8\" r=\"4\"/><path d=\"M11 8h10\"/></svg>";
