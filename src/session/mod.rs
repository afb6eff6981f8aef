//! One live claude and its life: launched, given turns, brought back to rest, ended.
//!
//! **What for.** A session is a real, interactive `claude` on a pseudo-terminal. It serves one turn at a time: the
//! prompt is delivered exactly, what was submitted is verified before the model is asked, the answer is read from
//! hooks, the transcript and, if the user wants that, the tap, and afterwards the conversation is cleared and the clearing verified.
//!
//! **Never.** No text of a caller becomes a keystroke with a meaning, a command, or a part of another caller's
//! conversation. Nothing is believed of the screen but the state of the prompt box. No quiet window stands for a
//! signal.
//!
//! **Invariants.** Every process leads a group of its own, is in the registry, and is ended with its group on every
//! path. A prompt that reaches the model equals the caller's text; every other submission is blocked by its hook.
//!
//! Start reading at [`machine`]: it is the session. [`driver`] is the loop around it, [`launcher`] starts it,
//! [`delivery`] plans how a prompt gets in, `transcript_pipe` keeps sessions waiting for any conversation, [`witness`] sees how it comes out.
//! [`print`] is the same CLI without a screen, behind the same orders.

pub(crate) mod block;
pub(crate) mod delivery;
mod discard;
pub(crate) mod driver;
pub(crate) mod fault;
pub(crate) mod habits;
pub(crate) mod history;
pub(crate) mod installation;
pub(crate) mod launch;
pub(crate) mod launch_context;
pub(crate) mod launcher;
mod line;
pub(crate) mod machine;
pub(crate) mod mcp;
pub(crate) mod mode;
pub(crate) mod pieces;
pub(crate) mod prepare;
pub(crate) mod print;
pub(crate) mod private;
pub(crate) mod pty;
pub(crate) mod ready_gate;
pub(crate) mod reply;
mod resources;
pub(crate) mod shape;
pub(crate) mod support;
pub(crate) mod transcript_pipe;
pub(crate) mod transcript_store;
pub(crate) mod turn_spec;
pub(crate) mod witness;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How sessions are launched.
#[derive(Debug, Clone)]
pub(crate) struct SessionConfig {
    /// The claude to run; `None`: discovered.
    pub(crate) command: Option<PathBuf>,
    /// Added to the child's scrubbed environment, last word.
    pub(crate) env: BTreeMap<String, String>,
    /// The environment that is scrubbed and passed on.
    pub(crate) inherited: BTreeMap<OsString, OsString>,
    /// The folder that sessions run in; private and empty.
    pub(crate) work_dir: PathBuf,
    /// The folder for a session's own files (hook settings, system prompts); private.
    pub(crate) run_dir: PathBuf,
    /// The model of sessions started before any caller asked.
    pub(crate) model: String,
    /// Keep the transcripts that turns leave, instead of removing them.
    pub(crate) keep_transcripts: bool,
    /// How long a session may take from spawn to its prompt box.
    pub(crate) start_wait_max: Duration,
    /// Claude Code's own built-in tools in sessions.
    pub(crate) builtin_tools: bool,
    /// Lead the requests of sessions through an address of ours, and read the answers.
    pub(crate) tap: bool,
}
