//! What the CLI says of its requests while it works, in the lines for whoever looks for a fault. `[pure]`
//!
//! Of all that it says there, a few lines are heard: that it prepares a request, that it sends one, that an answer begins,
//! that something failed, what the API refused a request with, and how long it asks to be left alone, which the CLI tells
//! nowhere else. Everything else is passed over and kept nowhere.
//!
//! **Why.** After an answer that is cut, or shows nothing, the CLI asks again by itself. In its loop (2.1.197 to 2.1.332)
//! that depends on the answer alone: no flag, agent or feature gate decides it (`CLAUDE_CODE_MAX_TURNS` and `maxTurns` count
//! rounds of tools, and print mode's alone; a gate decides on a third request), and of its 34 kinds of hooks none is waited
//! for between: `Stop` comes behind it, `PostToolBatch` and hooks that hold tools after calls only, `PostModelSwitch` after a
//! switch, `MessageDisplay` beside it, and `PreCompact` where it would have the model write a summary, which a hook that fails
//! does not prevent. What stops the loop before a request is that a key is to move the session to the background, where it
//! goes on. The copy of the answer and the transcript come 28 to 150 ms behind the second request; 2.1.197 copies before
//! it. But the CLI says that it prepares it, at once and 10 to 100 ms before it sends it, and an Escape stands in its
//! terminal a tenth of a millisecond later. To stop the process in between is no way: what it writes of the first answer
//! comes behind the second request.
//!
//! **The wait.** The CLI reads its keys between two rounds of its loop alone, and where all that the request waits for is
//! there already, none ends before the request is on its way (by its system calls), about once in two. For each request it
//! makes itself a client, and waits for the command in its settings that logs in to a proxy (`proxyAuthHelper`), where a
//! variable has it run; without a proxy nobody gets what the command prints, and the request is the same. That wait is a
//! round: with it none of 73 calls of 2.1.332 and none of 73 of 2.1.197 had a second request; without it 14 of 54 had, and
//! 7 of 24. But each request waits, also the one that was asked for, 20 to 60 ms, for what the CLI draws meanwhile it else
//! draws while the API thinks. So only sessions wait whose answers have little room. What else is waited for there is no
//! help: `apiKeyHelper` is another login, and is waited for once.

use crate::session::line;
use crate::session::line::FromLine;
use serde_json::Value;
use std::time::Duration;

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RequestSign {
    /// It prepares a request.
    Prepared,
    /// It sends one.
    Sent,
    /// An answer begins.
    Answered,
    /// An answer broke off, or never came: what is prepared next is the same request once more.
    Failed,
    /// The API refuses a request, in these words.
    Refused(Refusal),
    /// The API refuses a request, and asks for as much time.
    Wait(Duration),
    /// This CLI knows no such lines, and does not start where it is asked for them.
    Unknown,
}

/// What the API said when it refused a request. What the CLI tells of it elsewhere is meant for a person at its
/// terminal: other words, advice to press keys, and none of the numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) words: String,
}

/// What asks for the lines.
pub(crate) const FLAG: &str = "--debug-to-stderr";
/// What has it tell the heads of the API's answers there, with all keys left out; bodies stay out of it.
pub(crate) const HEADS: (&str, &str) = ("ANTHROPIC_LOG", "debug");

/// What it says, being read.
pub(crate) type RequestSigns = line::Lines<RequestSign>;

impl FromLine for RequestSign {
    fn from_line(line: &[u8]) -> Option<RequestSign> {
        let line = std::str::from_utf8(line).ok()?;
        if line.starts_with("error: unknown option") && line.contains(FLAG) {
            return Some(RequestSign::Unknown);
        }
        if let Some(wait) = wait(line) {
            return Some(RequestSign::Wait(wait));
        }
        if let Some(refusal) = refusal(line) {
            return Some(RequestSign::Refused(refusal));
        }
        let (_, said) = line.split_once("Z [DEBUG] ").unwrap_or(("", ""));
        if said.starts_with("attribution header ") {
            Some(RequestSign::Prepared)
        } else if said.starts_with("[API REQUEST] /v1/messages") {
            Some(RequestSign::Sent)
        } else if said.starts_with("Stream started") {
            Some(RequestSign::Answered)
        } else if is_failure(line) {
            Some(RequestSign::Failed)
        } else {
            None
        }
    }

    fn unread() -> Option<RequestSign> {
        None
    }
}

/// A refusal with the API's own error in it: `… [ERROR] API error (attempt 1/1): 404 404 {"type":"error","error":{…}}`.
fn refusal(line: &str) -> Option<Refusal> {
    let (before, said) = line.split_once("Z [ERROR] API error (attempt ")?;
    let (_, said) = said.split_once("): ")?;
    let (status, body) = said.split_once(' ')?;
    let body = body.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
    let body = is_head(before).then(|| serde_json::from_str::<Value>(body))?;
    let words = body.ok()?.pointer("/error/message")?.as_str()?.to_owned();
    let is_told = !words.trim().is_empty() && words.len() <= WORDS_BYTES_MAX;
    let status = status.parse().ok().filter(|_| is_told)?;
    Some(Refusal { status, words })
}

/// Whether a line has only times before its level: one, or two where a claude on a pseudo-terminal passes it on.
fn is_head(text: &str) -> bool {
    let (first, last) = text.split_once(PASSED_ON).unwrap_or((text, text));
    let is_time = |c: char| c.is_ascii_digit() || "-:.T".contains(c);
    [first, last]
        .iter()
        .all(|time| !time.is_empty() && time.chars().all(is_time))
}

/// The CLI's own client of the API says all that it does as an error.
fn is_failure(line: &str) -> bool {
    let is_told = line.contains("Z [ERROR] ") || line.contains("retrying");
    is_told && !line.contains(CLIENT)
}

/// The wait that a head names: in a line of its own, `    "retry-after": "7",`, or in one that tells all of the head.
fn wait(line: &str) -> Option<Duration> {
    let (before, after) = line.split_once("retry-after")?;
    let is_alone = matches!(before.trim_start(), "\"" | "'");
    if !is_alone && !before.contains(CLIENT) {
        return None;
    }
    let said = after.trim_start_matches(['"', '\'', '\\', ':', ' ']);
    let end = said.find(|c: char| !c.is_ascii_digit())?;
    let is_whole = said[end..].starts_with(['"', '\'', '\\']) && end <= WAIT_DIGITS_MAX;
    let seconds = is_whole.then(|| said[..end].parse().ok()).flatten();
    seconds.map(Duration::from_secs)
}

/// What the lines begin with that the CLI's own client of the API says.
const CLIENT: &str = "[Anthropic SDK ";
/// What stands between the times of a line that a claude on a pseudo-terminal passes on.
const PASSED_ON: &str = "Z [WARN] [stderr] ";
/// The API's words are a sentence or two. What is longer is a page of somebody between, and stays where it is.
const WORDS_BYTES_MAX: usize = 8 * 1024;
/// Digits of a wait that is believed: a week has six.
const WAIT_DIGITS_MAX: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_request_are_heard_and_no_other() {
        let said = "2026-11-30T01:03:29.474Z [DEBUG] [API:timing] first byte after 32ms\n\
            2026-11-30T01:03:29.509Z [WARN] [stderr] 2026-11-30T01:03:29.508Z [DEBUG] Stream started - received first chunk\n\
            2026-11-30T01:03:29.518Z [DEBUG] attribution header x-anthropic-billing-header: cc_version=2.1.332.bd3;\n\
            2026-11-30T01:03:29.519Z [DEBUG] [API REQUEST] /v1/messages source=repl_main_thread\n\
            2026-11-30T01:03:29.520Z [ERROR] API error: aborted\n\
            2026-11-30T01:03:29.530Z [WARN] connection closed \u{2014} retrying streaming (1/2)\n\
            \x20   \"retry-after\": \"7\",\n\
            \x20   'retry-after': '8'\n\
            \x20   \"retry-after\": \"soon\",\n\
            2026-11-30T01:03:29.540Z [DEBUG] \"retry-after\": \"9\",\n\
            2026-11-30T01:03:29.541Z [ERROR] \"console.error: [Anthropic SDK DEBUG] [log_1] sending request {\n\
            2026-11-30T01:03:29.542Z [ERROR] \"console.error: [Anthropic SDK DEBUG] [log_1] response error {\\n  headers: \
            {\\n    'retry-after': '17',\\n  }\\n}\"\n\
            the attribution header of a text, Stream started\n\
            error: unknown option '--debug-to-stderr'\n\
            error: unknown option '--another'\n";
        assert_eq!(
            RequestSigns::default().push(said.as_bytes()),
            [
                RequestSign::Answered,
                RequestSign::Prepared,
                RequestSign::Sent,
                RequestSign::Failed,
                RequestSign::Failed,
                RequestSign::Wait(Duration::from_secs(7)),
                RequestSign::Wait(Duration::from_secs(8)),
                RequestSign::Wait(Duration::from_secs(17)),
                RequestSign::Unknown
            ]
        );
    }

    const REFUSAL: &str = "2026-11-30T01:03:29.521Z [ERROR] API error (attempt 1/1): 404 404 \
        {\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"model: \\u00e9 {x}\"},\
        \"request_id\":\"req_1\"}";

    fn sign(line: &str) -> Option<RequestSign> {
        RequestSign::from_line(line.as_bytes())
    }

    fn refused(status: u16, words: &str) -> Option<RequestSign> {
        let words = words.to_owned();
        Some(RequestSign::Refused(Refusal { status, words }))
    }

    #[test]
    fn the_apis_own_words_are_heard_in_the_line_of_a_refusal() {
        let words = "model: \u{e9} {x}";
        let passed_on = format!("2026-11-30T01:03:29.522Z [WARN] [stderr] {REFUSAL}");
        for line in [REFUSAL, &passed_on, &REFUSAL.replace("404 404", "404")] {
            assert_eq!(sign(line), refused(404, words), "{line}");
        }
        let mut signs = RequestSigns::default();
        let (start, rest) = REFUSAL.split_at(REFUSAL.len() / 2);
        assert_eq!(signs.push(start.as_bytes()), []);
        assert_eq!(signs.push(rest.as_bytes()), []);
        assert_eq!(signs.push(b"\n"), Vec::from_iter(refused(404, words)));
    }

    #[test]
    fn a_line_without_the_apis_own_words_is_a_failure_and_no_more() {
        let torn = &REFUSAL[..REFUSAL.len() - 1];
        let with = |body: &str| {
            let (head, _) = REFUSAL.split_once('{').expect("it has a body");
            format!("{head}{body}")
        };
        for line in [
            torn.to_owned(),
            format!("{REFUSAL} and more"),
            with("<html>bad gateway {\"error\":{\"message\":\"x\"}}</html>"),
            with("{\"error\":{\"message\":\" \"}}"),
            with("{\"error\":{\"message\":7}}"),
            with("{\"message\":\"x\"}"),
            with("[]"),
            with(""),
            REFUSAL.replace("404 404", "undefined"),
            REFUSAL.replace("404 404", "70000"),
            REFUSAL.replace("API error", "Error in API request"),
            REFUSAL.replace("Z [ERROR]", "Z a text with Z [ERROR]"),
        ] {
            assert_eq!(sign(&line), Some(RequestSign::Failed), "{line}");
        }
        for level in ["DEBUG", "WARN", "INFO"] {
            assert_eq!(sign(&REFUSAL.replace("ERROR", level)), None, "{level}");
        }
    }

    #[test]
    fn words_are_heard_up_to_a_length() {
        let with = |length: usize| {
            let words = "x".repeat(length);
            (sign(&REFUSAL.replace("{x}", &words)), words)
        };
        let rest = "model: \u{e9} ".len();
        let (heard, words) = with(WORDS_BYTES_MAX - rest);
        assert_eq!(heard, refused(404, &format!("model: \u{e9} {words}")));
        let (heard, _) = with(WORDS_BYTES_MAX - rest + 1);
        assert_eq!(heard, Some(RequestSign::Failed));
    }
}
