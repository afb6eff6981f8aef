//! How a call fails on this lane, but for what the upstream says. `[pure]`

use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::Remedy;
use std::time::Duration;

/// The call asks for what cannot reach the model through the CLI; another lane may take it.
pub(super) fn unfit(path: &str, why: &str) -> Box<Fault> {
    let public = format!("{path}: {why}. Leave it away, or have another lane serve the call.");
    let fault = Fault::new(FaultKind::InvalidRequest, Blame::Client, public);
    Box::new(fault.helped_by(Remedy::OtherLane))
}

pub(super) fn not_found() -> Fault {
    let public = "No `codex` was found on this machine. Install the Codex CLI, or set `codex.command` in relay.toml, \
                  and restart the relay.";
    Fault::new(FaultKind::CodexNotFound, Blame::Cli, public).because("no codex")
}

/// The CLI is there and does not serve.
pub(super) fn does_not_start(why: impl Into<String>) -> Fault {
    let public = "The Codex CLI did not start as an app-server. Run `codex doctor` in a terminal; the relay's log says \
                  what it said.";
    Fault::new(FaultKind::CodexNotFound, Blame::Cli, public).because(why)
}

pub(super) fn logged_out() -> Fault {
    let public = "The Codex CLI is not logged in. Run `inference-relay login codex` in a terminal; the relay notices by \
                  itself.";
    Fault::new(FaultKind::LoginRequired, Blame::Cli, public).because("codex is logged out")
}

pub(super) fn lost(why: impl Into<String>) -> Fault {
    let public = "The Codex CLI ended before its answer was whole. Send the request again; if it fails again, run \
                  `codex doctor`.";
    Fault::new(FaultKind::SessionLost, Blame::Cli, public).because(why)
}

pub(super) fn turn_timeout() -> Fault {
    let public = "The turn did not end within `pool.turn_wait_max` and was interrupted. Raise it if answers may take \
                  longer.";
    Fault::new(FaultKind::TurnTimeout, Blame::Upstream, public)
        .because("a turn of codex had no end")
}

pub(super) fn empty_turn() -> Fault {
    let public = "The model's turn ended without any content, and no reason was given. Send the request again.";
    Fault::new(FaultKind::EmptyTurn, Blame::Upstream, public).because("codex told an empty turn")
}

/// The CLI told another text than the model's.
pub(super) fn changed(what: &str) -> Fault {
    let public = format!(
        "The Codex CLI changed the answer ({what}), so what was told of it is not the model's own. Ask for the whole \
         answer at once (`stream: false`), or another lane."
    );
    Fault::new(FaultKind::UpstreamIncomplete, Blame::Cli, public).because("codex changed an answer")
}

pub(super) fn summarised() -> Fault {
    let public = "The Codex CLI put a summary in the place of the conversation, so its answer was given up. Send a \
                  shorter conversation.";
    Fault::new(FaultKind::UpstreamIncomplete, Blame::Cli, public)
        .because("codex compacted a thread")
}

pub(super) fn too_many(wait: Duration) -> Fault {
    let public = "As many calls are under way on the Codex CLI as may, and none ended in time. Wait as long as \
                  `retry-after` says, or raise `codex.calls_max` in relay.toml.";
    Fault::new(FaultKind::QueueTimeout, Blame::Relay, public)
        .because("no place on codex")
        .retry_after(wait)
}

pub(super) fn too_many_models() -> Fault {
    let public = "model: this relay has served as many different model names by the Codex CLI as it takes. Ask for one \
                  of them, or restart the relay.";
    Fault::new(FaultKind::InvalidRequest, Blame::Client, public)
}

/// The CLI refused what the relay sent, before any upstream was asked.
pub(super) fn refused(what: &str, message: &str) -> Fault {
    let public = format!(
        "The Codex CLI does not take this call: {message}. Correct what is named, or have another lane \
                          serve it."
    );
    Fault::new(FaultKind::InvalidRequest, Blame::Client, public)
        .because(format!("codex refused {what}"))
        .helped_by(Remedy::OtherLane)
}
