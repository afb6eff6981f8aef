//! One live claude and its life.

pub(crate) mod pty;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// How sessions are launched.
#[derive(Debug, Clone)]
pub(crate) struct SessionConfig {
    /// The claude to run; `None`: discovered.
    pub(crate) command: Option<PathBuf>,
    /// Added to the child's scrubbed environment, last word.
    pub(crate) env: BTreeMap<String, String>,
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
}
