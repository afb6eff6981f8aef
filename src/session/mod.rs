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
//! [`mod@print`] is the same CLI without a screen, behind the same orders.

mod attachment;
mod block;
mod delivery;
mod discard;
mod driver;
mod fault;
mod habits;
mod history;
mod inbox;
mod installation;
mod launch;
mod launch_context;
mod launcher;
mod line;
mod machine;
mod mcp;
mod mode;
mod pieces;
mod prepare;
#[cfg(not(test))]
mod print;
#[cfg(test)]
pub(crate) mod print;
mod pty;
mod ready_gate;
mod rehearsal;
mod reply;
mod reset;
mod resources;
mod shape;
mod support;
mod transcript_pipe;
mod transcript_store;
mod turn_spec;
mod witness;

// For the pool: a session, its turns, and what becomes of them.
pub(crate) use delivery::Delivery;
pub(crate) use delivery::plan_delivery;
pub(crate) use delivery::plan_last_block;
pub(crate) use delivery::plan_through_editor;
pub(crate) use delivery::splits_exactly;
pub(crate) use driver::Notice;
pub(crate) use driver::Notify;
pub(crate) use driver::Order;
pub(crate) use driver::Turn;
pub(crate) use fault::misdelivered;
pub(crate) use fault::out_of_files;
pub(crate) use fault::session_lost;
pub(crate) use fault::undeliverable;
pub(crate) use habits::Habits;
pub(crate) use history::ends_in_placeholder;
pub(crate) use history::is_told_at_once;
pub(crate) use installation::Edition;
pub(crate) use installation::Installation;
pub(crate) use installation::Installations;
pub(crate) use installation::NotThere;
pub(crate) use launcher::Birth;
pub(crate) use launcher::Launched;
pub(crate) use launcher::Launcher;
pub(crate) use launcher::Session;
pub(crate) use mcp::result::tool_answers;
#[cfg(test)]
pub(crate) use mcp::tool_delivery::OwnTools;
pub(crate) use mcp::tool_list::ToolList;
pub(crate) use prepare::Continuation;
pub(crate) use prepare::PreparedTurn;
pub(crate) use prepare::TurnBuilder;
pub(crate) use reply::Recipient;
pub(crate) use reply::TurnOutcome;
pub(crate) use shape::Shape;

// For the composition root: what all sessions share, and the CLI on this machine.
pub(crate) use launch::claude_folder;
pub(crate) use launch::has_password;
pub(crate) use launch::tap_config;
pub(crate) use launch_context::LaunchContext;
pub(crate) use machine::Limits;
pub(crate) use pty::DiscoverEnv;
pub(crate) use pty::VersionError;
pub(crate) use pty::claude_candidates;
pub(crate) use pty::claude_folders;
pub(crate) use pty::claude_misfits;
pub(crate) use pty::claude_version;
pub(crate) use pty::pulse::is_stopped;
pub(crate) use pty::reap::ProcessRegistry;
pub(crate) use rehearsal::Rehearsals;
pub(crate) use support::Assessment;
pub(crate) use support::Support;
pub(crate) use transcript_store::TranscriptReader;
pub(crate) use transcript_store::TranscriptStore;
pub(crate) use witness::receiver::Receiver;
pub(crate) use witness::tail::Tails;

// For conversations and others who keep files.
pub(crate) use block::returned_block;

// For the recorder, which drives claude itself.
pub(crate) use launch::Files;
pub(crate) use launch::Launch;
pub(crate) use launch::Opening;
pub(crate) use launch::editor_script;
pub(crate) use launch::hook_settings;
pub(crate) use launch::pty_launch;
pub(crate) use mode::Mode;
pub(crate) use pieces::Pieces;
pub(crate) use pty::reap::EndMode;
pub(crate) use pty::reap::end_group;
pub(crate) use pty::spawn::Exit;
pub(crate) use pty::spawn::Process;
pub(crate) use pty::version_parts;
pub(crate) use ready_gate::open as open_gate;
pub(crate) use transcript_pipe::make_pipe;
pub(crate) use witness::hook::Hook;
pub(crate) use witness::hook::HookEvent;
pub(crate) use witness::record::Record;
pub(crate) use witness::record::parse_record;

#[cfg(feature = "bench")]
pub(crate) use history::Heading;
#[cfg(feature = "bench")]
pub(crate) use history::write_transcript;

#[cfg(test)]
pub(crate) use machine::Effect;
#[cfg(test)]
pub(crate) use machine::Machine;
#[cfg(test)]
pub(crate) use machine::Verdict;
#[cfg(test)]
pub(crate) use mcp::tool_sync::Notice as ToolNotice;
#[cfg(test)]
pub(crate) use mcp::tool_sync::ToolEvent;
#[cfg(test)]
pub(crate) use turn_spec::DeliveryMethod;
#[cfg(test)]
pub(crate) use turn_spec::Enter;
#[cfg(test)]
pub(crate) use turn_spec::TurnSpec;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) use witness::record::ApiError;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) use witness::record::AssistantMessage;

#[cfg(any(test, feature = "fuzz"))]
pub(crate) use witness::Lines;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) use witness::Merge;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) use witness::Seen;

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
