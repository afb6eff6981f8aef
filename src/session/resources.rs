//! A session's files, from its launch to its end, and what it does with shared things.

use super::discard::discard;
use super::launch;
use super::launch::Files;
use super::launch_context::LaunchContext;
use super::pty::reap::ProcessRegistry;
use super::ready_gate;
use super::shape::Shape;
use super::transcript_pipe::make_pipe;
use super::transcript_store::TranscriptStore;
use super::witness::receiver::HookAddress;
use super::witness::tail::Tails;
use crate::disk::make_private_folder;
use crate::disk::write_private;
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use uuid::Uuid;

/// What one session has at hand.
pub(crate) struct SessionResources {
    pub(crate) tails: Tails,
    pub(crate) transcript_store: TranscriptStore,
    pub(super) files: Files,
    /// The name that the session asks for its model by.
    pub(crate) model: String,
    registry: ProcessRegistry,
    /// Transcripts that were removed last; the CLI writes a last line into some of them when it leaves or ends.
    forgotten: VecDeque<PathBuf>,
}

impl SessionResources {
    pub(super) fn new(
        launch_context: &LaunchContext,
        files: Files,
        model: &str,
    ) -> SessionResources {
        SessionResources {
            tails: launch_context.tails.clone(),
            transcript_store: launch_context.transcript_store.clone(),
            files,
            model: model.to_owned(),
            registry: launch_context.registry.clone(),
            forgotten: VecDeque::with_capacity(FORGOTTEN_MAX + 1),
        }
    }

    /// Puts a prompt where the editor takes it from.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn stage_prompt(&self, text: &str) -> io::Result<()> {
        write_private(&self.files.prompt(), text.as_bytes(), 0o600)
    }

    /// Lets a session that waits at its gate begin; the pipe's end is to be held until it has.
    ///
    /// # Errors
    /// Where the pipe cannot be written.
    pub(crate) fn open_gate(&self) -> io::Result<fs::File> {
        ready_gate::open(&self.files)
    }

    /// Removes what a turn left on disk.
    pub(crate) fn forget(&mut self, transcript: &Path) {
        drop(fs::remove_file(self.files.prompt()));
        // The CLI writes late what it attached: it is all there by now.
        self.transcript_store.learn_from(&self.model, transcript);
        self.transcript_store.remove(transcript);
        self.forgotten.push_back(transcript.to_owned());
        if self.forgotten.len() > FORGOTTEN_MAX {
            let left = self.forgotten.pop_front();
            left.into_iter()
                .for_each(|path| self.transcript_store.remove(&path));
        }
    }

    /// Removes what the session left on disk.
    pub(crate) fn close(&self, pid: u32) {
        self.registry.remove(pid);
        for transcript in &self.forgotten {
            self.transcript_store.remove(transcript);
        }
        discard(&self.files);
    }
}

/// Launches into a folder of its own; where that fails, nothing of it stays, and a full disk is no fuller.
///
/// # Errors
/// Those of the launch.
pub(super) fn in_new_folder<T>(
    run_dir: &Path,
    launch: impl FnOnce(Files) -> io::Result<T>,
) -> io::Result<T> {
    let files = Files {
        folder: run_dir.join(Uuid::new_v4().to_string()),
    };
    let launched = launch(files.clone());
    if launched.is_err() {
        discard(&files);
    }
    launched
}

/// Writes what a session reads when it comes up.
///
/// # Errors
/// Where its folder cannot be written.
pub(super) fn write_files(
    files: &Files,
    shape: &Shape,
    address: &HookAddress,
    gated: bool,
) -> io::Result<()> {
    make_private_folder(&files.folder)?;
    let gate = gated.then(|| files.gate());
    if let Some(gate) = &gate {
        make_pipe(gate)?;
    }
    let mut settings = launch::hook_settings(&address.url, gate.as_deref());
    if shape.thinking {
        settings = launch::telling_thinking(settings);
    }
    if shape.is_soon_cut() {
        settings = launch::naming_wait(settings);
    }
    write_private(&files.settings(), settings.to_string().as_bytes(), 0o600)?;
    let servers = launch::mcp_servers(&address.tools_url()).to_string();
    write_private(&files.tools(), servers.as_bytes(), 0o600)?;
    if !shape.system.is_empty() {
        write_private(&files.system(), shape.system.as_bytes(), 0o600)?;
    }
    write_private(
        &files.editor(),
        launch::editor_script(files).as_bytes(),
        0o700,
    )
}

/// Removed transcripts that a session may still write into. It writes into one when it goes on to the next, so two would
/// do; whatever is older is removed once more and then left.
const FORGOTTEN_MAX: usize = 4;
