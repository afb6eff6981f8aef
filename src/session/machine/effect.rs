//! What a session's driver is told to do. `[pure]`

use super::super::mcp::result::Answered;
use super::super::mcp::tool_sync::Notice;
use crate::turn::Block;
use crate::turn::Event;
use crate::turn::Fault;
use std::path::PathBuf;

/// What the driver must do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Keystrokes for the terminal.
    Write(Vec<u8>),
    /// The answer to the submitted prompt that was handed in last.
    Verdict(Verdict),
    /// A turn reaches the model: what the tap hears from now on is its answer.
    Listen,
    /// Something for the CLI at the session's MCP address.
    Notify(Notice),
    /// Tell progress of the parked calls, so that the CLI writes its transcript on.
    Nudge,
    /// The result of a parked call.
    Answer(Answered),
    /// The tools are there: the session that waits at its gate may begin.
    OpenGate,
    /// The answer is told but for its end; the session waits for the results of the calls in it.
    Park { said: Vec<Block>, end: Event },
    /// The answer is told but for its end; the session stays in the conversation.
    Keep { said: Vec<Block>, end: Event },
    /// Read this transcript from its end on.
    Follow(PathBuf),
    /// The CLI asked the API for an answer.
    Asked,
    /// What has this path is not as the model wrote it.
    Emulated(String),
    /// An event for the caller.
    Tell(Event),
    /// The caller's turn failed; `begun` where something of it has gone to the caller.
    Fail { fault: Fault, begun: bool },
    /// The prompt did not arrive as it was written; nothing reached the model.
    Misdelivered,
    /// Write a blank conversation and hand it in.
    Blank,
    /// The conversation is left, and its transcript may go.
    Forget(PathBuf),
    /// The session is empty and waits.
    Ready,
    /// The process must go, with its group.
    Kill(&'static str),
    /// The same, without time to clean up.
    KillAtOnce(&'static str),
}

impl Effect {
    /// What is done, without its texts.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Effect::Write(_) => "write",
            Effect::Verdict(Verdict::Allow) => "allow",
            Effect::Verdict(Verdict::Block) => "block",
            Effect::Listen => "listen",
            Effect::Notify(_) => "notify",
            Effect::Nudge => "nudge",
            Effect::Answer(_) => "answer",
            Effect::OpenGate => "open gate",
            Effect::Park { .. } => "park",
            Effect::Keep { .. } => "keep",
            Effect::Follow(_) => "follow",
            Effect::Asked => "asked",
            Effect::Emulated(_) => "emulated",
            Effect::Tell(_) => "tell",
            Effect::Fail { .. } => "fail",
            Effect::Misdelivered => "misdelivered",
            Effect::Blank => "blank",
            Effect::Forget(_) => "forget",
            Effect::Ready => "ready",
            Effect::Kill(why) | Effect::KillAtOnce(why) => why,
        }
    }
}

/// Whether a submitted prompt may go to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allow,
    Block,
}
