//! How calls fail before they have a session. `[pure]`

use crate::session::NotThere;
use crate::session::out_of_files;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use std::io;
use std::time::Duration;

pub(crate) fn queue_full(wait: Duration) -> Fault {
    let public = "As many calls wait for a session as may. Wait as long as `retry-after` says, or raise `pool.max` or \
                  `pool.queue_depth_max` in relay.toml.";
    Fault::new(FaultKind::QueueFull, Blame::Relay, public)
        .because("the queue is full")
        .retry_after(wait)
}

pub(crate) fn queue_timeout(wait: Duration) -> Fault {
    let public = "No session became free within the queue's time limit. Wait as long as `retry-after` says, or raise \
                  `pool.max` in relay.toml.";
    Fault::new(FaultKind::QueueTimeout, Blame::Relay, public)
        .because("the wait outlived its deadline")
        .retry_after(wait)
}

pub(crate) fn shutting_down() -> Fault {
    let public = "The relay is shutting down. Send the request again once it is back.";
    Fault::new(FaultKind::ShuttingDown, Blame::Relay, public)
        .because("draining")
        .retry_after(SHUTDOWN_WAIT)
}

/// With the place where it was looked for, as far as there is one.
pub(crate) fn claude_not_found(error: &io::Error) -> Fault {
    let named = error.get_ref().and_then(|error| error.downcast_ref());
    if let Some(NotThere(path)) = named {
        let public = format!(
            "There is no `claude` at {}. Put Claude Code there, and the relay notices by itself; or correct \
             `claude.command` in relay.toml if it names that place, and restart the relay.",
            path.display()
        );
        return Fault::new(FaultKind::ClaudeNotFound, Blame::Cli, public)
            .because("no claude there");
    }
    let public = "No `claude` was found on this machine. Install Claude Code, and the relay notices by itself; or set \
                  `claude.command` in relay.toml, and restart the relay. `inference-relay doctor` shows where it looked.";
    Fault::new(FaultKind::ClaudeNotFound, Blame::Cli, public).because("no claude")
}

pub(crate) fn cannot_launch(error: &io::Error) -> Fault {
    if let Some(fault) = out_of_files(error) {
        return fault;
    }
    if is_of_the_disk(error.kind()) {
        let public = format!(
            "The files of a new session could not be written: {error}. Free some space on the disk of the relay's \
             state folder, or make it writable."
        );
        return Fault::new(FaultKind::Internal, Blame::Relay, public)
            .because("a session's files could not be written");
    }
    if error.kind() == io::ErrorKind::NotFound {
        return claude_not_found(error);
    }
    let public = "Claude Code could not be started. Run `inference-relay doctor` to see which one was tried.";
    Fault::new(FaultKind::ClaudeUnsupported, Blame::Cli, public)
        .because(format!("a launch failed: {error}"))
}

fn is_of_the_disk(kind: io::ErrorKind) -> bool {
    use io::ErrorKind;
    let full = matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    full || kind == ErrorKind::ReadOnlyFilesystem
}

/// About as long as a restart takes.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(2);
