//! The user's own Codex CLI as a lane.
//!
//! **What for.** [`CodexLane`] serves a call by `codex app-server`: a thread of its own for each call, its history taken
//! up item by item, the caller's tools as the CLI's dynamic tools, one turn. The CLI is logged in by its own commands and
//! keeps its tokens to itself; upstream it goes by the relay's name.
//!
//! **Never.** No token passes through here. Nothing that the CLI asks for is granted: no command, no approval, no file.
//! Nothing is asked twice: a call that reached the model is told as it ended.
//!
//! **Invariants.** Nothing is started before a call needs it. What the CLI would drop or change of a call without a word
//! is refused before, or named in the answer's labels; what it changes of an answer fails it. Every process leads a group
//! of its own, is in the registry, and its files go with it.
//!
//! Start reading at [`exchange`]: it is one call. `connection` is the talk with one process, `process` the task around
//! it, `keeper` the processes, `lane` the way in; `item`, `tool` and `models` say what the CLI takes and what it does
//! otherwise.

mod account;
mod answer;
mod command;
mod connection;
mod discover;
mod exchange;
mod failure;
mod fault;
mod http_log;
mod item;
mod keeper;
mod known;
mod lane;
mod launch;
mod limits;
mod models;
mod path;
mod prepare;
mod process;
mod rpc;
mod schema;
mod settings;
mod talk;
mod tool;

pub(crate) use command::CodexProgram;
pub(crate) use lane::CodexLane;
#[cfg(feature = "recorder")]
pub(crate) use talk::Speaker;
#[cfg(feature = "recorder")]
pub(crate) use talk::Talk;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How the CLI is run.
#[derive(Debug, Clone)]
pub(crate) struct CodexConfig {
    /// The program to run; `None`: discovered.
    pub(crate) command: Option<PathBuf>,
    /// Added to the child's environment, last word.
    pub(crate) env: BTreeMap<String, String>,
    /// The environment of which a part is passed on.
    pub(crate) inherited: BTreeMap<OsString, OsString>,
    /// The folder for the processes' own files; private, emptied at the start.
    pub(crate) runs: PathBuf,
    /// Processes at once.
    pub(crate) processes_max: usize,
    /// Calls at once.
    pub(crate) calls_max: usize,
    /// How long a call waits for a place.
    pub(crate) queue_wait_max: Duration,
    /// How long a turn may take.
    pub(crate) turn_wait_max: Duration,
    /// Where all that is said to the CLI and by it is kept, too; nowhere but in a recorder.
    pub(crate) talk: Option<talk::Talk>,
}
