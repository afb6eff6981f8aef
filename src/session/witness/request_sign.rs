//! What the CLI says of its requests while it works, in the lines for whoever looks for a fault. `[pure]`
//!
//! Of all that it says there, a few lines are heard: that it prepares a request, that it sends one, that an answer begins, and
//! that something failed. Everything else is passed over and kept nowhere.
//!
//! **Why.** After an answer that is cut, or shows nothing, the CLI asks again by itself. In its loop (2.1.329, 2.1.332) that
//! depends on the answer alone: no setting, variable, flag, agent or feature gate decides it (`CLAUDE_CODE_MAX_TURNS` and
//! `maxTurns` count rounds of tools, and print mode's alone; a gate decides on a third request), and no hook is run
//! between: `Stop` comes behind it, `PostToolBatch` after calls only. The copy of the answer and the transcript come 28 to
//! 150 ms behind the second request. But the CLI says that it prepares it, at once and 10 to 100 ms before it sends it, so
//! there is time for an Escape.

use crate::session::line;
use crate::session::line::FromLine;

/// What was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestSign {
    /// It prepares a request.
    Prepared,
    /// It sends one.
    Sent,
    /// An answer begins.
    Answered,
    /// An answer broke off, or never came: what is prepared next is the same request once more.
    Failed,
    /// This CLI knows no such lines, and does not start where it is asked for them.
    Unknown,
}

/// What asks for the lines.
pub(crate) const FLAG: &str = "--debug-to-stderr";

/// What it says, being read.
pub(crate) type RequestSigns = line::Lines<RequestSign>;

impl FromLine for RequestSign {
    fn from_line(line: &[u8]) -> Option<RequestSign> {
        let line = std::str::from_utf8(line).ok()?;
        if line.starts_with("error: unknown option") && line.contains(FLAG) {
            return Some(RequestSign::Unknown);
        }
        let (_, said) = line.split_once("Z [DEBUG] ").unwrap_or(("", ""));
        if said.starts_with("attribution header ") {
            Some(RequestSign::Prepared)
        } else if said.starts_with("[API REQUEST] /v1/messages") {
            Some(RequestSign::Sent)
        } else if said.starts_with("Stream started") {
            Some(RequestSign::Answered)
        } else if line.contains("Z [ERROR] ") || line.contains("retrying") {
            Some(RequestSign::Failed)
        } else {
            None
        }
    }

    fn unread() -> Option<RequestSign> {
        None
    }
}

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
                RequestSign::Unknown
            ]
        );
    }
}
